"""A segment's money: when it comes in, and what the segment is worth by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.insight.ledger import EPOCH, NO_ROW, Ledger, ledger, whole_months
from kequn.core.insight.people import MINIMUM
from kequn.core.insight.periods import Period
from kequn.core.stats import Interval, Sample, t_quantile

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Money from outside, by day of the month and by month (资金节奏). Shares are of the number of receipts."""

    since: date
    until: date
    size: int
    payers: int
    """Members with any money from outside."""
    receipts: int
    bank_receipts: int
    by_day: tuple[float, ...]
    """Share of the segment's receipts on each day 1 … 31; empty without any."""
    bank_by_day: tuple[float, ...]
    months: tuple[str, ...]
    inflow_fen: tuple[int, ...]
    outflow_fen: tuple[int, ...]
    is_few: bool

    def top_days(self, n: int = 3) -> tuple[tuple[int, ...], float, float]:
        """Return the days of the month with most receipts, their share in the segment and in the bank."""
        order = sorted(range(len(self.by_day)), key=lambda d: (-self.by_day[d], d))[:n]
        days = tuple(sorted(d + 1 for d in order))
        return days, sum(self.by_day[d] for d in order), sum(self.bank_by_day[d] for d in order)


@dataclass(frozen=True, slots=True)
class BankMoney:
    """What a segment's money is compared with: the same of everybody, computed once for a state of the data."""

    since: date
    until: date
    by_day: tuple[int, ...]
    """Receipts from outside on each day of the month."""
    per_head: tuple[float | None, ...]
    """Assets per head by month."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Assets per head by month of those who are in the segment now (价值与走势); money is fen."""

    months: tuple[str, ...]
    per_head: tuple[float | None, ...]
    bank_per_head: tuple[float | None, ...]
    n: tuple[int, ...]
    """Members who were customers by then."""
    total_fen: int
    size: int
    now: Interval | None
    change: Interval | None
    """Change per head since the first month shown, of members who were customers by then."""
    first: str
    is_few: bool


def bank_money_of(engine: Engine, population: npt.NDArray[Any], *, as_of: date) -> BankMoney:
    """Return receipts by day of the month, and assets per head by month, of a population (ordinals).

    Raises:
        NoData: there are no holdings by ``as_of``, from which months are taken.
    """
    found = whole_months(ledger(engine, as_of))
    return BankMoney(
        found.flows[0].start, found.flows[-1].end, tuple(found.receipts.totals(found.chosen(population))),
        _per_head(_sums(found, population), _counts(found, population)),
    )  # fmt: skip


def cash_flow_of(engine: Engine, members: npt.NDArray[Any], bank: BankMoney, *, as_of: date) -> CashFlow:
    """Return when money from outside comes to a segment (ordinals), over the last twelve whole months.

    Raises:
        NoData: there are no holdings by ``as_of``, from which months are taken.
    """
    found = whole_months(ledger(engine, as_of))
    chosen = found.chosen(members)
    payers = found.receipts.holders(chosen)
    mine = np.array(found.receipts.totals(chosen), dtype=np.int64)
    return CashFlow(
        found.flows[0].start, found.flows[-1].end, len(members), payers, int(mine.sum()), sum(bank.by_day), _shares(mine),
        _shares(np.array(bank.by_day)), tuple(p.label for p in found.flows), tuple(found.inflow.totals(chosen)),
        tuple(found.outflow.totals(chosen)), payers < MINIMUM,
    )  # fmt: skip


def worth_of(engine: Engine, members: npt.NDArray[Any], bank: BankMoney, *, as_of: date) -> Worth:
    """Return assets per head of a segment (ordinals) by month, looked back from today's members.

    Intervals are Student's over customers: a few very rich ones make them wide, and rightly so.

    Raises:
        NoData: there are no holdings by ``as_of``.
    """
    found = whole_months(ledger(engine, as_of))
    sums, n = _sums(found, members), _counts(found, members)
    now, change = _intervals(found, members)
    return Worth(
        tuple(p.label for p in found.periods), _per_head(sums, n), bank.per_head, tuple(n), sums[-1], len(members), now,
        change, found.periods[0].label, len(members) < MINIMUM,
    )  # fmt: skip


def _sums(found: Ledger, members: npt.NDArray[Any]) -> list[int]:
    return [int(month[members].sum()) for month in found.assets]


def _day(period: Period) -> int:
    return (period.end - EPOCH).days


def _counts(found: Ledger, members: npt.NDArray[Any]) -> list[int]:
    opened = found.opened[members]
    return [int((opened <= _day(p)).sum()) for p in found.periods]


def _intervals(found: Ledger, members: npt.NDArray[Any]) -> tuple[Interval | None, Interval | None]:
    known = members[found.opened[members] != NO_ROW]
    last, first = found.assets[-1][known], found.assets[0][known]
    now = _interval(last, len(members)) if len(known) > 1 else None
    old = found.opened[known] <= _day(found.periods[0])
    change = (last - first)[old]
    return now, _interval(change, len(change)) if len(change) > 1 and len(found.periods) > 1 else None


def _interval(values: npt.NDArray[np.int64], n: int) -> Interval:
    numbers = values.astype(np.float64)
    sample = Sample(float(numbers.mean()), float(numbers.var(ddof=1)), n)
    se = float(np.sqrt(sample.variance / sample.n))
    half = t_quantile(LEVEL, sample.n - 1) * se
    return Interval(sample.mean, sample.mean - half, sample.mean + half, se, LEVEL)


def _per_head(sums: Sequence[int], counts: Sequence[int]) -> tuple[float | None, ...]:
    return tuple(s / n if n >= 5 else None for s, n in zip(sums, counts, strict=True))


def _shares(counts: npt.NDArray[np.int64]) -> tuple[float, ...]:
    whole = int(counts.sum())
    return tuple(float(c) / whole for c in counts) if whole else ()
