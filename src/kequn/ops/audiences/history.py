"""Segments in the past, within an actor's scope: size over time, members on a date, who joined and left and why, migration."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from kequn.core.errors import Conflict, KequnError, NotAllowed, TagNotSelectable, UnknownTag
from kequn.core.segments import history, in_words
from kequn.core.segments.changes import Changes, changes
from kequn.core.segments.history import Snapshot
from kequn.core.segments.migration import Group, Migration, of_segments, of_tag
from kequn.core.spec.base import Text
from kequn.core.spec.segment import AllOf, AnyOf, Condition, Not, SegmentSpec
from kequn.ops.audiences import dictionary
from kequn.ops.audiences.contracts import Member, MembersPage
from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.audiences.queries import (
    MOST_ON_A_PAGE,
    Ordinals,
    bank_for,
    latest_date,
    scope_ordinals,
    segment_named,
    segment_specs,
    tags_within,
)
from kequn.ops.audiences.values import tag_values
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, runtime
from kequn.ops.tags.queries import catalogue

MOST_SEGMENTS = 12


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """From a date on a segment was found by another definition: (kind, name) of what is another version."""

    as_of: date
    what: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SegmentHistory:
    """A segment over time, within the actor's scope."""

    version: SegmentVersion
    snapshots: tuple[Snapshot, ...]
    """By date."""
    definition_changes: tuple[DefinitionChange, ...]
    not_kept: tuple[date, ...]
    """Dates with tags on which its members are not kept (yet)."""
    is_scoped: bool


@dataclass(frozen=True, slots=True)
class ChangesAnswer:
    """Who joined and left between two dates, and why where the data of both dates are still there."""

    before: date
    after: date
    size_before: int
    size_after: int
    joined: int
    left: int
    why: Changes | None
    not_told_because: KequnError | None
    words: dict[str, Text]
    """Path of a condition -> the condition in words."""


def history_for(actor: Actor, name: str) -> SegmentHistory:
    """Return the size of a segment on each kept date, and where its definition changed.

    Raises:
        UnknownSegment: there is none such in sight.
    """
    version = segment_named(actor, name)
    store = runtime().store
    scope = scope_ordinals(actor)
    kept = history.snapshots(store, name) if scope is None else history.snapshots_within(store, name, scope)
    there = {snapshot.as_of for snapshot in kept}
    missing = (date.fromisoformat(day) for day in sorted(engine().manifest.dates))
    return SegmentHistory(
        version,
        kept,
        _definition_changes(kept, history.definitions(store, name)),
        tuple(day for day in missing if day not in there),
        scope is not None,
    )


def members_on(actor: Actor, name: str, as_of: date) -> Ordinals:
    """Return the sorted ordinals of who belonged to a segment on a date, within the actor's scope.

    Raises:
        NoData: nothing is kept for that date.
    """
    segment_named(actor, name)
    found = history.members_on(runtime().store, name, as_of)
    scope = scope_ordinals(actor)
    return found if scope is None else np.intersect1d(found, scope, assume_unique=True)


def members_to_take(actor: Actor, name: str, as_of: date) -> Ordinals:
    """Return who belonged on a date, to leave kequn in a file. Raises as `members_on`.

    Raises:
        TagNotSelectable: by what is of class S, as it was or as it is: as a list, these customers could be chosen again
            although they have withdrawn their consent since.
    """
    found, store = members_on(actor, name, as_of), runtime().store
    spec = segment_named(actor, name).spec
    then = next(s.definition for s in history.snapshots(store, name) if s.as_of == as_of)
    read = {*history.definitions(store, name)[then].get("tag", {}), *tags_within(spec, segment_specs() | {name: spec})}
    keep_sensitive_in(read, as_of)
    return found


def keep_sensitive_in(tags: Collection[str], as_of: date) -> None:
    """Refuse to let what tags of class S said of customers on an earlier day leave kequn.

    Raises:
        TagNotSelectable: one of the tags is, and the day is not the latest.
    """
    specs = catalogue()
    sensitive = sorted(tag for tag in tags if tag in specs and specs[tag].consent is not None)
    if sensitive and as_of != latest_date():
        raise TagNotSelectable(
            f"Tag {sensitive[0]!r} ({specs[sensitive[0]].title}) is class S: who had it on an earlier day does not leave kequn.",
            hint="Export today's members: they are those whose consent stands.", tag=sensitive[0],
        )  # fmt: skip


def members_on_page(
    actor: Actor, name: str, as_of: date, *, page: int = 1, size: int = 50, tags: Sequence[str] = ()
) -> MembersPage:
    """Return one page of who belonged on a date, with tags of that date where they are still there.

    Raises:
        NoData: nothing is kept for that date.
        NotAllowed: a tag of class X.
    """
    who = members_on(actor, name, as_of)
    state = engine().manifest.dates.get(as_of.isoformat())
    shown = tuple(tag for tag in dict.fromkeys(tags) if state is not None and tag in state.tags)
    for tag in shown:
        if tag not in catalogue() or catalogue()[tag].sensitivity == "X":
            raise NotAllowed(f"Tag {tag!r} is not shown customer by customer.", tag=tag, right="tag.view")
    page, size = max(page, 1), min(max(size, 1), MOST_ON_A_PAGE)
    part = who[(page - 1) * size : page * size]
    ids = dictionary.customer_ids_of(engine(), part)
    people = people_by_id(actor, ids)
    rows = tag_values(part, as_of, shown)
    members = tuple(Member(i, people.get(i), row) for i, row in zip(ids, rows, strict=True))
    return MembersPage(as_of, len(who), page, size, shown, members)


def changes_for(actor: Actor, name: str, before: date, after: date) -> ChangesAnswer:
    """Return who joined and left a segment between two dates, and by which condition.

    Raises:
        NoData: the members of one of the dates are not kept.
        Conflict: the dates are in the wrong order.
    """
    version = segment_named(actor, name)
    if before >= after:
        raise Conflict("The first date must be before the second.", hint="Turn them round.")
    store, scope = runtime().store, scope_ordinals(actor)
    joined, left = history.joined_left(store, name, before, after)
    if scope is not None:
        joined, left = (np.intersect1d(who, scope, assume_unique=True) for who in (joined, left))
    kept = {s.as_of: s for s in history.snapshots(store, name)}
    segments = segment_specs() | {name: version.spec}
    why: Changes | None = None
    fault: KequnError | None = None
    try:
        why = changes(
            engine(), version.spec, tags=catalogue(), segments=segments, before=before, after=after, joined=joined,
            left=left, same_definition=kept[before].definition == kept[after].definition,
        )  # fmt: skip
    except KequnError as error:
        fault = error
    sizes = [len(members_on(actor, name, day)) for day in (before, after)]
    return ChangesAnswer(
        before, after, sizes[0], sizes[1], len(joined), len(left), why, fault, _words(version.spec, segments, why)
    )


def migration_of_tag(actor: Actor, tag: str, before: date, after: date) -> Migration:
    """Return how customers in scope went between the values of a tag.

    Raises:
        UnknownTag, InvalidSpec, NoData: there is no such tag, it has no values to go between, or a date was not computed.
        NotAllowed: the tag is of class X.
    """
    actor.must("segment.view")
    spec = catalogue().get(tag)
    if spec is None:
        raise UnknownTag(f"Tag {tag!r} is not in the catalogue.", hint="See `kequn tag list`.", tag=tag)
    if spec.sensitivity == "X":
        raise NotAllowed(f"Tag {tag!r} is not shown by customer.", tag=tag, right="tag.view")
    _in_order(before, after)
    return of_tag(bank_for(actor), spec, before, after).told()


def migration_of_segments(actor: Actor, names: Sequence[str], before: date, after: date) -> Migration:
    """Return how customers in scope went between segments; who is in several counts for the first named.

    Raises:
        UnknownSegment, NoData: a segment is not there, or its members on a date are not kept.
        Conflict: fewer than one or more than 12 segments.
    """
    _in_order(before, after)
    chosen = list(dict.fromkeys(names))
    if not 1 <= len(chosen) <= MOST_SEGMENTS:
        raise Conflict(f"Choose 1 to {MOST_SEGMENTS} segments.", hint="The first named counts where they overlap.")
    groups = [Group(name, segment_named(actor, name).spec.title) for name in chosen]
    at = [(day, [history.members_on(runtime().store, n, day) for n in chosen]) for day in (before, after)]
    return of_segments(bank_for(actor), groups, at[0], at[1]).told()


def migrations_by_month(actor: Actor, tag: str, *, months: int = 12) -> list[Migration]:
    """Return the migration between the values of a tag from the last computed date of each month to that of the next."""
    ends: dict[str, date] = {}
    for day in sorted(engine().manifest.dates):
        if tag in engine().manifest.dates[day].tags:
            ends[day[:7]] = date.fromisoformat(day)
    days = [*ends.values()][-(months + 1) :]
    return [migration_of_tag(actor, tag, a, b) for a, b in pairwise(days)]


def migration_tags(actor: Actor) -> list[str]:
    """Return the tags between whose values customers can go: codes and yes or no, computed for at least two dates."""
    actor.must("segment.view")
    found: dict[str, int] = {}
    for state in engine().manifest.dates.values():
        for name in state.tags:
            found[name] = found.get(name, 0) + 1
    specs = catalogue()
    return [n for n, times in sorted(found.items()) if times > 1 and n in specs and _goes_between(n)]


def _goes_between(name: str) -> bool:
    spec = catalogue()[name]
    return spec.sensitivity != "X" and (spec.type == "boolean" or (spec.type == "text" and bool(spec.values)))


def _in_order(before: date, after: date) -> None:
    if before >= after:
        raise Conflict("The first date must be before the second.", hint="Turn them round.")


def _definition_changes(
    kept: Sequence[Snapshot], definitions: dict[str, dict[str, dict[str, str]]]
) -> tuple[DefinitionChange, ...]:
    found = []
    for before, after in pairwise(kept):
        if before.definition != after.definition:
            old, new = definitions.get(before.definition, {}), definitions.get(after.definition, {})
            what = {
                (kind, name)
                for kind in {*old, *new}
                for name in {*old.get(kind, {}), *new.get(kind, {})}
                if old.get(kind, {}).get(name) != new.get(kind, {}).get(name)
            }
            found.append(DefinitionChange(after.as_of, tuple(sorted(what))))
    return tuple(found)


def _words(spec: SegmentSpec, segments: dict[str, SegmentSpec], why: Changes | None) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for cause in why.joined.causes if why else ():
        condition = condition_at(spec, cause.path)
        said = {
            language: in_words(condition, tags=catalogue(), segments=segments, language=language)
            for language in ("zh", "en")
        }
        found[cause.path] = Text(**said)
    return found


def condition_at(spec: SegmentSpec, path: str) -> Condition:
    """Return the condition of a document at a place such as ``where.all.1.not``."""
    found: Any = spec.where
    for step in path.split(".")[1:]:
        match found:
            case Not(negated=inner) if step == "not":
                found = inner
            case AllOf(all=parts) | AnyOf(any=parts):
                found = parts if step in ("all", "any") else found
            case tuple():
                found = found[int(step)]
    return found  # type: ignore[no-any-return]
