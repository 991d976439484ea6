"""The tabs over the pages of who has whom, and what those pages share."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kequn.core.errors import InvalidSpec, Where
from kequn.ops.orgs.actor import Actor

TABS: tuple[tuple[str, str | Promise, tuple[str, ...]], ...] = (
    ("owners", _("负荷与容量"), ("leave.edit",)),
    ("owners_leave", _("休假与代管"), ("leave.edit",)),
    ("unclaimed", _("待分配客户"), ("customer.claim", "customer.assign")),
    ("owners_plans", _("分配与移交"), ("customer.assign",)),
    ("owners_idle", _("久未联系"), ("customer.claim", "customer.assign")),
    ("owners_notices", _("换管户告知"), ("customer.claim", "customer.assign")),
    ("owners_wecom", _("企微继承"), ("customer.handover",)),
    ("owners_conflicts", _("与行内不一致"), ("customer.assign",)),
    ("owners_changes", _("变更记录"), ("customer.assign",)),
)


def around(actor: Actor, current: str) -> dict[str, Any]:
    """Return what every page of the section shows: its tabs, each with whether it is the current one."""
    tabs = [(url, title, url == current) for url, title, rights in TABS if any(map(actor.may, rights))]
    return {"section_tabs": tabs}


def day(text: str, field: str) -> date:
    """Return a date that a form sent.

    Raises:
        InvalidSpec: it is none; with the field.
    """
    try:
        found = parse_date(text.strip())
    except ValueError:
        found = None
    if found is None:
        raise InvalidSpec(f"{text!r} is not a date.", hint="Choose a day.", where=Where(field=field))
    return found


def whole(text: str, field: str) -> int | None:
    """Return a whole number that a form sent, ``None`` for an empty field.

    Raises:
        InvalidSpec: it is none; with the field.
    """
    if not text.strip():
        return None
    if not text.strip().isdecimal():
        raise InvalidSpec(f"{text!r} is not a whole number.", where=Where(field=field))
    return int(text)


def numbers(texts: list[str]) -> list[int]:
    """Return the ids that a form's boxes sent; what is none is left out."""
    return [int(t) for t in texts if t.isdecimal() and len(t) < 19]
