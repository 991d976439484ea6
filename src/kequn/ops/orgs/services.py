"""Bring branches and staff from the bank's tables into the organisation."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.models import Branch, Token, User
from kequn.ops.orgs.queries import all_staff_for, branches_for
from kequn.ops.orgs.rights import ROLES
from kequn.ops.runtime import now

APART = "/-/"
"""Where the paths of branches begin that belong to no head office: nobody there sees the whole institution."""
PHONE_MOST = 32
NO_PASSWORD = "!"  # noqa: S105
"""What Django reads as: nobody can log in with any password."""


_trail: dict[str, Callable[..., None]] = {}
"""``note``: writes one entry of the audit chain, which stands on this app and is wired in from above."""


def sync_branches(rows: Iterable[Mapping[str, Any]]) -> int:
    """Make the branch tree equal to the bank's table; return how many branches there are.

    Rows have branch_code, name, name_en, parent_code, level, city. A branch that left the table stays, since rows refer to it.
    Of several branches without a parent only one whose level is ``head_office`` has the whole institution below it.

    Raises:
        InvalidSpec: a parent that does not exist, a ring of parents, or a code that cannot stand in a path.
    """
    by_code = {row["branch_code"]: row for row in rows}
    if bad := next((code for code in by_code if "/" in code), None):
        raise InvalidSpec(f"Branch {bad!r} has a slash in its code.", hint="Map it to a code without one.")
    tops = [code for code, row in by_code.items() if not row.get("parent_code")]

    def path(code: str, below: tuple[str, ...] = ()) -> str:
        if code in below:
            raise InvalidSpec(f"Branches form a ring: {' > '.join((*below, code))}.", hint="Correct parent_code.")
        if code not in by_code:
            raise InvalidSpec(f"Branch {below[-1]!r} has the parent {code!r}, which is not in the table.")
        parent = by_code[code].get("parent_code")
        if parent:
            return f"{path(parent, (*below, code))}{code}/"
        return f"/{code}/" if len(tops) == 1 or by_code[code]["level"] == "head_office" else f"{APART}{code}/"

    paths = {code: path(code) for code in by_code}
    with transaction.atomic():
        for code in sorted(by_code, key=lambda c: paths[c].count("/")):
            row = by_code[code]
            parent = Branch.objects.get(code=row["parent_code"]) if row.get("parent_code") else None
            fields = {
                "name": row["name"], "name_en": row.get("name_en") or "", "level": row["level"],
                "city": row.get("city") or "", "parent": parent, "path": paths[code],
            }  # fmt: skip
            Branch.objects.update_or_create(code=code, defaults=fields)
    return len(by_code)


def sync_staff(rows: Iterable[Mapping[str, Any]]) -> int:
    """Make a user for each member of staff; return how many were new. A new user has no password until one is set.

    Rows have staff_no, name, role, branch_code, capacity, phone. The login name is the staff number in lower case. A table
    without telephone numbers leaves those that were entered here.
    """
    branches = {b.code: b for b in Branch.objects.all()}
    known = {u.staff_no: u for u in User.objects.exclude(staff_no="")}
    fresh = []
    for row in rows:
        branch = branches.get(row["branch_code"])
        if branch is None:
            raise InvalidSpec(
                f"Staff {row['staff_no']!r} belongs to branch {row['branch_code']!r}, which is not known."
            )
        fields = {
            "display_name": row["name"],
            "role": row["role"],
            "branch": branch,
            "capacity": row.get("capacity") or 20,
        } | ({"phone": phone_as_told(row["phone"])} if row.get("phone") else {})
        user = known.get(row["staff_no"])
        if user is None:
            fresh.append(
                User(username=row["staff_no"].lower(), staff_no=row["staff_no"], password=NO_PASSWORD, **fields)
            )
        elif any(getattr(user, k) != v for k, v in fields.items()):
            User.objects.filter(pk=user.pk).update(**fields)
    User.objects.bulk_create(fresh)
    return len(fresh)


def set_password(actor: Actor, username: str, password: str) -> None:
    """Give a user a password that meets the rules.

    Raises:
        InvalidSpec: the password is too weak; the message says how.
    """
    actor.must("user.manage")
    user = _user(actor, username)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidSpec(" ".join(error.messages), hint="Choose another password.") from None
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        _note(actor, "user.password_set", user, username=username)


def save_user(
    actor: Actor,
    username: str,
    *,
    display_name: str,
    role: str,
    branch_code: str,
    staff_no: str = "",
    phone: str | None = None,
) -> User:
    """Add or change a user within the actor's branches; ``phone`` is left as it is where none is given.

    Raises:
        InvalidSpec: no such role or branch, or the telephone number is none.
        NotAllowed: the user, or her new branch, is outside the actor's branches.
    """
    actor.must("user.manage")
    if role not in ROLES:
        raise InvalidSpec(f"There is no role {role!r}.", hint=f"Roles: {', '.join(ROLES)}.", role=role)
    branch = Branch.objects.filter(code=branch_code).first()
    if branch is None:
        raise InvalidSpec(f"There is no branch {branch_code!r}.", branch=branch_code)
    if not branches_for(actor).filter(pk=branch.pk).exists():
        raise NotAllowed(f"The branch {branch_code!r} is not one of yours.", branch=branch_code, right="user.manage")
    if User.objects.filter(username=username).exists():
        _user(actor, username)
    fields = {"display_name": display_name, "role": role, "branch": branch, "staff_no": staff_no}
    fields |= {} if phone is None else {"phone": phone_as_told(phone)}
    with transaction.atomic():
        user, _ = User.objects.update_or_create(
            username=username, defaults=fields, create_defaults=fields | {"password": NO_PASSWORD}
        )
        _note(actor, "user.saved", user, username=username, role=role, branch=branch_code, staff_no=staff_no)
    return user


def phone_as_told(number: str) -> str:
    """Return a telephone number at work as customers are told it; empty for none.

    Raises:
        InvalidSpec: it is not made of digits, spaces, a plus, hyphens and brackets, or has not 3 to 20 digits.
    """
    shown = " ".join(number.split())
    digits = sum(c in "0123456789" for c in shown)
    if shown and (not 3 <= digits <= 20 or set(shown) - set("0123456789 +-()") or len(shown) > PHONE_MOST):
        raise InvalidSpec(
            "This is no telephone number.", hint="Write digits, such as 0571-8600 1234.", where=Where(field="phone")
        )
    return shown


def rename_login(actor: Actor, staff_no: str, username: str) -> User:
    """Give a member of staff a login name of her own."""
    actor.must("user.manage")
    user = all_staff_for(actor).filter(staff_no=staff_no).first()
    if user is None:
        raise NotAllowed(f"There is no member of staff {staff_no!r}.", staff=staff_no)
    if User.objects.filter(username=username).exclude(pk=user.pk).exists():
        raise Conflict(f"The login name {username!r} is taken.", username=username)
    user.username = username
    with transaction.atomic():
        user.save(update_fields=["username"])
        _note(actor, "user.renamed", user, username=username, staff_no=staff_no)
    return user


def set_active(actor: Actor, username: str, *, active: bool) -> None:
    """Let a user in, or shut her out at once: the next request of an open session is refused."""
    actor.must("user.manage")
    user = _user(actor, username)
    if user.pk == actor.user_id:
        raise NotAllowed("Nobody shuts herself out.")
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=active)
        _note(actor, "user.let_in" if active else "user.shut_out", user, username=username)


def issue_token(actor: Actor, username: str, *, label: str, days: int = 90) -> str:
    """Return a new key for REST with which its holder acts as the user; shown once, only its hash is kept."""
    actor.must("user.manage")
    if not 1 <= days <= 366:
        raise InvalidSpec("A token lives between 1 and 366 days.", hint="Issue a new one before it ends.", days=days)
    key, user = f"kq_{secrets.token_urlsafe(32)}", _user(actor, username)
    with transaction.atomic():
        Token.objects.create(
            user=user, label=label, digest=_digest(key), created_at=now(), expires_at=now() + timedelta(days=days)
        )
        _note(actor, "token.issued", user, username=username, label=label, days=days)
    return key


def actor_of_token(key: str) -> Actor | None:
    """Return the actor of a key; ``None`` when it is unknown, has expired, or its user was shut out."""
    token = Token.objects.select_related("user__branch").filter(digest=_digest(key), expires_at__gt=now()).first()
    return token.user.actor() if token and token.user.is_active else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()  # the key has 256 random bits, so a slow hash would add nothing


def choose_language(actor: Actor, language: str) -> None:
    """Remember the language in which a person reads the console."""
    User.objects.filter(pk=actor.user_id).update(language=language[:10])


def keep_trail(note: Callable[..., None]) -> None:
    """Say who keeps the trail of what is done to users; called by an app when it is ready."""
    _trail["note"] = note


def _note(actor: Actor, act: str, user: User, **facts: object) -> None:
    _trail["note"](actor, act, user, **facts)


def _user(actor: Actor, username: str) -> User:
    user = all_staff_for(actor).filter(username=username).first()
    if user is None:
        raise NotAllowed(f"There is no user {username!r} in your scope.", username=username)
    return user
