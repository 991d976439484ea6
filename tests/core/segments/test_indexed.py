"""The index against the SQL of DuckDB, customer for customer: random rules, narrowed banks, edits in a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import MaskCache
from kequn.core.segments import count, funnel, members, preview
from kequn.core.segments.indexed import lowered
from tests.core.segments.agreement import by_duckdb, understood
from tests.core.segments.bank import AS_OF, TAGS, Bank, make_bank, open_bank
from tests.core.segments.trees import SEGMENTS, segment, tree

GIVEN = {"tags": TAGS, "segments": SEGMENTS, "as_of": AS_OF}
SCOPE = "SELECT unnest(range(0, 60, 3))::UINTEGER"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bank, Engine]]:
    made = make_bank(23)
    engine = open_bank(made, tmp_path_factory.mktemp("bank"))
    yield made, engine
    engine.close()


def by_index(engine: Engine, where: dict) -> set[int]:
    """With nothing kept, with parts kept, and as kept."""
    index, plan = lowered(engine, understood(segment(where)), AS_OF)
    cache = MaskCache()
    found = index.ids(plan)
    assert np.array_equal(found, index.ids(plan, cache, keep=True))
    assert np.array_equal(found, index.ids(plan, cache))
    assert index.count(plan) == len(found)
    return set(found.tolist())


def differs(engine: Engine, wheres: list[dict]) -> list[dict]:
    answers = by_duckdb(engine)([understood(segment(where)) for where in wheres])
    return [where for where, meant in zip(wheres, answers, strict=True) if by_index(engine, where) != meant]


def test_random_rules_are_answered_as_duckdb_does(bank: tuple[Bank, Engine]):
    rng = Random("random rules on the index")
    assert not differs(bank[1], [tree(rng) for _ in range(40)])


def test_a_narrowed_bank_is_answered_as_duckdb_does(bank: tuple[Bank, Engine]):
    rng = Random("random rules on a narrowed bank")
    narrowed = bank[1].within(SCOPE)
    assert not differs(narrowed, [tree(rng) for _ in range(20)])
    assert count(narrowed, segment({"all": []}), **GIVEN) == len(bank[0].customers() & set(range(0, 60, 3)))


def test_the_funnel_is_the_same_from_both(bank: tuple[Bank, Engine]):
    rng = Random("funnels")
    for engine in (bank[1], bank[1].within(SCOPE)):
        for _ in range(3):
            spec = segment({"all": [tree(rng) for _ in range(3)]})
            assert preview(engine, spec, **GIVEN) == preview(engine, spec, **GIVEN, by="duckdb")
            assert funnel(engine, spec, **GIVEN) == funnel(engine, spec, **GIVEN, by="duckdb")


def test_one_edit_after_the_other_never_shows_what_was_kept_of_another(bank: tuple[Bank, Engine]):
    rng, engine = Random("edits"), bank[1]
    parts = [tree(rng) for _ in range(4)]
    for _ in range(8):
        parts[rng.randrange(4)] = tree(rng)
        where = {rng.choice(["all", "any"]): [parts[0], {"not": {"any": parts[1:3]}}, parts[3]]}
        kept = members(engine, segment(where), **GIVEN)
        assert np.array_equal(kept, members(engine, segment(where), **GIVEN, by="duckdb"))
        assert count(engine, segment(where), **GIVEN) == count(engine, segment(where), **GIVEN, by="duckdb")
        preview(engine, segment(where), **GIVEN)


@pytest.mark.parametrize("written", ["0.12345678901234567", "123456789.123456789", "-0.30000000000000004"])
def test_numbers_of_many_digits_are_the_same_double_in_both(bank: tuple[Bank, Engine], written: str):
    for op in ("=", "!=", "<", ">="):
        where = {"tag": "txn_online", "op": op, "value": written}
        assert not differs(bank[1], [where])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_rules_over_random_banks_are_answered_as_duckdb_does(tmp_path: Path, seed: int):
    rng, engine = Random(seed), open_bank(make_bank(seed, size=200), tmp_path)
    for _ in range(20):
        assert not differs(engine, [tree(rng) for _ in range(20)])
    engine.close()
