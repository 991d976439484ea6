"""When a customer's money comes: the payday, the cycle of inflows and the month of the bonus, with how sure they are (资金节律).

All are computed for many customers at once from receipts sorted by customer and day. A confidence is hits ÷ (chances + 1): the
share of the months, weeks or years in which the pattern was met, with one miss taken as seen before, so that three receipts in a
row are worth 0.75 and not certainty.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from kequn.core.tags.workdays import EPOCH, paid_on, workdays

FUNCTIONS = (
    "payday", "payday_confidence", "payday_next", "inflow_cycle", "inflow_confidence", "inflow_day", "inflow_next",
    "bonus_month", "bonus_confidence",
)  # fmt: skip
CYCLES = ("daily", "weekly", "monthly", "quarter_end", "year_end")
"""``inflow_cycle`` gives 1 for the first of these, and so on."""
CUSTOMERS = 1 << 14
MOST_OFF = 9
"""Days off in a row that a payment may be shifted over."""
CONCENTRATED = 0.5
"""Share of the year's money in its last weeks, or in those of its quarters, from which it is a cycle (evenly: 0.2 and 0.15)."""
DAILY, REGULAR = 0.55, 0.7
"""Share of the days, and of the weeks or months, with a receipt."""
FEWEST = {"daily": 40, "weekly": 8, "monthly": 4, "quarter_end": 3, "year_end": 2}
"""Receipts (days, weeks, months, quarters, days) below which no cycle is named."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Receipts:
    """Money that came in, sorted by customer and day: ``starts[i]`` … ``starts[i + 1]`` are the rows of customer i."""

    starts: Ints
    day: Ints
    """Since 1970."""
    amount: Ints


def timed(whats: Collection[str], receipts: Receipts, as_of: date) -> dict[str, Floats]:
    """Return some of ``FUNCTIONS`` for each customer; NaN where it cannot be said. Dates are days since 1970.

    Receipts after the business date must have been left out.
    """
    found: dict[str, Floats] = {}
    for kind in sorted({w.partition("_")[0] for w in whats}):
        found |= _all(kind, receipts, as_of)
    return {w: found[w] for w in whats}


def _all(kind: str, receipts: Receipts, as_of: date) -> dict[str, Floats]:
    compute = {"payday": _paydays, "inflow": _cycles, "bonus": _bonuses}[kind]
    names = [f for f in FUNCTIONS if f.startswith(kind)]
    size = len(receipts.starts) - 1
    found = {name: np.full(size, np.nan) for name in names}
    for first in range(0, size, CUSTOMERS):
        last = min(first + CUSTOMERS, size)
        rows = slice(int(receipts.starts[first]), int(receipts.starts[last]))
        counts = np.diff(receipts.starts[first : last + 1])
        with_rows = np.flatnonzero(counts)
        if not len(with_rows):
            continue
        who = np.repeat(np.arange(len(with_rows)), counts[with_rows])
        part = compute(who, receipts.day[rows], receipts.amount[rows], len(with_rows), as_of)
        for name, values in zip(names, part, strict=True):
            found[name][first + with_rows] = values
    return found


def _paydays(who: Ints, day: Ints, _amount: Ints, size: int, as_of: date) -> tuple[Floats, ...]:
    """The day of the month that most months agree on.

    A receipt speaks for its own day and for the days off next to it, since wages due on a day off are paid before or after;
    at the end of a month also for the days that the month does not have.
    """
    days = workdays()
    today = (as_of - EPOCH).days
    first_month = int(days.month[max(int(day.min()) - MOST_OFF, 0)])
    months = int(days.month[today]) - first_month + 2
    voted = np.zeros((size, 31, months), np.bool_)
    for shift in range(-MOST_OFF, MOST_OFF + 1):
        speaks = (-shift <= days.before[day]) if shift < 0 else (shift <= days.after[day])
        at = day[speaks] + shift
        voted[who[speaks], days.day[at] - 1, days.month[at] - first_month] = True
        ends = days.last[at]
        for beyond in range(28, 31):
            more = ends & (days.day[at] <= beyond)
            voted[who[speaks][more], beyond, days.month[at][more] - first_month] = True
    agreed = voted.sum(axis=2)
    exact = np.bincount(who * 31 + days.day[day] - 1, minlength=size * 31).reshape(size, 31)
    best = np.argmax(agreed * 64 + np.minimum(exact, 63), axis=1)
    hits = agreed[np.arange(size), best]
    nexts = _next_by_day(as_of)
    started = np.full(size, months)
    np.minimum.at(started, who, days.month[day] - first_month)
    now = months - 2
    due = np.array([_this_month(as_of, n + 1) <= as_of for n in range(31)])
    chances = np.maximum(now - started + due[best], hits)
    return best + 1.0, hits / (chances + 1), nexts[best].astype(np.float64)


def _this_month(as_of: date, nominal: int) -> date:
    following = (as_of.replace(day=28) + timedelta(days=4)).replace(day=1)
    last = following - timedelta(days=1)
    return paid_on(as_of.replace(day=min(nominal, last.day)))


def _next_by_day(as_of: date) -> Ints:
    """The next day on which what is due on each day of the month is paid."""
    found = []
    following = (as_of.replace(day=28) + timedelta(days=4)).replace(day=1)
    for nominal in range(1, 32):
        on = _this_month(as_of, nominal)
        on = on if on > as_of else _this_month(following, nominal)
        if on <= as_of:  # due on a day off at the start of the next month, and paid already
            on = _this_month((following.replace(day=28) + timedelta(days=4)).replace(day=1), nominal)
        found.append((on - EPOCH).days)
    return np.array(found)


def _cycles(who: Ints, day: Ints, amount: Ints, size: int, as_of: date) -> tuple[Floats, ...]:
    """The first of year end, quarter end, daily, weekly, monthly that the receipts fit."""
    days = workdays()
    today = (as_of - EPOCH).days
    amounts = amount.astype(np.float64)
    total = np.maximum(np.bincount(who, amounts, size), 1)
    first = np.full(size, today)
    np.minimum.at(first, who, day)
    observed = today - first + 1
    active = _distinct(who, day, size)
    of_month = days.month[day] % 12
    at_quarter = (of_month % 3 == 2) & (days.day[day] >= 20)
    quarters = _distinct(who[at_quarter], days.month[day][at_quarter], size)
    in_season = days.year_end[day]
    season_days = _distinct(who[in_season], day[in_season], size)
    weeks, months = _distinct(who, (day + 3) // 7, size), _distinct(who, days.month[day], size)
    month_span = int(days.month[today]) - days.month[first] + 1
    score = {
        "year_end": np.bincount(who, amounts * in_season, size) / total,
        "quarter_end": np.bincount(who, amounts * at_quarter, size) / total,
        "daily": active / observed,
        "weekly": weeks / ((today + 3) // 7 - (first + 3) // 7 + 1),
        "monthly": months / month_span,
    }
    counts = {"year_end": season_days, "quarter_end": quarters, "daily": active, "weekly": weeks, "monthly": months}
    least = {
        "year_end": CONCENTRATED,
        "quarter_end": CONCENTRATED,
        "daily": DAILY,
        "weekly": REGULAR,
        "monthly": REGULAR,
    }
    cycle, confidence = np.full(size, np.nan), np.full(size, np.nan)
    centre, held = _anchor(who, days.day[day], size)
    nexts = _next_by_cycle(as_of)
    following = np.full(size, np.nan)
    for name in ("year_end", "quarter_end", "daily", "weekly", "monthly"):
        fits = np.isnan(cycle) & (score[name] >= least[name]) & (counts[name] >= FEWEST[name])
        cycle[fits] = CYCLES.index(name) + 1
        sure = score[name] * counts[name] / (counts[name] + 1)
        confidence[fits] = np.minimum(sure * (held if name == "monthly" else 1), 1)[fits]
        following[fits] = nexts.get(name, np.nan)
    monthly, weekly = cycle == CYCLES.index("monthly") + 1, cycle == CYCLES.index("weekly") + 1
    following[monthly] = _next_by_day(as_of)[centre[monthly] - 1]
    weekday = np.argmax(np.bincount(who * 7 + days.weekday[day], minlength=size * 7).reshape(size, 7), axis=1)
    following[weekly] = today + 1 + (weekday[weekly] - days.weekday[today + 1]) % 7
    anchored = np.where(monthly & (held >= CONCENTRATED), centre.astype(np.float64), np.nan)
    return cycle, confidence, anchored, following


def _anchor(who: Ints, of_month: Ints, size: int) -> tuple[Ints, Floats]:
    """The day of the month around which (two days to either side, round the end) most receipts lie, and their share."""
    histogram = np.bincount(who * 31 + of_month - 1, minlength=size * 31).reshape(size, 31)
    around = sum(np.roll(histogram, shift, axis=1) for shift in range(-2, 3))
    best = np.argmax(np.asarray(around) * 64 + np.minimum(histogram, 63), axis=1)
    return best + 1, np.asarray(around)[np.arange(size), best] / histogram.sum(axis=1)


def _next_by_cycle(as_of: date) -> dict[str, int]:
    days = workdays()
    today = (as_of - EPOCH).days
    ends = [d for d in range(today + 1, today + 400) if days.last[d]]
    quarter = next(d for d in ends if days.month[d] % 3 == 2 and paid_on(_on(d)) > as_of)
    year = next(d for d in range(today + 1, today + 400) if days.year_end[d])
    return {
        "daily": today + 1,
        "quarter_end": (paid_on(_on(quarter)) - EPOCH).days,
        "year_end": (paid_on(_on(year)) - EPOCH).days if paid_on(_on(year)) > as_of else year,
    }


def _on(day: int) -> date:
    return EPOCH + timedelta(days=int(day))


def _bonuses(who: Ints, day: Ints, amount: Ints, size: int, as_of: date) -> tuple[Floats, ...]:
    """The month of the last year's largest receipt, and in how many years the largest came at that time of the year.

    "That time": at most a month away, or as near to the Spring Festival as 20 days, which moves between January and February.
    """
    days = workdays()
    ago = ((as_of - EPOCH).days - day) // 365
    largest: dict[int, tuple[Ints, Ints]] = {}
    for year in range(int(ago.max()) + 1):
        inside = np.flatnonzero(ago == year)
        order = inside[np.lexsort((day[inside], amount[inside], who[inside]))]
        last = order[np.append(who[order][1:] != who[order][:-1], True)] if len(order) else order
        largest[year] = (who[last], day[last])
    month, hits, chances = np.full(size, np.nan), np.zeros(size), np.zeros(size)
    latest = np.zeros(size, np.int64)
    owner, on = largest[0]
    month[owner], latest[owner] = days.month[on] % 12 + 1, on
    for owner, on in largest.values():
        apart = np.abs(days.month[on] - days.month[latest[owner]]) % 12
        same = np.minimum(apart, 12 - apart) <= 1
        festival = np.abs(days.to_new_year[on] - days.to_new_year[latest[owner]]) <= 20
        hits[owner] += same | festival
        chances[owner] += 1
    return month, np.where(np.isnan(month), np.nan, hits / (chances + 1))


def _distinct(who: Ints, what: Ints, size: int) -> Ints:
    """How many different values each customer has; rows sorted by customer and value."""
    new = np.ones(len(who), np.bool_)
    new[1:] = (who[1:] != who[:-1]) | (what[1:] != what[:-1])
    return np.bincount(who[new], minlength=size)
