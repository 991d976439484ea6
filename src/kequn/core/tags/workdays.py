"""The calendar that payments follow: weekends, the long public holidays, and the Spring Festival (春节).

Make-up working weekends are decided year by year and are not in it: a payment on such a day is taken as one on a day off, which
costs at most the day it is shifted by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

EPOCH = date(1970, 1, 1)
DAYS = 1 << 16
NEW_YEARS = (
    "2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09 2006-01-29 2007-02-18 2008-02-07 2009-01-26 "
    "2010-02-14 2011-02-03 2012-01-23 2013-02-10 2014-01-31 2015-02-19 2016-02-08 2017-01-28 2018-02-16 2019-02-05 "
    "2020-01-25 2021-02-12 2022-02-01 2023-01-22 2024-02-10 2025-01-29 2026-02-17 2027-02-06 2028-01-26 2029-02-13 "
    "2030-02-03 2031-01-23 2032-02-11 2033-01-31 2034-02-19 2035-02-08 2036-01-28 2037-02-15 2038-02-04 2039-01-24 "
    "2040-02-12 2041-02-01 2042-01-22 2043-02-10 2044-01-30 2045-02-17 2046-02-06 2047-01-26 2048-02-14 2049-02-02"
)
"""First day of the lunar year, by which the holiday and the bonus before it move."""
HOLIDAYS = ((1, 1, 1), (5, 1, 3), (10, 1, 7))
"""Month, first day, number of days."""
BEFORE_NEW_YEAR, AFTER_NEW_YEAR = 1, 6


@dataclass(frozen=True, slots=True)
class Workdays:
    """Facts of each day since 1970, by its number."""

    works: NDArray[np.bool_]
    day: NDArray[np.int64]
    """Of the month, 1–31."""
    last: NDArray[np.bool_]
    """The month's last day."""
    month: NDArray[np.int64]
    """Months since 1970-01."""
    weekday: NDArray[np.int64]
    """0: Monday."""
    before: NDArray[np.int64]
    """How many days off in a row end the day before."""
    after: NDArray[np.int64]
    """How many begin the day after."""
    year_end: NDArray[np.bool_]
    """From 1 December to the Spring Festival: when the year's accounts are settled."""
    to_new_year: NDArray[np.int64]
    """Days from the nearest Spring Festival, negative before it; a large number where none is known within half a year."""


@cache
def workdays() -> Workdays:
    """Return the calendar."""
    at = np.arange(DAYS)
    when = at.astype("datetime64[D]")
    month = when.astype("datetime64[M]").astype(np.int64)
    day = (when - when.astype("datetime64[M]")).astype(np.int64) + 1
    last = np.append(day[1:] == 1, False)
    weekday = (at + 3) % 7
    works = weekday < 5
    of_year, of_month = month // 12 + 1970, month % 12 + 1
    for m, first, days in HOLIDAYS:
        works &= ~((of_month == m) & (day >= first) & (day < first + days))
    year_end = of_month == 12
    to_new_year = np.full(DAYS, DAYS)
    for text in NEW_YEARS.split():
        new_year = (date.fromisoformat(text) - EPOCH).days
        works[new_year - BEFORE_NEW_YEAR : new_year + AFTER_NEW_YEAR + 1] = False
        year_end |= (of_year == int(text[:4])) & (at <= new_year)
        to_new_year = np.where(np.abs(at - new_year) < 183, at - new_year, to_new_year)
    known = [int(t[:4]) for t in NEW_YEARS.split()]
    year_end |= (of_month == 1) & ~np.isin(of_year, known)
    return Workdays(works, day, last, month, weekday, _runs(~works), _runs(~works[::-1])[::-1], year_end, to_new_year)


def paid_on(nominal: date) -> date:
    """Return the working day on which what is due on a day is usually paid: that day, or the last one before it."""
    days = workdays()
    at = (nominal - EPOCH).days
    while not days.works[at]:
        at -= 1
    return EPOCH + timedelta(days=int(at))


def _runs(off: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many true ones in a row stand right before each place."""
    places = np.arange(len(off))
    last_false = np.maximum.accumulate(np.where(off, -1, places))
    return np.concatenate([[0], (places - last_false)[:-1]])
