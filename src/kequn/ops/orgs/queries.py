"""Branches and staff within an actor's scope."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.models import Branch, User


def branches_for(actor: Actor) -> QuerySet[Branch]:
    """Return the actor's branch and everything below it."""
    return (
        Branch.objects.all() if actor.sees_all_branches else Branch.objects.filter(path__startswith=actor.branch_path)
    )


def branch_codes_for(actor: Actor) -> QuerySet[Branch, str] | None:
    """Return the codes of the actor's branches, ``None`` for the whole institution; within another query no question of its own."""
    return None if actor.sees_all_branches else branches_for(actor).values_list("code", flat=True)


def staff_for(actor: Actor, *, role: str | None = None, gone: bool = False) -> QuerySet[User]:
    """Return active staff within the actor's branches; ``gone``: those who were shut out too."""
    staff = User.objects.filter(branch__in=branches_for(actor)).select_related("branch")
    staff = staff if gone else staff.filter(is_active=True)
    return staff.filter(role=role) if role else staff


def branches_numbered(codes: Iterable[str]) -> dict[str, str]:
    """Return the names of some branches by code, for other services."""
    return dict(Branch.objects.filter(code__in=[c for c in codes if c]).values_list("code", "name"))


def staff_numbered(staff_nos: Iterable[str]) -> QuerySet[User]:
    """Return the users of some staff numbers, those who left included, for other services."""
    return User.objects.filter(staff_no__in=[s for s in staff_nos if s]).select_related("branch")


def staff_names() -> dict[str, str]:
    """Return what everybody with a staff number is called, those who left included: names beside numbers on a page."""
    return dict(User.objects.exclude(staff_no="").values_list("staff_no", "display_name"))


def user_names() -> dict[str, str]:
    """Return what everybody who may ever log in is called, by the name she logs in with."""
    return dict(User.objects.values_list("username", "display_name"))


def branch_names() -> dict[str, str]:
    """Return what each branch, city and head office is called, by code."""
    return dict(Branch.objects.values_list("code", "name"))


def active_of_role(role: str) -> QuerySet[User]:
    """Return who works in a role anywhere in the bank, for other services."""
    return User.objects.filter(role=role, is_active=True).exclude(staff_no="").select_related("branch")


def all_rms_for(actor: Actor) -> QuerySet[User]:
    """Return the relationship managers of the actor's branches, those who left included."""
    return User.objects.filter(role="rm", branch__in=branches_for(actor)).select_related("branch")


def all_staff_for(actor: Actor) -> QuerySet[User]:
    """Return staff within the actor's branches, also those who were shut out, for who manages them."""
    actor.must("user.manage")
    return User.objects.filter(branch__in=branches_for(actor)).select_related("branch")


def user_ids_for(actor: Actor) -> QuerySet[User, dict[str, int]]:
    """Return the ids of all who ever worked in the actor's branches, those who left included; for use in other queries."""
    return User.objects.filter(branch__in=branches_for(actor)).values("pk")


def actor_of(user_id: int) -> Actor:
    """Return the actor behind a user id.

    Raises:
        NotAllowed: the user is gone or was disabled.
    """
    user = User.objects.select_related("branch").filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotAllowed("This user may no longer act.", user=user_id)
    return user.actor()


def actor_named(username: str) -> Actor:
    """Return the actor behind a login name (CLI)."""
    user = User.objects.select_related("branch").filter(username=username, is_active=True).first()
    if user is None:
        raise NotAllowed(f"There is no active user {username!r}.", user=username)
    return user.actor()
