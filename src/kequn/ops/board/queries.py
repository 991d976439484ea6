"""The board, targets, signals and notes within an actor's scope: an RM's own, a head's branches, head office all."""

from __future__ import annotations

from kequn.ops.board.reading import board_for, by_day, latest_day, reach_of

__all__ = ["board_for", "by_day", "latest_day", "reach_of"]
