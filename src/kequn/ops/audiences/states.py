"""Which state of a segment's version may follow which."""

from __future__ import annotations

DRAFT, SUBMITTED, APPROVED, REFUSED, RETIRED = "draft", "submitted", "approved", "refused", "retired"

TRANSITIONS: dict[str, frozenset[str]] = {
    DRAFT: frozenset({SUBMITTED, RETIRED}),
    SUBMITTED: frozenset({APPROVED, REFUSED, RETIRED}),
    APPROVED: frozenset({RETIRED}),
    REFUSED: frozenset({SUBMITTED, RETIRED}),
    RETIRED: frozenset({DRAFT}),
}
