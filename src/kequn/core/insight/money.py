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
from kequn.core.insight.people import MINIMUM, PEOPLE, register_some
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
    register_some(engine, population)
    flows, months = _flow_periods(engine, as_of), periods(engine, until=as_of)
    return BankMoney(
        flows[0].start, flows[-1].end, tuple(int(n) for n in _by_day(engine, flows)),
        _per_head(_sums(engine, months), _counts(engine, months)),
    )  # fmt: skip


def cash_flow_of(engine: Engine, members: npt.NDArray[Any], bank: BankMoney, *, as_of: date) -> CashFlow:
    """Return when money from outside comes to a segment (ordinals), over the last twelve whole months.

    Raises:
        NoData: there are no holdings by ``as_of``, from which months are taken.
    """
    register_some(engine, members)
    among = _flow_periods(engine, as_of)
    since, until = among[0].start, among[-1].end
    rows = engine.rows(
        "SELECT day(booked_on), year(booked_on) * 100 + month(booked_on), direction = 'in', count(*), sum(amount)"
        f" {_external(engine)} GROUP BY 1, 2, 3",
        [since, until],
    )
    payers = engine.rows(f"SELECT count(DISTINCT ordinal) {_external(engine)} AND direction = 'in'", [since, until])[0][
        0
    ]
    mine = np.zeros(31, dtype=np.int64)
    by_month: dict[str, list[int]] = {}
    for day, month, came, n, amount in rows:
        by_month.setdefault(f"{month // 100}-{month % 100:02d}", [0, 0])[0 if came else 1] += int(amount)
        if came:
            mine[day - 1] += n
    labels = tuple(p.label for p in among)
    return CashFlow(
        since, until, len(members), payers, int(mine.sum()), sum(bank.by_day), _shares(mine), _shares(np.array(bank.by_day)),
        labels, tuple(by_month.get(m, (0, 0))[0] for m in labels), tuple(by_month.get(m, (0, 0))[1] for m in labels),
        payers < MINIMUM,
    )  # fmt: skip


def worth_of(engine: Engine, members: npt.NDArray[Any], bank: BankMoney, *, as_of: date) -> Worth:
    """Return assets per head of a segment (ordinals) by month, looked back from today's members.

    Intervals are Student's over customers: a few very rich ones make them wide, and rightly so.

    Raises:
        NoData: there are no holdings by ``as_of``.
    """
    register_some(engine, members)
    among = periods(engine, until=as_of)
    sums, n = _sums(engine, among), _counts(engine, among)
    now, change = _intervals(engine, among, len(members))
    return Worth(
        tuple(p.label for p in among), _per_head(sums, n), bank.per_head, tuple(n), sums[-1], len(members), now, change,
        among[0].label, len(members) < MINIMUM,
    )  # fmt: skip


def _flow_periods(engine: Engine, as_of: date) -> Sequence[Period]:
    whole = [p for p in periods(engine, until=as_of) if not p.is_partial][-12:]
    return whole or periods(engine, until=as_of, most=1)


def _external(engine: Engine) -> str:
    source = scan(engine, "transaction", "ordinal", "booked_on", "direction", "amount", "is_external")
    return f"FROM {source} t SEMI JOIN {PEOPLE} USING (ordinal) WHERE is_external AND booked_on BETWEEN ? AND ?"


def _by_day(engine: Engine, among: Sequence[Period]) -> npt.NDArray[np.int64]:
    found = np.zeros(31, dtype=np.int64)
    query = f"SELECT day(booked_on), count(*) {_external(engine)} AND direction = 'in' GROUP BY 1"
    for day, n in engine.rows(query, [among[0].start, among[-1].end]):
        found[day - 1] = n
    return found


def _assets(engine: Engine) -> str:
    source = scan(engine, "holding", "ordinal", "as_of", "family", "balance")
    return f"FROM {source} h SEMI JOIN {PEOPLE} USING (ordinal) WHERE family IN {texts(ASSETS)}"


def _ends(among: Sequence[Period]) -> list[str]:
    return [f"DATE {literal(p.end.isoformat())}" for p in among]


def _sums(engine: Engine, among: Sequence[Period]) -> list[int]:
    query = f"SELECT as_of, sum(balance) {_assets(engine)} AND as_of IN ({', '.join(_ends(among))}) GROUP BY 1"
    found = dict(engine.rows(query))
    return [int(found.get(p.end) or 0) for p in among]


def _counts(engine: Engine, among: Sequence[Period]) -> list[int]:
    opened = scan(engine, "customer", "ordinal", "opened_on")
    counts = ", ".join(f"count(*) FILTER (opened_on <= {end})" for end in _ends(among))
    return [int(n) for n in engine.rows(f"SELECT {counts} FROM {PEOPLE} JOIN {opened} c USING (ordinal)")[0]]


def _intervals(engine: Engine, among: Sequence[Period], size: int) -> tuple[Interval | None, Interval | None]:
    first, last = _ends([among[0], among[-1]])
    opened = scan(engine, "customer", "ordinal", "opened_on")
    row = engine.rows(
        f"WITH a AS (SELECT ordinal, sum(balance) FILTER (as_of = {last}) AS b1, sum(balance) FILTER (as_of = {first}) AS b0"
        f" {_assets(engine)} AND as_of IN ({first}, {last}) GROUP BY 1), m AS (SELECT opened_on <= {first} AS old,"
        " CAST(coalesce(b1, 0) AS DOUBLE) AS b1, CAST(coalesce(b1, 0) - coalesce(b0, 0) AS DOUBLE) AS d"
        f" FROM {PEOPLE} p JOIN {opened} c USING (ordinal) LEFT JOIN a USING (ordinal))"
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
