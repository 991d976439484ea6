"""Conditions on what customers did, as SQL: one query of customers each, over the rows of canonical tables.

A window of d days ends with the business date, which it includes; rows after the business date count nowhere. Rows carry
a date and no order within the day. ``not_since``: after the last matching row no row of the other kind; one on the same
day counts as having followed it (whoever bought on the day they looked is not asked to buy). A row that itself matches
the behaviour never counts as one of the other kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

from sqlglot import exp

from kequn.core.segments.rule import DidRule, RowsRule, SequenceRule, TrendRule
from kequn.core.segments.settle import window
from kequn.core.segments.sql_core import (
    Target,
    compared,
    customers_of,
    days_between,
    either,
    joined,
    literal,
    negated,
    on_day,
    ordered,
    tested,
    whole,
    within,
)
from kequn.core.spec.period import Days
from kequn.core.spec.value import Value

LONG_AGO = date(1000, 1, 1)
DAY = "on_day"
MARKS = ("is_first", "is_then", "is_both", "is_other")


def behaviour(did: DidRule, target: Target) -> exp.Select:
    """Return the customers of a behaviour, each once where it has to be."""
    days = window(did.during, did.within_days, target.as_of)
    matching = _rows(did.rows, days, _tests(did.rows, target))
    conditions: list[exp.Expr] = []
    if did.at_least > 1:
        conditions.append(exp.GTE(this=exp.Count(this=exp.Star()), expression=whole(did.at_least)))
    if did.sum_of is not None and did.sum_at_least is not None:
        total = exp.Sum(this=_column(did.sum_of.name))
        conditions.append(exp.GTE(this=total, expression=literal(did.sum_at_least, did.sum_of.type)))
    if conditions or did.not_since:
        matching = matching.group_by(customers_of(target))
    if conditions:
        matching = matching.having(joined(exp.And, conditions))
    if did.not_since is None:
        return matching.select(customers_of(target))
    return _without_later(did, matching, days, target)


def _without_later(did: DidRule, matching: exp.Select, days: Days, target: Target) -> exp.Select:
    """Those who did and whose last row of the other kind is earlier than their last matching row, or is not there.

    Rows of the other kind before the window cannot follow a row in it; those after it, up to the business date, can.
    """
    assert did.not_since is not None
    tests = [*_tests(did.not_since, target), *_not_one_of(did.not_since, [did.rows], target)]
    other = _rows(did.not_since, Days(days.first, target.as_of), tests)
    last = matching.select(customers_of(target), exp.alias_(exp.Max(this=_on(did.rows)), "last_on"))
    later_on = exp.alias_(exp.Max(this=_on(did.not_since)), "last_on")
    later = other.select(customers_of(target), later_on).group_by(customers_of(target))
    earlier = exp.LT(
        this=exp.func("COALESCE", exp.column("last_on", table="later"), on_day(LONG_AGO)),
        expression=exp.column("last_on", table="did"),
    )
    same_customer = exp.EQ(this=customers_of(target, "later"), expression=customers_of(target, "did"))
    return (
        exp.select(customers_of(target, "did"))
        .from_(last.subquery("did"))
        .join(later.subquery("later"), on=same_customer, join_type="left")
        .where(earlier)
    )


def trend(rule: TrendRule, target: Target) -> exp.Select:
    """Return the customers whose figures of two periods stand in the ratio or differ by the amount."""
    during, against = cast(Days, rule.during), cast(Days, rule.against)
    either_period = joined(exp.Or, [_in(rule.rows, during), _in(rule.rows, against)])
    conditions = [exp.Paren(this=either_period), *_tests(rule.rows, target)]
    later, earlier = (_figure(rule, _in(rule.rows, days)) for days in (during, against))
    kind = rule.sum_of.type if rule.sum_of else "integer"
    return (
        _from(rule.rows)
        .where(joined(exp.And, conditions))
        .group_by(customers_of(target))
        .having(compared(rule.op, later, earlier, rule.ratio, rule.difference, kind))
        .select(customers_of(target))
    )


def _figure(rule: TrendRule, in_period: exp.Expr) -> exp.Expr:
    """The number of rows of a period, or the sum of a column over those that have a value in it."""
    nothing = exp.Literal.number(0)
    if rule.sum_of is None:
        return exp.Sum(this=either(in_period, exp.Literal.number(1), nothing))
    amount = exp.func("COALESCE", _column(rule.sum_of.name), nothing)
    return exp.Sum(this=either(in_period, amount, nothing.copy()))


def sequence(rule: SequenceRule, target: Target) -> exp.Select:
    """Return the customers who did the first and then the other, without the third in between.

    One row for each customer and day says which kinds it had. For a day with ``then`` the nearest day with ``first`` up
    to it is the only one that has to be looked at: no other is closer, and none has fewer rows in between.
    """
    daily = _daily(rule, target)
    before = _latest("is_first", "first_before", target, exclude_today=True)
    other = _latest("is_other", "other_on", target, exclude_today=False)
    columns = [customers_of(target), exp.column(DAY), *(exp.column(mark) for mark in MARKS[:3])]
    seen = exp.select(*columns, before, other).from_(daily.subquery("daily"))
    today = either(_is("is_first"), exp.column(DAY), exp.column("first_before"))
    follows = [
        exp.And(this=_is(mark), expression=_follows(rule.gap_days, first, target.dialect))
        for mark, first in (("is_then", today), ("is_both", exp.column("first_before")))
    ]
    return exp.select(customers_of(target)).from_(seen.subquery("seen")).where(joined(exp.Or, follows))


def _daily(rule: SequenceRule, target: Target) -> exp.Select:
    days = cast(Days, rule.during)
    parts = [_marked(rule.first, days, target, is_first=True)]
    both = _matches(rule.first, target) if rule.first.table == rule.then.table else exp.false()
    parts.append(_marked(rule.then, days, target, both=both))
    if rule.without:
        not_these = _not_one_of(rule.without, [rule.first, rule.then], target)
        parts.append(_marked(rule.without, days, target, *not_these, is_other=True))
    rows: exp.Query = parts[0]
    for part in parts[1:]:
        rows = exp.union(rows, part, distinct=False)
    marks = [exp.alias_(exp.Max(this=exp.column(mark)), mark) for mark in MARKS]
    return (
        exp.select(customers_of(target), exp.column(DAY), *marks)
        .from_(rows.subquery("marked"))
        .group_by(customers_of(target), exp.column(DAY))
    )


def _marked(
    rows: RowsRule,
    days: Days,
    target: Target,
    *more: exp.Expr,
    is_first: bool = False,
    both: exp.Expr | None = None,
    is_other: bool = False,
) -> exp.Select:
    """The customers and days of rows, with a 1 in the column of what they are; ``both``: which rows of then are first too."""
    one, none = exp.Literal.number(1), exp.Literal.number(0)
    values: list[exp.Expr] = [one if is_first else none, none, none, one if is_other else none]
    if both is not None:
        values[1], values[2] = either(both, none, one), either(both.copy(), one, none)
    marks = [exp.alias_(value.copy(), mark) for value, mark in zip(values, MARKS, strict=True)]
    columns = [customers_of(target), exp.alias_(_on(rows), DAY), *marks]
    return _rows(rows, days, [*_tests(rows, target), *more]).select(*columns)


def _latest(mark: str, name: str, target: Target, *, exclude_today: bool) -> exp.Expr:
    """The latest day with a mark, up to a row's day or before it."""
    end = {"end": "1", "end_side": "PRECEDING"} if exclude_today else {"end": "CURRENT ROW"}
    frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", **end)
    latest = exp.Window(
        this=exp.Max(this=either(_is(mark), exp.column(DAY))),
        partition_by=[customers_of(target)],
        order=exp.Order(expressions=[ordered(exp.column(DAY), target.dialect)]),
        spec=frame,
    )
    return exp.alias_(latest, name)


def _follows(gap_days: int, first: exp.Expr, dialect: str) -> exp.Expr:
    """Near enough to ``first``, which is there, and later than every row that must not come between."""
    apart = days_between(exp.column(DAY), exp.Paren(this=first) if isinstance(first, exp.Case) else first, dialect)
    near = exp.LTE(this=apart, expression=whole(gap_days))
    other = exp.func("COALESCE", exp.column("other_on"), on_day(LONG_AGO))
    return exp.And(this=near, expression=exp.LT(this=other, expression=first.copy()))


def _is(mark: str) -> exp.Expr:
    return exp.EQ(this=exp.column(mark), expression=exp.Literal.number(1))


def _not_one_of(rows: RowsRule, others: Sequence[RowsRule], target: Target) -> list[exp.Expr]:
    """Conditions that a row is not also one of other kinds of its own table."""
    return [negated(_matches(other, target)) for other in others if other.table == rows.table]


def _matches(rows: RowsRule, target: Target) -> exp.Expr:
    """Whether a row of the table meets every test; never NULL."""
    return exp.func("COALESCE", joined(exp.And, _tests(rows, target)), exp.false())


def _rows(rows: RowsRule, days: Days, tests: list[exp.Expr]) -> exp.Select:
    """FROM and WHERE of the rows in the window that meet the tests; the caller says what to select."""
    return _from(rows).where(joined(exp.And, [_in(rows, days), *tests]))


def _from(rows: RowsRule) -> exp.Select:
    return exp.select().from_(exp.Table(this=exp.to_identifier(rows.table.name, quoted=True)))


def _in(rows: RowsRule, days: Days) -> exp.Expr:
    return within(_on(rows), days.first, days.last)


def _tests(rows: RowsRule, target: Target) -> list[exp.Expr]:
    """A test on nothing is unknown, and a WHERE takes that for false."""
    return [
        tested(_column(t.column.name), t.column.type, t.op, cast(tuple[Value, ...], t.values), target.dialect)
        for t in rows.tests
    ]


def _on(rows: RowsRule) -> exp.Column:
    return _column(rows.table.on or "")


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))
