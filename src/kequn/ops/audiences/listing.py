"""A segment's members as the rows of a file: today's or those of a kept date, masked persons, some tags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import numpy as np

from kequn.core.errors import UnknownDefinition
from kequn.core.spec.base import Text
from kequn.ops.audiences.history import members_to_take
from kequn.ops.audiences.queries import (
    Ordinals,
    customer_ids,
    latest_date,
    members_of,
    segment_for,
    segment_named,
    tag_values,
)
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue

MEMBER_COLUMNS = tuple(
    Text(zh=zh, en=en)
    for zh, en in (
        ("客户标识", "Customer id"), ("姓名", "Name"), ("手机", "Phone"), ("客户号", "Customer no."), ("网点", "Branch"),
        ("客户经理", "RM"),
    )
)  # fmt: skip


def members_to_list(actor: Actor, name: str, *, version: int | None = None, on: date | None = None) -> Ordinals:
    """Return whose rows a file has: who belongs to a segment, or to a version of it, today; or who belonged on a kept date.

    Raises:
        UnknownDefinition: no such segment in the actor's sight, or a version of another one.
        TagNotSelectable, NoData: as `members_to_take`.
    """
    if on is not None:
        return members_to_take(actor, name, on)
    row = segment_named(actor, name) if version is None else segment_for(actor, version)
    if row.name != name:
        raise UnknownDefinition(f"Segment {name!r} has no version {version}.", segment=name)
    return members_of(actor, row.spec, as_of=latest_date())


def listable_tags(names: Collection[str]) -> list[str]:
    """Return those of some tags that a file may show, in their order."""
    specs = catalogue()
    return [name for name in names if name in specs and specs[name].sensitivity != "X"]


def tag_columns(names: Collection[str]) -> tuple[Text, ...]:
    """Return what the columns of tags are called; money is in yuan."""
    specs = catalogue()
    return tuple(specs[name].title for name in listable_tags(names))


def member_rows(actor: Actor, members: Sequence[int], day: date, names: Collection[str]) -> list[tuple[Any, ...]]:
    """Return a row of each member: what ``MEMBER_COLUMNS`` names, as far as the actor may see persons, then her tags of a day."""
    tags = listable_tags(names)
    who = np.asarray(members, dtype=np.uint32)
    ids, values = customer_ids(who), tag_values(who, day, tags)
    people = people_by_id(actor, ids)
    money = [catalogue()[t].type == "money" for t in tags]
    rows: list[tuple[Any, ...]] = []
    for customer_id, row in zip(ids, values, strict=True):
        p = people.get(customer_id)
        person = (p.name, p.phone, p.customer_no, p.branch_code, p.rm_no) if p else ("",) * 5
        shown = (v / 100 if yuan and v is not None else v for v, yuan in zip(row, money, strict=True))
        rows.append((customer_id, *person, *shown))
    return rows
