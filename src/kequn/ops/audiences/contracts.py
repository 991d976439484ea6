"""What other apps and pages may hold of segments and their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kequn.core.gate import Contactable
from kequn.core.segments import FunnelStep
from kequn.core.segments.lists import LineFault
from kequn.core.spec.base import Text
from kequn.ops.customers.contracts import MaskedPerson


@dataclass(frozen=True, slots=True)
class SegmentPreview:
    """What a segment is on one date, within the actor's scope (客群预览)."""

    as_of: date
    size: int
    bank: int
    """Customers of the bank, or of the actor's branches, on the date."""
    steps: tuple[FunnelStep, ...]
    unknown: dict[str, int]
    """Path of a test in the document -> customers without a value."""
    words_zh: str
    words_en: str
    step_words: tuple[Text, ...]
    """Each step as a clause."""
    is_scoped: bool
    """Whether the figures are those of the actor's branches alone."""

    @property
    def share(self) -> float | None:
        """Size ÷ bank; ``None`` for an empty bank."""
        return self.size / self.bank if self.bank else None


@dataclass(frozen=True, slots=True)
class SegmentContactable:
    """Whom of a segment marketing could reach now, and what is not known about its members (可触达率)."""

    as_of: date
    contactable: Contactable
    unknown_facts: dict[str, float]
    """Fact -> share of members of whom it is not known."""


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a segment's members: the person is ``None`` where the actor may not see persons."""

    customer_id: str
    person: MaskedPerson | None
    tags: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class MembersPage:
    """One page of a segment's members."""

    as_of: date
    total: int
    page: int
    size: int
    tags: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of an export: words for the header, rows of plain values."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class UploadedListReport:
    """What an upload came to: lines = matched + unmatched + duplicates + blanks + mangled."""

    list_id: int
    name: str
    lines: int
    matched: int
    unmatched: int
    duplicates: int
    blanks: int
    mangled: int
    faults: tuple[LineFault, ...]
    """The first 200 lines that brought no customer, numbers masked."""
