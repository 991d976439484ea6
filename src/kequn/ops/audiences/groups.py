"""The customer groups that ship with kequn on the bank's own data: sizes, overlap, what stands out, and loading them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from kequn.core.errors import KequnError, NoData
from kequn.core.segments import Group, Overlap, count, group_named, groups, overlap, shipped_segments, tags_wanting
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.audiences.queries import bank_for, latest_date, segment_specs, segments_for
from kequn.ops.audiences.services import save_segment, submit_segment
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue


@dataclass(frozen=True, slots=True)
class Part:
    """A group's own segment, or one of its sub-groups, as it stands at the bank."""

    spec: SegmentSpec
    version: SegmentVersion | None
    """The newest version of that name, ``None`` where it was not loaded."""
    missing: tuple[str, ...]
    """Tags it tests that have no values: it can be loaded, but not counted yet."""
    size: int | None
    """Members on the date, within the actor's scope."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One line of the groups page."""

    group: Group
    part: Part
    loaded: int
    """How many of its segments, its own included, are there."""


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One group on the bank's data."""

    group: Group
    as_of: date | None
    customers: int
    """All that the actor reaches."""
    parts: tuple[Part, ...]
    """Its own segment first."""
    shared: tuple[tuple[Group, int, int], ...]
    """Other groups: the group, its size, members in common; the largest first."""


def group_rows_for(actor: Actor) -> list[GroupRow]:
    """Return the shipped groups with their sizes on the latest date."""
    actor.must("segment.view")
    there, computed, day = _versions(actor), _computed(), _date()
    rows = []
    for group in groups().values():
        part = _part(actor, group.segment, there, computed, day)
        rows.append(GroupRow(group, part, sum(s.name in there for s in group.segments)))
    return rows


def group_for(actor: Actor, name: str) -> GroupPage:
    """Return one group with its sub-groups and its overlap with the other groups.

    Raises:
        UnknownSegment: there is no such group; with the nearest name.
    """
    actor.must("segment.view")
    group, there, computed, day = group_named(name), _versions(actor), _computed(), _date()
    parts = tuple(_part(actor, spec, there, computed, day) for spec in group.segments)
    customers = bank_for(actor).index(day).customers if day else 0
    shared: tuple[tuple[Group, int, int], ...] = ()
    if day is not None and not parts[0].missing:
        shared = _shared(actor, group, computed, day)
    return GroupPage(group, day, customers, parts, shared)


def load_groups(
    actor: Actor, names: Sequence[str] = (), *, submit: bool = False, whole: bool = True
) -> list[SegmentVersion]:
    """Save the segments of some groups (of all without names); a segment the bank has under that name is left as it is.

    Args:
        submit: ask at once for approval of those whose tags the bank has; the others stay drafts.
        whole: also segments whose tags the bank does not have yet.

    Raises:
        UnknownSegment: there is no such group; nothing is saved then.
    """
    actor.must("segment.edit")
    wanted = [group_named(name) for name in names] if names else list(groups().values())
    there, computed = set(segment_specs()), _computed()
    saved = []
    for spec in (s for group in wanted for s in group.segments if s.name not in there):
        wanting = tags_wanting(spec, tags=catalogue(), computed=computed)
        if wanting and not whole:
            continue
        version = save_segment(actor, spec)
        saved.append(submit_segment(actor, version.pk) if submit and not wanting else version)
    return saved


def _shared(actor: Actor, group: Group, computed: Collection[str], day: date) -> tuple[tuple[Group, int, int], ...]:
    comparable = [g for g in groups().values() if not tags_wanting(g.segment, tags=catalogue(), computed=computed)]
    found: Overlap = overlap(
        bank_for(actor), [g.segment for g in comparable], tags=catalogue(), segments=shipped_segments(), as_of=day
    )
    mine = found.names.index(group.segment.name)
    others = [
        (g, found.both[i][i], found.both[mine][i]) for i, g in enumerate(comparable) if g.spec.name != group.spec.name
    ]
    return tuple(sorted(others, key=lambda row: -row[2]))


def _part(
    actor: Actor, spec: SegmentSpec, there: dict[str, SegmentVersion], computed: Collection[str], day: date | None
) -> Part:
    missing = tags_wanting(spec, tags=catalogue(), computed=computed)
    size = None
    if day is not None and not missing:
        try:
            size = count(bank_for(actor), spec, tags=catalogue(), segments=shipped_segments(), as_of=day)
        except NoData:  # rows of a table that a behaviour needs
            size = None
    return Part(spec, there.get(spec.name), missing, size)


def _versions(actor: Actor) -> dict[str, SegmentVersion]:
    newest: dict[str, SegmentVersion] = {}
    for row in segments_for(actor).exclude(state="retired").filter(name__in=shipped_segments()).order_by("-id"):
        newest.setdefault(row.name, row)
    return newest


def _computed() -> frozenset[str]:
    dates = engine().manifest.dates
    return frozenset(dates[max(dates)].tags) if dates else frozenset()


def _date() -> date | None:
    try:
        return latest_date()
    except KequnError:
        return None
