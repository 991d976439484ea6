"""A rule for one business date: ``30 days ago`` and ``this month`` become days, and what is only short for more is spelt out.

What is left is the core that every engine answers: tests with plain values, windows with a first and a last day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, cast

from kequn.core.errors import NoData
from kequn.core.segments.rule import (
    AnyRule,
    ChangeRule,
    ColumnRule,
    DidRule,
    EveryRule,
    MemberRule,
    NotRule,
    RankRule,
    RowsRule,
    Rule,
    SequenceRule,
    TagRule,
    ThenRule,
    Told,
    TrendRule,
    WasRule,
    YearlyRule,
)
from kequn.core.spec.period import Away, Day, Days, Edge, Period, yearly

LEAP_YEAR = 2028


def settled(rule: Rule, as_of: date, *, dates: Collection[date] | None = None) -> Rule:
    """Return the rule for a business date.

    Args:
        dates: the business dates there are tags for. An earlier day then means the last of them up to it; without
            them it means itself.

    Raises:
        NoData: there are no tags for an earlier day that the rule asks about.
    """
    return _Settling(as_of, tuple(sorted(dates)) if dates is not None else None).rule(rule)


def window(period: Period | Days | None, within_days: int | None, as_of: date) -> Days:
    """Return the first and the last day of a window of the past; it never goes beyond the business date."""
    if within_days is not None:
        return Days(as_of - timedelta(days=within_days - 1), as_of)
    assert period is not None
    days = period if isinstance(period, Days) else period.days(as_of)
    return Days(days.first, min(days.last, as_of))


@dataclass(frozen=True, slots=True)
class _Settling:
    as_of: date
    dates: tuple[date, ...] | None

    def rule(self, rule: Rule) -> Rule:
        match rule:
            case TagRule():
                return self.test(rule)
            case ThenRule(test=test, on=on):
                there = self.at(on)
                return replace(rule, test=there.rule(test), on=there.as_of)
            case ChangeRule(since=since):
                return replace(rule, since=self.at(since).as_of)
            case RankRule(among=among) if among is not None:
                return replace(rule, among=self.rule(among))
            case DidRule():
                return self.did(rule)
            case SequenceRule(first=first, then=then, without=other, during=during):
                between = self.rows(other) if other else None
                days = window(during, None, self.as_of)
                return replace(rule, first=self.rows(first), then=self.rows(then), without=between, during=days)
            case TrendRule(rows=rows, during=during, against=against):
                days, before = window(during, None, self.as_of), window(against, None, self.as_of)
                return replace(rule, rows=self.rows(rows), during=days, against=before)
            case MemberRule(rule=inner):
                return replace(rule, rule=self.rule(inner))
            case WasRule(rule=inner, on=on):
                there = self.at(on)
                return replace(rule, rule=there.rule(inner), on=there.as_of)
            case EveryRule(parts=parts) | AnyRule(parts=parts):
                return replace(rule, parts=tuple(map(self.rule, parts)))
            case NotRule(part=part):
                return NotRule(rule.path, self.rule(part))
            case _:
                return rule

    def at(self, day: Day | date) -> _Settling:
        """Settle for an earlier day: for the last business date up to it."""
        wanted = day if isinstance(day, date) else day.on(self.as_of)
        if self.dates is None:
            return replace(self, as_of=wanted)
        place = bisect_right(self.dates, wanted)
        if not place:
            earliest = self.dates[0].isoformat() if self.dates else "none"
            hint = f"The earliest tags are of: {earliest}. Run `kequn tag refresh --as-of {wanted}`."
            raise NoData(f"No tags for {wanted} or before.", hint=hint, as_of=str(wanted))
        return replace(self, as_of=self.dates[place - 1])

    def test(self, rule: TagRule) -> Rule:
        op, values = rule.op, rule.values
        if op == "contains_all":
            return EveryRule(rule.path, tuple(TagRule(rule.path, rule.tag, "contains", (v,)) for v in values))
        if op == "anniversary":
            ranges = yearly(cast(Period, values[0]).days(self.as_of))
            if rule.tag.type == "text":
                return TagRule(rule.path, rule.tag, "in", _month_days(ranges))
            return YearlyRule(rule.path, rule.tag, ranges)
        op, values = self.plain(rule)
        return replace(rule, op=op, values=values)

    def plain(self, rule: TagRule | ColumnRule) -> tuple[Any, tuple[Told, ...]]:
        """The test and its values without any that is told from the business date."""
        if rule.op == "during":
            days = cast(Period, rule.values[0]).days(self.as_of)
            return "between", (days.first, days.last)
        return rule.op, tuple(v.on(self.as_of) if isinstance(v, Away | Edge) else v for v in rule.values)

    def rows(self, rows: RowsRule) -> RowsRule:
        def settled_test(test: ColumnRule) -> ColumnRule:
            op, values = self.plain(test)
            return replace(test, op=op, values=values)

        return replace(rows, tests=tuple(map(settled_test, rows.tests)))

    def did(self, rule: DidRule) -> DidRule:
        other = self.rows(rule.not_since) if rule.not_since else None
        rule = replace(rule, rows=self.rows(rule.rows), not_since=other)
        if rule.during is None:
            return rule
        days = window(rule.during, None, self.as_of)
        if days.last < self.as_of:
            return replace(rule, during=days)
        return replace(rule, during=None, within_days=max((self.as_of - days.first).days + 1, 0))


def _month_days(ranges: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """The days of the year in ranges as a text tag has them: 06-30."""
    first = date(LEAP_YEAR, 1, 1)
    year = [first + timedelta(days=n) for n in range(366)]
    inside = (day for day in year if any(low <= day.month * 100 + day.day <= high for low, high in ranges))
    return tuple(f"{day:%m-%d}" for day in inside)
