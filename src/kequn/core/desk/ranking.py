"""The order of the day: the kind's priority first, then how near the end is, then the money."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_URGENT = 99
PER_DAY = 7
"""Urgency lost with each day that is left."""

Scores = npt.NDArray[np.int64]


def urgency(due_on: npt.ArrayLike, day: date) -> npt.NDArray[np.int64]:
    """Return 0 … 99: 99 for what is due today or overdue, 7 less with each day that is left."""
    left = (np.asarray(due_on, dtype="datetime64[D]") - np.datetime64(day, "D")).astype(np.int64)
    return np.asarray(np.clip(MOST_URGENT - PER_DAY * np.maximum(left, 0), 0, MOST_URGENT), dtype=np.int64)


def score(priority: npt.ArrayLike, urgent: npt.ArrayLike, value_fen: npt.ArrayLike) -> Scores:
    """Return a place in the order as one number: priority × 10⁶ + urgency × 10⁴ + 1000 × log₁₀(1 + yuan), each within its digits.

    So no sum of money outweighs a day, and no day a priority. 0 ≤ score < 10⁸ + 10⁶.
    """
    yuan = np.maximum(np.asarray(value_fen, dtype=np.float64), 0) / 100
    money = np.minimum(np.rint(1000 * np.log10(1 + yuan)), 9999).astype(np.int64)
    return np.asarray(
        np.asarray(priority, np.int64) * 1_000_000 + np.asarray(urgent, np.int64) * 10_000 + money, dtype=np.int64
    )


def main_of(customers: npt.NDArray[Any], scores: Scores, keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which row is its customer's main one: the highest score, of equals the first key."""
    order = np.lexsort((keys, -scores, customers))
    first = np.ones(len(order), dtype=bool)
    first[1:] = customers[order][1:] != customers[order][:-1]
    main = np.zeros(len(order), dtype=bool)
    main[order[first]] = True
    return main
