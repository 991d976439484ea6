"""The ladder of tiers (客户层级): up at once, a watch after three months below, down after six."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kequn.core.data.tables import ASSETS, CUSTOMER
from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData
from kequn.core.tags.compiling import scan_sql

WATCHED = 3
"""After so many months in a row below the tier the next one is a watch."""
LOST = 6
"""After so many the next one brings the tier down."""
BOUNDS = (100_00, 50_000_00, 200_000_00, 1_000_000_00, 6_000_000_00, 30_000_000_00)
"""Lower bounds of T1 … T6 in fen of month-average AUM, as the shipped tags have them."""

Steps = NDArray[np.int8]
SHARD = 1 << 20
"""Customers whose balances are in memory at once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where customers stand on the ladder, month by month: arrays of shape (months, …), oldest first."""

    tier: Steps
    below: Steps
    """Months in a row below the tier held, 0 to 6."""

    @property
    def watch(self) -> NDArray[np.bool_]:
        """Whether the month is under watch."""
        return self.below > WATCHED


@dataclass(frozen=True, slots=True)
class TierHistory:
    """The ladder over all months there are balances of."""

    months: tuple[date, ...]
    """The last snapshot of each completed month, oldest first."""
    standing: Standing
    """Of shape (months, customers); customers are ordinals."""
    present: NDArray[np.bool_]
    """Who was a customer of the bank at the end of each month; of the same shape."""


def climb(averages: ArrayLike, bounds: Sequence[int] = BOUNDS) -> Standing:
    """Return the standing after each month, from month averages of shape (months, …), oldest first.

    A month at or above the tier held sets it at once and clears the count. A month below leaves the tier and counts; from
    the fourth in a row on the customer is under watch; the seventh brings the tier down to the best of those seven months,
    which is the best of the six before it unless the seventh itself reached higher.

    >>> wan = 10_000_00
    >>> example = climb([n * wan for n in (120, 90, 80, 70, 60, 50, 40, 30)])
    >>> example.tier.tolist(), example.watch.nonzero()[0].tolist()
    ([4, 4, 4, 4, 4, 4, 4, 3], [4, 5, 6])
    """
    amounts = np.asarray(averages, dtype=np.int64)
    reached = np.searchsorted(np.asarray(bounds, dtype=np.int64), amounts, side="right").astype(np.int8)
    tier, below = np.zeros_like(reached), np.zeros_like(reached)
    held, count = np.zeros(reached.shape[1:], np.int8), np.zeros(reached.shape[1:], np.int8)
    for month, now in enumerate(reached):
        best = reached[max(0, month - LOST) : month + 1].max(axis=0)
        meets, lost = now >= held, (now < held) & (count >= LOST)
        held = np.where(meets, now, np.where(lost, best, held))
        count = np.where(meets, 0, np.where(lost, (now < best).astype(np.int8), count + 1))
        tier[month], below[month] = held, count
    return Standing(tier, below)


def needed_each_day(bound: int, average: int, as_of: date, days_in_month: int) -> int:
    """Return the balance (fen) each remaining day of the month needs for its average to reach a bound; 0 when reached.

    On the last day it is what each day of the next month needs: the bound.
    """
    left = days_in_month - as_of.day
    if left == 0:
        return bound
    return max(0, round((bound * days_in_month - average * as_of.day) / left))


def tier_history(engine: Engine, as_of: date, *, bounds: Sequence[int] = BOUNDS) -> TierHistory:
    """Return the ladder of all customers over the completed months with balances up to a date; one pass over holdings.

    Raises:
        NoData: there are no balances of a completed month.
    """
    if not engine.has("holding"):
        raise NoData("No balances were loaded.", hint="Load them: `kequn load`.", table="holding")
    months = _month_ends(engine, as_of)
    if not months:
        raise NoData(
            f"No balances of a completed month up to {as_of}.", hint="Load month ends, or ask for a later date."
        )
    ordinals = engine.manifest.ordinals
    whole = Standing(np.zeros((len(months), ordinals), np.int8), np.zeros((len(months), ordinals), np.int8))
    for first in range(0, ordinals, SHARD):
        here = slice(first, min(first + SHARD, ordinals))
        part = climb(_averages(engine, months, here), bounds)
        whole.tier[:, here], whole.below[:, here] = part.tier, part.below
    return TierHistory(months, whole, _present(engine, months))


def _present(engine: Engine, months: Sequence[date]) -> NDArray[np.bool_]:
    """Who was a customer on each date, by the rule of the population; of shape (months, customers)."""
    stored = {name: type_ for name, type_, *_ in engine.rows("DESCRIBE customer")}
    scan = scan_sql(CUSTOMER, ["opened_on", "closed_on", "status"], stored=stored)
    tests = [
        f"opened_on <= {on} AND CASE WHEN closed_on IS NULL THEN status IS DISTINCT FROM 'closed' ELSE closed_on > {on} END"
        for on in (f"DATE '{month}'" for month in months)
    ]
    select = ", ".join(f"coalesce({test}, FALSE) AS m{i}" for i, test in enumerate(tests))
    found = engine.columns(f"SELECT ordinal, {select} FROM ({scan})")
    here = np.zeros((len(months), engine.manifest.ordinals), dtype=bool)
    for i in range(len(months)):
        here[i, found["ordinal"]] = found[f"m{i}"]
    return here


def _averages(engine: Engine, months: Sequence[date], customers: slice) -> NDArray[np.int64]:
    """Month averages of AUM of some ordinals, 0 where a customer had nothing; of shape (months, customers)."""
    families = ", ".join(f"'{f}'" for f in ASSETS)
    sums = ", ".join(f"sum(month_average) FILTER (as_of = DATE '{m}') AS m{i}" for i, m in enumerate(months))
    where = f"family IN ({families}) AND ordinal >= {customers.start} AND ordinal < {customers.stop}"
    found = engine.columns(f"SELECT ordinal, {sums} FROM holding WHERE {where} GROUP BY ordinal")
    amounts = np.zeros((len(months), customers.stop - customers.start), dtype=np.int64)
    for i in range(len(months)):
        amounts[i, found["ordinal"] - customers.start] = np.ma.filled(found[f"m{i}"], 0)
    return amounts


def _month_ends(engine: Engine, as_of: date) -> tuple[date, ...]:
    """The last snapshot of each month that was over by then."""
    last: dict[tuple[int, int], date] = {}
    days: list[tuple[Any, ...]] = engine.rows("SELECT DISTINCT as_of FROM holding WHERE as_of <= ? ORDER BY 1", [as_of])
    for (day,) in days:
        last[day.year, day.month] = day
    tomorrow = date.fromordinal(as_of.toordinal() + 1)
    return tuple(day for (year, month), day in sorted(last.items()) if (year, month) < (tomorrow.year, tomorrow.month))
