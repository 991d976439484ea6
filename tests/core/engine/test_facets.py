"""Counting inside a set of customers: equal to numpy on the raw values, whatever the way, compiled or not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.index import facets as facets_module
from kequn.core.engine.index.bits import from_ordinals, full, packed
from kequn.core.engine.index.build import Population, histogram_of, parts_of, write_column
from kequn.core.engine.index.counter import Counter, counter, plain_counter
from kequn.core.engine.index.facets import Crowd, Cuts, facets, histograms
from kequn.core.engine.index.layout import Column, open_column
from kequn.core.engine.index.overlap import overlaps

BOTH = pytest.mark.parametrize("loops", [counter(), plain_counter()], ids=["compiled", "plain"])
WAYS = {
    "the cheapest": {},
    "by rows": {"PLANE_COST": 1e9, "CUT_COST": 1e9},
    "by planes and cuts": {"ROW_COST": 1e9},
}


def column(root: Path, name: str, values: Any, type: pa.DataType, population: Population) -> Column:
    """The index column of some values."""
    parts = parts_of(pa.chunked_array([pa.array(values, type=type)]))
    write_column(root / name, parts, histogram_of(parts, population), population)
    return open_column(name, root / name)


def everybody(size: int) -> Population:
    return Population(full(size), size, size, "all")


def holed(rng: np.random.Generator, values: Any) -> list[Any]:
    return [None if hole else v for v, hole in zip(list(values), rng.random(len(values)) < 0.2, strict=True)]


def a_bank(root: Path, size: int = 1000, seed: int = 7) -> tuple[dict[str, Column], dict[str, list[Any]], Population]:
    """Columns of every kind, some with holes, one that is shorter than the bank."""
    rng = np.random.default_rng(seed)
    population = everybody(size)
    money = np.where(rng.random(size) < 0.4, 0, (10 ** rng.uniform(2, 11, size)).astype(np.int64)).tolist()
    raw: dict[str, tuple[list[Any], pa.DataType]] = {
        "flag": (holed(rng, (rng.random(size) < 0.3).tolist()), pa.bool_()),
        "sure": ((rng.random(size) < 0.3).tolist(), pa.bool_()),
        "few": (holed(rng, [f"v{i}" for i in rng.integers(0, 6, size)]), pa.string()),
        "many": ([f"v{i:03d}" for i in rng.integers(0, 400, size)], pa.string()),
        "money": (holed(rng, money), pa.int64()),
        "count": (rng.integers(0, 9, size).tolist(), pa.int32()),
        "score": (holed(rng, rng.normal(size=size).tolist()), pa.float64()),
        "short": (rng.integers(-500, 900, size - 70).tolist(), pa.int32()),
        "class": (holed(rng, [list({"I", "II"})[: i % 3] for i in range(size)]), pa.list_(pa.string())),
    }
    columns = {name: column(root, name, values, kind, population) for name, (values, kind) in raw.items()}
    return columns, {name: values for name, (values, _) in raw.items()}, population


def expected(column: Column, values: list[Any], inside: np.ndarray) -> list[int]:
    """By code, in plain Python."""
    chosen = [v for v, here in zip(values, inside, strict=False) if here]
    missing = int(inside.sum()) - sum(v is not None for v in chosen)
    if column.kind == "set":
        return [missing, *(sum(word in (v or []) for v in chosen) for word in column.values or ())]
    return [missing, *(sum(v is not None and v == word for v in chosen) for word in column.values or ())]


def between(values: list[Any], inside: np.ndarray, cuts: list[float]) -> list[int]:
    known = [v for v, here in zip(values, inside, strict=False) if here and v is not None]
    bounds = [-np.inf, *cuts, np.inf]
    return [int(inside.sum()) - len(known)] + [sum(low <= v < high for v in known) for low, high in pairwise(bounds)]


@BOTH
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.8, 1.0])
def test_every_column_is_counted_as_by_hand_whatever_the_way(tmp_path, monkeypatch, loops: Counter, way, share):
    for name, value in WAYS[way].items():
        monkeypatch.setattr(facets_module, name, value)
    monkeypatch.setattr(facets_module, "BLOCK", 256)
    columns, raw, population = a_bank(tmp_path)
    inside = np.random.default_rng(int(share * 100)).random(population.size) < share
    for bank in (None, population.words):
        crowd = Crowd(packed(inside), population.size, bank, loops)
        coded = [c for c in columns.values() if c.values is not None]
        found = facets(coded, crowd)
        for one in coded:
            assert found[one.name].tolist() == expected(one, raw[one.name], inside), one.name


@BOTH
@pytest.mark.parametrize("way", WAYS)
def test_cuts_need_not_fall_on_bins(tmp_path, monkeypatch, loops: Counter, way):
    for name, value in WAYS[way].items():
        monkeypatch.setattr(facets_module, name, value)
    columns, raw, population = a_bank(tmp_path)
    cuts: dict[str, list[float]] = {
        "money": [0, 1, 12_345, 10_000_000, 10**12], "count": [3], "score": [-0.5, 0.0, 0.1234, 9.0], "short": [],
    }  # fmt: skip
    inside = np.random.default_rng(3).random(population.size) < 0.4
    crowd = Crowd(packed(inside), population.size, population.words, loops)
    found = facets(
        [columns[n] for n in cuts], crowd, cuts={n: Cuts.of(columns[n], np.array(c)) for n, c in cuts.items()}
    )
    for name, at in cuts.items():
        assert found[name].tolist() == between(raw[name], inside, at), name


@BOTH
def test_the_histogram_of_everybody_is_the_columns_own(tmp_path, loops: Counter):
    columns, _, population = a_bank(tmp_path)
    everyone = Crowd(population.words, population.size, None, loops)
    coded = [c for c in columns.values() if c.codes is not None]
    for name, counts in histograms(coded, everyone).items():
        assert counts.tolist() == columns[name].histogram.tolist()


@given(
    values=st.lists(
        st.one_of(st.none(), st.integers(-50, 50), st.integers(-(10**15), 10**15)), min_size=1, max_size=200
    ),
    cuts=st.lists(st.integers(-60, 60), max_size=6, unique=True).map(sorted),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_any_numbers_and_any_cuts_agree_with_plain_python(tmp_path_factory, values, cuts, seed):
    root = tmp_path_factory.mktemp("facets")
    size = len(values)
    one = column(root, "n", values, pa.int64(), everybody(size))
    inside = np.random.default_rng(seed).random(size) < 0.6
    for loops in (counter(), plain_counter()):
        crowd = Crowd(packed(inside), size, full(size), loops)
        found = facets([one], crowd, cuts={"n": Cuts.of(one, np.array(cuts, dtype=np.int64))})["n"]
        assert found.tolist() == between(values, inside, cuts)


@given(st.integers(1, 9), st.integers(1, 300), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_overlaps_are_the_sizes_of_intersections(many, size, seed):
    rng = np.random.default_rng(seed)
    sets = [set(np.flatnonzero(rng.random(size) < rng.random()).tolist()) for _ in range(many)]
    masks = [from_ordinals(np.array(sorted(s), dtype=np.uint32), size) for s in sets]
    wanted = [[len(a & b) for b in sets] for a in sets]
    assert overlaps(masks, using=counter()).tolist() == wanted
    assert overlaps(masks, using=plain_counter()).tolist() == wanted


def test_no_sets_have_no_overlaps():
    assert overlaps([]).shape == (0, 0)
