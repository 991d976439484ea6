"""Keep the figures of a day, set targets, hand work over, write coaching notes, let lists be taken out."""

from __future__ import annotations

from kequn.ops.board.days import compute_day, day_job, queue_day, queue_yesterday
from kequn.ops.board.targets import load_targets, remove_target, set_campaign_targets, set_targets

__all__ = [
    "compute_day", "day_job", "load_targets", "queue_day", "queue_yesterday", "remove_target", "set_campaign_targets", "set_targets",
]  # fmt: skip
