"""When a group's money comes in: shares by day of the month and by month, with intervals (资金节律)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from kequn.core.engine.duck import Engine
from kequn.core.engine.tagfiles import column_of
from kequn.core.insight.ledger import ByPart, Flags, ledger
from kequn.core.stats.intervals import proportion_interval

Words = NDArray[np.uint64]
Z = 1.96
PAYDAY = "txn_payday"


@dataclass(frozen=True, slots=True)
class Share:
    """One day of the month (1–31) or month (1–12): its share with the 95 % interval, 0–1."""

    at: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When money came in from outside during the 365 days that end with the business date."""

    as_of: date
    customers: int
    """Members with such an inflow."""
    inflow: int
    """Fen."""
    by_day: tuple[Share, ...]
    """Of the inflow, by day of the month; 31 of them."""
    by_month: tuple[Share, ...]
    """Of the inflow, by month; 12 of them."""
    paydays: tuple[Share, ...]
    """Of the members with a payday (``txn_payday``), by day; 31 of them, none where the tag was not computed."""


def rhythm(engine: Engine, members: Words | None, as_of: date) -> Rhythm | None:
    """Return when the money of ``members`` (bit i: ordinal i; ``None``: all) came in; ``None`` where nobody received any.

    Raises:
        StoreFull: there is no space for the sums by customer.
    """
    found = ledger(engine, as_of)
    chosen = np.ones(len(found.opened), np.bool_) if members is None else _bits(members, len(found.opened))
    by_month = Received(found.came_by_month, chosen)
    if not by_month.inflow:
        return None
    by_day = Received(found.came_by_day, chosen)
    paydays = _paydays(engine, chosen, as_of)
    return Rhythm(as_of, by_month.customers, by_month.inflow, by_day.shares(), by_month.shares(), paydays)


class Received:
    """What the chosen received in each part, with the squares that the variance needs."""

    def __init__(self, parts: ByPart, chosen: Flags) -> None:
        found = [parts.among(chosen, part) for part in range(len(parts))]
        numbers = [amount.astype(np.float64) for _, amount in found]
        everyone = np.concatenate([ordinal for ordinal, _ in found])
        total = np.bincount(everyone, np.concatenate(numbers), minlength=len(chosen))
        self.customers = int(np.count_nonzero(np.bincount(everyone)))
        self.inflow = sum(int(amount.sum()) for _, amount in found)
        self.y = np.array([n.sum() for n in numbers])
        # products are summed without BLAS: its threads wait for one another longer than the sums take
        self.yy = np.array([(n * n).sum() for n in numbers])
        self.xy = np.array([(total.take(ordinal) * n).sum() for (ordinal, _), n in zip(found, numbers, strict=True)])
        self.xx = float((total * total).sum())

    def shares(self) -> tuple[Share, ...]:
        """Return each part's share of the whole.

        A ratio of sums over customers; variance by linearisation, customers being the units, so that a few large ones
        widen it (Cochran 1977, Sampling Techniques, §2.11).
        """
        ratio = self.y / self.inflow
        squares = np.maximum(self.yy - 2 * ratio * self.xy + ratio**2 * self.xx, 0)
        error = Z * np.sqrt(squares * self.customers / max(self.customers - 1, 1)) / self.inflow
        return tuple(
            Share(i + 1, float(r), float(max(0.0, r - e)), float(min(1.0, r + e)))
            for i, (r, e) in enumerate(zip(ratio, error, strict=True))
        )


def _paydays(engine: Engine, chosen: Flags, as_of: date) -> tuple[Share, ...]:
    date_state = engine.manifest.dates.get(as_of.isoformat())
    state = date_state.tags.get(PAYDAY) if date_state else None
    if state is None:
        return ()
    values = column_of(engine.store, PAYDAY, state).fill_null(0).to_numpy()
    values = values[: len(chosen)][chosen[: len(values)]]
    counts = np.bincount(values[(values >= 1) & (values <= 31)], minlength=32)[1:]
    n = int(counts.sum())
    return tuple(_proportion(i + 1, int(k), n) for i, k in enumerate(counts)) if n else ()


def _proportion(at: int, k: int, n: int) -> Share:
    interval = proportion_interval(k, n)
    return Share(at, k / n, interval.low, interval.high)


def _bits(words: Words, size: int) -> Flags:
    found = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")[:size].astype(np.bool_)
    return np.concatenate([found, np.zeros(size - len(found), np.bool_)])
