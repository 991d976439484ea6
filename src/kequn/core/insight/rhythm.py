"""When a group's money comes in: shares by day of the month and by month, with intervals (资金节律)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.data.compacting import ByCustomer, Rows, newest
from kequn.core.engine.duck import Engine
from kequn.core.stats.intervals import proportion_interval

Words = NDArray[np.uint64]
EPOCH = date(1970, 1, 1)
YEAR = 365
CUSTOMERS = 1 << 15
"""Whose sums are in memory at once."""
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


class _Sums:
    """Sums over customers of what they received in each part, and of the squares that the variance needs."""

    def __init__(self, parts: int) -> None:
        self.y, self.yy, self.xy = np.zeros(parts), np.zeros(parts), np.zeros(parts)
        self.xx = 0.0

    def add(self, received: NDArray[np.float64]) -> None:
        """Take in some customers × parts."""
        total = received.sum(axis=1)
        self.y += received.sum(axis=0)
        self.yy += (received**2).sum(axis=0)
        self.xy += total @ received
        self.xx += float(total @ total)

    def shares(self, customers: int) -> tuple[Share, ...]:
        """Return each part's share of the whole.

        A ratio of sums over customers; variance by linearisation, customers being the units, so that a few large ones
        widen it (Cochran 1977, Sampling Techniques, §2.11).
        """
        whole = float(self.y.sum())
        if not whole:
            return ()
        ratio = self.y / whole
        squares = np.maximum(self.yy - 2 * ratio * self.xy + ratio**2 * self.xx, 0)
        error = Z * np.sqrt(squares * customers / max(customers - 1, 1)) / whole
        return tuple(
            Share(i + 1, float(r), float(max(0.0, r - e)), float(min(1.0, r + e)))
            for i, (r, e) in enumerate(zip(ratio, error, strict=True))
        )


def rhythm(engine: Engine, members: Words | None, as_of: date) -> Rhythm | None:
    """Return when the money of ``members`` (bit i: ordinal i; ``None``: all) came in.

    ``None`` where nobody received any, or no tags were computed since transactions were first loaded (a refresh sorts them
    by customer, which is what this reads).
    """
    layout = newest(engine.store, engine.manifest, "transaction")
    if layout is None:
        return None
    parts = _Parts(layout, as_of)
    chosen = None if members is None else _bits(members)
    days, months = _Sums(31), _Sums(12)
    customers, inflow = 0, 0
    for rows in _chunks(layout):
        found = parts.received(rows, chosen)
        if found is None:
            continue
        by_day, by_month, total = found
        days.add(by_day)
        months.add(by_month)
        customers, inflow = customers + len(by_day), inflow + total
    if not inflow:
        return None
    paydays = _paydays(engine, chosen, as_of)
    return Rhythm(as_of, customers, inflow, days.shares(customers), months.shares(customers), paydays)


class _Parts:
    """Which rows count, and in which part of the month and year they are."""

    def __init__(self, layout: ByCustomer, as_of: date) -> None:
        codes = layout.combinations().to_pylist()
        self.counts = np.array([c.get("direction") == "in" and c.get("is_external") is True for c in codes], np.bool_)
        self.last = (as_of - EPOCH).days
        self.first = self.last - YEAR + 1
        every = [EPOCH + timedelta(days=d) for d in range(max(self.first, 0), self.last + 1)]
        self.day, self.month = np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.int64)
        at = slice(max(self.first, 0), self.last + 1)
        self.day[at], self.month[at] = [d.day - 1 for d in every], [d.month - 1 for d in every]

    def received(
        self, rows: Rows, chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int] | None:
        """Return (customers × 31, customers × 12, fen) of the customers that received anything, in yuan."""
        start, end = int(rows.starts[0]), int(rows.starts[-1])
        day = rows.day[start:end]
        keep = self.counts[rows.code[start:end]] & (day >= self.first) & (day <= self.last)
        customer = np.repeat(np.arange(len(rows.starts) - 1), np.diff(rows.starts))[keep]
        amount = rows.amount[start:end][keep].astype(np.int64)
        if chosen is not None:
            mine = _at(chosen, rows.first + customer)
            customer, amount, day = customer[mine], amount[mine], day[keep][mine]
        else:
            day = day[keep]
        if not len(customer):
            return None
        who, place = np.unique(customer, return_inverse=True)
        yuan = amount / 100
        by_day = np.bincount(place * 31 + self.day[day], yuan, minlength=len(who) * 31).astype(np.float64)
        by_month = np.bincount(place * 12 + self.month[day], yuan, minlength=len(who) * 12).astype(np.float64)
        return by_day.reshape(-1, 31), by_month.reshape(-1, 12), int(amount.sum())


def _chunks(layout: ByCustomer) -> Iterator[Rows]:
    for number in range(layout.buckets):
        first = number * layout.width
        for at in range(first, first + layout.width, CUSTOMERS):
            yield from layout.ranges(at, min(at + CUSTOMERS, first + layout.width))


def _paydays(engine: Engine, chosen: NDArray[np.bool_] | None, as_of: date) -> tuple[Share, ...]:
    date_state = engine.manifest.dates.get(as_of.isoformat())
    state = date_state.tags.get(PAYDAY) if date_state else None
    if state is None:
        return ()
    values = pq.read_table(engine.store.path(state.file)).column("value").fill_null(0).to_numpy()
    if chosen is not None:
        values = values[_at(chosen, np.arange(len(values)))]
    counts = np.bincount(values[(values >= 1) & (values <= 31)], minlength=32)[1:]
    n = int(counts.sum())
    return tuple(_proportion(i + 1, int(k), n) for i, k in enumerate(counts)) if n else ()


def _proportion(at: int, k: int, n: int) -> Share:
    interval = proportion_interval(k, n)
    return Share(at, k / n, interval.low, interval.high)


def _bits(words: Words) -> NDArray[np.bool_]:
    return np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little").astype(np.bool_)


def _at(chosen: NDArray[np.bool_], ordinals: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each ordinal is chosen; what lies beyond the bits is not."""
    inside = ordinals < len(chosen)
    found = np.zeros(len(ordinals), np.bool_)
    found[inside] = chosen[ordinals[inside]]
    return found
