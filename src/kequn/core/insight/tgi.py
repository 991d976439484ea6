"""The target group index (TGI) with its interval: by how much a value is over- or under-represented in a segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kequn.core.stats.intervals import normal_quantile

Floats = npt.NDArray[np.float64]
Limits = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True)
class Index:
    """TGI of several values at once: point and limits; 100 is the bank's own level, NaN where it is undefined."""

    point: Floats
    low: Floats
    high: Floats


def tgi(
    x: npt.ArrayLike, n: npt.ArrayLike, bank_x: npt.ArrayLike, bank_n: npt.ArrayLike, *, level: float = 0.95
) -> Index:
    """Return 100 × (x/n) ÷ (bank_x/bank_n) with an interval, where the segment is part of the bank.

    Segment and bank are not independent, but the segment and *the rest* are. With p1 the share in the segment, p2 that
    in the rest, f = n/bank_n and R = p1/p2,

        TGI/100 = p1 / (f·p1 + (1−f)·p2) = 1 / (f + (1−f)/R),

    which only rises with R: the limits of R give those of TGI, and as f → 1 they close on 100, as they must. The limits
    of R are the closed-form MOVER-R limits over Wilson's limits of p1 and p2 (Wilson 1927; Donner and Zou 2012, Stat.
    Methods Med. Res. 21:347; recommended in Fagerland, Lydersen and Laake 2015, Stat. Methods Med. Res. 24:224), which
    need no correction where a count is 0. Customers are taken as independent draws; f is fixed.

    Args:
        x, n: customers in the segment with the value, and with any known value.
        bank_x, bank_n: the same in the whole bank, segment included.
        level: of one interval; for many values compared at once, a stricter one (see `familywise`).
    """
    x, n, bank_x, bank_n = (np.asarray(a, dtype=np.float64) for a in (x, n, bank_x, bank_n))
    z = normal_quantile(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        f = n / bank_n
        low, high = _ratio_limits(_wilson(x, n, z), _wilson(bank_x - x, bank_n - n, z))
        point = 100 * (x / n) / (bank_x / bank_n)
        limits = [100 / (f + (1 - f) / r) for r in (low, high)]
    whole = n == bank_n
    undefined = (n == 0) | (bank_x == 0)
    bounds = [np.where(undefined, np.nan, np.where(whole, 100.0, limit)) for limit in limits]
    return Index(np.where(undefined, np.nan, point), *bounds)


def familywise(level: float, comparisons: int) -> float:
    """Return the level of each of several intervals that together hold at ``level`` (Bonferroni).

    >>> round(familywise(0.95, 100), 4)
    0.9995
    """
    return 1 - (1 - level) / max(comparisons, 1)


def _wilson(x: Floats, n: Floats, z: float) -> Limits:
    """Share and Wilson's limits, elementwise; kept from leaving 0..1 by rounding."""
    p = x / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = np.where(x == 0, 0.0, np.clip(centre - half, 0, p))
    high = np.where(x == n, 1.0, np.clip(centre + half, p, 1))
    return p, low, high


def _ratio_limits(one: Limits, rest: Limits) -> tuple[Floats, Floats]:
    """MOVER-R limits of p1/p2; the lower fraction is turned over, so that nothing cancels as its base nears 0."""
    (p1, l1, u1), (p2, l2, u2) = one, rest
    both = p1 * p2
    lower_top = l1 * (2 * p1 - l1)
    lower = lower_top / (both + np.sqrt(np.maximum(both**2 - lower_top * u2 * (2 * p2 - u2), 0)))
    upper_base = l2 * (2 * p2 - l2)
    upper = (both + np.sqrt(np.maximum(both**2 - u1 * (2 * p1 - u1) * upper_base, 0))) / upper_base
    return np.where(l1 == 0, 0.0, lower), np.where(upper_base <= 0, np.inf, upper)
