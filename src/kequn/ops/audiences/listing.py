"""A segment's members as the rows of a file: today's or those of a kept date, masked persons, some tags."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import date
from hashlib import blake2b
from typing import Any

import numpy as np

from kequn.core.errors import InvalidSpec, KequnError, NoData, NotAllowed, TagNotSelectable, UnknownTag, Where
from kequn.core.spec.base import Text
from kequn.ops.audiences.history import keep_sensitive_in, members_to_take
from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.audiences.queries import (
    Ordinals,
    customer_ids,
    definitions_within,
    latest_date,
    members_of,
    segment_for,
    segment_named,
    tag_values,
)
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

MEMBER_COLUMNS = tuple(
    Text(zh=zh, en=en)
    for zh, en in (
        ("客户标识", "Customer id"), ("姓名", "Name"), ("手机", "Phone"), ("客户号", "Customer no."), ("网点", "Branch"),
        ("客户经理", "RM"),
    )
)  # fmt: skip


def members_to_list(
    actor: Actor, name: str, *, version: int | None = None, on: date | None = None, tags: Collection[str] = ()
) -> Ordinals:
    """Return whose rows a file has: who belongs to a segment, or to a version of it, today; or who belonged on a kept date.

    Raises:
        UnknownSegment, NotAllowed: no such segment in the actor's sight, or a version of another one.
        InvalidSpec: a version of a kept date, which has the one that was kept; or a tag that is none.
        TagNotSelectable: a tag of class X; one of class S on an earlier day, which rests on that day's consent.
        NoData: a tag has no values on the day. Else as `members_to_take`.
    """
    _check_tags(tags, on or latest_date())
    if on is not None:
        if version is not None:
            raise InvalidSpec(
                "A kept date has the members that were kept, of no version.", where=Where(field="version")
            )
        return members_to_take(actor, name, on)
    return members_of(actor, _version(actor, name, version).spec, as_of=latest_date())


def pins_of_members(actor: Actor, name: str, *, version: int | None = None, on: date | None = None) -> str:
    """Return what tells the rule of a list from another: the versions of all that decides who belongs."""
    if on is not None:
        return on.isoformat()
    spec = _version(actor, name, version).spec
    pins = definitions_within(spec)
    return blake2b(json.dumps(pins, sort_keys=True).encode(), digest_size=8).hexdigest()


def _version(actor: Actor, name: str, version: int | None) -> SegmentVersion:
    row = segment_named(actor, name) if version is None else segment_for(actor, version)
    if row.name != name:
        raise NotAllowed(f"Segment {name!r} has no version {version}.", segment=name)
    return row


def _check_tags(names: Collection[str], day: date) -> None:
    specs, state = catalogue(), engine().manifest.dates.get(day.isoformat())
    for name in names:
        spec = specs.get(name)
        if spec is None:
            raise UnknownTag(f"There is no tag {name!r}.", where=Where(field="tags"))
        if spec.sensitivity == "X":
            raise TagNotSelectable(f"Tag {name!r} does not leave kequn.", where=Where(field="tags"), tag=name)
        keep_sensitive_in([name], day)
        if state is None or name not in state.tags:
            raise NoData(f"Tag {name!r} has no values on {day}.", hint="Leave it out.", tag=name)


def listable_tags(names: Collection[str]) -> list[str]:
    """Return those of some tags that a file of today's members can show, in their order."""
    found = []
    for name in names:
        with suppress(KequnError):
            _check_tags([name], latest_date())
            found.append(name)
    return found


def tag_columns(names: Collection[str]) -> tuple[Text, ...]:
    """Return what the columns of tags are called; money is in yuan."""
    specs = catalogue()
    return tuple(specs[name].title for name in names)


def member_rows(actor: Actor, members: Sequence[int], day: date, names: Collection[str]) -> list[tuple[Any, ...]]:
    """Return a row of each member: what ``MEMBER_COLUMNS`` names, as far as the actor may see persons, then her tags of a day."""
    tags = list(names)
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
