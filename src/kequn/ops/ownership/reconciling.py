"""The bank's load against changes made here: a change stands until the bank's feed catches up or says something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kequn.ops.customers.contracts import BankMove
from kequn.ops.customers.queries import owners_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.ownership.models import LoadConflict
from kequn.ops.ownership.moving import move
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import now


def follow_bank(actor: Actor, moves: Sequence[BankMove], load_id: str) -> None:
    """Give each customer the owner that the bank's change and the policy say; runs in the load's transaction.

    Where nobody changed her here the bank's word holds. Where the bank now says what was decided here, both agree. Where it
    names a third person, the policy says whose word stands, and the conflict is listed.
    """
    owners = owners_of([m.customer_id for m in moves])
    to_follow: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    conflicts = []
    for m in moves:
        owner = owners.get(m.customer_id, "")
        if owner == m.after:
            continue
        if owner == m.before:
            to_follow[owner, m.after].append((m.customer_id, m.branch_code))
            continue
        wins = policy().on_conflict == "bank"
        conflicts.append(
            LoadConflict(
                customer_id=m.customer_id, branch_code=m.branch_code, before=m.before, bank=m.after, kequn=owner,
                kept=m.after if wins else owner, load_id=load_id, at=now(),
            )
        )  # fmt: skip
        if wins:
            to_follow[owner, m.after].append((m.customer_id, m.branch_code))
    followed = 0
    for (owner, after), customers in sorted(to_follow.items()):
        followed += len(move(actor, customers, owner, after, "loaded", note=load_id))
    LoadConflict.objects.bulk_create(conflicts, batch_size=500)
    record(actor, "owners.loaded", ("load", load_id), followed=followed, conflicts=len(conflicts))
