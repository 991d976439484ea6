"""What a segment holds and what it does not yet: holding rates against the bank and against customers of the same tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.data.tables import ASSETS, FAMILIES
from kequn.core.engine.duck import Engine, literal
from kequn.core.errors import NoData
from kequn.core.insight.cube import TIER_FLOORS_FEN, TIERS
from kequn.core.insight.people import MINIMUM, withhold
from kequn.core.insight.periods import scan, texts
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


def holdings_of(
    engine: Engine,
    members: npt.NDArray[Any],
    population: npt.NDArray[Any],
    *,
    as_of: date,
    families: Sequence[str] = FAMILIES,
) -> Holdings:
    """Return holding rates of a segment (ordinals) within a population (ordinals) at the latest holdings by ``as_of``.

    The peers' rate is directly standardised: in each tier of month-average assets the rate of the customers outside the
    segment, weighted by how many of the segment are in that tier; tiers without peers are left out of both. Its
    variance is the weighted sum of the tiers' binomial variances.

    Raises:
        NoData: there are no holdings by then.
    """
    day = (
        engine.rows("SELECT max(as_of) FROM holding WHERE as_of <= ?", [as_of])[0][0] if engine.has("holding") else None
    )
    if day is None:
        raise NoData(f"There are no holdings by {as_of}.", hint="Load the holdings table.", as_of=str(as_of))
    ordinal, family, balance, level = _positions(engine, day, families)
    tiers = np.searchsorted(np.array(TIER_FLOORS_FEN), level, side="right")
    inside, among = np.zeros(len(level), dtype=bool), np.zeros(len(level), dtype=bool)
    among[population] = True
    inside[members] = True
    inside &= among
    size, bank = int(inside.sum()), len(population)
    kept = among[ordinal] & (balance > 0)
    ordinal, family, balance = ordinal[kept], family[kept], balance[kept]
    people = _Counts.of(tiers[population], inside[population])
    made = []
    for code, name in enumerate(families):
        rows = family == code
        holders = _Counts.of(tiers[ordinal[rows]], inside[ordinal[rows]])
        outside = balance[rows & ~inside[ordinal]]
        typical = int(np.median(outside)) if len(outside) >= MINIMUM else None
        if holders.inside.sum() or holders.outside.sum():
            made.append(_holding(name, holders, people, typical, n_families=len(families)))
    gaps = [h for h in made if h.is_clear and (h.gap or 0) > 0 and h.family not in NOT_SOLD]
    gaps.sort(key=lambda h: (-(h.amount_fen or 0), -(h.customers or 0), h.family))
    return Holdings(day, size, bank, size < MINIMUM, tuple(made), tuple(gaps))


def _positions(engine: Engine, day: date, families: Sequence[str]) -> tuple[npt.NDArray[Any], ...]:
    """Return customer, family (its number) and balance of each position, summed by both; and month-average assets by ordinal.

    The sums are made here and not by the store: everybody's positions are a plain scan.
    """
    source = scan(engine, "holding", "ordinal", "as_of", "family", "balance", "month_average")
    codes = " ".join(f"WHEN {literal(family)} THEN {n}" for n, family in enumerate(families))
    found = engine.columns(
        f"SELECT ordinal, CAST(CASE family {codes} ELSE {len(families)} END AS UTINYINT) AS family, balance,"
        f" CASE WHEN family IN {texts(ASSETS)} THEN coalesce(month_average, balance) ELSE 0 END AS level"
        f" FROM {source} h WHERE as_of = ?",
        [day],
    )
    ordinal, family, balance, level = (np.ma.filled(found[n], 0) for n in ("ordinal", "family", "balance", "level"))
    key = ordinal.astype(np.int64) * (len(families) + 1) + family
    distinct, at = np.unique(key, return_inverse=True)
    held = np.bincount(at, weights=balance.astype(np.float64), minlength=len(distinct))
    levels = np.bincount(ordinal, weights=level.astype(np.float64), minlength=max(engine.manifest.ordinals, 1))
    return distinct // (len(families) + 1), distinct % (len(families) + 1), held, levels


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
