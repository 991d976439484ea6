"""The emitted SQL, run by a real PostgreSQL: the same customers as the plain telling finds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.core.segments.agreement import by_postgres, connection, differences, fill_postgres, run
from tests.core.segments.bank import Bank, make_bank
from tests.core.segments.cases import CASES
from tests.core.segments.trees import tree

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def postgres() -> Iterator[tuple[Bank, Any]]:
    link = connection()
    if link is None:
        pytest.skip("set KEQUN_TEST_POSTGRES to the address of a PostgreSQL database")
    bank = make_bank(4)
    with link, link.cursor() as cursor:
        fill_postgres(cursor, bank)
        yield bank, cursor
        link.rollback()


@pytest.mark.parametrize("joins", [False, True])
def test_postgresql_finds_whom_each_fixed_case_means(postgres: tuple[Bank, Any], joins: bool):
    bank, cursor = postgres
    assert not list(differences(bank, by_postgres(cursor, bank, joins=joins), list(CASES.values())))


def test_postgresql_finds_exactly_those_whom_a_rule_means(postgres: tuple[Bank, Any]):
    bank, cursor = postgres
    rng = Random("postgresql")
    assert not list(differences(bank, by_postgres(cursor, bank), [tree(rng) for _ in range(200)]))


def test_a_rule_and_its_negation_split_the_bank_of_postgresql(postgres: tuple[Bank, Any]):
    bank, cursor = postgres
    rng = Random("negation")
    wheres = [{"not": tree(rng)} for _ in range(40)]
    assert not list(differences(bank, by_postgres(cursor, bank), wheres))


@pytest.mark.slow
def test_postgresql_finds_exactly_those_whom_a_rule_means_at_length(postgres: tuple[Bank, Any]):
    assert not run("postgres", int(os.environ.get("KEQUN_EXAMPLES", "600")), seed=1)
