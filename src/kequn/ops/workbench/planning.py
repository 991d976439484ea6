"""The morning: occasions and what is open are ranked, folded by customer and given places under capacity, in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db import IntegrityError, transaction

from kequn.core.desk import DAY, NEXT, distribute, main_of, occasions, score
from kequn.core.spec.base import Text
from kequn.core.spec.desk import DeskPolicySpec
from kequn.ops.audiences.queries import bank_today, customer_ids, latest_date
from kequn.ops.catalog import queries as catalog
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.ownership.queries import capacity_of, cases_for, remote_open, workers, working_days
from kequn.ops.ownership.services import send_to_remote
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.candidates import Candidate, from_found, open_candidates, owners_with_branches
from kequn.ops.workbench.closing import expire_tasks
from kequn.ops.workbench.creating import minute_of
from kequn.ops.workbench.gating import gated
from kequn.ops.workbench.models import DayPlan, HeldOutflow, StaffDay, Task
from kequn.ops.workbench.writing import insert_tasks, update_tasks

STANDARD = DeskPolicySpec(name="standard", title=Text(zh="系统默认", en="Built in"))
"""Holds where the bank approved none."""
OUTFLOW = "large_out"
OUTFLOWS_KEPT = timedelta(days=31)
TRIES = 3
"""A task that came into being while the day was planned makes the plan be drawn again."""


def desk_policy() -> DeskPolicySpec:
    """Return the approved desk policy that was decided last, else the built-in one."""
    found = catalog.current_of_kind("desk_policy")
    return found[0] if found else STANDARD


def plan_day(actor: Actor, *, as_of: date | None = None, day: date | None = None) -> DayPlan:
    """Give everybody her day: find, ask the gate, rank, fold, distribute, write. The same day again gives the same rows.

    ``as_of`` is the business date of the data (the latest by default), ``day`` the working day (the bank's today). All is
    written in one transaction: a kill leaves the day as it was.

    Raises:
        NoData: no tags were computed.
    """
    actor.must("tag.refresh")
    expire_tasks(system_actor())
    for turn in range(TRIES):
        try:
            return _plan(actor, as_of or latest_date(), day or bank_today())
        except IntegrityError:
            if turn == TRIES - 1:
                raise
    raise AssertionError("unreachable: the last turn returns or raises")


def with_occasion(*, as_of: date | None = None) -> list[str]:
    """Return the customers whom the data give a reason to call, owned or not, the most at stake first."""
    found, _ = occasions(engine(), desk_policy(), as_of=as_of or latest_date(), day=bank_today())
    stake: dict[int, int] = {}
    for each in found.values():
        for ordinal, value in zip(each.ordinals.tolist(), each.value.tolist(), strict=True):
            stake[ordinal] = max(stake.get(ordinal, 0), value)
    ranked = sorted(stake, key=lambda o: (-stake[o], o))
    return customer_ids(np.array(ranked, dtype=np.uint32))


@dataclass(slots=True)
class _Drawn:
    """The plan before it is written."""

    rows: list[Candidate]
    given: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    held: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    outflows: list[Candidate] = field(default_factory=list)
    """Large outflows that may not be followed: their customers' branch heads are told."""
    to_remote: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)


def _plan(actor: Actor, as_of: date, day: date) -> DayPlan:
    policy, moment = desk_policy(), now()
    found, missing = occasions(engine(), policy, as_of=as_of, day=day)
    zone = ZoneInfo(engine().manifest.zone)
    open_rows = open_candidates(policy, zone=zone)
    fresh = from_found(found, policy, as_of=as_of, zone=zone)
    rows = _place_people([*open_rows, *fresh], policy, day)
    drawn = _Drawn(gated(rows, policy, at=datetime.combine(day, time(10), zone), as_of=as_of, zone=zone))
    _leave_out(drawn)
    _rank(drawn.rows, day, zone)
    _distribute(drawn, policy, day)
    with transaction.atomic():
        plan = _write(drawn, policy, as_of=as_of, day=day, at=moment)
        plan.found, plan.missing = {k: len(f) for k, f in found.items()}, missing
        plan.save()
        record(actor, "day.planned", plan, day=day, as_of=as_of, **plan.counts)
    return plan


# -- who works whom -----------------------------------------------------------------------------------------------------


def _place_people(rows: list[Candidate], policy: DeskPolicySpec, day: date) -> list[Candidate]:
    """Say of each row who works the customer: the agent or queue that has her, her owner or the stand-in, or nobody."""
    owners = owners_with_branches({r.customer_id for r in rows})
    by_owner = workers({owner for owner, _ in owners.values()}, day)
    agents = dict(cases_for(system_actor()).values_list("customer_id", "agent"))
    floor = int(policy.unowned_from_cny * 100)
    kept = []
    for row in rows:
        there = owners.get(row.customer_id)
        if there is None:
            if row.pk is None:
                continue
            there = ("", row.branch)
        row.owner, row.branch = there[0], there[1] or row.branch
        if row.customer_id in agents:
            row.worker, row.is_remote = agents[row.customer_id], True
        elif row.moved_from and row.staff_no:
            row.worker = row.staff_no
        else:
            row.worker = by_owner.get(row.owner, "") if row.owner else ""
        if row.pk is None and not row.owner and not row.is_remote and row.value < floor:
            continue
        kept.append(row)
    return kept


def _leave_out(drawn: _Drawn) -> None:
    """What may not be followed at all is no task; who would have worked it is told whom, and by which rules."""
    kept = []
    for row in drawn.rows:
        if row.is_held:
            drawn.counts["held"] += 1
            for code in {code for codes in row.blocked.values() for code in codes}:
                drawn.held[row.worker][code].add(row.customer_id)
            if row.pk is None:
                if row.kind == OUTFLOW:
                    drawn.outflows.append(row)
                continue
        kept.append(row)
    drawn.rows = kept


# -- order and places ---------------------------------------------------------------------------------------------------


def _rank(rows: Sequence[Candidate], day: date, zone: ZoneInfo) -> None:
    due = np.array([r.due for r in rows], dtype="datetime64[D]")
    hours = [minute_of(r.due_at, zone) if r.promised_on == day and r.due_at else -1 for r in rows]
    scores = score([r.priority for r in rows], due, [r.value for r in rows], day=day, minute=hours)
    for row, value in zip(rows, scores.tolist(), strict=True):
        row.score = value
    able = [r for r in rows if not r.is_held]
    _, customers = np.unique([r.customer_id for r in able], return_inverse=True)
    mains = main_of(customers, np.array([r.score for r in able], np.int64), _order([r.key for r in able]))
    for row in rows:
        row.is_main = False
    for row, is_main in zip(able, mains.tolist(), strict=True):
        row.is_main = is_main


def _order(keys: Sequence[str]) -> Any:
    """The place of each key in the order of all, so that equals do not depend on the order they come in."""
    return np.argsort(np.argsort(np.array(keys, dtype=object), kind="stable"), kind="stable")


def _distribute(drawn: _Drawn, policy: DeskPolicySpec, day: date) -> None:
    mains = [r for r in drawn.rows if r.is_main and not r.is_remote]
    staff = sorted({r.worker for r in mains if r.worker})
    free = _room(staff, day, most=policy.list_length)
    position = {s: i for i, s in enumerate(staff)}
    since = _waiting_days(mains, day)
    places = distribute(
        np.array([position.get(r.worker, -1) for r in mains], np.int64),
        np.array([r.score for r in mains], np.int64),
        _order([r.key for r in mains]),
        promised=np.array([r.promised_on == day for r in mains], bool),
        waited=np.array([since[r.waits_since] for r in mains], np.int64),
        capacity=np.array([free[s] for s in staff], np.int64),
        live_percent=policy.live_percent,
        wait_days=policy.wait_days,
    )
    tomorrow = _next_working_day(day)
    by_customer: dict[str, tuple[int, Candidate]] = {}
    for row, place in zip(mains, places.place.tolist(), strict=True):
        by_customer[row.customer_id] = (place, row)
    over = "remote" if policy.overflow == "remote" and remote_open() else "unassigned"
    for row in drawn.rows:
        place, _ = by_customer.get(row.customer_id, (DAY, row))
        _put(drawn, row, place, over, day, tomorrow)
    drawn.counts.update(places.counts())


def _put(drawn: _Drawn, row: Candidate, place: int, over: str, day: date, tomorrow: date) -> None:
    if row.is_remote or place == DAY or row.is_held:
        row.planned_for, row.waits_since = _when(row, day), None
        if row.is_main:
            drawn.given[row.worker] += 1
    elif place == NEXT:
        row.planned_for, row.waits_since = tomorrow, row.waits_since or day
        if row.is_main:
            drawn.later[row.worker] += 1
    else:
        row.planned_for, row.waits_since = day, None
        if over == "remote":
            if row.is_main:
                drawn.to_remote["over_capacity" if row.worker else "absent" if row.owner else "no_owner"].append(
                    row.customer_id
                )
        else:
            row.moved_from, row.worker = row.moved_from or row.staff_no or row.owner, ""


def _when(row: Candidate, day: date) -> date:
    """A promise for a later day keeps that day."""
    return row.promised_on if row.promised_on is not None and row.promised_on > day else day


def _room(staff: Sequence[str], day: date, *, most: int) -> dict[str, int]:
    """Return everybody's capacity of the day, no more than a list is long, less what she has done of it already."""
    found = capacity_of(staff, day)
    done = Task.objects.filter(planned_for=day, is_main=True, state=states.DONE, closed_by=states.STAFF)
    worked = Counter(done.filter(staff_no__in=staff).values_list("staff_no", flat=True)) if len(staff) < 5_000 else {}
    return {s: max(min(found.get(s, 0), most) - worked.get(s, 0), 0) for s in staff}


def _waiting_days(rows: Iterable[Candidate], day: date) -> dict[date | None, int]:
    """Return how many working days ago each waiting began."""
    firsts = {r.waits_since for r in rows}
    return {d: len(working_days(d, day)) - 1 if d is not None and d < day else 0 for d in firsts}


def _next_working_day(day: date) -> date:
    later = working_days(day + timedelta(days=1), day + timedelta(days=21))
    return later[0] if later else day + timedelta(days=1)


# -- writing ------------------------------------------------------------------------------------------------------------


def _write(drawn: _Drawn, policy: DeskPolicySpec, *, as_of: date, day: date, at: datetime) -> DayPlan:
    old, new = [r for r in drawn.rows if r.pk is not None], [r for r in drawn.rows if r.pk is None]
    changed = update_tasks(old, at=at)
    insert_tasks(new, at=at)
    _keep_outflows(drawn.outflows, new, at)
    for reason, ids in sorted(drawn.to_remote.items()):
        send_to_remote(system_actor(), ids, reason=reason)
    staff = sorted({*drawn.given, *drawn.later, *drawn.held} - {""})
    capacity = capacity_of(staff, day)
    StaffDay.objects.filter(day=day).delete()
    StaffDay.objects.bulk_create(
        [
            StaffDay(
                day=day, staff_no=s, capacity=min(capacity.get(s, 0), policy.list_length), given=drawn.given[s], later=drawn.later[s],
                held={code: sorted(who) for code, who in sorted(drawn.held[s].items())} if s in drawn.held else {},
            )
            for s in staff
        ],
        batch_size=1_000,
    )  # fmt: skip
    counts = dict(drawn.counts) | {"new": len(new), "open": len(old), "changed": changed}
    plan, _ = DayPlan.objects.update_or_create(
        day=day, defaults={"as_of": as_of, "fingerprint": policy.fingerprint(), "counts": counts, "planned_at": at}
    )
    return plan


def _keep_outflows(held: Sequence[Candidate], new: Sequence[Candidate], at: datetime) -> None:
    """Keep what the gate held today, let go what became a task after all and what nobody looks at any more."""
    HeldOutflow.objects.filter(raised_at__lt=at - OUTFLOWS_KEPT).delete()
    HeldOutflow.objects.filter(key__in=[r.key for r in new if r.kind == OUTFLOW]).delete()
    HeldOutflow.objects.bulk_create(
        [
            HeldOutflow(
                key=r.key, customer_id=r.customer_id, value_cny=Decimal(r.value) / 100, blocked=r.blocked.get("call", []),
                raised_at=at,
            )
            for r in held
        ],
        batch_size=500, update_conflicts=True, unique_fields=["key"], update_fields=["value_cny", "blocked"],
    )  # fmt: skip
