"""Keep the figures of a day, set targets, hand work over, write coaching notes, let lists be taken out."""

from __future__ import annotations

from kequn.ops.board.coaching import acknowledge_note, answer_note, write_note
from kequn.ops.board.days import (
    compute_day,
    credits_job,
    day_job,
    queue_corrections,
    queue_day,
    queue_missing_days,
)
from kequn.ops.board.escalating import set_branch_fact
from kequn.ops.board.exporting import decided_export, desk_sheets, request_desk_export
from kequn.ops.board.moving import reassign_work, undo_reassignment
from kequn.ops.board.reporting import report_sheets
from kequn.ops.board.targets import load_targets, remove_target, set_campaign_targets, set_targets

__all__ = [
    "acknowledge_note", "answer_note", "compute_day", "credits_job", "day_job", "decided_export", "desk_sheets", "load_targets",
    "queue_corrections", "queue_day", "queue_missing_days", "reassign_work", "remove_target", "report_sheets",
    "request_desk_export", "set_branch_fact", "set_campaign_targets", "set_targets", "undo_reassignment", "write_note",
]  # fmt: skip
