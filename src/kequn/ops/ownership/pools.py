"""The pool: who is kept for the long run, since when and why, and how the pool does day by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from kequn.core.errors import KequnError, NotAllowed
from kequn.core.spec.ownership import PoolSpec
from kequn.core.stats.intervals import proportion_interval
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import branches_of, people_for
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branch_codes_for, staff_numbered
from kequn.ops.ownership.contracts import Doing
from kequn.ops.ownership.history import elsewhere_on, owners_on
from kequn.ops.ownership.known import days_known, doings_of, first_worked, members_of
from kequn.ops.ownership.models import PoolFigure, PoolMember
from kequn.ops.ownership.policies import pools

MONTH = timedelta(days=30)
FEWEST = 30
"""Below so many customers a rate says nothing."""
KIND = "pool.refresh"

RATES: dict[str, tuple[str, str]] = {
    "dau": ("active_day", "members"),
    "mau": ("active_month", "members"),
    "repurchase": ("repurchased", "holders"),
    "churn": ("lost", "stood"),
    "coverage": ("contacted", "members"),
    "conversion": ("converted", "contacted"),
}
"""Rate -> (count, of which count). ``holders`` bought before the month and could buy again; ``stood`` were members 30 days ago or
left since; ``lost`` are those of them who left, or whose AUM fell by the pool's ``churn_percent`` since they came; ``converted``
were reached within the 30 days and bought on that day or later."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A part of a number of customers, with its 95 % interval; ``value`` is ``None`` where there are too few to say."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PoolDay:
    """A pool on one day, for one member of staff or a whole scope."""

    day: date
    staff_no: str
    name: str
    branch_code: str
    members: int
    entered: int
    left: int
    aum_fen: int
    rates: Mapping[str, Rate]


def queue_refresh(_as_of: date) -> None:
    """Follow a refresh of the tags: the pools are brought up to date by the worker."""
    if pools():
        enqueue(system_actor(), KIND, {}, key="all")


def refresh_job(running: Running) -> dict[str, Any]:
    """Do a queued refresh of all pools; one that cannot be computed is told and leaves the others alone."""
    found: dict[str, Any] = {}
    for n, spec in enumerate(pools()):
        running.progress(n, len(pools()), spec.title.zh)
        try:
            found[spec.name] = refresh_pool(running.actor, spec)
        except KequnError as error:
            found[spec.name] = error.message
    return found


def refresh_pool(actor: Actor, spec: PoolSpec) -> int:
    """Bring one pool up to date, day by day, from the first day that was not done; return how many days. Safe to call again."""
    actor.must("job.run")
    done = PoolFigure.objects.filter(pool=spec.name).order_by("-day").values_list("day", flat=True).first()
    days = [d for d in days_known() if done is None or d > done]
    for day in days:
        with transaction.atomic():
            entered, left = _members(spec, day)
            _figures(spec, day, entered, left)
            record(
                actor, "pool.refreshed", ("pool", spec.name), day=day.isoformat(), entered=len(entered), left=len(left)
            )
    return len(days)


def _members(spec: PoolSpec, day: date) -> tuple[set[str], set[str]]:
    """Let in who fits, keep who fitted or bought lately, let go who did neither for ``stay_days``; the caller has the transaction."""
    stays = {m.customer_id: m for m in PoolMember.objects.filter(pool=spec.name, left_on__isnull=True)}
    fits = members_of(spec.segment, day)
    doings = doings_of(sorted(fits | stays.keys()), day, spec.families, spec.repurchase_days)
    bought = {c for c in stays if c in doings and doings[c].bought_lately and doings[c].bought_before}
    keeps = (fits | bought) & stays.keys()
    ids = sorted(stays[c].pk for c in keeps)
    for some in chunks(ids):
        PoolMember.objects.filter(pk__in=some).update(last_fit_on=day)
    over = [m for c, m in stays.items() if c not in keeps and (day - m.last_fit_on).days > spec.stay_days]
    for some in chunks(over):
        chunk = [m.pk for m in some]
        PoolMember.objects.filter(pk__in=chunk).update(left_on=day, why_out="left_segment")
    fresh = sorted(fits - stays.keys())
    rows = [
        PoolMember(
            pool=spec.name, customer_id=c, entered_on=day, why_in="segment", last_fit_on=day,
            aum_in_fen=doings[c].aum_fen if c in doings else 0,
        )
        for c in fresh
    ]  # fmt: skip
    PoolMember.objects.bulk_create(rows, batch_size=1000)
    return set(fresh), {m.customer_id for m in over}


def _figures(spec: PoolSpec, day: date, entered: set[str], left: set[str]) -> None:
    stays = list(PoolMember.objects.filter(pool=spec.name, left_on__isnull=True))
    gone = list(PoolMember.objects.filter(pool=spec.name, left_on__gt=day - MONTH, left_on__lte=day))
    ids = sorted({m.customer_id for m in (*stays, *gone)})
    doings = doings_of(ids, day, spec.families, spec.repurchase_days)
    owners, branches = owners_on(ids, day), branches_of(ids) | elsewhere_on(day)
    worked = first_worked(ids, day - MONTH + timedelta(days=1), day)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    aum: Counter[tuple[str, str]] = Counter()
    nobody = Doing()
    for member in stays:
        c = member.customer_id
        key = (branches.get(c, ""), owners.get(c, ""))
        doing = doings.get(c, nobody)
        stood = member.entered_on <= day - MONTH
        fell = doing.aum_fen * 100 <= member.aum_in_fen * (100 - spec.churn_percent) and member.aum_in_fen > 0
        aum[key] += doing.aum_fen
        counts[key] += Counter(
            members=1, active_day=int(doing.active_day), active_month=int(doing.active_month),
            holders=int(doing.bought_before), repurchased=int(doing.bought_before and doing.bought_since(day - MONTH + timedelta(days=1))),
            stood=int(stood), lost=int(stood and fell), contacted=int(c in worked),
            converted=int(c in worked and doing.bought_since(worked[c])), entered=int(c in entered),
        )  # fmt: skip
    for member in gone:
        key = (branches.get(member.customer_id, ""), owners.get(member.customer_id, ""))
        if member.entered_on <= day - MONTH:
            counts[key] += Counter(stood=1, lost=1)
        counts[key]["left"] += int(member.customer_id in left)
    rows = [
        PoolFigure(
            pool=spec.name, day=day, branch_code=branch, staff_no=staff_no, n=dict(n), aum_fen=aum[branch, staff_no]
        )
        for (branch, staff_no), n in sorted(counts.items())
    ]
    rows = rows or [PoolFigure(pool=spec.name, day=day)]  # an empty pool is a figure too
    PoolFigure.objects.bulk_create(rows, batch_size=1000)


def pools_for(actor: Actor) -> list[PoolSpec]:
    """Return the pools there are; their figures name no customer, so who reads insight may see them too."""
    if not actor.may("customer.view"):
        actor.must("insight.view")
    return pools()


def pool_named(actor: Actor, name: str) -> PoolSpec:
    """Return one pool.

    Raises:
        NotAllowed: there is none such.
    """
    found = next((p for p in pools_for(actor) if p.name == name), None)
    if found is None:
        raise NotAllowed("There is no such pool.", pool=name)
    return found


def pool_days(actor: Actor, name: str) -> list[PoolDay]:
    """Return a pool day by day, the earliest first, over the actor's scope."""
    by_day: dict[date, list[PoolFigure]] = defaultdict(list)
    for row in _figures_for(actor, name):
        by_day[row.day].append(row)
    return [_added(day, rows) for day, rows in sorted(by_day.items())]


def pool_staff(actor: Actor, name: str, day: date | None = None) -> list[PoolDay]:
    """Return a pool on one day (the latest by default) for each member of staff within the actor's scope, "" for nobody."""
    rows = _figures_for(actor, name)
    day = day or rows.order_by("-day").values_list("day", flat=True).first()
    by_staff: dict[str, list[PoolFigure]] = defaultdict(list)
    for row in rows.filter(day=day) if day else ():
        by_staff[row.staff_no].append(row)
    names = {u.staff_no: u.display_name for u in staff_numbered(by_staff)}
    return [_added(row[0].day, row, staff_no, names.get(staff_no, "")) for staff_no, row in sorted(by_staff.items())]


def pool_members_for(actor: Actor, name: str) -> QuerySet[PoolMember]:
    """Return the pool's members now within the actor's scope, the latest first."""
    pool_named(actor, name)
    rows = PoolMember.objects.filter(pool=name, left_on__isnull=True)
    return rows.filter(customer_id__in=people_for(actor).values("pk"))


def pool_stays(actor: Actor, customer_id: str) -> list[PoolMember]:
    """Return the stays of one customer within the actor's scope in all pools, the latest first."""
    if not people_for(actor).filter(pk=customer_id).exists():
        raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
    return list(PoolMember.objects.filter(customer_id=customer_id))


def _figures_for(actor: Actor, name: str) -> QuerySet[PoolFigure]:
    pool_named(actor, name)
    rows = PoolFigure.objects.filter(pool=name)
    if actor.role == "rm":
        return rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    if actor.role == "remote_agent":
        return rows.none()
    codes = branch_codes_for(actor)
    return rows if codes is None else rows.filter(branch_code__in=[c for c in codes if c])


def _added(day: date, rows: list[PoolFigure], staff_no: str = "", name: str = "") -> PoolDay:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row.n)
    rates = {key: _rate(total[k], total[n]) for key, (k, n) in RATES.items()}
    branches = {row.branch_code for row in rows}
    return PoolDay(
        day=day, staff_no=staff_no, name=name, branch_code=branches.pop() if len(branches) == 1 else "",
        members=total["members"], entered=total["entered"], left=total["left"], aum_fen=sum(r.aum_fen for r in rows),
        rates=rates,
    )  # fmt: skip


def _rate(k: int, n: int) -> Rate:
    if n < FEWEST:
        return Rate(k, n, None, None, None)
    found = proportion_interval(k, n)
    return Rate(k, n, k / n, found.low, found.high)
