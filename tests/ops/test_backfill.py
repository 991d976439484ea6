"""Tags of past dates, as of each date, through the service and as a job."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from kequn.core.errors import Cancelled, InvalidSpec, NoData, NotAllowed, UnknownTag
from kequn.core.tags import increment
from kequn.core.tags.backfilling import backfill_dates
from kequn.ops import runtime
from kequn.ops.jobs.services import run_next
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.tags.backfill import backfill_tags, request_backfill
from kequn.ops.tags.models import Refresh
from kequn.ops.tags.queries import catalogue, coverage_by_date
from kequn.ops.tags.services import refresh_tags
from tests.core.small_bank import SmallBank
from tests.core.tags.test_increment import append

JANUARY, JUNE = date(2026, 1, 1), date(2026, 6, 30)
TAG = "txn_inflow_30d"


@pytest.fixture
def small(tmp_path: Path, db: None) -> SmallBank:
    """Two customers, the second of whom opened in May; money comes in in February and June."""
    bank = SmallBank(tmp_path, customers=1)
    bank.customer(opened_on=date(2026, 5, 2))
    for on, amount in ((date(2026, 2, 10), 500), (date(2026, 6, 20), 700), (date(2026, 7, 1), 900)):
        row = {"direction": "in", "amount": amount, "category": "transfer", "is_external": True}
        bank.add("transaction", 0, booked_on=on, **row)
    bank.hold(0, JUNE, "demand", 1)
    bank.save()
    with bank.store.writing(now=runtime.runtime().clock()) as draft:
        draft.manifest.tables["holding"].as_of = JUNE
    runtime.install(runtime.Runtime(
        store=bank.store, data_folder=tmp_path, tag_folders=(), field_key=b"f" * 32, index_key=b"i" * 32,
        audit_key=b"a" * 32, pseudonym_key=b"p" * 32, clock=runtime.runtime().clock,
    ))  # fmt: skip
    return bank


def test_each_date_knows_only_what_was_true_then(small: SmallBank) -> None:
    rows = backfill_tags(system_actor(), [TAG], first=JANUARY, last=JUNE, monthly=True)
    assert [r.as_of.month for r in rows] == [1, 2, 3, 4, 5, 6]
    assert [small.column(TAG, r.as_of) for r in rows] == [
        [0, None],
        [500, None],
        [0, None],
        [0, None],
        [0, 0],
        [700, 0],
    ]
    assert [r.n_customers for r in rows] == [1, 1, 1, 1, 2, 2]
    assert len(coverage_by_date(system_actor(), TAG)) == 6


def test_the_same_backfill_again_writes_nothing(small: SmallBank) -> None:
    backfill_tags(system_actor(), [TAG], first=date(2026, 5, 1), last=date(2026, 5, 3))
    version = small.store.manifest().version
    backfill_tags(system_actor(), [TAG], first=date(2026, 5, 1), last=date(2026, 5, 3))
    assert small.store.manifest().version == version


def test_a_stopped_backfill_keeps_what_was_done_and_goes_on(small: SmallBank) -> None:
    asked = iter([False, False, False, True, True, True])
    with pytest.raises(Cancelled):
        backfill_tags(
            system_actor(), [TAG], first=JANUARY, last=JUNE, monthly=True, cancelled=lambda: next(asked, True)
        )
    done = len(small.store.manifest().dates)
    assert 0 < done < 6
    backfill_tags(system_actor(), [TAG], first=JANUARY, last=JUNE, monthly=True)
    assert len(small.store.manifest().dates) == 6


def test_a_backfill_is_work_for_the_machine(small: SmallBank) -> None:
    job = request_backfill(system_actor(), [TAG], first=JANUARY, last=JUNE, monthly=True)
    assert request_backfill(system_actor(), [TAG], first=JANUARY, last=JUNE, monthly=True) == job
    done = run_next()
    assert done is not None
    assert (done.state, done.result["dates"]) == ("done", 6)
    assert Refresh.objects.count() == 6


@pytest.mark.parametrize(
    ("tags", "first", "last", "refusal"),
    [
        (["txn_inflow_3d"], JANUARY, JUNE, UnknownTag),
        ([TAG], JUNE, JANUARY, InvalidSpec),
        ([TAG], date(2026, 6, 1), date(2026, 7, 1), NoData),
        ([TAG], date(2020, 1, 1), JUNE, InvalidSpec),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    small: SmallBank, tags: list[str], first: date, last: date, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        request_backfill(system_actor(), tags, first=first, last=last)
    assert small.store.manifest().dates == {}


def test_a_marketer_may_not(small: SmallBank, cast: dict[str, Actor]) -> None:
    outsider = next(a for a in cast.values() if not a.may("tag.refresh"))
    with pytest.raises(NotAllowed):
        request_backfill(outsider, [TAG], first=JANUARY, last=JUNE)


def test_month_ends_are_those_of_the_calendar() -> None:
    found = backfill_dates(date(2024, 1, 31), date(2024, 4, 29), monthly=True)
    assert found == (date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31))
    assert len(backfill_dates(date(2024, 2, 28), date(2024, 3, 1), monthly=False)) == 3


def test_long_lists_of_tags_that_begin_alike_are_two_jobs(small: SmallBank) -> None:
    names = sorted(name for name, spec in catalogue().items() if spec.over != "given")
    jobs = [
        request_backfill(system_actor(), some, first=JANUARY, last=JUNE, monthly=True) for some in (names[:-1], names)
    ]
    assert jobs[0] != jobs[1]


def test_changes_that_have_become_many_are_folded_by_the_worker(
    small: SmallBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_tags(system_actor(), as_of=JUNE, only=[TAG])
    monkeypatch.setattr(increment, "MOST", 1.0)
    row = {"ordinal": 0, "booked_on": JUNE, "direction": "in", "amount": 5, "category": "transfer", "is_external": True}
    append(small, "transaction", [row])
    refresh_tags(system_actor(), as_of=JUNE, only=[TAG])
    assert small.store.manifest().dates["2026-06-30"].tags[TAG].changes
    found = {}
    while (job := run_next()) is not None:
        found[job.kind] = job.result
    assert found["tag.fold"] == {"tags": 1}
    assert not small.store.manifest().dates["2026-06-30"].tags[TAG].changes
    assert small.column(TAG, JUNE) == [705, 0]
