"""The board, targets, signals and notes within an actor's scope: an RM's own, a head's branches, head office all."""

from __future__ import annotations

from kequn.ops.board.coaching import note_for, notes_for, unread_for
from kequn.ops.board.contracts import Board, Colleague, Escalation, MovePlan, Signal
from kequn.ops.board.escalating import escalations_for, facts_for, unreached_outflows
from kequn.ops.board.exporting import LISTS, desk_exports_for, lists_for
from kequn.ops.board.moving import colleagues_of, plan_of, plan_reassignment, reassignments_for, team_member
from kequn.ops.board.quality import is_noted, records_for, signals_for
from kequn.ops.board.reading import board_for, boards_for, by_day, latest_day, newest_days, person_on_board, reach_of
from kequn.ops.board.reporting import Report, paces, report_for
from kequn.ops.board.targets import left_of, targets_for

__all__ = [
    "LISTS",
    "Board",
    "Colleague",
    "Escalation",
    "MovePlan",
    "Report",
    "Signal",
    "board_for",
    "boards_for",
    "by_day",
    "colleagues_of",
    "desk_exports_for",
    "escalations_for",
    "facts_for",
    "is_noted",
    "latest_day",
    "left_of",
    "lists_for",
    "newest_days",
    "note_for",
    "notes_for",
    "paces",
    "person_on_board",
    "plan_of",
    "plan_reassignment",
    "reach_of",
    "reassignments_for",
    "records_for",
    "report_for",
    "signals_for",
    "targets_for",
    "team_member",
    "unreached_outflows",
    "unread_for",
]  # fmt: skip
