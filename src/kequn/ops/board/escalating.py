"""Large outflows before the branch head: who has them, and whether the customer was reached; and what a branch is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from kequn.core.errors import InvalidSpec, NotAllowed, Where
from kequn.ops.board.contracts import Escalation
from kequn.ops.board.models import BranchFact
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import follow_ups_for, tasks_for

USUAL_CNY = Decimal(500_000)
"""From this amount on an outflow is put before the branch head, where the branch says nothing else."""
SHOWN_FOR = timedelta(days=14)
MOST = 200
MOST_M2, MOST_CNY = Decimal(1_000_000), Decimal(10) ** 12
KEEP: Any = object()


def escalations_for(actor: Actor) -> list[Escalation]:
    """Return the large outflows of the last two weeks within the actor's branches: who waits first, then the largest.

    An outflow counts as answered when the customer herself was reached after it was raised, on whatever task.
    """
    actor.must("task.assign")
    floors = dict(BranchFact.objects.exclude(escalate_above_cny=None).values_list("branch_code", "escalate_above_cny"))
    large = Q(value_cny__gte=USUAL_CNY) & ~Q(branch_code__in=list(floors))
    for branch, above in floors.items():
        large |= Q(branch_code=branch, value_cny__gte=above)
    rows = tasks_for(actor, state=None).filter(large, kind="large_out", created_at__gte=now() - SHOWN_FOR)
    tasks = list(rows.order_by("-value_cny", "id")[:MOST])
    since = min((t.created_at for t in tasks), default=now())
    words: dict[str, list[Any]] = {}
    for word in follow_ups_for(actor).filter(customer_id__in=[t.customer_id for t in tasks], at__gte=since):
        words.setdefault(word.customer_id, []).append(word)
    found = [_escalation(t, [w for w in words.get(t.customer_id, []) if w.at >= t.created_at]) for t in tasks]
    order = ("waiting", "tried", "reached")
    return sorted(found, key=lambda e: (order.index(e.state), -e.value_cny, e.task_id))


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


def facts_for(actor: Actor) -> list[tuple[str, str, BranchFact | None]]:
    """Return the branches of an actor that have customers of their own: code, name, and what was said of each."""
    actor.must("board.view")
    facts = {f.branch_code: f for f in BranchFact.objects.all()}
    rows = branches_for(actor).filter(level="branch").values_list("code", "name")
    return [(code, name, facts.get(code)) for code, name in rows]


def _escalation(task: Any, words: list[Any]) -> Escalation:
    reached = [w for w in words if w.contact == "connected"]
    last = (reached or words or [None])[0]
    return Escalation(
        task.pk, task.customer_id, task.staff_no, task.branch_code, task.value_cny, task.created_at,
        "reached" if reached else "tried" if words else "waiting", last.at if last else None, last.contact if last else "",
        last.intent if last else "",
    )  # fmt: skip
