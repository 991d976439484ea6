"""What each relationship manager carries, and the lock under which a book grows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import F

from kequn.core.errors import NotAllowed
from kequn.core.spec.ownership import OwnershipPolicySpec
from kequn.ops.customers.queries import book_sizes
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import User, all_rms_for
from kequn.ops.ownership.calendars import absences_on, today
from kequn.ops.ownership.contracts import StaffLoad
from kequn.ops.ownership.models import Capacity
from kequn.ops.ownership.policies import policy

__all__ = ["limits_of", "loads_for", "loads_of", "lock_room", "rm_for"]


def limits_of(staff_nos: Collection[str]) -> dict[str, int]:
    """Return the most customers each may have: what the branch set, else the policy's."""
    standard = policy().book_limit
    own = dict(
        Capacity.objects.filter(staff_no__in=list(staff_nos), book_limit__isnull=False).values_list(
            "staff_no", "book_limit"
        )
    )
    return {s: own.get(s, standard) for s in staff_nos}


def lock_room(staff_no: str, rules: OwnershipPolicySpec) -> int:
    """Return how many customers she may still be given, and let nobody else give her any until the transaction ends."""
    if not Capacity.objects.filter(staff_no=staff_no).update(version=F("version") + 1):  # the row is the lock
        Capacity.objects.get_or_create(staff_no=staff_no)
        Capacity.objects.filter(staff_no=staff_no).update(version=F("version") + 1)
    own = Capacity.objects.filter(staff_no=staff_no).values_list("book_limit", flat=True)[0]
    return max(0, (rules.book_limit if own is None else own) - book_sizes([staff_no]).get(staff_no, 0))


def loads_for(actor: Actor) -> list[StaffLoad]:
    """Return the load of every active relationship manager in the actor's branches."""
    actor.must("leave.edit")
    return loads_of([u for u in all_rms_for(actor) if u.is_active])


def loads_of(users: Sequence[User]) -> list[StaffLoad]:
    """Return what each of some staff carries today."""
    numbers = [u.staff_no for u in users if u.staff_no]
    own = {c.staff_no: c for c in Capacity.objects.filter(staff_no__in=numbers)}
    owned, limits, away = book_sizes(numbers), limits_of(numbers), absences_on(today(), numbers)
    found = []
    for user in users:
        if not user.staff_no:
            continue
        mine, absence = own.get(user.staff_no), away.get(user.staff_no)
        tasks = mine.tasks_a_day if mine and mine.tasks_a_day is not None else user.capacity
        found.append(
            StaffLoad(
                staff_no=user.staff_no, name=user.display_name, branch_code=user.branch.code, is_active=user.is_active,
                owned=owned.get(user.staff_no, 0), book_limit=limits[user.staff_no], tasks_a_day=tasks,
                skills=tuple(mine.skills) if mine else (), languages=tuple(mine.languages) if mine else (),
                away_until=absence.last_day if absence else None, stand_in=absence.stand_in if absence else "",
                own_limit=bool(mine and mine.book_limit is not None),
            )
        )  # fmt: skip
    return found


def rm_for(actor: Actor, staff_no: str, *, active: bool = True) -> User:
    """Return a relationship manager of the actor's branches.

    Raises:
        NotAllowed: there is none such; not there and not hers look the same.
    """
    user = all_rms_for(actor).filter(staff_no=staff_no).exclude(staff_no="").first()
    if user is None or (active and not user.is_active):
        raise NotAllowed("There is no such relationship manager in your branches.", staff=staff_no)
    return user
