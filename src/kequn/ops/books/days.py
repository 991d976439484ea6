"""Days of visits as their people see them: the route, what the gate says, what came of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from django.db.models import QuerySet

from kequn.core.errors import NotAllowed
from kequn.core.gate import ALLOW, HOLD
from kequn.ops.audiences.queries import ordinals
from kequn.ops.books import states
from kequn.ops.books.contracts import VisitLine, VisitSummary
from kequn.ops.books.gating import decide_for_book
from kequn.ops.books.models import Visit, VisitPlan
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.workbench.queries import last_words

NOT_MET = ("no_answer", "declined", "dead_number", "wrong_person")
"""Contact results of a visit at which the customer was not seen."""


def visit_plans_for(actor: Actor) -> QuerySet[VisitPlan]:
    """Return days of visits, the latest first: an RM's own; of others those of their branches and where they come along."""
    actor.must("visit.plan")
    rows = VisitPlan.objects.all()
    if actor.role == "rm":
        return rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    codes = branch_codes_for(actor)
    return rows if codes is None else rows.filter(branch_code__in=codes)


def visit_plan_for(actor: Actor, plan_id: int) -> VisitPlan:
    """Return one day of visits.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = visit_plans_for(actor).filter(pk=plan_id).first()
    if row is None:
        raise NotAllowed("There is no such day of visits in your scope.", plan=plan_id)
    return row


def visit_for(actor: Actor, visit_id: int) -> Visit:
    """Return one visit of a day in the actor's sight, with its day."""
    row = Visit.objects.filter(plan__in=visit_plans_for(actor), pk=visit_id).select_related("plan").first()
    if row is None:
        raise NotAllowed("There is no such visit in your scope.", visit=visit_id)
    return row


def route_of(actor: Actor, plan: VisitPlan) -> list[VisitLine]:
    """Return a day's visits in their order, masked, with what came of them; the caller got the plan from `visit_plan_for`."""
    visits = list(Visit.objects.filter(plan=plan))
    people = people_by_id(actor, [v.customer_id for v in visits])
    words = last_words([v.task_id for v in visits if v.task_id])
    found = []
    for visit in visits:
        person, word = people.get(visit.customer_id), words.get(visit.task_id or 0)
        codes = tuple(visit.codes.split(",")) if visit.codes else ()
        found.append(
            VisitLine(
                id=visit.pk, position=visit.position, person=person if person and person.rm_no == plan.staff_no else None,
                customer_id=visit.customer_id, state=visit.state, codes=codes, task_id=visit.task_id,
                contact=word.contact if word else "", intent=word.intent if word else "", at=word.at if word else None,
                note=word.note if word else "", amount_cny=word.amount_cny if word else None,
            )
        )  # fmt: skip
    return found


def summary_of(route: Sequence[VisitLine]) -> VisitSummary:
    """Return what came of a day's visits."""
    going = [v for v in route if v.state == states.READY]
    met = [v for v in going if v.contact and v.contact not in NOT_MET]
    return VisitSummary(
        planned=sum(v.state != states.DROPPED for v in route),
        met=len(met),
        not_met=sum(v.contact in NOT_MET for v in going),
        blocked=sum(v.state == states.BLOCKED for v in route),
        dropped=sum(v.state == states.DROPPED for v in route),
        waiting=sum(v.state == states.PLANNED or (v.state == states.READY and not v.contact) for v in route),
        intents=dict(Counter(v.intent for v in met if v.intent)),
        amount_cny=sum((v.amount_cny for v in met if v.amount_cny and v.intent == "deal"), Decimal(0)),
    )


def barred_from_visits(customer_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return whom the gate would not let an RM see now, with its reasons; a pause (quiet hours) is no reason not to plan.

    The caller has checked that the customers are the actor's. The gate is asked again on the day.
    """
    if not customer_ids:
        return {}
    at = ordinals(customer_ids)
    found = decide_for_book(np.maximum(at, 0).astype(np.uint32), "call")
    barred: dict[str, tuple[str, ...]] = {}
    for i, customer_id in enumerate(customer_ids):
        if at[i] < 0:
            barred[customer_id] = ("UNKNOWN_CUSTOMER",)
        elif found.verdict[i] not in (ALLOW, HOLD):
            barred[customer_id] = found.codes(i)
    return barred
