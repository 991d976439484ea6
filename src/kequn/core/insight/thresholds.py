"""Thresholds a person would choose: the roundest number that cuts almost where the exact one does."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from kequn.core.insight.features import Floats

FIGURES = 4


def roundest(values: Floats, threshold: float, type: str, slack: float) -> float:
    """Return the roundest T for which ``x < T`` cuts ``values`` as ``x <= threshold`` does, but for a share ``slack`` of
    them on either side.

    A number with fewer figures is rounder, and among those 1, 2 and 5 are rounder than the others; of equally round ones
    the nearest is taken. Integers stay whole, money has no more than two decimals.

    >>> roundest(np.array([100.0, 900.0, 48_732.0, 51_020.0, 70_000.0]), 49_876.0, "money", 0.01)
    50000.0
    """
    known = np.sort(values[~np.isnan(values)])
    if math.isinf(threshold):  # scikit-learn's way to say: all known values on one side, the missing ones on the other
        return _above(float(known[-1])) if len(known) else 0.0
    at = int(np.searchsorted(known, threshold, side="right"))
    moved = int(slack * len(known))
    low = float(known[max(at - 1 - moved, 0)])
    high = float(known[min(at + moved, len(known) - 1)])
    step = {"integer": 1.0, "money": 0.01}.get(type, 0.0)
    for figures in range(1, FIGURES + 1):
        fitting = [c for c in _candidates(low, high, threshold, figures) if low < c <= high and _whole(c, step)]
        if fitting:
            return min(fitting, key=lambda c: (_clumsy(c), abs(c - threshold)))
    return float(known[min(at, len(known) - 1)])


def _candidates(low: float, high: float, threshold: float, figures: int) -> Iterator[float]:
    """Numbers of so many figures about the threshold, at its size and at those of the limits."""
    yield 0.0
    for near in {threshold, low, high, (low + high) / 2}:
        if near == 0:
            continue
        size = 10.0 ** (math.floor(math.log10(abs(near))) - figures + 1)
        base = math.floor(near / size)
        for multiple in range(base - 1, base + 3):
            yield float(f"{multiple * size:.12g}")
        if figures == 1:
            for lead in (1, 2, 5, 10):
                yield math.copysign(float(f"{lead * size:.12g}"), near)


def _above(greatest: float) -> float:
    """The first power of ten above a number, so that new values of its size are below it too; 0 is above the negative."""
    return 0.0 if greatest < 0 else 10.0 ** max(0, math.floor(math.log10(greatest)) + 1) if greatest > 0 else 1.0


def _clumsy(value: float) -> int:
    """0 for 1, 2 and 5 with zeros, 1 for others that end in 0 or 5 at their last figure, 2 for the rest."""
    figures = f"{abs(value):.6e}".split("e")[0].replace(".", "").rstrip("0")
    return 0 if figures in ("", "1", "2", "5") else 1 if figures.endswith("5") else 2


def _whole(value: float, step: float) -> bool:
    return step == 0 or abs(value / step - round(value / step)) < 1e-6
