"""Intervals: what a rate, a mean, their differences and their ratios may truly be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its limits (区间). ``se`` is its standard error, in the unit of ``point``."""

    point: float
    low: float
    high: float
    se: float
    level: float = 0.95

    def scaled(self, factor: float) -> Interval:
        """Return the same estimate in another unit; a negative factor swaps the limits."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(self.point * factor, low, high, self.se * abs(factor), self.level)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is left of ``n`` values: their mean and sample variance (n − 1)."""

    mean: float
    variance: float
    n: int


@lru_cache(maxsize=64)
def normal_quantile(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability ``level``."""
    return float(stats.norm.ppf(0.5 + level / 2))


def t_quantile(level: float, df: float) -> float:
    """Return t such that Student's t with ``df`` degrees of freedom lies within ±t with probability ``level``."""
    return float(stats.t.ppf(0.5 + level / 2, df)) if df < inf else normal_quantile(level)


def proportion_interval(k: float, n: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval for ``k`` of ``n`` (Wilson 1927), which keeps its coverage near 0 and 1.

    >>> found = proportion_interval(0, 20)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0, 0.1611)
    """
    _counted(k, n)
    z = normal_quantile(level)
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Interval(p, low, high, sqrt(p * (1 - p) / n), level)


def difference_interval(k1: float, n1: float, k0: float, n0: float, level: float = 0.95) -> Interval:
    """Return the difference of two rates with Newcombe's hybrid score interval (Newcombe 1998, method 10).

    >>> found = difference_interval(56, 70, 48, 80)
    >>> round(found.point, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    one, nought = proportion_interval(k1, n1, level), proportion_interval(k0, n0, level)
    point = one.point - nought.point
    low = point - sqrt((one.point - one.low) ** 2 + (nought.high - nought.point) ** 2)
    high = point + sqrt((one.high - one.point) ** 2 + (nought.point - nought.low) ** 2)
    return Interval(point, low, high, sqrt(one.se**2 + nought.se**2), level)


def mean_difference(one: Sample, nought: Sample, level: float = 0.95) -> Interval:
    """Return the difference of two means with Welch's interval."""
    part1, part0 = one.variance / one.n, nought.variance / nought.n
    point, se = one.mean - nought.mean, sqrt(part1 + part0)
    half = t_quantile(level, welch_df(part1, one.n - 1, part0, nought.n - 1)) * se if se else 0.0
    return Interval(point, point - half, point + half, se, level)


def welch_df(part1: float, df1: float, part0: float, df0: float) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of two variance estimates."""
    below = part1**2 / df1 + part0**2 / df0
    return (part1 + part0) ** 2 / below if below else inf


def ratio_interval(
    mean1: float, var1: float, mean0: float, var0: float, *, covariance: float = 0.0, level: float = 0.95
) -> Interval | None:
    """Return mean1 ÷ mean0 with Fieller's interval (1954); ``var`` are variances *of the means*.

    It excludes 1 exactly when the normal interval of the difference excludes 0. ``None`` where ``mean0`` is not clearly
    above 0: a ratio to nothing, or to a loss, says nothing.
    """
    z2 = normal_quantile(level) ** 2
    below = mean0 * mean0 - z2 * var0
    if mean0 <= 0 or below <= 0:
        return None
    across = mean1 * mean0 - z2 * covariance
    spread = sqrt(max(0.0, across * across - below * (mean1 * mean1 - z2 * var1)))
    point = mean1 / mean0
    se = sqrt(max(0.0, var1 - 2 * point * covariance + point * point * var0)) / mean0
    return Interval(point, (across - spread) / below, (across + spread) / below, se, level)


def relative_lift(k1: int, n1: int, k0: int, n0: int, level: float = 0.95) -> Interval | None:
    """Return rate1 ÷ rate0 − 1 with Katz's log interval (1978); ``None`` where a group has no event."""
    if not k1 or not k0:
        return None
    ratio, se = (k1 / n1) / (k0 / n0), sqrt(1 / k1 - 1 / n1 + 1 / k0 - 1 / n0)
    half = normal_quantile(level) * se
    return Interval(ratio - 1, ratio * exp(-half) - 1, ratio * exp(half) - 1, ratio * se, level)


def ratio_of_totals(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], level: float = 0.95) -> Interval:
    """Return Σx ÷ Σy over units that bring both, such as conversions per contact, by the delta method; Σy is not 0."""
    n, below = len(x), float(y.mean())
    point = float(x.mean()) / below
    se = float(np.std(x - point * y, ddof=1)) / (abs(below) * sqrt(n))
    half = t_quantile(level, n - 1) * se
    return Interval(point, point - half, point + half, se, level)


def _counted(k: float, n: float) -> None:
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a rate")
