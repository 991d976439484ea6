"""The customer groups that ship with kequn on the bank's own data: sizes, overlap, what stands out, and loading them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from django.db.models import QuerySet

from kequn.core.errors import KequnError, NoData
from kequn.core.segments import Group, Overlap, count, group_named, groups, overlap, shipped_segments, tags_wanting
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.audiences.queries import bank_for, latest_date, segments_for
from kequn.ops.audiences.services import save_segment, submit_segment
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

Standing: TypeAlias = Literal["absent", "same", "older", "edited"]
"""Of a shipped segment at the bank: not loaded; what ships; from an earlier kequn and not edited since; edited there."""


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

    @property
    def standing(self) -> Standing:
        """How what the bank has compares with what ships."""
        return standing_of(self.spec, self.version)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did."""

    saved: tuple[SegmentVersion, ...]
    """New at the bank, or renewed."""
    older: tuple[str, ...]
    """Of an earlier kequn, not edited at the bank, and not renewed."""
    edited: tuple[str, ...]
    """Edited at the bank: left as they are, though what ships is another."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One line of the groups page."""

    group: Group
    part: Part
    loaded: int
    """How many of its segments, its own included, are there."""
    older: int
    """How many of these are of an earlier kequn and were not edited at the bank."""


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
        standings = [standing_of(s, there.get(s.name)) for s in group.segments]
        rows.append(GroupRow(group, part, sum(s != "absent" for s in standings), standings.count("older")))
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


def standing_of(spec: SegmentSpec, version: SegmentVersion | None) -> Standing:
    """Return how the bank's newest version of a shipped segment compares with what ships."""
    if version is None:
        return "absent"
    if version.fingerprint == spec.fingerprint():
        return "same"
    return "older" if version.from_pack else "edited"


def load_groups(
    actor: Actor, names: Sequence[str] = (), *, submit: bool = False, whole: bool = True, renew: bool = False
) -> Loaded:
    """Save the segments of some groups (of all without names); a segment the bank has under that name is left as it is.

    Args:
        submit: ask at once for approval of those whose tags the bank has; the others stay drafts.
        whole: also segments whose tags the bank does not have yet.
        renew: also those of an earlier kequn that were not edited at the bank, each as a new version; the approved
            one stays in use until the new one is.

    Raises:
        UnknownSegment: there is no such group; nothing is saved then.
    """
    actor.must("segment.edit")
    wanted = [group_named(name) for name in names] if names else list(groups().values())
    there, computed = _newest(SegmentVersion.objects.all()), _computed()
    saved = []
    names_of: dict[Standing, list[str]] = {"absent": [], "same": [], "older": [], "edited": []}
    for spec in (s for group in wanted for s in group.segments):
        standing = standing_of(spec, there.get(spec.name))
        wanting = tags_wanting(spec, tags=catalogue(), computed=computed)
        if (standing == "absent" and (whole or not wanting)) or (standing == "older" and renew):
            version = save_segment(actor, spec, from_pack=True)
            saved.append(submit_segment(actor, version.pk) if submit and not wanting else version)
        else:
            names_of[standing].append(spec.name)
    return Loaded(tuple(saved), tuple(names_of["older"]), tuple(names_of["edited"]))


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
    return _newest(segments_for(actor))


def _newest(versions: QuerySet[SegmentVersion]) -> dict[str, SegmentVersion]:
    newest: dict[str, SegmentVersion] = {}
    for row in versions.exclude(state="retired").filter(name__in=shipped_segments()).order_by("-id"):
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
