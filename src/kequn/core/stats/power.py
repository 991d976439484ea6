"""Power: how many customers an effect of a size needs, and which effect a number of customers can show."""

from __future__ import annotations

from math import ceil, sqrt

from scipy import optimize, stats


def required_n(baseline: float, lifted: float, *, ratio: float = 1.0, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many customers the control group needs to tell ``lifted`` from ``baseline``.

    The treated are ``ratio`` times as many.
    Two-sided z test of two rates; under no effect both have the pooled rate, weighted by the group sizes (Fleiss,
    Statistical Methods for Rates and Proportions, without continuity correction).

    >>> required_n(0.02, 0.024, ratio=9)
    12047
    """
    if not (0 < baseline < 1 and 0 < lifted < 1) or baseline == lifted:
        raise ValueError("two different rates between 0 and 1 are needed")
    return ceil(_control_n(baseline, lifted, ratio, alpha, power))


def mde_rate(
    n_treated: int, n_control: int, baseline: float, *, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Return the smallest rise above ``baseline`` that is found with ``power``; ``None`` where even 100% would not be.

    The inverse of ``required_n``.
    """
    if not 0 < baseline < 1:
        raise ValueError("the baseline rate must lie between 0 and 1")
    ratio, top = n_treated / n_control, 1 - 1e-12

    def short(lifted: float) -> float:
        return _control_n(baseline, lifted, ratio, alpha, power) - n_control

    if short(top) > 0:
        return None
    return float(optimize.brentq(short, baseline + 1e-12, top, xtol=1e-14)) - baseline


def mde_mean(n_treated: int, n_control: int, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest difference of means, in the unit of ``sd``, found with ``power`` (two-sided z test)."""
    return (_z(alpha) + float(stats.norm.ppf(power))) * sd * sqrt(1 / n_treated + 1 / n_control)


def power_rate(n_treated: int, n_control: int, baseline: float, lifted: float, *, alpha: float = 0.05) -> float:
    """Return the chance that a two-sided z test of two rates finds ``lifted`` different from ``baseline``."""
    pooled = (n_treated * lifted + n_control * baseline) / (n_treated + n_control)
    null = sqrt(pooled * (1 - pooled) * (1 / n_treated + 1 / n_control))
    real = sqrt(baseline * (1 - baseline) / n_control + lifted * (1 - lifted) / n_treated)
    return float(stats.norm.cdf((abs(lifted - baseline) - _z(alpha) * null) / real))


def _control_n(baseline: float, lifted: float, ratio: float, alpha: float, power: float) -> float:
    pooled = (baseline + ratio * lifted) / (1 + ratio)
    null = _z(alpha) * sqrt(pooled * (1 - pooled) * (1 + 1 / ratio))
    real = float(stats.norm.ppf(power)) * sqrt(baseline * (1 - baseline) + lifted * (1 - lifted) / ratio)
    return float(((null + real) / (lifted - baseline)) ** 2)


def _z(alpha: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2))
