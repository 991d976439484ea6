"""A segment's money: when it comes in, and what the segment is worth by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.data.tables import ASSETS
from kequn.core.engine.duck import Engine, literal
from kequn.core.insight.people import MINIMUM, PEOPLE, register_people
from kequn.core.insight.periods import Period, periods, scan, texts
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


def cash_flow_of(
    engine: Engine, members: npt.NDArray[Any], population: npt.NDArray[Any], *, as_of: date, months: int = 12
) -> CashFlow:
    """Return when money from outside comes to a segment (ordinals) and to a population (ordinals), over the last months.

    Raises:
        NoData: there are no holdings by ``as_of``, from which months are taken.
    """
    size, _ = register_people(engine, members, population)
    among = [p for p in periods(engine, until=as_of, most=months + 1) if not p.is_partial][-months:]
    among = among or list(periods(engine, until=as_of, most=1))
    since, until = among[0].start, among[-1].end
    source = scan(engine, "transaction", "ordinal", "booked_on", "direction", "amount", "is_external")
    inside = f"FROM {source} t JOIN {PEOPLE} USING (ordinal) WHERE is_external AND booked_on BETWEEN ? AND ?"
    days = engine.rows(
        f"SELECT day(booked_on), count(*) FILTER (is_member), count(*) {inside} AND direction = 'in' GROUP BY 1",
        [since, until],
    )
    flows = engine.rows(
        "SELECT strftime(booked_on, '%Y-%m'), coalesce(sum(amount) FILTER (direction = 'in'), 0),"
        f" coalesce(sum(amount) FILTER (direction = 'out'), 0) {inside} AND is_member GROUP BY 1",
        [since, until],
    )
    payers = engine.rows(f"SELECT count(DISTINCT ordinal) {inside} AND is_member AND direction = 'in'", [since, until])[
        0
    ][0]
    mine, bank = np.zeros(31, dtype=np.int64), np.zeros(31, dtype=np.int64)
    for day, n, whole in days:
        mine[day - 1], bank[day - 1] = n, whole
    by_month = {label: (int(came), int(went)) for label, came, went in flows}
    labels = tuple(p.label for p in among)
    return CashFlow(
        since, until, size, payers, int(mine.sum()), int(bank.sum()), _shares(mine), _shares(bank), labels,
        tuple(by_month.get(m, (0, 0))[0] for m in labels), tuple(by_month.get(m, (0, 0))[1] for m in labels),
        payers < MINIMUM,
    )  # fmt: skip


def worth_of(
    engine: Engine, members: npt.NDArray[Any], population: npt.NDArray[Any], *, as_of: date, months: int = 13
) -> Worth:
    """Return assets per head of a segment (ordinals) by month, looked back from today's members.

    Intervals are Student's over customers: a few very rich ones make them wide, and rightly so.

    Raises:
        NoData: there are no holdings by ``as_of``.
    """
    size, _ = register_people(engine, members, population)
    among = periods(engine, until=as_of, most=months)
    source = scan(engine, "holding", "ordinal", "as_of", "family", "balance")
    ends = ", ".join(f"DATE {literal(p.end.isoformat())}" for p in among)
    asset = f"FROM {source} h JOIN {PEOPLE} USING (ordinal) WHERE family IN {texts(ASSETS)}"
    sums = {
        row[0]: row[1:]
        for row in engine.rows(
            f"SELECT as_of, coalesce(sum(balance) FILTER (is_member), 0), sum(balance) {asset} AND as_of IN ({ends}) GROUP BY 1"
        )
    }
    opened = scan(engine, "customer", "ordinal", "opened_on")
    counts = ", ".join(
        f"count(*) FILTER (is_member AND opened_on <= DATE {literal(p.end.isoformat())}),"
        f" count(*) FILTER (opened_on <= DATE {literal(p.end.isoformat())})"
        for p in among
    )
    there = engine.rows(f"SELECT {counts} FROM {PEOPLE} JOIN {opened} c USING (ordinal)")[0]
    n, whole = there[0::2], there[1::2]
    mine = [int(sums.get(p.end, (0, 0))[0]) for p in among]
    all_of_them = [int(sums.get(p.end, (0, 0))[1]) for p in among]
    now, change = _intervals(engine, asset, opened, among, size)
    return Worth(
        tuple(p.label for p in among), _per_head(mine, n), _per_head(all_of_them, whole), tuple(n), mine[-1], size, now, change,
        among[0].label, size < MINIMUM,
    )  # fmt: skip


def _intervals(
    engine: Engine, asset: str, opened: str, among: Sequence[Period], size: int
) -> tuple[Interval | None, Interval | None]:
    first, last = (f"DATE {literal(p.end.isoformat())}" for p in (among[0], among[-1]))
    row = engine.rows(
        f"WITH a AS (SELECT ordinal, sum(balance) FILTER (as_of = {last}) AS b1, sum(balance) FILTER (as_of = {first}) AS b0"
        f" {asset} AND is_member AND as_of IN ({first}, {last}) GROUP BY 1), m AS (SELECT opened_on <= {first} AS old,"
        " CAST(coalesce(b1, 0) AS DOUBLE) AS b1, CAST(coalesce(b1, 0) - coalesce(b0, 0) AS DOUBLE) AS d"
        f" FROM {PEOPLE} p JOIN {opened} c USING (ordinal) LEFT JOIN a USING (ordinal) WHERE is_member)"
        " SELECT avg(b1), var_samp(b1), avg(d) FILTER (old), var_samp(d) FILTER (old), count(*) FILTER (old) FROM m"
    )[0]
    now = _interval(Sample(row[0], row[1], size)) if size > 1 else None
    change = _interval(Sample(row[2], row[3], row[4])) if row[4] > 1 and len(among) > 1 else None
    return now, change


def _interval(sample: Sample) -> Interval:
    se = float(np.sqrt(sample.variance / sample.n))
    half = t_quantile(LEVEL, sample.n - 1) * se
    return Interval(sample.mean, sample.mean - half, sample.mean + half, se, LEVEL)


def _per_head(sums: Sequence[int], counts: Sequence[int]) -> tuple[float | None, ...]:
    return tuple(s / n if n >= 5 else None for s, n in zip(sums, counts, strict=True))


def _shares(counts: npt.NDArray[np.int64]) -> tuple[float, ...]:
    whole = int(counts.sum())
    return tuple(float(c) / whole for c in counts) if whole else ()
