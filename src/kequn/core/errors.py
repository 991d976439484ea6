"""Errors a user can act on: a stable code, the facts, and a hint that cures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """The place in a document a person wrote: file, line and column (1-based), dotted field path."""

    file: str = ""
    line: int | None = None
    column: int | None = None
    field: str = ""

    def __str__(self) -> str:
        place = ":".join(str(p) for p in (self.file, self.line, self.column) if p not in ("", None))
        return " ".join(p for p in (place, f"[{self.field}]" if self.field else "") if p)


class KequnError(Exception):
    """Something the user can put right.

    The message is English; the console and the CLI render ``code`` with ``facts`` in the reader's language.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "", where: Where | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where or Where()
        self.facts = facts

    def __str__(self) -> str:
        place = str(self.where)
        return " ".join(p for p in (f"{place}:" if place else "", self.message, self.hint) if p)


class InvalidSpec(KequnError):
    """A document that does not say what its kind requires."""

    code = "invalid_spec"


class SeveralErrors(InvalidSpec):
    """All the faults of one document at once, so that they can be cured in one go."""

    code = "several_errors"

    def __init__(self, errors: list[KequnError]) -> None:
        super().__init__("\n".join(str(e) for e in errors))
        self.errors = tuple(errors)


class UnknownTag(InvalidSpec):
    """A tag that the catalogue does not have."""

    code = "unknown_tag"


class UnknownSegment(InvalidSpec):
    """A segment that is not defined."""

    code = "unknown_segment"


class SegmentCycle(InvalidSpec):
    """Segments that refer to one another in a ring."""

    code = "segment_cycle"


class BadExpression(InvalidSpec):
    """An expression that goes beyond the allowed operators, functions or columns."""

    code = "bad_expression"


class BadSource(KequnError):
    """A file, sheet or query that cannot be read as the source spec says."""

    code = "bad_source"


class LoadFailed(KequnError):
    """A load that was given up; the previous data go on serving."""

    code = "load_failed"


class NoData(KequnError):
    """What is asked for has not been loaded or computed for that date."""

    code = "no_data"


class StoreBusy(KequnError):
    """Another writer holds the store."""

    code = "store_busy"


class NotAllowed(KequnError):
    """The actor may not do or see this; not there and not yours look the same."""

    code = "not_allowed"


class Conflict(KequnError):
    """The object is not in the state that this step starts from, or somebody was faster."""

    code = "conflict"


class NotMeasurable(KequnError):
    """A number that cannot be computed honestly, and why."""

    code = "not_measurable"


class UnknownList(InvalidSpec):
    """An uploaded list that is not there."""

    code = "unknown_list"


class TagNotSelectable(InvalidSpec):
    """A tag of class X: it may hold a contact back, never choose whom to contact; or of class S on an earlier day."""

    code = "tag_not_selectable"


class ConsentNotDeclared(InvalidSpec):
    """A segment selects by sensitive information without naming the separate consent it rests on."""

    code = "consent_not_declared"


class UnknownDefinition(InvalidSpec):
    """A template, offer, metric or other definition that is not there, or was not approved."""

    code = "unknown_definition"


class NotApproved(KequnError):
    """What is to be used has not been approved by a second person."""

    code = "not_approved"


class TagCycle(InvalidSpec):
    """Tags that are made from one another in a ring."""

    code = "tag_cycle"


class TagFailed(KequnError):
    """A tag that could not be computed for a date, or came out with values it does not declare."""

    code = "tag_failed"


class Cancelled(KequnError):
    """Work that was given up because somebody asked for it; what was published before goes on serving."""

    code = "cancelled"


class StoreFull(KequnError):
    """There is no room on the disk; what was published before goes on serving."""

    code = "store_full"
