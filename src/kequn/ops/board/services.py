"""Keep the figures of a day, set targets, hand work over, write coaching notes, let lists be taken out."""

from __future__ import annotations

from kequn.ops.board.days import compute_day, day_job, queue_day, queue_yesterday

__all__ = ["compute_day", "day_job", "queue_day", "queue_yesterday"]
