"""Customers without an owner: who may see which, claim one, give one up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from kequn.core.errors import Conflict, NotAllowed
from kequn.core.spec.ownership import OwnershipPolicySpec
from kequn.ops.customers.queries import people_for, place_of, unowned_in
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.ownership.bands import band_of
from kequn.ops.ownership.calendars import today
from kequn.ops.ownership.contracts import Moved, Unclaimed
from kequn.ops.ownership.known import briefs_of, with_open_matters, with_opportunity
from kequn.ops.ownership.loads import lock_room
from kequn.ops.ownership.models import OwnerChange
from kequn.ops.ownership.moving import move
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import engine, now

MOST = 50_000
"""Customers without an owner who are looked at in one go."""


def unowned_for(actor: Actor) -> QuerySet[Any]:
    """Return the persons without an owner whom the actor may claim (her branch's) or assign (her branches')."""
    if actor.may("customer.claim"):
        return unowned_in([actor.branch_code])
    actor.must("customer.assign")
    return unowned_in(branch_codes_for(actor))


def waiting_for(actor: Actor) -> list[str]:
    """Return the customers without an owner who are to have one by the policy, the most valuable first.

    One whose AUM is not known waits too. Of more than 50,000 in the actor's branches only the first are looked at.
    """
    ids = list(unowned_for(actor).order_by("customer_id").values_list("customer_id", flat=True)[:MOST])
    return [c for c, _value in worth_an_owner(ids)]


def worth_an_owner(customer_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Return those of some customers who are to have an owner by the policy, with their AUM (fen), the most valuable first."""
    briefs, line = briefs_of(customer_ids), int(policy().owner_from_cny * 100)
    aum = {c: briefs[c].aum_fen if c in briefs else None for c in customer_ids}
    worth = [(c, value or 0) for c, value in aum.items() if value is None or value >= line]
    return sorted(worth, key=lambda pair: (-pair[1], pair[0]))


def cards(actor: Actor, customer_ids: Sequence[str]) -> list[Unclaimed]:
    """Return what is told of customers without an owner, in the order given."""
    branches = dict(unowned_for(actor).filter(pk__in=list(customer_ids)).values_list("customer_id", "branch_code"))
    briefs = briefs_of(list(branches))
    last: dict[str, OwnerChange] = {}
    for change in OwnerChange.objects.filter(customer_id__in=list(branches)).order_by("id"):
        last[change.customer_id] = change
    found = []
    for customer_id in customer_ids:
        if customer_id not in branches:
            continue
        brief, change = briefs.get(customer_id), last.get(customer_id)
        found.append(
            Unclaimed(
                customer_id=customer_id, branch_code=branches[customer_id], why=change.reason if change else "never",
                since=change.at if change else None, tier_zh=brief.tier_zh if brief else "",
                tier_en=brief.tier_en if brief else "", band=band_of(brief.aum_fen if brief else None),
                as_of=brief.as_of if brief else None,
            )
        )  # fmt: skip
    return found


def claim_customer(actor: Actor, customer_id: str) -> OwnerChange | None:
    """Take a customer of one's branch who has no owner; ``None`` when she is one's own already.

    Raises:
        NotAllowed: there is no such customer without an owner in the branch.
        Conflict: somebody was faster; today's claims are used up; the book is full; she was just taken back from her, or an
            opportunity with her is being worked.
    """
    actor.must("customer.claim")
    if not actor.staff_no:
        raise NotAllowed("Only staff with a number have customers.", right="customer.claim")
    branch, owner = place_of(customer_id) or ("", "")
    if owner == actor.staff_no:
        return None
    moment = now()
    if not branch or branch != actor.branch_code or (owner and not _just_taken(customer_id, moment)):
        raise NotAllowed("There is no such customer to claim in your branch.", customer=customer_id)
    if owner:
        raise Conflict("Somebody else has this customer now.", hint="Choose another.", customer=customer_id)
    rules = policy()
    _may_claim(actor, customer_id, moment, rules)
    until = moment + timedelta(days=rules.protected_days) if rules.protected_days else None
    with transaction.atomic():
        room = lock_room(actor.staff_no, rules)
        if claimed_today(actor) >= rules.claims_a_day:
            raise Conflict(
                f"You claimed {rules.claims_a_day} customers today, which is the limit.", hint="Go on tomorrow.",
                limit=rules.claims_a_day,
            )  # fmt: skip
        if not room:
            raise Conflict(
                "Your book is full.", hint="Give up customers you cannot work, or ask your branch head.",
                staff=actor.staff_no,
            )  # fmt: skip
        made = move(actor, [(customer_id, actor.branch_code)], "", actor.staff_no, "claimed", protected_until=until)
        if not made:
            raise Conflict("Somebody else has this customer now.", hint="Choose another.", customer=customer_id)
        record(actor, "customer.claimed", ("customer", customer_id), staff=actor.staff_no)
    return made[0]


def claimed_today(actor: Actor) -> int:
    """Return how many customers the actor claimed since the bank's midnight."""
    midnight = datetime.combine(today(), time(0), ZoneInfo(engine().manifest.zone))
    return OwnerChange.objects.filter(to_staff=actor.staff_no, reason="claimed", at__gte=midnight).count()


def give_up_customers(actor: Actor, customer_ids: Sequence[str], *, note: str = "") -> Moved:
    """Put customers of one's own book back among those without an owner, where nothing is open with them.

    Raises:
        Conflict: no reason was given.
    """
    actor.must("customer.claim")
    mine = dict(
        people_for(actor).filter(rm_no=actor.staff_no, pk__in=list(customer_ids)).values_list("pk", "branch_code")
    )
    if not mine:
        raise NotAllowed("There is no such customer in your book.", n=len(customer_ids))
    if not note.strip():
        raise Conflict("Say why you give them up.", hint="The reason is kept with the change.")
    held = with_open_matters(list(mine))
    left = dict.fromkeys(held, "open_matter")
    free = [(c, branch) for c, branch in sorted(mine.items()) if c not in held]
    with transaction.atomic():
        made = move(actor, free, actor.staff_no, "", "given_up", note=note) if free else []
        if made:
            record(actor, "customers.given_up", ("staff", actor.staff_no), n=len(made), note=note[:200])
    return Moved(tuple(m.customer_id for m in made), left)


def _may_claim(actor: Actor, customer_id: str, moment: datetime, rules: OwnershipPolicySpec) -> None:
    last = OwnerChange.objects.filter(customer_id=customer_id).first()
    since = moment - timedelta(days=rules.protected_days)
    if last and last.from_staff == actor.staff_no and last.reason in ("taken_back", "given_up") and last.at > since:
        raise Conflict(
            "You had this customer until lately.", hint="Your branch head may give her to you.", customer=customer_id
        )
    is_protected = last is not None and last.protected_until is not None and last.protected_until > moment
    if is_protected or with_opportunity([customer_id], moment):
        raise Conflict(
            "An opportunity with this customer is being worked.", hint="Choose another.", customer=customer_id
        )


def _just_taken(customer_id: str, moment: datetime) -> bool:
    """Whether she had no owner a day ago: then it is no news to her colleagues that she has one."""
    return OwnerChange.objects.filter(
        customer_id=customer_id, from_staff="", at__gt=moment - timedelta(days=1)
    ).exists()
