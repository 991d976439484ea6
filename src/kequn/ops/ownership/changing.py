"""Give customers to another by hand, and tell who had a customer when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F, QuerySet

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import Person, people_for
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.ownership.contracts import Moved, Tenure
from kequn.ops.ownership.known import with_opportunity
from kequn.ops.ownership.loads import lock_room, rm_for
from kequn.ops.ownership.models import LoadConflict, OwnerChange
from kequn.ops.ownership.moving import move, protected
from kequn.ops.ownership.notices import owe_notices
from kequn.ops.ownership.policies import policy
from kequn.ops.ownership.wecom import plan_moves
from kequn.ops.runtime import now


def reassign_customers(
    actor: Actor, customer_ids: Sequence[str], to_staff: str, *, reason: str, expected: dict[str, str] | None = None
) -> Moved:
    """Give customers of the actor's branches to another relationship manager of them, in one transaction.

    Those whose opportunity is being worked, or who were claimed within the policy's days, are left with her owner. Where
    ``expected`` names who had a customer when the list was looked at, one that moved since is left too.

    Raises:
        NotAllowed: a customer or the taker is not within the actor's branches.
        Conflict: no reason was given, or the taker's book would overflow.
    """
    actor.must("customer.assign")
    rm_for(actor, to_staff)
    if not reason.strip():
        raise Conflict("Say why they get another owner.", hint="The reason is kept with the change.")
    ids = sorted(set(customer_ids))
    rows = _in_scope(actor, ids)
    left = {c: "taken" for c, (owner, _b) in rows.items() if expected is not None and expected.get(c, owner) != owner}
    worked = with_opportunity(ids, now()) | set(protected(ids, now()))
    left |= {c: "protected" for c in worked if rows[c][0] and rows[c][0] != to_staff}
    by_owner: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for customer_id, (owner, branch) in rows.items():
        if owner != to_staff and customer_id not in left:
            by_owner[owner].append((customer_id, branch))
    done: list[str] = []
    with transaction.atomic():
        room, wanted = lock_room(to_staff, policy()), sum(map(len, by_owner.values()))
        if wanted > room:
            raise Conflict(
                f"She has room for {room} more customers, not {wanted}.", hint="Choose fewer, or raise her limit.",
                room=room, wanted=wanted,
            )  # fmt: skip
        for owner, customers in sorted(by_owner.items()):
            changes = move(actor, customers, owner, to_staff, "reassigned", note=reason)
            done += [c.customer_id for c in changes]
            if owner:
                owe_notices(changes)
                plan_moves(actor, changes)
        left |= {c: "taken" for customers in by_owner.values() for c, _b in customers if c not in done}
        if done:
            record(actor, "customers.reassigned", ("staff", to_staff), n=len(done), reason=reason[:200])
    return Moved(tuple(done), left)


def changes_for(actor: Actor, *, customer_id: str | None = None) -> QuerySet[OwnerChange]:
    """Return changes of owner in sight: of one customer within the actor's scope, or of her branches; the newest first."""
    actor.must("customer.view")
    if customer_id is not None:
        if not people_for(actor).filter(pk=customer_id).exists():
            raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
        return OwnerChange.objects.filter(customer_id=customer_id)
    actor.must("customer.assign")
    codes = branch_codes_for(actor)
    return OwnerChange.objects.all() if codes is None else OwnerChange.objects.filter(branch_code__in=codes)


def tenures_of(actor: Actor, customer_id: str) -> list[Tenure]:
    """Return who had a customer from when to when, the earliest first, as the history and her owner now tell it.

    A time in which nobody had her is a tenure of "".
    """
    rows = list(changes_for(actor, customer_id=customer_id).order_by("id"))
    if not rows:
        owner = people_for(actor).filter(pk=customer_id).values_list("rm_no", flat=True)[0]
        return [Tenure(owner, None, None, "")]
    found = [Tenure(rows[0].from_staff, None, rows[0].at, "")]
    for n, row in enumerate(rows):
        following = rows[n + 1].at if n + 1 < len(rows) else None
        found.append(Tenure(row.to_staff, row.at, following, row.reason))
    return found


def conflicts_for(actor: Actor, *, settled: bool = False) -> QuerySet[LoadConflict]:
    """Return where the bank's load named another owner than kequn, in the actor's branches."""
    actor.must("customer.assign")
    codes = branch_codes_for(actor)
    rows = LoadConflict.objects.filter(settled_at__isnull=not settled)
    return rows if codes is None else rows.filter(branch_code__in=codes)


def settle_conflict(actor: Actor, conflict_id: int, *, take: str) -> LoadConflict:
    """Decide a conflict: ``bank`` gives her to whom the bank names, ``kequn`` leaves her where she is.

    Raises:
        NotAllowed: it is not of the actor's branches.
        Conflict: it was decided already, or her owner changed since.
    """
    row = conflicts_for(actor).filter(pk=conflict_id).first()
    if row is None:
        raise NotAllowed("There is no such conflict in your branches.", conflict=conflict_id)
    with transaction.atomic():
        if not LoadConflict.objects.filter(pk=row.pk, settled_at__isnull=True).update(
            settled_at=now(), settled_by=actor.username
        ):
            raise Conflict("This was decided already.", hint="Reload to see by whom.", conflict=conflict_id)
        wanted = row.bank if take == "bank" else row.kequn
        if wanted != row.kept and not move(
            actor, [(row.customer_id, row.branch_code)], row.kept, wanted, "loaded", note=row.load_id
        ):
            raise Conflict("Her owner changed since.", hint="Reload.", conflict=conflict_id)
        LoadConflict.objects.filter(pk=row.pk).update(kept=wanted)
        record(actor, "conflict.settled", ("customer", row.customer_id), take=take)
    row.refresh_from_db()
    return row


def differing_for(actor: Actor) -> QuerySet[Person]:
    """Return the customers whose owner here is another than the bank's: changed here, and the bank's feed has not caught up."""
    actor.must("customer.assign")
    return people_for(actor).exclude(rm_no=F("bank_rm_no")).order_by("customer_id")


def _in_scope(actor: Actor, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for some in chunks(ids):
        rows = people_for(actor).filter(pk__in=some)
        found |= {c: (owner, branch) for c, owner, branch in rows.values_list("customer_id", "rm_no", "branch_code")}
    if missing := next((c for c in ids if c not in found), None):
        raise NotAllowed("There is no such customer in your scope.", customer=missing)
    return found
