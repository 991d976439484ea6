"""The index against a plain reading of the same plan, compiled and not; what it does when files are missing or broken."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Index, MaskCache, build_index
from kequn.core.engine.index.bits import from_ordinals, from_sorted, full, packed, unpacked
from kequn.core.engine.index.build import Population, edges_of, parts_of
from kequn.core.engine.index.kernel import Kernels, kernel, plain
from kequn.core.engine.index.plan import EVERYBODY, NOBODY, All, Bits, CodeIn, Known, Not, Range, normal
from kequn.core.engine.index.plan import Any as AnyOf
from kequn.core.engine.store import Store
from kequn.core.errors import NoData
from tests.core.engine.wide_bank import AS_OF, NOW, holds, make_values, plans, write_date, write_store

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
SIZE = 333


class Bank:
    """A bank, its store and its index by compiled and by plain loops."""

    def __init__(self, root: Path, seed: int) -> None:
        self.values = make_values(seed, SIZE)
        self.present = [random.Random(seed + i).random() < 0.9 for i in range(SIZE)]
        self.store = write_store(root, self.values, self.present)
        self.engine = Engine(self.store)
        self.index = self.engine.index(AS_OF)
        self.plain = Index(AS_OF, self.index.columns, _population(self.index), key="plain", loops=plain())
        one_by_one = cast("Kernels", SimpleNamespace(**(vars(plain()) | {"FEW": 1.0})))
        self.by_row = Index(AS_OF, self.index.columns, _population(self.index), key="rows", loops=one_by_one)

    def expected(self, plan: Any) -> list[int]:
        rows = ({name: column[i] for name, column in self.values.items()} for i in range(SIZE))
        return [i for i, row in enumerate(rows) if self.present[i] and holds(plan, row, self.index.columns)]


def _population(index: Index) -> Population:
    return Population(index.population, index.size, index.customers, index.digest)


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> list[Bank]:
    return [Bank(tmp_path_factory.mktemp("bank"), seed) for seed in (1, 2)]


def agrees(banks: list[Bank], data: st.DataObject) -> None:
    bank = banks[data.draw(st.integers(0, 1))]
    plan = data.draw(plans(bank.values, bank.index.columns))
    expected = bank.expected(plan)
    edited = All((data.draw(plans(bank.values, bank.index.columns)), *(plan.parts if isinstance(plan, All) else ())))
    cache = MaskCache()
    assert bank.index.ids(plan).tolist() == expected
    assert bank.plain.ids(plan).tolist() == expected
    assert bank.by_row.ids(plan).tolist() == expected
    assert bank.index.ids(plan, cache, keep=True).tolist() == expected
    assert bank.index.ids(plan, cache).tolist() == expected
    assert bank.plain.ids(plan, MaskCache(), keep=True).tolist() == expected
    assert bank.index.ids(edited, cache).tolist() == bank.expected(edited)
    assert bank.index.count(All((plan, plan)), bank.engine.masks) == bank.plain.count(plan) == len(expected)
    assert bank.index.ids(Not(plan), cache).tolist() == sorted(set(bank.expected(EVERYBODY)) - set(expected))


@QUICK
@given(data=st.data())
def test_the_index_finds_those_who_meet_the_plan(banks: list[Bank], data: st.DataObject):
    agrees(banks, data)


@pytest.mark.slow
@LONG
@given(data=st.data())
def test_the_index_finds_those_who_meet_the_plan_at_length(banks: list[Bank], data: st.DataObject):
    agrees(banks, data)


@QUICK
@given(
    size=st.integers(1, 400),
    codes=st.integers(1, 300),
    seed=st.integers(0, 99),
    shorter=st.integers(0, 130),
    data=st.data(),
)
def test_compiled_and_plain_loops_give_the_same(size: int, codes: int, seed: int, shorter: int, data: st.DataObject):
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if codes < 256 else np.uint16
    column = rng.integers(0, codes, max(size - shorter, 0)).astype(dtype)
    bins = np.minimum(column, 255).astype(np.uint8)
    exact = rng.integers(-5, 5, len(column)).astype(data.draw(st.sampled_from(["i4", "i8", "f4", "f8"])))
    need = packed(rng.random(size) < data.draw(st.sampled_from([0.0, 0.02, 0.5, 1.0])))
    bounds = np.sort(rng.integers(0, codes, (data.draw(st.sampled_from([3, 9])), 2)), axis=1).astype(dtype)
    lows, highs = bounds[:, 0].copy(), bounds[:, 1].copy()
    marks = rng.random(max(codes, 256)) < 0.4
    inside, looks = np.array([[7, 9], [30, 60]], dtype=np.uint8), np.array([[1, 1], [10, 20]], dtype=np.uint8)
    runs, borders = np.array([9, 3], dtype=np.uint8), np.array([2, 0], dtype=np.uint8)
    typed = np.float64 if exact.dtype.kind == "f" else np.int64
    edges, wanted = np.array([-5, -1, 0, 3], dtype=typed), np.array([-2, 0, 4], dtype=typed)

    def answers(loops: Kernels) -> list[Any]:
        outs = [np.full_like(need, 7) for _ in range(4)]
        loops.codes_in(column, lows, highs, need, outs[0])
        loops.codes_marked(column, marks, need, outs[1])
        loops.bins_between(bins, runs, borders, exact, typed(-1), typed(2), need, outs[2])
        loops.bins_among(bins, inside, looks, exact, wanted, need, outs[3])
        for wanted_inside in (True, False):
            outs.append(need.copy())
            loops.bins_checked(bins, borders, exact, typed(-1), typed(2), wanted_inside, outs[-1])
        found = np.zeros(len(column), dtype=np.uint8)
        extremes = [np.full(4, 9, dtype=typed), np.full(4, -9, dtype=typed)]
        loops.bin_codes(exact, need[: (len(column) + 63) // 64], edges, found, *extremes)
        counts = loops.histogram(column, need, codes)
        figures = [loops.count(need), loops.count_both(need, outs[0])]
        return [*(a.tolist() for a in (*outs, found, *extremes, counts, loops.decode(need))), *figures]

    assert answers(kernel()) == answers(plain())


def test_compiled_and_plain_loops_give_the_same_beyond_a_block():
    rng = np.random.default_rng(5)
    size = (1 << 19) + 77
    column, exact = rng.integers(0, 256, size).astype(np.uint8), rng.integers(0, 9, size)
    rare, none = packed(rng.random(size) < 0.001), np.zeros(1 << 13, dtype=np.uint64)
    runs, borders = np.array([9, 255], dtype=np.uint8), np.array([8, 0], dtype=np.uint8)

    def answers(loops: Kernels, need: Any) -> list[Any]:
        outs = [np.full_like(need, 7) for _ in range(2)]
        loops.codes_in(column, runs[:1], runs[1:], need, outs[0])
        loops.bins_between(column, runs, borders, exact, np.int64(2), np.int64(5), need, outs[1])
        outs.append(need.copy())
        loops.bins_checked(column, borders, exact, np.int64(2), np.int64(5), True, outs[2])
        return [loops.decode(out).tolist() for out in outs]

    for need in (full(size), rare, np.concatenate([none, rare[1 << 13 :]])):
        assert answers(kernel(), need) == answers(plain(), need)
        assert np.array_equal(from_sorted(plain().decode(need).astype(np.int64), size), need)


@pytest.mark.parametrize("name", sorted(make_values(1, 1)))
def test_the_histogram_counts_the_customers_by_code(banks: list[Bank], name: str):
    for bank in banks:
        column = bank.index.columns[name]
        counts = column.histogram.tolist()
        unknown = sum(here and bank.values[name][i] is None for i, here in enumerate(bank.present))
        assert counts[0] == unknown
        if column.kind != "set":
            assert sum(counts) == sum(bank.present)
        if column.values:
            everyone = [CodeIn(name, (code,)) for code in range(1, len(column.values) + 1)]
            assert counts[1:] == [bank.index.count(plan) for plan in everyone]


def test_a_population_that_is_narrowed_counts_only_its_own(banks: list[Bank]):
    bank = banks[0]
    engine = bank.engine.within("SELECT unnest([1, 2, 3, 5, 8, 13, 999])::UINTEGER")
    index = engine.index(AS_OF)
    mine = [i for i in (1, 2, 3, 5, 8, 13) if bank.present[i]]
    assert index.ids(EVERYBODY).tolist() == mine
    assert index.ids(Not(NOBODY)).tolist() == mine
    assert int(index.histogram("demo_city").sum()) == len(mine) == index.customers
    assert engine.index(AS_OF) is index
    assert bank.engine.index(AS_OF).count(EVERYBODY) == sum(bank.present)


def test_customers_who_came_after_a_tag_was_computed_have_no_value(tmp_path: Path):
    values, store = make_values(3, 100), Store(tmp_path)
    with store.writing(now=NOW) as draft:
        state = write_date(draft, values, [True] * 100)
        later = write_date(draft, {}, [True] * 230)
        draft.manifest.dates[AS_OF.isoformat()] = later.model_copy(update={"tags": state.tags})
    index = Engine(store).index(AS_OF)
    for loops in (kernel(), plain()):
        own = Index(AS_OF, index.columns, _population(index), key="k", loops=loops)
        for name, column in values.items():
            known = [i for i, value in enumerate(column) if value is not None]
            assert own.ids(Known(name)).tolist() == known
            assert own.count(Not(Known(name))) == 230 - len(known)
        assert own.count(Range("asset_aum")) == own.count(Known("asset_aum"))
        assert own.count(CodeIn("acct_all_known", (2,))) == values["acct_all_known"].count(False)


def test_a_column_longer_than_the_population_is_cut(tmp_path: Path):
    values, store = make_values(4, 200), Store(tmp_path)
    with store.writing(now=NOW) as draft:
        state = write_date(draft, values, [True] * 200)
        shorter = write_date(draft, {}, [True] * 70)
        draft.manifest.dates[AS_OF.isoformat()] = shorter.model_copy(update={"tags": state.tags})
    index = Engine(store).index(AS_OF)
    for name, column in values.items():
        assert index.ids(Known(name)).tolist() == [i for i in range(70) if column[i] is not None]
    poor = [i for i in range(70) if (values["asset_debt"][i] or 0) < 1]
    assert index.ids(Not(Range("asset_debt", 1, None))).tolist() == poor


def test_a_broken_or_missing_column_is_built_again(tmp_path: Path):
    values = make_values(5, 90)
    store = write_store(tmp_path, values, [True] * 90)
    build_index(store, store.manifest().dates[AS_OF.isoformat()])
    for i, folder in enumerate(sorted(tmp_path.glob("index/*/*"))):
        damaged = sorted(folder.iterdir())[i % len(list(folder.iterdir()))]
        damaged.write_bytes(damaged.read_bytes()[:40])
    index = Engine(store).index(AS_OF)
    for name, column in values.items():
        assert index.count(Known(name)) == sum(v is not None for v in column)


def test_where_nothing_can_be_written_the_index_is_in_memory(tmp_path: Path):
    values = make_values(5, 90)
    store = write_store(tmp_path, values, [True] * 90)
    (tmp_path / "index").write_text("a file where the folder would be")
    index = Engine(store).index(AS_OF)
    for name, column in values.items():
        assert index.count(Known(name)) == sum(v is not None for v in column)


def test_the_next_writer_sweeps_what_no_column_file_stands_behind(tmp_path: Path):
    store = write_store(tmp_path, make_values(6, 40), [True] * 40)
    state = store.manifest().dates[AS_OF.isoformat()]
    build_index(store, state)
    kept = Path(state.tags["asset_aum"].file).stem
    for folder in ("asset_aum/gone-123", f"asset_aum/.{kept}.0123", "asset_aum/.gone-123.0123", "old_tag/x"):
        (tmp_path / "index" / folder).mkdir(parents=True)
    with store.writing(now=NOW):
        pass
    assert [p.name for p in (tmp_path / "index" / "asset_aum").iterdir()] == [kept]
    assert not list((tmp_path / "index" / "old_tag").iterdir())


def test_no_date_no_index(banks: list[Bank]):
    with pytest.raises(NoData):
        banks[0].engine.index(AS_OF.replace(year=1999))


def test_customers_found_elsewhere_are_asked_for_only_where_it_matters(banks: list[Bank]):
    index, asked = banks[0].index, []

    def load() -> Any:
        asked.append(1)
        return from_ordinals(np.array([1, 2, 3]), SIZE)

    nobody = All((Range("txn_visits", 100, None), Bits("three", load)))
    assert index.count(nobody) == 0
    assert asked == []
    assert index.count(AnyOf((nobody, Bits("three", load)))) == sum(banks[0].present[1:4])


def test_constants_repetitions_and_opposites_are_folded():
    a, b = Known("a"), Known("b")
    assert normal(All((a, All((b, a)), EVERYBODY))) == All((a, b))
    assert normal(AnyOf((a, Not(a)))) == EVERYBODY
    assert normal(All((a, AnyOf((b,)), Not(Not(Not(b)))))) == NOBODY
    assert normal(Not(AnyOf((a, Not(b))))) == All((Not(a), b))
    assert normal(All((a, Range("n", 5, 4)))) == NOBODY
    assert normal(All((a, Not(CodeIn("c", ()))))) == a


def test_edited_conditions_push_old_planes_out_of_the_cache():
    cache = MaskCache(capacity=3 * 8)
    for i in range(5):
        cache.put(i, np.zeros(1, dtype=np.uint64))
        cache.get(0)
    assert [i for i in range(5) if cache.get(i) is not None] == [0, 3, 4]
    assert cache.size == 24


@given(values=st.lists(st.integers(-(10**15), 10**15) | st.just(0), min_size=1, max_size=900), cut=st.integers(-9, 9))
@QUICK
def test_every_value_falls_into_the_bin_of_its_bounds(values: list[int], cut: int):
    parts = parts_of(pa.chunked_array([pa.array([*values, None], type=pa.int64())]), cuts=(cut,))
    edges, lows, highs = parts.bins  # type: ignore[misc]
    assert len(edges) <= 255
    assert cut in edges.tolist()
    assert (np.diff(edges) > 0).all()
    for code, value in zip(parts.codes[:-1].tolist(), values, strict=True):  # type: ignore[index]
        assert lows[code - 1] <= value <= highs[code - 1]
        assert code == 1 or edges[code - 1] <= value
        assert code == len(edges) or value < edges[code]
    assert parts.codes[-1] == 0  # type: ignore[index]


def test_a_common_value_among_many_has_a_bin_of_its_own():
    ordered = np.sort(np.concatenate([np.zeros(5000, dtype=np.int64), np.arange(1, 100_000)]))
    edges = edges_of(ordered)
    assert edges[:2].tolist() == [0, 1]
    assert 200 < len(edges) <= 255


def test_planes_have_no_bits_beyond_their_size():
    for size in (1, 63, 64, 65, 200):
        flags = np.ones(size, dtype=bool)
        assert (packed(flags) == full(size)).all()
        assert unpacked(packed(flags), size).sum() == size == kernel().count(full(size))
