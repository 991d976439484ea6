"""Days and periods told from the business date: leap days, month ends, year ends, and what cannot be read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.spec.period import Days, Rolling, Whole, plus, read_day, read_period, yearly

DATES = st.dates(date(1990, 1, 1), date(2100, 12, 31))
LEAP = date(2028, 2, 29)


@pytest.mark.parametrize(
    ("text", "as_of", "first", "last"),
    [
        ("last 30 days", "2026-06-30", "2026-06-01", "2026-06-30"),
        ("last 1 day", "2026-06-30", "2026-06-30", "2026-06-30"),
        ("next 30 days", "2026-06-30", "2026-07-01", "2026-07-30"),
        ("last 2 weeks", "2026-06-30", "2026-06-17", "2026-06-30"),
        ("last 1 month", "2026-03-31", "2026-03-01", "2026-03-31"),
        ("last 1 month", "2026-02-28", "2026-01-29", "2026-02-28"),
        ("next 1 month", "2026-01-31", "2026-02-01", "2026-02-28"),
        ("next 1 month", "2028-01-31", "2028-02-01", "2028-02-29"),
        ("last 1 year", "2028-02-29", "2027-03-01", "2028-02-29"),
        ("this month", "2028-02-29", "2028-02-01", "2028-02-29"),
        ("last month", "2026-03-31", "2026-02-01", "2026-02-28"),
        ("next month", "2026-12-31", "2027-01-01", "2027-01-31"),
        ("this week", "2026-06-30", "2026-06-29", "2026-07-05"),
        ("last week", "2026-01-01", "2025-12-22", "2025-12-28"),
        ("this quarter", "2026-06-30", "2026-04-01", "2026-06-30"),
        ("last quarter", "2026-01-15", "2025-10-01", "2025-12-31"),
        ("last half", "2026-06-30", "2025-07-01", "2025-12-31"),
        ("last year", "2026-06-30", "2025-01-01", "2025-12-31"),
        ("yesterday", "2026-03-01", "2026-02-28", "2026-02-28"),
        ("2026-01-01 to 2026-01-31", "2026-06-30", "2026-01-01", "2026-01-31"),
    ],
)
def test_a_period_has_these_days(text: str, as_of: str, first: str, last: str):
    found = read_period(text).days(date.fromisoformat(as_of))
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    ("text", "as_of", "day"),
    [
        ("today", LEAP, "2028-02-29"),
        ("1 year ago", LEAP, "2027-02-28"),
        ("in 1 month", date(2026, 1, 31), "2026-02-28"),
        ("3 months ago", date(2026, 5, 31), "2026-02-28"),
        ("end of last month", date(2028, 3, 31), "2028-02-29"),
        ("start of this quarter", date(2026, 6, 30), "2026-04-01"),
        ("end of this year", LEAP, "2028-12-31"),
    ],
)
def test_a_day_is_this_one(text: str, as_of: date, day: str):
    found = read_day(text)
    assert not isinstance(found, date)
    assert found.on(as_of).isoformat() == day


@given(as_of=DATES, count=st.integers(1, 60), unit=st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_last_and_next_lie_side_by_side_and_the_one_before_joins_on(as_of: date, count: int, unit: str):
    last, after = Rolling(unit, count), Rolling(unit, count, is_next=True)
    assert last.days(as_of).last == as_of
    assert after.days(as_of).first == as_of + timedelta(1)
    assert last.before().days(as_of).last + timedelta(1) == last.days(as_of).first


@given(
    as_of=DATES, offset=st.integers(-30, 30), unit=st.sampled_from(["day", "week", "month", "quarter", "half", "year"])
)
def test_calendar_periods_follow_one_another_without_a_gap(as_of: date, offset: int, unit: str):
    here, following = Whole(unit, offset).days(as_of), Whole(unit, offset + 1).days(as_of)
    assert here.first <= here.last
    assert here.last + timedelta(1) == following.first
    assert Whole(unit, offset).before().days(as_of).last + timedelta(1) == here.first


@given(day=DATES, months=st.integers(-240, 240))
def test_a_month_on_is_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int):
    found = plus(day, months, "month")
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == months
    assert found.day == day.day or (found.day < day.day and (found + timedelta(1)).day == 1)


@given(first=DATES, length=st.integers(0, 500), birthday=DATES)
def test_an_anniversary_falls_into_a_period_when_one_of_its_days_is_that_day(first: date, length: int, birthday: date):
    days = Days(first, first + timedelta(length))
    inside = any(low <= birthday.month * 100 + birthday.day <= high for low, high in yearly(days))
    held = {plus(birthday, year - birthday.year, "year") for year in range(first.year, first.year + 3)}
    assert inside == any(days.first <= day <= days.last for day in held)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("last 30 dys", "Did you mean 'last 30 days'"),
        ("lst quarter", "Did you mean 'last quarter'"),
        ("last 0 days", "from 1 to 3660 days"),
        ("last 5000 days", "from 1 to 3660 days"),
        ("2026-02-30 to 2026-03-01", "not a date"),
        ("2026-03-01 to 2026-02-01", "ends before it begins"),
        ("0001-01-01 to 0001-02-01", "between 1900 and 2200"),
        ("1990-01-01 to 2020-01-01", "at most 3660 days"),
        ("soon", "is not a period. Periods: last 30 days"),
        ("x" * 5000, "is not a period"),
        ("", "is not a period"),
    ],
)
def test_what_is_no_period_is_refused_with_what_was_meant(text: str, words: str):
    with pytest.raises(ValueError, match=r"period|date|begins") as caught:
        read_period(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["last 30 days", "30 days", "in day 3", "end of month", "2026-13-01", "ago"])
def test_what_is_no_day_is_refused(text: str):
    with pytest.raises(ValueError, match=r"day|date"):
        read_day(text)
