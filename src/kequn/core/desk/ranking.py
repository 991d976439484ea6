"""The order of the day: what has its hour today, then what is overdue, then what is due today, then the rest; within each by points."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_URGENT = 99
PER_DAY = 7
"""Points lost with each day that is left."""
PER_PRIORITY = 0.7
"""Ten of priority weigh as much as one day."""
PER_TENFOLD = 14
"""Ten times the money weighs as much as two days."""
WITHOUT_SUM = 10_000
"""Yuan that a task counts as which has no sum: unknown is not nothing."""

AT_AN_HOUR, OVERDUE, TODAY, LATER = 3, 2, 1, 0
_CLASS, _MINUTE = 200_000_000, 100_000
MINUTES = 24 * 60

Scores = npt.NDArray[np.int64]


def urgency(due_on: npt.ArrayLike, day: date) -> npt.NDArray[np.int64]:
    """Return 0 … 99: 99 for what is due today or overdue, 7 less with each day that is left."""
    return np.asarray(np.clip(MOST_URGENT - PER_DAY * np.maximum(_left(due_on, day), 0), 0, MOST_URGENT), np.int64)


def points(priority: npt.ArrayLike, urgent: npt.ArrayLike, value_fen: npt.ArrayLike) -> Scores:
    """Return the weight of a task in hundredths of a point: urgency + 0.7 × priority + 14 × log₁₀(1 + yuan), below 10⁵."""
    fen = np.asarray(value_fen, dtype=np.float64)
    yuan = np.where(fen > 0, fen / 100, WITHOUT_SUM)
    money = PER_TENFOLD * np.log10(1 + yuan)
    found = np.asarray(urgent, np.float64) + PER_PRIORITY * np.asarray(priority, np.float64) + money
    return np.asarray(np.clip(np.rint(100 * found), 0, _MINUTE - 1), dtype=np.int64)


def score(
    priority: npt.ArrayLike, due_on: npt.ArrayLike, value_fen: npt.ArrayLike, *, day: date, minute: npt.ArrayLike = -1
) -> Scores:
    """Return a place in the order of ``day`` as one number, the greater the earlier; 0 ≤ score < 2³¹.

    ``minute`` is the minute of the day at which something was agreed on with the customer for today, below 0 where nothing
    was. What has its hour comes first, in the order of the hours; then what is overdue, then what is due today, then what
    is due later; within each by its points.
    """
    left, at = _left(due_on, day), np.asarray(minute, np.int64)
    when = np.select([at >= 0, left < 0, left == 0], [AT_AN_HOUR, OVERDUE, TODAY], LATER)
    early = np.where(at >= 0, MINUTES - np.clip(at, 0, MINUTES), 0)
    weight = points(priority, urgency(due_on, day), value_fen)
    return np.asarray(when * _CLASS + early * _MINUTE + weight, dtype=np.int64)


def main_of(customers: npt.NDArray[Any], scores: Scores, keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which row is its customer's main one: the highest score, of equals the first key."""
    order = np.lexsort((keys, -scores, customers))
    first = np.ones(len(order), dtype=bool)
    first[1:] = customers[order][1:] != customers[order][:-1]
    main = np.zeros(len(order), dtype=bool)
    main[order[first]] = True
    return main


def _left(due_on: npt.ArrayLike, day: date) -> npt.NDArray[np.int64]:
    """Return the days that are left, below 0 for what is overdue."""
    return (np.asarray(due_on, dtype="datetime64[D]") - np.datetime64(day, "D")).astype(np.int64)
