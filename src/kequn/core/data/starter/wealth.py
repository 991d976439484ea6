"""How wealth is spread over the starter bank's customers.

Calibrated to the distribution that China Merchants Bank published for the end of 2022, in month-average assets a
customer: below 500,000 yuan 97.75% of customers with 18.62% of assets; up to ten million 2.18% with 50.10%; above 0.07%
with 31.28%; about 66,000 yuan a customer. Inside a class wealth follows a bounded Pareto law whose exponent gives the
class its mean.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from kequn.core.data.starter.draws import BLOCK, Floats, Ints, stream

MEAN = 66_000.0
GRID = 50_000
"""Customers over whom the quantiles are laid out evenly, so that even 35 very rich ones have the assets they should."""

BROKE = 0.40
"""Share of customers with less than 100 yuan: the zero-balance and sleeping tail of the lowest class."""

CLASSES: tuple[tuple[float, float, float, float], ...] = (
    (0.9775, 0.1862, 100.0, 500_000.0),
    (0.0218, 0.5010, 500_000.0, 10_000_000.0),
    (0.0007, 0.3128, 10_000_000.0, 120_000_000.0),
)
"""Share of customers, share of assets, lower and upper bound in yuan."""

TIERS = (100.0, 50_000.0, 200_000.0, 1_000_000.0, 6_000_000.0, 30_000_000.0)
"""Lower bounds in yuan of the tiers T1 … T6."""


def quantile(share: Floats) -> Floats:
    """Return the month-average assets in yuan of the customer who is richer than ``share`` (0–1) of the bank."""
    wealth = np.empty_like(share)
    broke = share < BROKE
    wealth[broke] = 99.0 * (share[broke] / BROKE) ** 2.5
    low = BROKE
    for number, (customers, _, least, most) in enumerate(CLASSES):
        high = low + customers - (BROKE if number == 0 else 0.0)
        here = (share >= low) & ((share < high) | (number == len(CLASSES) - 1))
        exponent = _exponent(number)
        within = ((share[here] - low) / (high - low)).clip(0, 1)
        wealth[here] = (least**-exponent - within * (least**-exponent - most**-exponent)) ** (-1 / exponent)
        low = high
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


@cache
def _exponent(number: int) -> float:
    """Solve for the exponent that gives class ``number`` its mean (bisection; the mean falls with the exponent)."""
    customers, assets, least, most = CLASSES[number]
    people = customers - (BROKE if number == 0 else 0.0)
    target = assets * MEAN / people
    low, high = -3.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2 + 1e-9
        low, high = (middle, high) if _mean(middle, least, most) > target else (low, middle)
    return (low + high) / 2


def _mean(exponent: float, least: float, most: float) -> float:
    """Mean of the Pareto law with this exponent, bounded to [least, most]."""
    scale = exponent / (least**-exponent - most**-exponent)
    return float(scale * (most ** (1 - exponent) - least ** (1 - exponent)) / (1 - exponent))
