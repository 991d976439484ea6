"""The board, targets, signals and notes within an actor's scope: an RM's own, a head's branches, head office all."""

from __future__ import annotations

from kequn.ops.board.contracts import Board
from kequn.ops.board.reading import board_for, by_day, latest_day, reach_of
from kequn.ops.board.targets import left_of, targets_for

__all__ = ["Board", "board_for", "by_day", "latest_day", "left_of", "reach_of", "targets_for"]
