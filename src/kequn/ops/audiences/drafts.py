"""A segment while it is being written: what its customers are like, and which saved segments hold the same people."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kequn.core.errors import KequnError
from kequn.core.insight import Profile, draft_profile
from kequn.core.segments import plane, tags_in
from kequn.core.spec.base import Text
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.queries import (
    bank_for,
    checked,
    kept_on,
    latest_date,
    latest_segments,
)
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue

MOST_SEGMENTS = 200
PATIENCE = 5.0
"""Seconds after which saved segments that no one has asked for yet are left to the next look: each is kept once it is known."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A saved segment and how many customers it has in common with the draft."""

    name: str
    title: Text
    size: int
    both: int
    of_draft: float
    """Share of the draft's customers who are in this segment."""
    of_other: float
    """Share of this segment's customers who are in the draft."""

    @property
    def alike(self) -> float:
        """Customers of both ÷ customers of either (Jaccard)."""
        either = self.size + (self.both / self.of_draft if self.of_draft else 0) - self.both
        return self.both / either if either else 0.0


@dataclass(frozen=True, slots=True)
class DraftLook:
    """What the index says of a draft in the bank that the actor reaches."""

    profile: Profile
    shared: tuple[Shared, ...]
    """Saved segments with customers in common, the most alike first."""
    unanswered: int
    """Saved segments that cannot be computed for this date and are not compared."""
    waiting: int
    """Saved segments that were not compared for want of time; the next look compares more of them."""


def look_at_draft(actor: Actor, spec: SegmentSpec) -> DraftLook:
    """Return the profile of all tags inside a draft, and its overlap with the segments in the actor's sight.

    Raises:
        KequnError: as `check_segment`; ``NoData`` where no tags were computed.
    """
    actor.must("segment.view")
    rule, others = checked(spec)
    bank, day, tags = bank_for(actor), latest_date(), catalogue()
    drafted = plane(bank, spec, tags=tags, segments=others, as_of=day, past=kept_on)
    defining = tags_in(rule)
    profile = draft_profile(bank, drafted, tags=tags, as_of=day, defining=defining)
    loops, shared, unanswered, waiting = bank.index(day).loops, [], 0, 0
    until = time.monotonic() + PATIENCE
    for row in latest_segments(actor)[:MOST_SEGMENTS]:
        if row.name == spec.name:
            continue
        if time.monotonic() > until:
            waiting += 1
            continue
        try:
            other = plane(bank, row.spec, tags=tags, segments=others, as_of=day, past=kept_on)
        except KequnError:
            unanswered += 1
            continue
        size, both = loops.count(other), loops.count(other & drafted)
        if both:
            shared.append(Shared(row.name, row.spec.title, size, both, both / profile.size, both / size))
    return DraftLook(profile, tuple(sorted(shared, key=lambda s: (-s.alike, s.name))), unanswered, waiting)
