"""How wealth is spread over the starter bank's customers.

Calibrated to the distribution that China Merchants Bank published for the end of 2022, in month-average assets a
customer: below 500,000 yuan 97.75% of customers with 18.62% of assets; up to ten million 2.18% with 50.10%; above 0.07%
with 31.28%; about 66,000 yuan a customer. The two upper classes follow bounded Pareto laws whose exponents give each class
its mean; the lowest has two fifths with almost nothing, an eighth with some hundreds, and a log-normal law for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from kequn.core.data.starter.draws import BLOCK, Floats, Ints, stream

MEAN = 66_000.0
GRID = 50_000
"""Customers over whom the quantiles are laid out evenly, so that even 35 very rich ones have the assets they should."""

BROKE, SMALL, LOW = 0.40, 0.12, 0.9775
"""Shares of customers with less than 100 yuan, with 100 to 1,000, and (with both) below 500,000."""
LOW_ASSETS = 0.1862
SPREAD = 1.35
"""Standard deviation of the logarithm of wealth from 1,000 to 500,000 yuan."""

CLASSES: tuple[tuple[float, float, float, float], ...] = (
    (0.0218, 0.5010, 500_000.0, 10_000_000.0),
    (0.0007, 0.3128, 10_000_000.0, 120_000_000.0),
)
"""Share of customers, share of assets, lower and upper bound in yuan of the upper classes."""

TIERS = (100.0, 50_000.0, 200_000.0, 1_000_000.0, 6_000_000.0, 30_000_000.0)
"""Lower bounds in yuan of the tiers T1 … T6."""


def quantile(share: Floats) -> Floats:
    """Return the month-average assets in yuan of the customer who is richer than ``share`` (0–1) of the bank."""
    edges = np.array((BROKE, BROKE + SMALL, LOW, LOW + CLASSES[0][0]))
    part = np.searchsorted(edges, share, side="right")
    low, high = np.r_[0.0, edges][part], np.r_[edges, 1.0][part]
    within = ((share - low) / (high - low)).clip(0.0, 1.0)
    laws = (_broke, _small, _middle, _pareto(0), _pareto(1))
    wealth = np.empty_like(share)
    for number, law in enumerate(laws):
        wealth[part == number] = law(within[part == number])
    return wealth


def wealth_of(seed: int, block: int) -> Floats:
    """Return the month-average assets in yuan of one block of customers."""
    blocks = GRID // BLOCK
    order: Ints = stream(seed, "wealth", block // blocks).permutation(GRID)
    mine = order[(block % blocks) * BLOCK : (block % blocks + 1) * BLOCK]
    jitter = stream(seed, "wealth within", block).uniform(0.35, 0.65, BLOCK)
    return quantile((mine + jitter) / GRID)


def tier_of(wealth: Floats) -> Ints:
    """Return the tier number 0 … 6 of assets in yuan."""
    return np.searchsorted(np.array(TIERS), wealth, side="right").astype(np.int64)


def _broke(within: Floats) -> Floats:
    return np.asarray(99.0 * within**2.5, dtype=np.float64)


def _small(within: Floats) -> Floats:
    return np.asarray(100.0 * 10.0**within, dtype=np.float64)


def _middle(within: Floats) -> Floats:
    """Log-normal between 1,000 and 500,000 yuan."""
    centre = _centre()
    low, high = (ndtr((np.log(bound) - centre) / SPREAD) for bound in (1_000.0, 500_000.0))
    return np.asarray(np.exp(centre + SPREAD * ndtri(low + within * (high - low))), dtype=np.float64)


@cache
def _centre() -> float:
    """The mean of the logarithm that gives the lowest class its assets."""
    small = SMALL * 900.0 / np.log(10.0) + BROKE * 99.0 / 3.5
    target = (LOW_ASSETS * MEAN - small) / (LOW - BROKE - SMALL)

    def mean(centre: float) -> float:
        low, high = ((np.log(bound) - centre) / SPREAD for bound in (1_000.0, 500_000.0))
        inside = (ndtr(high - SPREAD) - ndtr(low - SPREAD)) / (ndtr(high) - ndtr(low))
        return float(np.exp(centre + SPREAD**2 / 2) * inside)

    return _solve(mean, target, 5.0, 13.0)


@cache
def _pareto(number: int) -> Callable[[Floats], Floats]:
    """The bounded Pareto law of an upper class."""
    customers, assets, least, most = CLASSES[number]

    def mean(exponent: float) -> float:
        scale = exponent / (least**-exponent - most**-exponent)
        return float(scale * (most ** (1 - exponent) - least ** (1 - exponent)) / (1 - exponent))

    a = -_solve(lambda minus: mean(-minus), assets * MEAN / customers, -6.0, 3.0)

    def law(within: Floats) -> Floats:
        return np.asarray((least**-a - within * (least**-a - most**-a)) ** (-1 / a), dtype=np.float64)

    return law


def _solve(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return where a rising function reaches ``target``, by bisection; the offset keeps clear of 0 and 1."""
    for _ in range(80):
        middle = (low + high) / 2 + 1e-9
        low, high = (low, middle) if rising(middle) > target else (middle, high)
    return (low + high) / 2
