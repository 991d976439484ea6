"""What pages may hold of the front line's word on lists."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.core.spec.base import Text
from kequn.core.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class ListFigures:
    """What the front line says of one list: how much of it was looked at, and how much of that is wrong."""

    campaign: str
    given: int
    """Tasks of the list."""
    looked_at: int
    """Tasks on which somebody tried to reach the customer, or whose entry was marked as wrong."""
    wrong: int
    share: Interval | None
    """Wrong of those looked at, with Wilson's interval; ``None`` while nobody looked at any."""
    is_small: bool
    """Whether too few were looked at to say more than the counts."""
    reasons: tuple[tuple[str, int], ...]
    """Code and count, the most frequent first."""
    branches: tuple[tuple[str, int, int], ...]
    """Branch, wrong, looked at; the most wrong first."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A campaign or segment one may write about."""

    name: str
    title: Text
