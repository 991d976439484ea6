"""Claim: Newcombe's interval for the difference of two rates keeps its coverage where a small control group sees few events.

Exact coverage, by summing over all outcomes of two binomials, of the interval the product uses and of the two usual
alternatives.

    python bench/rate_intervals.py
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from kequn.core.stats import difference_interval, normal_quantile

CASES = (  # treated, control, rate of the treated, rate of the control group
    (1_800, 200, 0.006, 0.005), (1_800, 200, 0.012, 0.010), (1_800, 200, 0.060, 0.050), (4_500, 500, 0.012, 0.010),
    (9_000, 1_000, 0.006, 0.005), (9_000, 1_000, 0.025, 0.020), (5_000, 5_000, 0.006, 0.005),
)  # fmt: skip
NEGLIGIBLE = 1e-9
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Print one row a case."""
    print("| treated | control | expected events in control | Newcombe | Wald | Agresti–Caffo |")
    print("|---:|---:|---:|---:|---:|---:|")
    for n1, n0, p1, p0 in CASES:
        found = [coverage(which, n1, n0, p1, p0) for which in (newcombe, wald, agresti_caffo)]
        print(f"| {n1:,} | {n0:,} | {n0 * p0:g} | " + " | ".join(f"{c:.1%}" for c in found) + " |")


def coverage(which: object, n1: int, n0: int, p1: float, p0: float) -> float:
    """Return the chance that an interval holds the true difference."""
    total = 0.0
    for k1, weight1 in _likely(n1, p1):
        for k0, weight0 in _likely(n0, p0):
            low, high = which(k1, n1, k0, n0)  # type: ignore[operator]  # one of the three below
            total += weight1 * weight0 * (low <= p1 - p0 <= high)
    return total


def newcombe(k1: int, n1: int, k0: int, n0: int) -> tuple[float, float]:
    """The product's interval."""
    found = difference_interval(k1, n1, k0, n0)
    return found.low, found.high


def wald(k1: float, n1: float, k0: float, n0: float) -> tuple[float, float]:
    """The textbook's interval."""
    p1, p0 = k1 / n1, k0 / n0
    half = normal_quantile(0.95) * np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    return p1 - p0 - half, p1 - p0 + half


def agresti_caffo(k1: float, n1: float, k0: float, n0: float) -> tuple[float, float]:
    """Wald's after one success and one failure were added to both groups (Agresti and Caffo 2000)."""
    return wald(k1 + 1, n1 + 2, k0 + 1, n0 + 2)


def _likely(n: int, p: float) -> list[tuple[int, float]]:
    low, high = stats.binom.ppf([NEGLIGIBLE, 1 - NEGLIGIBLE], n, p).astype(int)
    counts = np.arange(low, high + 1)
    return list(zip(counts.tolist(), stats.binom.pmf(counts, n, p).tolist(), strict=True))


if __name__ == "__main__":
    main()
