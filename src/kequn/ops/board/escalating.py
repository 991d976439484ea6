"""Large outflows before the branch head: who has them, and whether the customer was reached; and what a branch is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import DecimalField, Exists, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from kequn.core.errors import InvalidSpec, NotAllowed, Where
from kequn.ops.board.contracts import Escalation
from kequn.ops.board.models import BranchFact
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import follow_ups_for, held_outflows_for, tasks_for

USUAL_CNY = Decimal(500_000)
"""From this amount on an outflow is put before the branch head, where the branch says nothing else."""
SHOWN_FOR = timedelta(days=14)
MOST = 200
MOST_M2, MOST_CNY = Decimal(1_000_000), Decimal(10) ** 12
KEEP: Any = object()


def escalations_for(actor: Actor) -> list[Escalation]:
    """Return the large outflows of the last two weeks within the actor's branches: who waits first, then the largest.

    An outflow counts as answered when the customer herself was reached after it was raised, on whatever task. One about which
    the gate lets nobody call stands here too, with the rules that keep everybody from it: there is a head to decide.
    """
    actor.must("task.assign")
    tasks = list(_large(actor).order_by("-value_cny", "id")[:MOST])
    held = list(_held(actor)[:MOST])
    since = min((row.at for row in (*tasks, *held)), default=now())
    words: dict[str, list[Any]] = {}
    ids = {row.customer_id for row in (*tasks, *held)}
    for word in follow_ups_for(actor).filter(customer_id__in=ids, at__gte=since):
        words.setdefault(word.customer_id, []).append(word)
    found = [_escalation(t, t.pk, t.blocked.get("call", ()) if t.is_held else (), words) for t in tasks]
    found += [_escalation(h, None, h.blocked, words) for h in held]
    order = ("waiting", "tried", "reached")
    return sorted(found, key=lambda e: (order.index(e.state), -e.value_cny, e.customer_id))[:MOST]


def unreached_outflows(actor: Actor) -> int:
    """Return for how many large outflows nobody has reached the customer yet (for the head of the board)."""
    actor.must("task.assign")
    reached = follow_ups_for(actor).filter(
        customer_id=OuterRef("customer_id"), at__gte=OuterRef("at"), contact="connected"
    )
    tasks, held = (
        rows.filter(~Exists(reached)).order_by().values_list("customer_id", "at")
        for rows in (_large(actor), _held(actor))
    )
    return tasks.union(held, all=True).count()


def set_branch_fact(
    actor: Actor, branch_code: str, *, floor_m2: Decimal | None = KEEP, escalate_above_cny: Decimal | None = KEEP
) -> BranchFact:
    """Say how large a branch's floor is, and from what amount on an outflow is put before its head; ``None``: not known.

    Raises:
        NotAllowed: a branch outside the actor's.
        InvalidSpec: an area or an amount that is none.
    """
    actor.must("target.edit")
    if not branches_for(actor).filter(code=branch_code).exists():
        raise NotAllowed("There is no such branch in your scope.", branch=branch_code)
    given = {"floor_m2": (floor_m2, MOST_M2), "escalate_above_cny": (escalate_above_cny, MOST_CNY)}
    for name, (value, most) in given.items():
        if value is not KEEP and value is not None and not 0 < value < most:
            raise InvalidSpec(f"{value} is out of range.", hint="A number above 0.", where=Where(field=name))
    fields = {name: value for name, (value, _most) in given.items() if value is not KEEP}
    with transaction.atomic():
        row, _ = BranchFact.objects.update_or_create(
            branch_code=branch_code, defaults=fields | {"set_by": actor.display_name[:40], "set_at": now()}
        )
        record(actor, "branch.fact_set", ("branch", branch_code), **{k: str(v) for k, v in fields.items()})
    return row


def facts_for(actor: Actor) -> QuerySet[Any]:
    """Return the branches of an actor with what was said of each (``floor_m2``, ``escalate_above_cny``) and its ``parent_code``."""
    actor.must("board.view")
    fact = BranchFact.objects.filter(branch_code=OuterRef("code"))
    said = {name: Subquery(fact.values(name)[:1]) for name in ("floor_m2", "escalate_above_cny")}
    return branches_for(actor).annotate(parent_code=F("parent__code"), **said)


def _large(actor: Actor) -> QuerySet[Any]:
    """The tasks about outflows of the last two weeks within the actor's branches that are large enough."""
    return _above(tasks_for(actor, state=None).filter(kind="large_out").annotate(at=F("created_at")))


def _held(actor: Actor) -> QuerySet[Any]:
    """Those among the outflows that are no tasks because the gate lets nobody call."""
    return _above(held_outflows_for(actor).annotate(at=F("raised_at")))


def _above(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the last two weeks that are as large as each branch said, or as usual."""
    above = BranchFact.objects.filter(branch_code=OuterRef("branch_code")).values("escalate_above_cny")
    usual = Value(USUAL_CNY, output_field=DecimalField(max_digits=18, decimal_places=2))
    return rows.filter(at__gte=now() - SHOWN_FOR, value_cny__gte=Coalesce(Subquery(above[:1]), usual))


def _escalation(row: Any, task_id: int | None, blocked: Sequence[str], words: Mapping[str, list[Any]]) -> Escalation:
    said = [w for w in words.get(row.customer_id, []) if w.at >= row.at]
    reached = [w for w in said if w.contact == "connected"]
    last = (reached or said or [None])[0]
    return Escalation(
        task_id, row.customer_id, row.staff_no, row.branch_code, row.value_cny, row.at, tuple(blocked),
        "reached" if reached else "tried" if said else "waiting", last.at if last else None, last.contact if last else "",
        last.intent if last else "",
    )  # fmt: skip
