"""A patched column is the column that would be built from the new values."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kequn.core.engine.index.build import Population, column_in_memory, histogram_of
from kequn.core.engine.index.layout import Column, open_column
from kequn.core.engine.index.opening import build_index, folder_of, population_of
from kequn.core.engine.index.patch import patch_column
from tests.core.engine.wide_bank import AS_OF, NOW, TYPES, make_values, write_date, write_store

SIZE = 500


def told(column: Column) -> tuple:
    """All that answers are made of, by value; a value that nobody has any more may linger in the dictionary."""
    counts = dict(zip([None, *(column.values or ())], column.histogram.tolist(), strict=False))
    planes = {(column.values or ())[code - 1]: plane.tolist() for code, plane in column.planes.items()}
    decoded = None if column.codes is None else [[None, *(column.values or ())][code] for code in column.codes]
    used = {value: figure for value, figure in counts.items() if figure}
    return column.kind, column.known.tolist(), decoded, {v: p for v, p in planes.items() if any(p)}, used


def same(one: Column, other: Column) -> None:
    if one.exact is None:
        assert told(one) == told(other)
        return
    assert (one.kind, one.known.tolist()) == (other.kind, other.known.tolist())
    assert np.array_equal(one.exact, other.exact)
    known = one.codes > 0
    assert np.array_equal(known, other.codes > 0)
    assert (one.lows[one.codes[known] - 1] <= one.exact[known]).all()
    assert (one.highs[one.codes[known] - 1] >= one.exact[known]).all()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("bank")
    store = write_store(root, make_values(1, SIZE), [i % 9 > 0 for i in range(SIZE)])
    state = store.manifest().dates[AS_OF.isoformat()]
    build_index(store, state)
    return store, state, population_of(store, state)


def test_a_patched_column_keeps_no_counts_of_the_earlier_values(bank, tmp_path: Path):
    store, state, population = bank
    name = min(TYPES)
    folder = folder_of(store, name, state.tags[name].file)
    kept = folder / "histogram-another.npy"
    np.save(kept, np.zeros(3, dtype=np.int64))
    try:
        column, nobody = open_column(name, folder), pa.array([None], type=TYPES[name])
        assert patch_column(
            column, folder, tmp_path / "new", ordinals=np.array([3]), values=nobody, population=population
        )
    finally:
        kept.unlink()
    assert [path.name for path in (tmp_path / "new").glob("histogram*")] == ["histogram.npy"]


@pytest.mark.parametrize("name", sorted(TYPES))
@pytest.mark.parametrize("same_population", [True, False])
def test_a_patched_column_is_as_if_built(bank, tmp_path: Path, name: str, same_population: bool):
    store, state, population = bank
    folder = folder_of(store, name, state.tags[name].file)
    column, rng = open_column(name, folder), random.Random(name)
    values = make_values(1, SIZE)[name]
    ordinals = sorted(rng.sample(range(SIZE), 60))
    before = make_values(1, SIZE)[name]
    for i, ordinal in enumerate(ordinals):  # values that are there somewhere: what is new to a dictionary is built
        values[ordinal] = None if i % 7 == 0 else before[rng.randrange(SIZE)]
    if not same_population:
        population = Population(population.words & ~np.uint64(2), SIZE, population.customers - 1, "another")
    changed = pa.array([values[i] for i in ordinals], type=TYPES[name])
    assert patch_column(
        column, folder, tmp_path / "new", ordinals=np.array(ordinals), values=changed, population=population
    )
    with store.writing(now=NOW) as draft:
        other = write_date(draft, {name: values}, [True] * SIZE, day=date(2026, 7, 1))
        built = column_in_memory(name, store.path(other.tags[name].file), population)
        del draft.manifest.dates["2026-07-01"]
    patched = open_column(name, tmp_path / "new")
    same(patched, built)
    assert patched.histogram.tolist() == histogram_of(patched, population).tolist()


def test_a_text_that_was_never_there_is_left_to_building(bank, tmp_path: Path):
    store, state, population = bank
    for name, value in (("demo_city", "拉萨"), ("acct_class", ["IV"]), ("txn_visits", 10**9)):
        folder = folder_of(store, name, state.tags[name].file)
        changed = pa.array([value], type=TYPES[name])
        column = open_column(name, folder)
        assert not patch_column(
            column, folder, tmp_path / "new", ordinals=np.array([3]), values=changed, population=population
        )
        assert not (tmp_path / "new").exists()
