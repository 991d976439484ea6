"""Drift of a distribution between two dates: the population stability index (PSI) and its two lines."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

MODERATE, LARGE = 0.1, 0.25
"""Below the first line the distribution is taken as stable; above the second it is another one. Common practice in scoring
(Siddiqi, Credit Risk Scorecards, 2006), where the index is symmetrised Kullback–Leibler divergence."""
HALF = 0.5
"""Added to every count, so that a bin that is empty on one date has a finite share (Jeffreys' prior)."""

Grade = Literal["stable", "moderate", "large"]


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Return Σ (a − e)·ln(a / e) over the shares of two sets of counts in the same bins; 0 where they are alike.

    Args:
        expected: customers a bin on the earlier date.
        actual: customers a bin on the later one.

    >>> round(psi([500, 500], [500, 500]), 6)
    0.0

    Raises:
        ValueError: bins that differ in number, negative counts, or nobody on one of the dates.
    """
    then, now = np.asarray(expected, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    if then.shape != now.shape or then.ndim != 1 or (then < 0).any() or (now < 0).any():
        raise ValueError("the counts of two dates go bin by bin, and none is negative")
    if not then.sum() or not now.sum():
        raise ValueError("nobody is counted on one of the dates")
    e, a = (then + HALF) / (then + HALF).sum(), (now + HALF) / (now + HALF).sum()
    return float(((a - e) * np.log(a / e)).sum())


def grade(index: float) -> Grade:
    """Return on which side of the two lines an index lies."""
    return "stable" if index < MODERATE else "moderate" if index < LARGE else "large"
