"""Change who has whom: by claim, by rule, by hand, on leave and on leaving; the remote queue, notices, the pool."""

from __future__ import annotations

from kequn.ops.ownership.absences import cancel_absence, record_absence, set_calendar_day, set_capacity, settle_absences
from kequn.ops.ownership.assigning import (
    apply_assignment,
    assign_job,
    draw_assignment,
    draw_hand_over,
    drop_assignment,
)
from kequn.ops.ownership.changing import reassign_customers, settle_conflict
from kequn.ops.ownership.claiming import claim_customer, give_up_customers
from kequn.ops.ownership.known import tell_customers, tell_work
from kequn.ops.ownership.moving import on_cover, on_owner_change
from kequn.ops.ownership.notices import begin_message, mark_told, settle_message
from kequn.ops.ownership.pools import refresh_pool
from kequn.ops.ownership.remote import close_case, open_for_work, return_case, send_to_remote, take_cases
from kequn.ops.ownership.watching import watch_owners
from kequn.ops.ownership.wecom import answer_move, repeat_moves

__all__ = [
    "answer_move", "apply_assignment", "assign_job", "begin_message", "cancel_absence", "claim_customer",
    "close_case", "draw_assignment", "draw_hand_over", "drop_assignment", "give_up_customers", "mark_told",
    "on_cover", "on_owner_change", "open_for_work", "reassign_customers", "record_absence", "refresh_pool",
    "repeat_moves", "return_case", "send_to_remote", "set_calendar_day", "set_capacity", "settle_absences",
    "settle_conflict", "settle_message", "take_cases", "tell_customers", "tell_work", "watch_owners",
]  # fmt: skip
