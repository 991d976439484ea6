"""Recency, frequency and value as digits of 1 to 5, by cut points that are fixed and have a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

GROUPS = ("value", "develop", "keep", "win_back")
"""Recent and frequent; only recent; only frequent; neither. Each is `important_…` or `general_…` by the value's digit."""
HIGH = 3


@dataclass(frozen=True, slots=True)
class CutPoints:
    """Where the digits change: four rising bounds each. The smaller the recency, the higher its digit."""

    version: str
    recency: tuple[float, float, float, float]
    """Digit 5 up to the first, 4 up to the second …, 1 above the last."""
    frequency: tuple[float, float, float, float]
    """Digit 2 from the first on …, 5 from the last."""
    value: tuple[float, float, float, float]


def rfm_codes(recency: ArrayLike, frequency: ArrayLike, value: ArrayLike, cuts: CutPoints) -> NDArray[np.int64]:
    """Return one three-digit code a customer, such as 535; all arrays have one entry a customer.

    >>> cuts = CutPoints("rfm-1", (7, 15, 30, 90), (1, 5, 10, 20), (10_000, 50_000, 200_000, 500_000))
    >>> rfm_codes([3, 100], [25, 0], [60_000, 10], cuts).tolist()
    [553, 111]
    """
    r = 5 - np.searchsorted(np.asarray(cuts.recency), np.asarray(recency, dtype=np.float64), side="left")
    f = 1 + np.searchsorted(np.asarray(cuts.frequency), np.asarray(frequency, dtype=np.float64), side="right")
    m = 1 + np.searchsorted(np.asarray(cuts.value), np.asarray(value, dtype=np.float64), side="right")
    return (100 * r + 10 * f + m).astype(np.int64)


def rfm_group(code: int) -> str:
    """Return the named group of a code: which of the three digits are high (3 and above).

    >>> rfm_group(535), rfm_group(113)
    ('important_value', 'important_win_back')
    """
    r, f, m = (code // 100 >= HIGH, code // 10 % 10 >= HIGH, code % 10 >= HIGH)
    return f"{'important' if m else 'general'}_{GROUPS[2 * (not r) + (not f)]}"


def counts_by_group(codes: Sequence[int] | NDArray[np.int64]) -> dict[str, int]:
    """Return how many customers each of the eight groups has."""
    found = {f"{m}_{g}": 0 for m in ("important", "general") for g in GROUPS}
    for code, n in zip(*np.unique(np.asarray(codes), return_counts=True), strict=True):
        found[rfm_group(int(code))] += int(n)
    return found
