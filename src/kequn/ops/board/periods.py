"""The periods of targets and of the board: a day, a week, a month, a quarter."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from kequn.core.errors import InvalidSpec, Where

SPANS = ("day", "week", "month", "quarter")
MONTH, QUARTER = re.compile(r"(\d{4})-(\d{2})"), re.compile(r"(\d{4})-Q([1-4])")
CAMPAIGN = "campaign"
"""The period of a campaign's targets: as long as it runs."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from ``first`` to ``last``, both within."""

    span: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


def period_around(span: str, day: date) -> Period:
    """Return the day, week (from Monday), month or quarter that a day lies in.

    Raises:
        InvalidSpec: there is no such span.
    """
    match span:
        case "day":
            return Period(span, day, day)
        case "week":
            first = day - timedelta(days=day.weekday())
            return Period(span, first, first + timedelta(days=6))
        case "month":
            return Period(span, day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))
        case "quarter":
            return _quarter(day.year, (day.month + 2) // 3)
    raise InvalidSpec(
        f"There is no period {span!r}.", hint="One of day, week, month, quarter.", where=Where(field="period")
    )


def period_named(name: str) -> Period:
    """Return the month ``2026-07`` or the quarter ``2026-Q3``.

    Raises:
        InvalidSpec: it is neither.
    """
    if (found := MONTH.fullmatch(name)) and 1 <= int(found[2]) <= 12 and int(found[1]) > 0:
        return period_around("month", date(int(found[1]), int(found[2]), 1))
    if (found := QUARTER.fullmatch(name)) and int(found[1]) > 0:
        return _quarter(int(found[1]), int(found[2]))
    raise InvalidSpec(
        f"{name!r} is no month or quarter.", hint="Write 2026-07 or 2026-Q3.", where=Where(field="period")
    )


def name_of(period: Period) -> str:
    """Return how targets of a month or quarter are filed; empty for a shorter period, which has none."""
    if period.span == "month":
        return f"{period.first:%Y-%m}"
    return f"{period.first.year}-Q{(period.first.month + 2) // 3}" if period.span == "quarter" else ""


def _quarter(year: int, number: int) -> Period:
    last = 3 * number
    return Period("quarter", date(year, last - 2, 1), date(year, last, monthrange(year, last)[1]))
