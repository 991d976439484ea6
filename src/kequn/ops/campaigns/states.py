"""Which state of a campaign may follow which. Nothing runs but what was approved and frozen."""

from __future__ import annotations

DRAFT, SUBMITTED, APPROVED, REFUSED = "draft", "submitted", "approved", "refused"
FROZEN, RUNNING, STOPPED, FINISHED = "frozen", "running", "stopped", "finished"

TRANSITIONS: dict[str, frozenset[str]] = {
    DRAFT: frozenset({SUBMITTED}),
    SUBMITTED: frozenset({APPROVED, REFUSED, DRAFT}),
    REFUSED: frozenset({DRAFT, SUBMITTED}),
    APPROVED: frozenset({FROZEN, DRAFT}),
    FROZEN: frozenset({RUNNING, FINISHED}),
    RUNNING: frozenset({STOPPED, FINISHED}),
    STOPPED: frozenset({RUNNING, FINISHED}),
    FINISHED: frozenset(),
}

EDITABLE = frozenset({DRAFT, SUBMITTED, APPROVED, REFUSED})
"""Until the audience is frozen the spec may change; a change voids a submission or an approval."""

AFTER_FREEZE = frozenset({FROZEN, RUNNING, STOPPED, FINISHED})
