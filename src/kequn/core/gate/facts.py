"""What the gate knows when it decides: columns about customers, and what is proposed to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import get_args

import numpy as np
import numpy.typing as npt

from kequn.core.spec.offer import Channel

CHANNELS: tuple[Channel, ...] = get_args(Channel)
COLUMN: dict[str, int] = {channel: position for position, channel in enumerate(CHANNELS)}
STATUSES = ("active", "dormant", "frozen", "closed")

UNKNOWN, NO, YES = -1, 0, 1
"""The three values of a flag; unknown is never taken for no."""

Flags = npt.NDArray[np.int8]
Days = npt.NDArray[np.datetime64]
Ordinals = npt.NDArray[np.uint32]
NEVER = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True)
class Content:
    """What would be said on one channel: whether its version is approved and says how to refuse."""

    approved: bool
    has_opt_out: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be offered: the product's facts, the offer's validity and its content by channel."""

    product_known: bool
    family: str = ""
    risk_level: int | None = None
    has_benefit: bool = False
    valid_until: date | None = None
    content: Mapping[str, Content] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Intended touches: customer × channel × proposal, one row each; rows of one customer are alternatives."""

    ordinals: Ordinals
    channels: npt.NDArray[np.int8]
    """Positions in ``CHANNELS``."""
    proposals: npt.NDArray[np.int16]
    """Positions in ``offered``."""
    offered: tuple[Proposal, ...]

    @classmethod
    def each(cls, ordinals: npt.ArrayLike, channels: Sequence[str], proposal: Proposal) -> Candidates:
        """Return every customer on every channel with one proposal, channel by channel."""
        who = np.asarray(ordinals, dtype=np.uint32)
        where = np.array([COLUMN[channel] for channel in channels], dtype=np.int8)
        return cls(
            np.tile(who, len(where)),
            np.repeat(where, len(who)),
            np.zeros(len(who) * len(where), dtype=np.int16),
            (proposal,),
        )

    def __len__(self) -> int:
        return len(self.ordinals)

    def take(self, rows: npt.ArrayLike) -> Candidates:
        """Return some of the rows."""
        at = np.asarray(rows)
        return Candidates(self.ordinals[at], self.channels[at], self.proposals[at], self.offered)


@dataclass(frozen=True, slots=True)
class Touches:
    """Contacts that count towards the caps: accepted, of unknown fate, or under way; one row each."""

    rows: npt.NDArray[np.int64]
    """Positions in ``Facts.ordinals``."""
    channels: npt.NDArray[np.int8]
    """Positions in ``CHANNELS``; -1 for a channel kequn does not use (it counts towards the caps over all channels)."""
    days: Days


@dataclass(frozen=True, slots=True)
class Facts:
    """Columns about n customers, c channels (闸门事实). Flags are ``UNKNOWN``, ``NO`` or ``YES``; days may be NaT."""

    ordinals: Ordinals
    """Sorted, each once: the customers that the bank has."""
    status: Flags
    """Position in ``STATUSES`` or ``UNKNOWN``."""
    born: Days
    deceased: Flags
    suppressed: Flags
    staff: Flags
    vulnerable: Flags
    personalisation_off: Flags
    overdue: Flags
    risk_level: Flags
    """1 … 5 or ``UNKNOWN``."""
    risk_expires: Days
    open_complaint: Flags
    last_complaint: Days
    """NaT: none."""
    consent: Flags
    """n × c: the latest word; ``UNKNOWN`` where there is none."""
    consent_expires: Days
    """n × c: the last day it holds; NaT: no end."""
    reachable: Flags
    """n × c."""
    touches: Touches | None
    """``None``: no ledger of contacts, so no cap can be shown to be free."""
    listed: npt.NDArray[np.bool_]
    """On a suppression list for every purpose."""
    listed_for_marketing: npt.NDArray[np.bool_]
    in_progress: npt.NDArray[np.bool_]
    """Somebody works an opportunity with this customer; other campaigns keep away."""
    zones: tuple[str, ...] = ()
    zone: npt.NDArray[np.int16] | None = None
    """Position in ``zones`` or ``UNKNOWN`` (then the bank's zone counts)."""
    full_channels: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.ordinals)


def blank_facts(ordinals: npt.ArrayLike) -> Facts:
    """Return facts of which nothing is known but that the customers exist: no marketing passes on them."""
    who = np.unique(np.asarray(ordinals, dtype=np.uint32))
    n, grid = len(who), (len(who), len(CHANNELS))

    def flags(shape: int | tuple[int, int] = n) -> Flags:
        return np.full(shape, UNKNOWN, dtype=np.int8)

    def days(shape: int | tuple[int, int] = n) -> Days:
        return np.full(shape, NEVER)

    return Facts(
        ordinals=who, status=flags(), born=days(), deceased=flags(), suppressed=flags(), staff=flags(),
        vulnerable=flags(), personalisation_off=flags(), overdue=flags(), risk_level=flags(), risk_expires=days(),
        open_complaint=flags(), last_complaint=days(), consent=flags(grid), consent_expires=days(grid),
        reachable=flags(grid), touches=None, listed=np.zeros(n, dtype=bool),
        listed_for_marketing=np.zeros(n, dtype=bool), in_progress=np.zeros(n, dtype=bool),
    )  # fmt: skip
