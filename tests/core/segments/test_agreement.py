"""Every engine here finds exactly those whom a rule means: fixed cases, and random rules over random banks.

``KEQUN_EXAMPLES`` makes the slow ones longer; the longest are runs of ``python -m tests.core.segments.agreement``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from kequn.core.engine.duck import Engine
from tests.core.segments.agreement import ENGINES, differences, run
from tests.core.segments.bank import Bank, make_bank, open_bank
from tests.core.segments.cases import CASES
from tests.core.segments.reference import who
from tests.core.segments.trees import DICE, SEGMENTS, segment, tree

EXAMPLES = int(os.environ.get("KEQUN_EXAMPLES", "2000"))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bank, Engine]]:
    made = make_bank(11)
    engine = open_bank(made, tmp_path_factory.mktemp("bank"))
    yield made, engine
    engine.close()


@pytest.mark.parametrize("engine", list(ENGINES))
def test_each_fixed_case_finds_whom_it_means(bank: tuple[Bank, Engine], engine: str):
    assert not list(differences(bank[0], ENGINES[engine](bank[1]), list(CASES.values())))


def test_there_are_a_hundred_and_fifty_cases_and_they_tell_customers_apart(bank: tuple[Bank, Engine]):
    answers = [frozenset(who(segment(where), bank[0], SEGMENTS)) for where in CASES.values()]
    assert len(CASES) >= 150
    assert len(set(answers)) > 90
    assert sum(not answer for answer in answers) < 25


@pytest.mark.parametrize("engine", list(ENGINES))
def test_random_rules_find_whom_they_mean(bank: tuple[Bank, Engine], engine: str):
    rng = Random(f"random rules {engine}")
    assert not list(differences(bank[0], ENGINES[engine](bank[1]), [tree(rng) for _ in range(40)]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=DICE)
def test_a_rule_and_its_negation_split_the_bank(bank: tuple[Bank, Engine], rng: Random):
    made, engine = bank
    where = tree(rng)
    assert not list(differences(made, ENGINES["duckdb"](engine), [where, {"not": where}]))
    assert who(segment(where), made, SEGMENTS) ^ who(segment({"not": where}), made, SEGMENTS) == made.customers()


@pytest.mark.slow
@pytest.mark.parametrize("engine", list(ENGINES))
def test_random_rules_over_random_banks_find_whom_they_mean(engine: str):
    assert not run(engine, EXAMPLES if engine == "duckdb" else EXAMPLES // 4, seed=7)
