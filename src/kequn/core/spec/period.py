"""Days and periods as people say them: ``30 days ago``, ``end of last month``, ``last 3 months``, ``next 30 days``.

All are told from the business date, never from the clock. A *rolling* period of the past ends with the business date,
which it includes; one of the future begins the day after, so that last and next never share a day. A *calendar* period
(``this month``, ``last quarter``) is whole, whatever the day; a week begins on Monday. Months are counted by the calendar:
a day that a month lacks becomes its last day (30 January + 1 month = 28 or 29 February).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Literal, TypeAlias

Unit = Literal["day", "week", "month", "quarter", "half", "year"]
UNITS: tuple[Unit, ...] = ("day", "week", "month", "quarter", "half", "year")
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "half": 6, "year": 12}
MOST = {"day": 3660, "week": 520, "month": 120, "quarter": 40, "half": 20, "year": 10}
"""Ten years, in each unit."""
FIRST_YEAR, LAST_YEAR = 1900, 2200

EXAMPLES = "today, 30 days ago, in 2 weeks, start of this month, end of last quarter, 2026-06-30"
PERIODS = "last 30 days, next 2 weeks, this month, last quarter, this year, 2026-01-01 to 2026-03-31"
WORDS = [
    "today", "yesterday", "tomorrow", "ago", "in", "start", "end", "of", "this", "last", "next", "to",
    *(form for unit in UNITS for form in (unit, f"{unit}s")), "halves",
]  # fmt: skip
NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)
ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """From one day to another, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last or next ``count`` units from the business date; ``skip`` lengths earlier."""

    unit: Unit
    count: int
    is_next: bool = False
    skip: int = 0

    def days(self, as_of: date) -> Days:
        """Return the days it has on a business date."""
        if self.is_next:
            return Days(as_of + timedelta(1), plus(as_of, self.count, self.unit))
        before = plus(as_of, -self.count * (self.skip + 1), self.unit)
        return Days(before + timedelta(1), plus(as_of, -self.count * self.skip, self.unit))

    def before(self) -> Rolling:
        """Return the period of the same length that ends right before."""
        return Rolling(self.unit, self.count, self.is_next, self.skip + 1)

    def __str__(self) -> str:
        """As it is written."""
        return f"{'next' if self.is_next else 'last'} {counted(self.count, self.unit)}"


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole week, month, quarter, half or year of the calendar; 0 is the one the business date lies in."""

    unit: Unit
    offset: int

    def days(self, as_of: date) -> Days:
        """Return the days it has on a business date."""
        first = plus(_begin(as_of, self.unit), self.offset, self.unit)
        return Days(first, plus(first, 1, self.unit) - timedelta(1))

    def before(self) -> Whole:
        """Return the one before."""
        return Whole(self.unit, self.offset - 1)

    def __str__(self) -> str:
        """As it is written."""
        if self.unit == "day":
            return {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(self.offset, f"day {self.offset:+d}")
        return f"{ {-1: 'last', 0: 'this', 1: 'next'}.get(self.offset, f'{self.offset:+d}') } {self.unit}"


@dataclass(frozen=True, slots=True)
class Fixed:
    """From one date to another, whatever the business date."""

    first: date
    last: date

    def days(self, as_of: date) -> Days:
        """Return the days it has."""
        del as_of
        return Days(self.first, self.last)

    def before(self) -> Fixed:
        """Return as many days right before."""
        length = self.last - self.first
        last = self.first - timedelta(1)
        return Fixed(last - length, last)

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class YearBefore:
    """The same period as told a year before the business date."""

    period: Rolling | Whole | Fixed

    def days(self, as_of: date) -> Days:
        """Return the days it has on a business date."""
        if isinstance(self.period, Fixed):
            return Days(plus(self.period.first, -1, "year"), plus(self.period.last, -1, "year"))
        return self.period.days(plus(as_of, -1, "year"))

    def before(self) -> YearBefore:
        """Return the period right before it."""
        return YearBefore(self.period.before())

    def __str__(self) -> str:
        """As it is written."""
        return "year before"


Period: TypeAlias = Rolling | Whole | Fixed | YearBefore


@dataclass(frozen=True, slots=True)
class Away:
    """A day so many units from the business date: ``30 days ago`` is -30 days."""

    unit: Unit
    count: int

    def on(self, as_of: date) -> date:
        """Return the day on a business date."""
        return plus(as_of, self.count, self.unit)

    def __str__(self) -> str:
        """As it is written."""
        if self.unit == "day" and abs(self.count) < 2:
            return {-1: "yesterday", 0: "today", 1: "tomorrow"}[self.count]
        return f"{counted(-self.count, self.unit)} ago" if self.count < 0 else f"in {counted(self.count, self.unit)}"


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or the last day of a calendar period."""

    whole: Whole
    is_end: bool

    def on(self, as_of: date) -> date:
        """Return the day on a business date."""
        days = self.whole.days(as_of)
        return days.last if self.is_end else days.first

    def __str__(self) -> str:
        """As it is written."""
        return f"{'end' if self.is_end else 'start'} of {self.whole}"


Day: TypeAlias = Away | Edge


def plus(day: date, count: int, unit: Unit) -> date:
    """Return the day so many units on; a day that the month lacks becomes its last.

    >>> plus(date(2026, 1, 31), 1, "month"), plus(date(2028, 2, 29), -1, "year")
    (datetime.date(2026, 2, 28), datetime.date(2027, 2, 28))
    """
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    years, month = divmod(day.year * 12 + day.month - 1 + count * MONTHS[unit], 12)
    return date(years, month + 1, min(day.day, calendar.monthrange(years, month + 1)[1]))


def read_period(text: str) -> Rolling | Whole | Fixed:
    """Return the period that a text says.

    >>> read_period("last 30 days").days(date(2026, 6, 30))
    Days(first=datetime.date(2026, 6, 1), last=datetime.date(2026, 6, 30))

    Raises:
        ValueError: it says none; with the nearest that does.
    """
    match _words(text):
        case [("today" | "yesterday" | "tomorrow") as word]:
            return Whole("day", {"yesterday": -1, "today": 0, "tomorrow": 1}[word])
        case [("this" | "last" | "next") as which, unit] if (found := _unit(unit)) and found != "day":
            return Whole(found, {"last": -1, "this": 0, "next": 1}[which])
        case [("last" | "next") as which, number, unit] if NUMBER.fullmatch(number) and (found := _unit(unit)):
            return Rolling(found, _few(number, found), which == "next")
        case [first, "to", last] if ISO.fullmatch(first) and ISO.fullmatch(last):
            fixed = Fixed(_date(first), _date(last))
            if fixed.last < fixed.first:
                raise ValueError(f"{text!r} ends before it begins")
            if (fixed.last - fixed.first).days >= MOST["day"]:
                raise ValueError(f"a period has at most {MOST['day']} days")
            return fixed
    raise ValueError(f"{_short(text)} is not a period. {_meant(text, read_period)}Periods: {PERIODS}")


def read_day(text: str) -> Day | date:
    """Return the day that a text says: a date, or one told from the business date.

    Raises:
        ValueError: it says none; with the nearest that does.
    """
    match _words(text):
        case [iso] if ISO.fullmatch(iso):
            return _date(iso)
        case [("today" | "yesterday" | "tomorrow") as word]:
            return Away("day", {"yesterday": -1, "today": 0, "tomorrow": 1}[word])
        case [number, unit, "ago"] if NUMBER.fullmatch(number) and (found := _unit(unit)):
            return Away(found, -_few(number, found))
        case ["in", number, unit] if NUMBER.fullmatch(number) and (found := _unit(unit)):
            return Away(found, _few(number, found))
        case [("start" | "end") as edge, "of", ("this" | "last" | "next") as which, unit] if (
            found := _unit(unit)
        ) and found != "day":
            return Edge(Whole(found, {"last": -1, "this": 0, "next": 1}[which]), edge == "end")
    raise ValueError(f"{_short(text)} is not a day. {_meant(text, read_day)}Days: {EXAMPLES}")


def counted(count: int, unit: str) -> str:
    """Return a number of units in English.

    >>> counted(1, "month"), counted(2, "half")
    ('1 month', '2 halves')
    """
    return f"{count} {unit}" if count == 1 else f"{count} {'halves' if unit == 'half' else unit + 's'}"


def yearly(days: Days) -> tuple[tuple[int, int], ...]:
    """Return the days of the year (month × 100 + day) that a period touches, as ranges with both ends.

    29 February counts as the 28th in a year that lacks it.

    >>> yearly(Days(date(2026, 12, 20), date(2027, 1, 5)))
    ((1220, 1231), (101, 105))
    """
    if (days.last - days.first).days >= 365:
        return ((101, 1231),)
    first, last = days.first.month * 100 + days.first.day, days.last.month * 100 + days.last.day
    if last == 228 and not calendar.isleap(days.last.year):
        last = 229
    return ((first, last),) if days.first.year == days.last.year else ((first, 1231), (101, last))


def _begin(day: date, unit: Unit) -> date:
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return date(day.year, (day.month - 1) // MONTHS[unit] * MONTHS[unit] + 1, 1)


def _words(text: str) -> list[str]:
    return text.lower().split() if len(text) <= 60 else []


def _unit(word: str) -> Unit | None:
    return next((unit for unit in UNITS if word in (unit, unit + "s") or (unit, word) == ("half", "halves")), None)


def _few(number: str, unit: str) -> int:
    count = int(number)
    if not 1 <= count <= MOST[unit]:
        raise ValueError(f"a period has from 1 to {counted(MOST[unit], unit)}, not {count}")
    return count


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is not a date between {FIRST_YEAR} and {LAST_YEAR}")
    return found


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _meant(text: str, read: object) -> str:
    """Mend each word by the nearest known one; say so if that makes sense."""
    mended = " ".join(_mended(text.lower().split()[:6]))
    if mended == " ".join(text.lower().split()):
        return ""
    try:
        read(mended)  # type: ignore[operator]
    except (ValueError, RecursionError):
        return ""
    return f"Did you mean {mended!r}? "


def _mended(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        near = [word] if NUMBER.fullmatch(word) or ISO.fullmatch(word) else get_close_matches(word, WORDS, n=1)
        yield near[0] if near else word
