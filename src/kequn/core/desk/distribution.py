"""Who works what today: each owner's most urgent tasks within her capacity; the rest waits, and goes over when it waited long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Room = TypeVar("Room", int, npt.NDArray[np.int64])
DAY, NEXT, OVER = 0, 1, 2
"""A task has a place today, waits for the next working day, or goes over to others."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each task goes (分派结果)."""

    place: npt.NDArray[np.int8]
    """``DAY``, ``NEXT`` or ``OVER``."""

    def counts(self) -> dict[str, int]:
        """Return how many tasks go where."""
        return {n: int((self.place == p).sum()) for p, n in ((DAY, "today"), (NEXT, "later"), (OVER, "over"))}


def room_for(capacity: Room, live_percent: int) -> Room:
    """Return how many tasks may be planned for each: the capacity without what is kept for the day's own events."""
    return capacity * (100 - live_percent) // 100


def distribute(
    workers: npt.NDArray[np.int64],
    scores: npt.NDArray[np.int64],
    keys: npt.NDArray[Any],
    *,
    promised: npt.NDArray[np.bool_],
    waited: npt.NDArray[np.int64],
    capacity: npt.NDArray[np.int64],
    live_percent: int,
    wait_days: int,
) -> Places:
    """Give every task a place; the same tasks give the same places in whatever order they come.

    ``workers`` are positions in ``capacity``, -1 for nobody. What was ``promised`` for today may fill the whole capacity,
    everything else what ``live_percent`` leaves. What has no place waits for the next working day, and goes over once it
    ``waited`` so many; what nobody works goes over at once. A promise never goes over: its RM gave her word.
    """
    place = np.full(len(workers), NEXT, dtype=np.int8)
    order = np.lexsort((keys, -scores, ~promised, workers))
    mine = workers[order]
    starts = np.searchsorted(mine, mine, side="left")
    rank = np.arange(len(order)) - starts
    full = np.where(mine >= 0, capacity[np.maximum(mine, 0)] if len(capacity) else 0, 0)
    room = np.where(promised[order], full, room_for(full, live_percent))
    place[order] = np.where(rank < room, DAY, NEXT)
    late = (waited >= wait_days) & ~promised
    place[(place == NEXT) & (late | (workers < 0))] = OVER
    return Places(place)
