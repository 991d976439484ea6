"""Where touches stand, within an actor's scope; and the ledger of contacts for the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import Any

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import people_for
from kequn.ops.delivery import states
from kequn.ops.delivery.contracts import BY_HAND, ContactMade
from kequn.ops.delivery.models import Contact, InFlight, Outcome, Ready, Stop, Touch, Unknown
from kequn.ops.delivery.sealing import unseal
from kequn.ops.orgs.actor import Actor

HANDED, NOT_SENT, why_not = states.HANDED, states.NOT_SENT, states.why_not


def outcomes_by_state(actor: Actor, campaign: str, *, wave: str | None = None) -> dict[str, int]:
    """Return how many touches of a campaign stand in each state; their sum is the number of touches.

    States are those of ``states.STATES``: what waits (ready, inflight, unknown), and the latest word on the rest.
    """
    actor.must("campaign.view")
    of = {"touch__sending__campaign": campaign} | ({"touch__sending__ref": wave} if wave else {})
    found: Counter[str] = Counter()
    for state, table in (("ready", Ready), ("inflight", InFlight), ("unknown", Unknown)):
        found[state] = table.objects.filter(**of).count()
    for stage in (Outcome.Stage.HANDED, Outcome.Stage.RECEIPT):
        rows = Outcome.objects.filter(stage=stage, **of).values_list("state")
        for state, n in rows.annotate(n=Count("id")).order_by():
            found[state] += n
    handed = Outcome.objects.filter(stage=Outcome.Stage.HANDED, touch=OuterRef("touch"))
    receipts = Outcome.objects.filter(stage=Outcome.Stage.RECEIPT, **of)
    for state, n in (
        receipts.annotate(before=Subquery(handed.values("state")[:1]))
        .values_list("before")
        .annotate(n=Count("id"))
        .order_by()
    ):
        found[state] -= n
    return {state: n for state, n in found.items() if n}


def suppressed_by_reason(actor: Actor, campaign: str) -> dict[str, int]:
    """Return how many touches of a campaign were not sent, by state and reason (``suppressed: NO_CONSENT``)."""
    actor.must("campaign.view")
    rows = Outcome.objects.filter(
        touch__sending__campaign=campaign,
        stage=Outcome.Stage.HANDED,
        state__in=["suppressed", "cancelled", "failed", "dead"],
    )
    counted = rows.values_list("state", "reason").annotate(n=Count("id")).order_by("-n")
    return {f"{state}: {reason}": n for state, reason, n in counted}


def touches_for(
    actor: Actor, *, campaign: str | None = None, customer_id: str | None = None, wave: str | None = None
) -> QuerySet[Touch]:
    """Return touches of customers whom the actor reaches, the latest first, with ``state``, ``reason`` and ``at``."""
    if not actor.may("campaign.view") and not actor.may("customer.view"):
        return Touch.objects.none()
    touches = Touch.objects.select_related("sending").order_by("-id")
    if actor.role == "rm" or not actor.sees_all_branches:
        touches = touches.filter(customer_id__in=people_for(actor).values("customer_id"))
    if campaign is not None:
        touches = touches.filter(sending__campaign=campaign)
    if wave is not None:
        touches = touches.filter(sending__ref=wave)
    return _standing(touches.filter(customer_id=customer_id) if customer_id is not None else touches)


def touches_of(customer_id: str) -> QuerySet[Touch]:
    """Return as `touches_for` those of one customer, whose scope the caller has checked."""
    return _standing(Touch.objects.select_related("sending").order_by("-id").filter(customer_id=customer_id))


def sent_by_hand(ref: str) -> Touch | None:
    """Return the touch that a member of staff sent under a reference, for other services."""
    return Touch.objects.select_related("sending").filter(sending__ref=ref).first()


def touches_by_key(keys: Collection[str]) -> dict[str, Any]:
    """Return some touches by their keys, with ``state``, ``reason`` and ``at``, for other services."""
    found: dict[str, Any] = {}
    asked = sorted(keys)
    for some in chunks(asked):
        rows = Touch.objects.select_related("sending").filter(key__in=some)
        found.update((touch.key, touch) for touch in _standing(rows))
    return found


def was_sent_by_hand(customer_id: str, template: str, *, since: datetime) -> bool:
    """Whether somebody sent a customer this very text by hand since a moment, whatever became of it."""
    rows = Touch.objects.filter(customer_id=customer_id, template=template, created_at__gt=since)
    return rows.filter(sending__campaign=BY_HAND).exists()


def _standing(touches: QuerySet[Touch]) -> QuerySet[Touch]:
    latest = Outcome.objects.filter(touch=OuterRef("pk")).order_by("-stage")
    waiting = Case(
        When(Exists(Ready.objects.filter(pk=OuterRef("pk"))), then=Value("ready")),
        When(Exists(InFlight.objects.filter(pk=OuterRef("pk"))), then=Value("inflight")),
        When(Exists(Unknown.objects.filter(pk=OuterRef("pk"))), then=Value("unknown")),
        default=Value(""),
        output_field=CharField(),
    )
    return touches.annotate(
        state=Coalesce(Subquery(latest.values("state")[:1]), waiting),
        reason=Coalesce(Subquery(latest.values("reason")[:1]), Value("")),
        at=Subquery(latest.values("at")[:1]),
    )


def text_of(actor: Actor, touch_id: int) -> tuple[str, str] | None:
    """Return subject and body of a touch as they were sent; ``None`` when the actor does not reach the customer.

    A text may hold a name, so whoever sees no persons sees no texts.
    """
    touches = touches_for(actor)
    if actor.role != "system":
        touches = touches.filter(customer_id__in=people_for(actor).values("customer_id"))
    touch = touches.filter(pk=touch_id).first()
    return None if touch is None else unseal(touch.text, key=touch.key)


def contacts_since(
    customer_ids: Collection[str] | None, since: date, *, without: Collection[str] = ()
) -> Iterator[ContactMade]:
    """Return the contacts that count against caps, on or after a bank day; of some customers or of all.

    ``without``: keys of touches whose own contact does not count against them (a second attempt).
    """
    rows = Contact.objects.filter(on__gte=since)
    if without:
        rows = rows.exclude(ref__in=list(without))
    ids = None if customer_ids is None else list(customer_ids)
    batches = (
        [rows] if ids is None else [rows.filter(customer_id__in=ids[i : i + 500]) for i in range(0, len(ids), 500)]
    )
    for batch in batches:
        for row in batch.order_by("id").values_list("customer_id", "channel", "purpose", "on", "ref"):
            yield ContactMade(*row)


def handed_over(campaign: str) -> QuerySet[Outcome]:
    """Return the outcomes of touches that the customer got, or is presumed to have got (for the review)."""
    rows = Outcome.objects.filter(
        stage=Outcome.Stage.HANDED, state__in=["accepted", "presumed_sent"], touch__sending__campaign=campaign
    )
    return rows.select_related("touch")


def is_finished(campaign: str) -> bool:
    """Whether nothing of a campaign waits: a question to the tables, never a flag that a worker sets."""
    of = Q(touch__sending__campaign=campaign)
    return not any(table.objects.filter(of).exists() for table in (Ready, InFlight, Unknown))


def stops(actor: Actor) -> QuerySet[Stop]:
    """Return the stops in force."""
    actor.must("campaign.view")
    return Stop.objects.order_by("scope", "key")
