"""Days of changes laid over columns: index, DuckDB and files say what a plain reading of the latest values says, on every date."""

from __future__ import annotations

import random
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Column, Index, MaskCache, layout
from kequn.core.engine.index import facets as facets_module
from kequn.core.engine.index.bits import from_ordinals
from kequn.core.engine.index.build import Population, histogram_of
from kequn.core.engine.index.changes import at, codes_of, exact_of, in_plane, known_of
from kequn.core.engine.index.counter import counter, plain_counter
from kequn.core.engine.index.facets import Crowd, Cuts, facets, totals
from kequn.core.engine.index.kernel import kernel, plain
from kequn.core.engine.index.ordered import Binned
from kequn.core.engine.index.plan import EVERYBODY, All, Not
from kequn.core.engine.store import DateState, Store
from kequn.core.engine.tagfiles import ChangeFiles, column_of, value_of, write_changes
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import patching
from kequn.core.tags.increment import Increment
from kequn.core.tags.patching import Patch, fold
from tests.core.engine.test_facets import WAYS, between, expected
from tests.core.engine.wide_bank import AS_OF, NOW, NUMBERS, TYPES, holds, make_values, number_of, plans, write_date

TYPE_OF = {
    pa.bool_(): "boolean",
    pa.string(): "text",
    pa.int64(): "integer",
    pa.int32(): "integer",
    pa.float64(): "number",
    pa.date32(): "date",
    pa.list_(pa.string()): "list",
}
SPECS = {
    name: TagSpec(
        name=name, title="试", family=name.partition("_")[0], type=TYPE_OF[type_], over="customer", expression="1",
        owner="data_asset",
    )
    for name, type_ in TYPES.items()
}  # fmt: skip
NEW_VALUES: dict[str, list[Any]] = {
    "demo_city": ["拉萨"],
    "demo_nothing": ["有"],
    "acct_class": [["IV", "I"]],
    "txn_visits": [70_000],
    "asset_aum": [-(2**62), 2**62],
    "model_score": [5.5, 0.1],
    "asset_matures": [date(2200, 1, 1)],
}
"""Such as the columns never held: codes that are not there, numbers too wide."""


class Days:
    """A bank over some days: each day some customers have other values of some tags, some leave and some come."""

    def __init__(self, root: Path, seed: int, days: int, size: int) -> None:
        self.rng = random.Random(seed)
        self.store = Store(root)
        values = make_values(seed, size)
        values["model_score"] = [None if v != v else v for v in values["model_score"]]
        present = [self.rng.random() < 0.9 for _ in range(size)]
        self.values, self.present = {AS_OF: values}, {AS_OF: present}
        self.refreshed: dict[date, list[str]] = {AS_OF: []}
        with self.store.writing(now=NOW) as draft:
            write_date(draft, values, present)
        for ago in range(1, days + 1):
            self.next(AS_OF + timedelta(days=ago))

    def next(self, day: date) -> None:
        """Publish a day's changes as a refresh does."""
        rng, before = self.rng, max(self.values)
        old, size = self.values[before], len(self.present[before]) + self.rng.choice([0, 0, 1, 70])
        values = deepcopy(old)
        for name in values:
            values[name] += [None] * (size - len(values[name]))
        present = [p != (rng.random() < 0.02) for p in self.present[before]]
        present += [True] * (size - len(present))
        new = range(len(self.present[before]), size)
        ordinals = sorted({*rng.sample(range(size), rng.choice([1, 3, size // 9, size // 2])), *new})
        tags = sorted(rng.sample(sorted(TYPES), rng.choice([1, 4, len(TYPES)])))
        for name in tags:
            odd = NEW_VALUES.get(name, []) if rng.random() < 0.2 else []
            for ordinal in ordinals:
                values[name][ordinal] = rng.choice([None, rng.choice(old[name]), rng.choice(old[name]), *odd])
        with self.store.writing(now=NOW) as draft:
            draft.manifest.ordinals = size
            path, population = draft.new_file("population", "present")
            pq.write_table(pa.table({"value": pa.array(present)}), path)
            base = draft.manifest.dates[before.isoformat()]
            part = Increment(base, tuple(tags), np.array(ordinals, dtype=np.uint32))
            changed = {n: pa.array([values[n][o] for o in ordinals], TYPES[n]) for n in tags}
            specs = {n: SPECS[n] for n in tags}
            files = Patch(draft, part, population).files(specs, pa.table(changed), dict.fromkeys(tags, "same"), NOW)
            state = DateState(population=population, customers=sum(present), tags=base.tags | files)
            draft.manifest.dates[day.isoformat()] = state
        self.values[day], self.present[day], self.refreshed[day] = values, present, tags

    def whole(self, day: date) -> None:
        """Files and DuckDB have each value of each customer, and the manifest tells how many are known."""
        engine = Engine(self.store)
        state, values, present = engine.manifest.dates[day.isoformat()], self.values[day], self.present[day]
        rows = engine.rows(f"SELECT * FROM ({engine.tags_query(day, TYPES)}) ORDER BY ordinal")
        here = [i for i, p in enumerate(present) if p]
        assert [row[0] for row in rows] == here
        for place, name in enumerate(TYPES, start=1):
            assert [row[place] for row in rows] == [values[name][i] for i in here], name
            whole = column_of(self.store, name, state.tags[name], size=len(present))
            assert whole.to_pylist() == values[name]
            some = self.rng.randrange(len(present))
            assert value_of(self.store, name, state.tags[name], some) == values[name][some]
            if state.tags[name].fingerprint == SPECS[name].fingerprint():  # written by a refresh of this test
                since = max(d for d in self.values if d <= day and name in self.refreshed[d])
                known = sum(
                    v is not None and p for v, p in zip(self.values[since][name], self.present[since], strict=True)
                )
                assert state.tags[name].known == known
        engine.close()

    def agrees(self, day: date, data: st.DataObject) -> None:
        """The index answers random plans and counts, compiled or not, as a reading row by row does."""
        engine = Engine(self.store)
        index, values, present = engine.index(day), self.values[day], self.present[day]
        population = Population(index.population, index.size, index.customers, index.digest)
        other = Index(day, index.columns, population, key="plain", loops=plain())
        plan = data.draw(plans(values, index.columns))
        rows = ({name: column[i] for name, column in values.items()} for i in range(len(present)))
        found = [i for i, row in enumerate(rows) if present[i] and holds(plan, row, index.columns)]
        cache = MaskCache()
        assert index.ids(plan).tolist() == found
        assert other.ids(plan).tolist() == found
        assert index.ids(plan, cache, keep=True).tolist() == found
        assert index.ids(All((plan, EVERYBODY)), cache).tolist() == found
        assert other.ids(Not(plan), MaskCache(), keep=True).tolist() == [
            i for i, p in enumerate(present) if p and i not in set(found)
        ]
        for name in TYPES:
            self.counted(index, index.columns[name], values[name], present)
        engine.close()

    def counted(self, index: Index, column: Column, values: list[Any], present: list[bool]) -> None:
        """Counts, sums, order and single values of a column, among some of the customers."""
        inside = np.array(present) & (
            np.random.default_rng(len(values)).random(len(present)) < self.rng.choice([0.1, 0.8])
        )
        words, loops = from_ordinals(np.flatnonzero(inside), index.size), self.rng.choice([counter(), plain_counter()])
        crowd = Crowd(words, index.size, index.population if column.population == index.digest else None, loops)
        narrow = Population(words, index.size, int(inside.sum()), "some")
        numbers = [None if v is None else number_of(v) for v in values]
        who = np.array(self.rng.sample(range(len(values)), 20))
        assert known_of(column, who).tolist() == [values[i] is not None for i in who]
        with pytest.MonkeyPatch.context() as patched:
            for constant, cost in self.rng.choice(list(WAYS.values())).items():
                patched.setattr(facets_module, constant, cost)
            if column.name not in NUMBERS:
                counts = expected(column, values, inside)
                if column.kind == "text":
                    counts.append(int(inside.sum()) - counts[0])
                assert facets([column], crowd)[column.name].tolist() == counts
                assert histogram_of(column, narrow).tolist() == counts
                assert column.histogram.tolist() == histogram_of(column, _bank(index)).tolist()
                return
            known = sorted(n for n, here in zip(numbers, inside, strict=True) if here and n is not None)
            cuts = sorted({*self.rng.sample(known, min(3, len(known))), 1})
            cut = Cuts.of(column, np.array(cuts, dtype=column.lows.dtype))
            found = facets([column], crowd, cuts={column.name: cut})[column.name].tolist()
            assert found == between(numbers, inside, cuts)
            full = facets([column], crowd)[column.name]
            ordered = Binned(column, crowd, full)
            assert ordered.at(range(len(known))).tolist() == known
            assert ordered.below(cuts).tolist() == [sum(n < c for n in known) for c in cuts]
            assert totals([column], crowd)[column.name] == pytest.approx(sum(known))
        assert column.histogram.tolist() == histogram_of(column, _bank(index)).tolist()
        assert exact_of(column, who).tolist() == [numbers[i] or 0 for i in who]


def _bank(index: Index) -> Population:
    return Population(index.population, index.size, index.customers, index.digest)


def hold(days: Days, data: st.DataObject) -> None:
    for day in days.values:
        days.whole(day)
        days.agrees(day, data)
    last = max(days.values)
    tags = Engine(days.store).manifest.dates[last.isoformat()].tags
    known = {name: tag.known for name, tag in tags.items() if tag.changes}
    folded = fold(days.store, now=NOW, everything=True)
    assert set(folded) == set(known)
    after = days.store.manifest().dates[last.isoformat()].tags
    assert {name: after[name].known for name in known} == known
    assert not any(tag.changes or tag.changed for tag in after.values())
    assert {name: tag.inputs for name, tag in after.items()} == {name: tag.inputs for name, tag in tags.items()}
    for day in days.values:
        days.whole(day)
        days.agrees(day, data)


def check(root: Path, seed: int, days: int, size: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "MOST_CODES", data.draw(st.sampled_from([30, layout.MOST_CODES])))
        hold(Days(root, seed, days, size), data)


QUICK = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(seed=st.integers(0, 2**32), days=st.integers(1, 3), size=st.sampled_from([90, 256, 400]), data=st.data())
def test_days_of_changes_say_what_the_latest_values_say(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int, size: int, data: st.DataObject
) -> None:
    check(tmp_path_factory.mktemp("days"), seed, days, size, data)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@LONG
@given(seed=st.integers(0, 2**32), days=st.integers(1, 6), size=st.sampled_from([90, 256, 1000]), data=st.data())
def test_days_of_changes_say_what_the_latest_values_say_at_length(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int, size: int, data: st.DataObject
) -> None:
    check(tmp_path_factory.mktemp("days"), seed, days, size, data)


# -- one thing at a time --------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A hundred customers, all present; nothing changed yet."""
    store = Store(tmp_path)
    with store.writing(now=NOW) as draft:
        write_date(draft, make_values(1, 100), [True] * 100)
    return store


def change(store: Store, values: dict[str, dict[int, Any]]) -> dict[str, Any]:
    """Publish new values of tags for the same customers on the date; return the tags."""
    who = sorted(next(iter(values.values())))
    with store.writing(now=NOW) as draft:
        day = draft.manifest.dates[AS_OF.isoformat()]
        table = pa.table({n: pa.array([v[i] for i in who], TYPES[n]) for n, v in values.items()})
        part = Increment(day, tuple(values), np.array(who, dtype=np.uint32))
        specs = {n: SPECS[n] for n in values}
        day.tags |= Patch(draft, part, day.population).files(specs, table, dict.fromkeys(values, ""), NOW)
    return dict(store.manifest().dates[AS_OF.isoformat()].tags)


def parquets(store: Store) -> set[str]:
    return {path.relative_to(store.root).as_posix() for path in store.root.rglob("*.parquet")}


def test_a_change_writes_one_file_for_all_tags_and_no_column(store: Store) -> None:
    before = parquets(store)
    tags = change(store, {"asset_aum": {3: 5, 9: None}, "demo_city": {3: "上海", 9: None}})
    (new,) = parquets(store) - before
    assert tags["asset_aum"].changes == tags["demo_city"].changes == [new]
    assert tags["asset_aum"].changed == 2
    assert tags["asset_debt"].changes == []


def test_a_day_on_which_nobody_changed_writes_nothing(store: Store) -> None:
    before = parquets(store)
    with store.writing(now=NOW) as draft:
        day = draft.manifest.dates[AS_OF.isoformat()]
        part = Increment(day, ("asset_aum",), np.zeros(0, dtype=np.uint32))
        nothing = pa.table({"asset_aum": pa.array([], pa.int64())})
        specs = {"asset_aum": SPECS["asset_aum"]}
        found = Patch(draft, part, day.population).files(specs, nothing, {"asset_aum": "new"}, NOW)
    assert (found["asset_aum"].changes, found["asset_aum"].inputs) == ([], "new")
    assert parquets(store) == before


def test_a_text_without_a_code_is_written_whole(store: Store) -> None:
    tags = change(store, {"demo_city": {3: "拉萨"}, "asset_aum": {3: 5}})
    assert tags["demo_city"].changes == []
    assert len(tags["asset_aum"].changes) == 1
    engine = Engine(store)
    assert value_of(store, "demo_city", tags["demo_city"], 3) == "拉萨"
    assert engine.index(AS_OF).columns["demo_city"].changes is None


def test_an_index_that_has_no_code_for_a_change_is_made_in_memory(store: Store) -> None:
    with store.writing(now=NOW) as draft:
        path, relative = draft.new_file("changes", "tags")
        write_changes(path, np.array([3], dtype=np.uint32), {"demo_city": pa.array(["拉萨"])})
        tags = draft.manifest.dates[AS_OF.isoformat()].tags
        tags["demo_city"] = tags["demo_city"].model_copy(update={"changes": [relative], "changed": 1})
    column = Engine(store).index(AS_OF).columns["demo_city"]
    assert column.changes is None
    assert column.codes is not None
    assert column.values is not None
    assert column.values[int(column.codes[3]) - 1] == "拉萨"


def test_changes_are_folded_once_they_are_many(store: Store) -> None:
    change(store, {"asset_aum": dict.fromkeys(range(9), 5)})
    assert fold(store, now=NOW) == ()
    tags = change(store, {"asset_aum": {50: 5, 51: 5}, "asset_debt": {50: 6, 51: 7}})
    assert fold(store, now=NOW) == ("asset_aum",)
    after = store.manifest().dates[AS_OF.isoformat()].tags
    assert after["asset_aum"].changes == []
    assert after["asset_debt"].changes == tags["asset_debt"].changes
    assert column_of(store, "asset_aum", after["asset_aum"]).to_pylist()[50] == 5


def test_changes_are_folded_once_their_files_are_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "MOST_FILES", 2)
    change(store, {"asset_aum": {1: 5}})
    assert fold(store, now=NOW) == ()
    change(store, {"asset_aum": {1: 6}})
    assert fold(store, now=NOW) == ("asset_aum",)


def test_where_nobody_folds_a_refresh_writes_the_column(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "MOST_FILES", 1)
    assert [len(change(store, {"asset_aum": {1: n}})["asset_aum"].changes) for n in range(4)] == [1, 2, 0, 1]
    tags = store.manifest().dates[AS_OF.isoformat()].tags
    assert value_of(store, "asset_aum", tags["asset_aum"], 1) == 3


def test_files_of_changes_go_with_the_last_date_that_names_them(store: Store) -> None:
    (file,) = change(store, {"asset_aum": {1: 5}})["asset_aum"].changes
    for _ in range(3):
        change(store, {"asset_debt": {1: 5}})
    assert file in parquets(store)
    assert fold(store, now=NOW, everything=True)
    for _ in range(2):
        change(store, {"asset_debt": {1: 5}})
    assert file not in parquets(store)


def test_a_reader_goes_on_while_changes_are_laid_and_folded(store: Store) -> None:
    change(store, {"asset_aum": {1: 5}})
    engine = Engine(store)
    change(store, {"asset_aum": {1: 6}})
    fold(store, now=NOW, everything=True)
    assert engine.rows(f"SELECT asset_aum FROM ({engine.tags_query(AS_OF, ['asset_aum'])}) WHERE ordinal = 1") == [(5,)]
    column, row = at(engine.index(AS_OF).columns["asset_aum"], 1)
    assert column.exact is not None
    assert column.exact[row] == 5


def test_a_narrowed_bank_sees_changes(store: Store) -> None:
    change(store, {"acct_flag": {1: True, 2: False, 3: None}, "demo_city": {1: "北京", 2: "北京", 3: None}})
    engine = Engine(store).within("SELECT unnest([1, 3, 4]) AS ordinal")
    rows = engine.rows(f"SELECT ordinal, acct_flag FROM ({engine.tags_query(AS_OF, ['acct_flag'])}) ORDER BY 1")
    assert rows[:2] == [(1, True), (3, None)]
    index = engine.index(AS_OF)
    column, values = index.columns["demo_city"], make_values(1, 100)["demo_city"]
    assert int(index.histogram("demo_city")[1:].sum()) == 1 + (values[4] is not None)
    who = np.array([1, 2, 3])
    assert codes_of(column, who).tolist() == [(column.values or ()).index("北京") + 1] * 2 + [0]
    assert in_plane(column, int(codes_of(column, who)[0]), who).tolist() == [True, True, False]


def test_of_files_that_name_a_customer_the_last_counts(store: Store) -> None:
    names = []
    with store.writing(now=NOW) as draft:
        for who, value in (([1, 5], [1, 2]), ([5, 9], [None, 4]), ([0, 9], [7, 8])):
            path, relative = draft.new_file("changes", "tags")
            write_changes(path, np.array(who, dtype=np.uint32), {"asset_aum": pa.array(value, pa.int64())})
            names.append(relative)
        draft.manifest.extra["kept"] = names
        changes = ChangeFiles(store, names)
        assert changes.ordinals.tolist() == [0, 1, 5, 9]
        assert changes.values("asset_aum").to_pylist() == [7, 1, None, 8]


@given(
    size=st.integers(1, 700), seed=st.integers(0, 99), share=st.sampled_from([0.01, 0.3, 1.0]), everybody=st.booleans()
)
@settings(max_examples=60, deadline=None)
def test_compiled_and_plain_bits_are_put_alike(size: int, seed: int, share: float, everybody: bool) -> None:
    rng = np.random.default_rng(seed)
    who = np.flatnonzero(rng.random(size) < share).astype(np.uint32)
    rows, need, plane = (from_ordinals(np.flatnonzero(rng.random(n) < 0.5), n) for n in (len(who), size, size))
    mine = np.unpackbits(plane.view(np.uint8), bitorder="little")
    here = np.unpackbits(need.view(np.uint8), bitorder="little")
    for place, ordinal in enumerate(who.tolist()):
        bit = int(rows[place >> 6]) >> (place & 63) & 1
        mine[ordinal] = bit if everybody else bit & here[ordinal]
    for loops in (kernel(), plain()):
        found, back = plane.copy(), np.zeros_like(rows)
        loops.put_bits(who, rows, need, found, everybody)
        assert np.unpackbits(found.view(np.uint8), bitorder="little").tolist() == mine.tolist()
        loops.take_bits(who, found, back)
        assert np.unpackbits(back.view(np.uint8), count=len(who), bitorder="little").tolist() == mine[who].tolist()
