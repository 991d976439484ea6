"""What a segment holds and what it does not yet: holding rates against the bank and against customers of the same tiers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.data.tables import FAMILIES
from kequn.core.engine.duck import Engine
from kequn.core.insight.cube import TIER_FLOORS_FEN, TIERS
from kequn.core.insight.ledger import ledger, whole_months
from kequn.core.insight.people import MINIMUM, withhold
from kequn.core.insight.tgi import familywise
from kequn.core.stats import normal_quantile, proportion_interval

LEVEL = 0.95
NOT_SOLD = ("demand", "custody")
"""Families that nobody is short of, or that are not the bank's to sell."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One product family in a segment. Peers are the other customers, weighted to the tiers of the segment."""

    family: str
    bank_rate: float
    n: int | None = None
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    peer_rate: float | None = None
    gap: float | None = None
    """Peers' rate less the segment's: above 0 where the segment holds less."""
    gap_low: float | None = None
    gap_high: float | None = None
    is_clear: bool = False
    """0 lies outside even an interval wide enough for all families together (95%), and the sample suffices."""
    customers: int | None = None
    """How many more would hold it at the peers' rate: the opportunity, at least 0."""
    customers_low: int | None = None
    customers_high: int | None = None
    typical_fen: int | None = None
    """The median position of peers who hold it."""
    amount_fen: int | None = None
    """``customers`` times the typical position."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Product holding of a segment and its gaps (产品持有与缺口)."""

    as_of: date
    size: int
    bank: int
    is_few: bool
    holdings: tuple[Holding, ...]
    gaps: tuple[Holding, ...]
    """Families a segment clearly holds less of than its peers, the largest opportunity first."""


def holdings_of(engine: Engine, members: npt.NDArray[Any], population: npt.NDArray[Any], *, as_of: date) -> Holdings:
    """Return holding rates of a segment (ordinals) within a population (ordinals) at the latest holdings by ``as_of``.

    The peers' rate is directly standardised: in each tier of month-average assets the rate of the customers outside the
    segment, weighted by how many of the segment are in that tier; tiers without peers are left out of both. Its
    variance is the weighted sum of the tiers' binomial variances.

    Raises:
        NoData: there are no holdings by then.
    """
    found = whole_months(ledger(engine, as_of))
    tiers = np.searchsorted(np.array(TIER_FLOORS_FEN), found.level, side="right").astype(np.uint8)
    among = found.chosen(population)
    inside = found.chosen(members) & among
    size, bank = int(inside.sum()), len(population)
    people = _Counts.of(tiers[population], inside[population])
    made = []
    for code, name in enumerate(FAMILIES):
        ordinal, balance = found.held.among(among, code)
        mine = inside[ordinal]
        holders = _Counts.of(tiers[ordinal], mine)
        outside = balance[~mine]
        typical = int(np.median(outside)) if len(outside) >= MINIMUM else None
        if len(ordinal):
            made.append(_holding(name, holders, people, typical, n_families=len(FAMILIES)))
    gaps = [h for h in made if h.is_clear and (h.gap or 0) > 0 and h.family not in NOT_SOLD]
    gaps.sort(key=lambda h: (-(h.amount_fen or 0), -(h.customers or 0), h.family))
    return Holdings(found.periods[-1].end, size, bank, size < MINIMUM, tuple(made), tuple(gaps))


@dataclass(frozen=True, slots=True)
class TierRate:
    """One product family among the customers of one tier."""

    family: str
    rate: float
    """Share who hold it, 0–1."""
    customers: int
    """Of the tier."""
    typical_fen: int | None
    """The median position of those who hold it; ``None`` where they are too few."""


def rates_by_tier(engine: Engine, population: npt.NDArray[Any], *, as_of: date) -> tuple[tuple[TierRate, ...], ...]:
    """Return by tier of month-average assets (T0 … T6) what its customers hold at the latest holdings by ``as_of``.

    A tier of fewer than 30 customers says nothing, nor does a family that fewer than 5 of a tier hold.

    Raises:
        NoData: there are no holdings by then.
    """
    found = whole_months(ledger(engine, as_of))
    tiers = np.searchsorted(np.array(TIER_FLOORS_FEN), found.level, side="right").astype(np.uint8)
    among = found.chosen(population)
    people = np.bincount(tiers[among], minlength=len(TIERS))
    made: list[list[TierRate]] = [[] for _ in TIERS]
    for code, family in enumerate(FAMILIES):
        if family in NOT_SOLD:
            continue
        ordinal, balance = found.held.among(among, code)
        of = tiers[ordinal]
        holders = np.bincount(of, minlength=len(TIERS))
        for tier, (n, k) in enumerate(zip(people.tolist(), holders.tolist(), strict=True)):
            if n >= MINIMUM and k and not withhold(k):
                typical = int(np.median(balance[of == tier])) if k >= MINIMUM else None
                made[tier].append(TierRate(family, k / n, n, typical))
    return tuple(tuple(sorted(rates, key=lambda r: -r.rate)) for rates in made)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Customers by tier, of the segment and of the others."""

    inside: npt.NDArray[np.int64]
    outside: npt.NDArray[np.int64]

    @classmethod
    def of(cls, tiers: npt.NDArray[Any], inside: npt.NDArray[np.bool_]) -> _Counts:
        n = len(TIERS)
        return cls(np.bincount(tiers[inside], minlength=n), np.bincount(tiers[~inside], minlength=n))


def _holding(name: str, holders: _Counts, people: _Counts, typical: int | None, *, n_families: int) -> Holding:
    k, n = int(holders.inside.sum()), int(people.inside.sum())
    bank_rate = (k + int(holders.outside.sum())) / max(n + int(people.outside.sum()), 1)
    if not n or withhold(k):
        return Holding(name, bank_rate, None if n else 0)
    rate = proportion_interval(k, n, LEVEL)
    peers = _standardised(holders, people)
    if peers is None:
        return Holding(name, bank_rate, k, rate.point, rate.low, rate.high)
    peer_rate, own_rate, variance = peers
    gap = peer_rate - own_rate
    half, strict = (normal_quantile(level) * sqrt(variance) for level in (LEVEL, familywise(LEVEL, n_families)))
    clear = n >= MINIMUM and int(people.outside.sum()) >= MINIMUM and abs(gap) > strict
    low, high = gap - half, gap + half
    more = [max(0, round(n * g)) for g in (gap, low, high)]
    amount = more[0] * typical if typical is not None else None
    return Holding(
        name, bank_rate, k, rate.point, rate.low, rate.high, peer_rate, gap, low, high, clear, more[0], more[1], more[2],
        typical, amount,
    )  # fmt: skip


def _standardised(holders: _Counts, people: _Counts) -> tuple[float, float, float] | None:
    """Peers' rate at the segment's tiers, the segment's rate over the same tiers, and the variance of their difference.

    The segment's variance is Agresti and Coull's (two successes and two failures added), which is not 0 at 0 or n.
    """
    both = (people.inside > 0) & (people.outside > 0)
    n = people.inside[both].sum()
    if not n:
        return None
    weight = people.inside[both] / n
    rates = holders.outside[both] / people.outside[both]
    own = holders.inside[both].sum()
    shrunk = (own + 2) / (n + 4)
    spread = (weight**2 * rates * (1 - rates) / people.outside[both]).sum()
    return float((weight * rates).sum()), float(own / n), float(shrunk * (1 - shrunk) / (n + 4) + spread)
