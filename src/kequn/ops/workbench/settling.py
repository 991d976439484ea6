"""After each load: tasks that the data settle close by themselves, and what was bought is credited once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import F, Q, Sum

from kequn.core.desk import RULES, Matter, Settled, settled
from kequn.ops.audiences.queries import latest_date, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import owners_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.ownership.queries import cases_for
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import close
from kequn.ops.workbench.creating import promote
from kequn.ops.workbench.models import Credit, FollowUp, Task
from kequn.ops.workbench.planning import desk_policy

AT_ONCE = 500
"""Tasks a transaction."""
BY_CUSTOMER = frozenset({"bought", "kept", "renewed"})
"""What the customer did; everything else happened to her."""


@dataclass(slots=True)
class _Open:
    pk: int
    customer_id: str
    staff_no: str
    branch: str
    kind: str
    state: str
    is_main: bool
    score: int
    created_at: datetime
    facts: dict[str, Any]
    offer: str


def settle_tasks(actor: Actor, *, as_of: date | None = None) -> dict[str, int]:
    """Close what the data of ``as_of`` (the latest by default) settle, and credit what was bought; return how many by reason.

    A purchase is credited once: to who had the last effective contact within the policy's days, else to the owner; what
    was credited of the family before is not credited again. A task that its RM closed after a contact earns the credit
    too. Called again on the same data it changes nothing.
    """
    actor.must("tag.refresh")
    day, policy = as_of or latest_date(), desk_policy()
    since = now() - timedelta(days=policy.credit_days)
    rows = _rows(since)
    done = _without_owner(actor, [r for r in rows if r.state == states.OPEN and r.staff_no])
    found = settled(
        engine(), _matters([r for r in rows if r.pk not in done]), as_of=day,
        bought_from=int(policy.bought_from_cny * 100), kept_percent=policy.matured.kept_percent,
    )  # fmt: skip
    by_id = {r.pk: r for r in rows}
    counts = Counter({"no_owner": len(done)}) if done else Counter()
    # a customer's main and most urgent task first: of several about one purchase it gets the credit
    ordered = sorted(found, key=lambda s: (not by_id[s.id].is_main, -by_id[s.id].score, s.id))
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        counts += _settle(actor, [(by_id[s.id], s) for s in part], day=day, since=since)
    return dict(counts)


def _rows(since: datetime) -> list[_Open]:
    """Return what is open, and what was closed after a contact of late and earned no credit yet."""
    earned = Q(
        state=states.DONE, closed_by=states.STAFF, closed_at__gt=since, credited_to="", follow_ups__contact="connected",
        follow_ups__undone_at__isnull=True,
    )  # fmt: skip
    rows = Task.objects.filter(Q(state=states.OPEN) | earned).distinct().order_by("pk")
    return [
        _Open(*row)
        for row in rows.values_list(
            "pk",
            "customer_id",
            "staff_no",
            "branch_code",
            "kind",
            "state",
            "is_main",
            "score",
            "created_at",
            "facts",
            "offer",
        )
    ]


def _matters(rows: Sequence[_Open]) -> list[Matter]:
    zone = ZoneInfo(engine().manifest.zone)
    products, offers = catalog.products(), {}
    for name in {r.offer for r in rows if r.offer}:
        version = catalog.newest("offer", name)
        offers[name] = products.get(version.spec.product) if version else None
    matters = []
    for row, ordinal in zip(rows, ordinals([r.customer_id for r in rows]).tolist(), strict=True):
        about = offers.get(row.offer)
        rule = RULES.get(row.kind, "bought")
        began = row.facts.get("as_of")
        # a task of the day is about what the data of the evening before did not show
        evening_before = row.created_at.astimezone(zone).date() - timedelta(days=1)
        base_on = date.fromisoformat(began) if began else evening_before
        if row.kind in ("matured", "maturing"):
            base_on = date.fromisoformat(row.facts["on"])
        # without a picture of what she had before, only positions opened since count
        matters.append(
            Matter(
                row.pk, ordinal, rule, row.facts.get("family") or (about.family if about else ""),
                int(row.facts.get("base", 1 << 60)), base_on, int(row.facts.get("fen", 0)),
            )
        )  # fmt: skip
    return matters


def _without_owner(actor: Actor, rows: Sequence[_Open]) -> set[int]:
    """Close the tasks whose customer has no owner any more and is not with the remote centre; return which."""
    owners = owners_of({r.customer_id for r in rows})
    lost = {c for c, owner in owners.items() if not owner}
    lost -= set(
        cases_for(system_actor()).filter(customer_id__in=list(lost)[:30_000]).values_list("customer_id", flat=True)
    )
    ids = [r.pk for r in rows if r.customer_id in lost]
    for start in range(0, len(ids), AT_ONCE):
        with transaction.atomic():
            part = Task.objects.filter(pk__in=ids[start : start + AT_ONCE], state=states.OPEN)
            n = close(part, state=states.CANCELLED, why="no_owner", at=now())
            record(actor, "tasks.cancelled", ("tasks", ids[start]), n=n, why="no_owner")
    return set(ids)


def _settle(actor: Actor, part: Sequence[tuple[_Open, Settled]], *, day: date, since: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    moment = now()
    bought = [(row, s) for row, s in part if s.why in ("bought", "kept")]
    with transaction.atomic():
        workers = _credited_staff({row.customer_id for row, _ in bought}, since)
        before = _credited_before({row.customer_id for row, _ in bought}, since)
        for row, s in part:
            amount = s.amount - before.get((row.customer_id, s.family), 0) if s.why in ("bought", "kept") else 0
            if s.why in ("bought", "kept") and amount <= 0:
                # the purchase was another task's doing: this one is settled with it, without a credit
                amount = 0
            staff, reason = workers.get(row.customer_id, ("", ""))
            if not _close(row, s.why, moment):
                if row.state == states.OPEN or s.why not in ("bought", "kept") or not amount:
                    continue
            else:
                counts[s.why] += 1
            if amount and staff and _credit(row, s, amount, staff, reason, day, moment):
                before[row.customer_id, s.family] = before.get((row.customer_id, s.family), 0) + amount
                counts["credited"] += 1
        promote(row.customer_id for row, _ in part)
        if counts:
            record(actor, "tasks.settled", ("day", day), **counts)
    return counts


def _close(row: _Open, why: str, moment: datetime) -> bool:
    if row.state != states.OPEN:
        return False
    mine = why in BY_CUSTOMER
    return bool(
        Task.objects.filter(pk=row.pk, state=states.OPEN).update(
            state=states.DONE if mine else states.CANCELLED, closed_at=moment, closed_why=why,
            closed_by=states.BOUGHT if mine else states.SYSTEM,
        )
    )  # fmt: skip


def _credit(row: _Open, s: Settled, amount: int, staff: str, reason: str, day: date, moment: datetime) -> bool:
    fields = {
        "customer_id": row.customer_id, "product_code": s.product, "family": s.family, "day": day, "staff_no": staff,
        "amount_cny": Decimal(amount) / 100, "branch_code": row.branch, "reason": reason, "at": moment,
    }  # fmt: skip
    try:
        with transaction.atomic():
            Credit.objects.create(task_id=row.pk, **fields)
    except IntegrityError:  # this purchase, or this task, has its credit
        return False
    Task.objects.filter(pk=row.pk).update(credited_to=staff)
    return True


def _credited_staff(ids: Collection[str], since: datetime) -> dict[str, tuple[str, str]]:
    """Return who earns each customer's purchase and why: the last effective contact, else the owner."""
    found = {c: (owner, "owner") for c, owner in owners_of(ids).items() if owner}
    rows = FollowUp.objects.filter(
        customer_id__in=list(ids), contact="connected", undone_at__isnull=True, at__gt=since
    ).exclude(staff_no="")
    found |= {c: (staff, "contact") for c, staff in rows.order_by("at", "id").values_list("customer_id", "staff_no")}
    return found


def _credited_before(ids: Collection[str], since: datetime) -> dict[tuple[str, str], int]:
    """Return what was credited of each customer's purchases by family of late, in fen."""
    rows = Credit.objects.filter(customer_id__in=list(ids), at__gt=since).order_by()
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for customer_id, family, total in rows.values_list("customer_id", "family").annotate(total=Sum(F("amount_cny"))):
        sums[customer_id, family] += int(total * 100)
    return sums
