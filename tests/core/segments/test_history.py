"""The time machine: members by date, kept compactly and never half-written."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.store import Store
from kequn.core.errors import NoData, StoreBusy, StoreFull
from kequn.core.segments import history

NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
DEFINITION = {"segment": {"gold": "aaaaaaaaaaaa"}, "tag": {"asset_tier": "bbbbbbbbbbbb"}}
OTHER = {"segment": {"gold": "cccccccccccc"}, "tag": {"asset_tier": "bbbbbbbbbbbb"}}
FIRST = date(2026, 5, 20)


def keep(
    store: Store, day: date, members: set[int], *, definition: object = DEFINITION, data: str = ""
) -> history.Snapshot:
    ordinals = np.array(sorted(members), dtype=np.uint32)
    return history.take(store, "gold", day, ordinals, definition=definition, data=data or str(day), now=NOW)  # type: ignore[arg-type]


def kept(store: Store, day: date) -> set[int]:
    return set(history.members_on(store, "gold", day).tolist())


days = st.integers(0, 60).map(lambda n: FIRST + timedelta(days=n))
groups = st.sets(st.integers(0, 200_000), max_size=30) | st.integers(0, 3000).map(lambda n: set(range(n)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(days, groups, st.booleans()), min_size=1, max_size=12), st.data())
def test_what_is_kept_in_any_order_and_again_equals_plain_sets(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[date, set[int], bool]], data: st.DataObject
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    expected: dict[date, set[int]] = {}
    for n, (day, members, is_other) in enumerate(steps):
        keep(store, day, members, definition=OTHER if is_other else DEFINITION, data=str(n))
        expected[day] = members
    assert history.dates(store, "gold") == tuple(sorted(expected))
    assert {day: kept(store, day) for day in expected} == expected
    before: set[int] | None = None
    for snapshot in history.snapshots(store, "gold"):
        now = expected[snapshot.as_of]
        assert snapshot.size == len(now)
        assert (snapshot.joined, snapshot.left) == (
            (None, None) if before is None else (len(now - before), len(before - now))
        )
        before = now
    a, b = (data.draw(st.sampled_from(sorted(expected))) for _ in range(2))
    joined, left = history.joined_left(store, "gold", a, b)
    assert set(joined.tolist()) == expected[b] - expected[a]
    assert set(left.tolist()) == expected[a] - expected[b]
    files = {p.name for p in (store.root / "segment" / "gold").glob("*.roaring")}
    assert {Path(s.file).name for s in history.snapshots(store, "gold")} <= files


def test_a_month_begins_with_the_members_and_goes_on_with_differences(tmp_path: Path) -> None:
    store, members = Store(tmp_path), set(range(0, 100_000, 3))
    for n in range(20):
        members = members ^ set(range(n * 50, n * 50 + 30))
        keep(store, FIRST + timedelta(days=n), members)
    kinds = [(s.as_of.day, s.is_full) for s in history.snapshots(store, "gold")]
    assert [day for day, is_full in kinds if is_full] == [20, 1]
    assert all(s.bytes < 500 for s in history.snapshots(store, "gold") if not s.is_full)


def test_a_changed_definition_begins_a_new_chain_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = keep(store, FIRST, {1, 2, 3})
    second = keep(store, FIRST + timedelta(days=1), {2, 3, 4}, definition=OTHER)
    assert second.is_full
    assert first.definition != second.definition
    assert (second.joined, second.left) == (1, 1)
    assert history.definitions(store, "gold")[second.definition]["segment"] == {"gold": "cccccccccccc"}


def test_the_same_members_of_the_same_data_change_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = keep(store, FIRST, {1, 2, 3})
    content = (tmp_path / "segment/gold/index.json").read_bytes()
    assert keep(store, FIRST, {1, 2, 3}) == first
    assert (tmp_path / "segment/gold/index.json").read_bytes() == content


def test_a_date_that_is_not_kept_is_an_answer(tmp_path: Path) -> None:
    with pytest.raises(NoData, match="not kept"):
        kept(Store(tmp_path), FIRST)


@pytest.mark.parametrize("step", ["_write", "_publish", "_sweep"])
def test_a_kill_at_any_step_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The process dies in a child: no handler runs, nothing is tidied."""
    store = Store(tmp_path)
    keep(store, FIRST, {1, 2, 3})
    keep(store, FIRST + timedelta(days=1), {2, 3, 4})
    child = os.fork()
    if not child:
        monkeypatch.setattr(history, step, lambda *_, **__: os._exit(9))
        keep(store, FIRST, {7, 8, 9}, data="corrected")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    is_published = step == "_sweep"
    assert kept(store, FIRST) == ({7, 8, 9} if is_published else {1, 2, 3})
    assert kept(store, FIRST + timedelta(days=1)) == {2, 3, 4}
    keep(store, FIRST + timedelta(days=2), {4, 5})
    keep(store, FIRST + timedelta(days=3), {5})
    named = {Path(s.file).name for s in history.snapshots(store, "gold")}
    assert {p.name for p in (tmp_path / "segment/gold").glob("*.roaring")} == named


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    keep(store, FIRST, {1, 2, 3})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(history, "_write", full)
    with pytest.raises(StoreFull, match="full"):
        keep(store, FIRST + timedelta(days=1), {2})
    assert history.dates(store, "gold") == (FIRST,)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with history._held(store, "gold"), pytest.raises(StoreBusy):
        keep(store, FIRST, {1})


def test_the_oldest_dates_can_be_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n in range(5):
        keep(store, FIRST + timedelta(days=n), {n, n + 1, 50})
    assert history.forget(store, "gold", before=FIRST + timedelta(days=3)) == 3
    assert {day: kept(store, day) for day in history.dates(store, "gold")} == {
        FIRST + timedelta(days=3): {3, 4, 50},
        FIRST + timedelta(days=4): {4, 5, 50},
    }
    assert history.snapshots(store, "gold")[0].joined is None


def test_an_index_is_read_by_people(tmp_path: Path) -> None:
    keep(Store(tmp_path), FIRST, {1})
    index = json.loads((tmp_path / "segment/gold/index.json").read_text())
    assert index["snapshots"][0]["as_of"] == "2026-05-20"
    assert index["definitions"][index["snapshots"][0]["definition"]]["tag"] == {"asset_tier": "bbbbbbbbbbbb"}
