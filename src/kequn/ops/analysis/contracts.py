"""What pages, REST and files may hold of an analysis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from kequn.core.insight import Figure, Period
from kequn.core.spec.base import Text

By = Literal["branch", "tier", "month", "group"]
BLOCKS = ("who", "different", "products", "rhythm", "channels", "worth", "answers")
"""The parts of a segment's note, in the order in which they are read."""
BLOCK_TITLES = {
    "who": Text(zh="他们是谁", en="Who they are"),
    "different": Text(zh="有什么不同", en="What is different"),
    "products": Text(zh="持有与缺口", en="Holdings and gaps"),
    "rhythm": Text(zh="资金节奏", en="Cash-flow rhythm"),
    "channels": Text(zh="渠道与时段", en="Channels and hours"),
    "worth": Text(zh="价值与走势", en="Value and its trend"),
    "answers": Text(zh="过往响应", en="What they answered before"),
}


@dataclass(frozen=True, slots=True)
class NoteBlock:
    """One part of a segment's note: its sentence and what it rests on."""

    name: str
    as_of: date
    title: Text
    sentence: Text
    data: dict[str, Any]
    """Names of parts -> results of ``core.insight``."""


@dataclass(frozen=True, slots=True)
class SegmentNote:
    """A segment as an analyst would write it down (客群洞察), within the actor's scope."""

    name: str
    title: Text
    as_of: date
    is_scoped: bool
    words: Text
    blocks: tuple[NoteBlock, ...]


@dataclass(frozen=True, slots=True)
class ControlResult:
    """What the latest review of a campaign on the segment concluded from its control group."""

    campaign: str
    title: Text
    as_of: date
    sentence: Text
    n_treated: int
    n_control: int


@dataclass(frozen=True, slots=True)
class Row:
    """One branch, tier, month or group with its figures by KPI."""

    key: str
    title: Text
    figures: dict[str, Figure]
    opens: str = ""
    """The branch whose parts can be looked at next; empty where there are none."""


@dataclass(frozen=True, slots=True)
class BankTable:
    """The KPIs of what the actor reaches, in parts (全行看板)."""

    by: By
    data_date: date
    period: Period
    months: tuple[str, ...]
    kpis: tuple[str, ...]
    whole: Row
    rows: tuple[Row, ...]
    path: tuple[tuple[str, Text], ...]
    """The branches from the top of the actor's scope down to the one shown."""
    trend: tuple[Row, ...]
    """The whole, month by month."""
    is_scoped: bool
    tier: str
    group: str


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """The table, or the job that computes what it rests on."""

    table: BankTable | None
    job_id: int | None = None
