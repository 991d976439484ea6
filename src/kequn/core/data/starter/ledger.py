"""The starter bank's ledger in the making: its codes, its columns and its calendar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from kequn.core.data.starter.draws import Bools, Floats, Ints, as_date, day, fen

CATEGORIES = {
    "payroll": 1001, "pension": 1002, "bonus": 1003, "transfer": 2001, "own_transfer": 2002, "cash": 2101,
    "consumption": 3001, "household": 3101, "insurance": 3201, "loan_payment": 4001, "loan_payout": 4002,
    "interest": 5001, "fee": 5002, "merchant_receipt": 6001, "broker": 6101, "purchase": 7001, "redemption": 7002,
    "maturity": 7003, "other": 9001,
}  # fmt: skip
"""Canonical category -> the bank's own transaction code."""

CHANNELS = ("CNT", "ATM", "APP", "WEB", "POS", "TPP", "SYS")
CNT, ATM, APP, WEB, POS, TPP, SYS = range(7)
"""Counter, machine, mobile bank, web bank, card terminal, third-party payment, the system itself."""

NEW_YEAR = {2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26)}
"""Spring festival: (month, day) of the lunar new year."""

COLUMNS = (
    "who",
    "day",
    "second",
    "amount",
    "category",
    "into",
    "channel",
    "mcc",
    "product",
    "other",
    "external",
    "initiated",
    "online",
    "foreign",
    "card",
)


@dataclass(frozen=True, slots=True)
class Span:
    """The days for which transactions are made: everything from ``start``, shopping and the like from ``recent`` on.

    ``as_of`` is the day for which the people and their positions were made; the span may lie before or after it.
    """

    start: date
    recent: date
    end: date
    as_of: date
    volume: float = 1.0


@dataclass(slots=True)
class Ledger:
    """Transactions of one block in the making; after ``sorted_columns`` by customer and day."""

    n: int
    parts: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, who: Ints, day: Ints | int, amount: Floats, category: str, *, into: bool | Bools, **more: Any
    ) -> None:
        """Add one transaction a row of ``who``; ``amount`` in yuan, everything else an array or one value for all."""
        usual = {"channel": SYS, "mcc": 0, "product": -1, "other": 0, "external": True, "initiated": True,
                 "online": False, "foreign": False, "card": False, "second": 9 * 3600}  # fmt: skip
        columns = {
            "who": who,
            "day": day,
            "amount": np.maximum(fen(amount), 1),
            "category": CATEGORIES[category],
            "into": into,
        }
        values = usual | columns | more
        self.parts.append({c: np.broadcast_to(np.asarray(values[c]), who.shape) for c in COLUMNS})

    def sorted_columns(self, start: int, end: int, opened: Ints, size: int) -> dict[str, Any]:
        """Join the parts: what lies between two days, after the customer came, of the first ``size`` customers."""
        joined = {c: np.concatenate([p[c] for p in self.parts]) for c in COLUMNS}
        inside = (joined["day"] >= start) & (joined["day"] <= end) & (joined["day"] >= opened[joined["who"]])
        inside &= joined["who"] < size
        kept = {c: v[inside] for c, v in joined.items()}
        order = np.lexsort((kept["second"], kept["day"], kept["who"]))
        return {c: v[order] for c, v in kept.items()}


def months_between(start: date, end: date) -> list[tuple[int, int]]:
    """Return (year, month) of every month that has a day in the span."""
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    return [(m // 12, m % 12 + 1) for m in range(first, last + 1)]


def on_day(year: int, month: int, wanted: Ints | int) -> Ints:
    """Return day numbers of a day of the month; a weekend moves it to the Friday before."""
    start = day(date(year, month, 1))
    days = start + np.asarray(wanted) - 1
    weekday = (days + 3) % 7
    return np.asarray(days - np.where((weekday >= 5) & (np.asarray(wanted) > 2), weekday - 4, 0), dtype=np.int64)


def shopping_weights(start: date, end: date) -> Floats:
    """Relative spending on each day of a span: weekends, the sales of June and November, the spring festival."""
    days = np.arange(day(start), day(end) + 1)
    weights = np.where((days + 3) % 7 >= 5, 1.25, 1.0)
    for i, number in enumerate(days):
        on = as_date(int(number))
        feast = date(on.year, *NEW_YEAR.get(on.year, (2, 5)))
        if -12 <= (on - feast).days <= 0:
            weights[i] *= 1.6
        if (on.month, on.day) in ((6, 18), (11, 11), (11, 10)):
            weights[i] *= 1.8
    return np.asarray(weights, dtype=np.float64)
