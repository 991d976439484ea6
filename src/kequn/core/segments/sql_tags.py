"""Conditions on tags of other days and other customers, as SQL: one query of customers each, over the whole bank."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import cast

from sqlglot import exp

from kequn.core.segments.rule import ChangeRule, RankRule
from kequn.core.segments.sql_core import (
    TAGS,
    Target,
    compared,
    customers_of,
    joined,
    ordered,
    tags_of,
    whole,
    wide,
    with_joins,
)

NOW, EARLIER = "today", "earlier"


def customers_where(holds: exp.Expr, target: Target) -> exp.Select:
    """Return the customers of the whole bank on the target's date for whom a condition holds."""
    table, on_date = tags_of(target, target.as_of)
    query = exp.select(customers_of(target, TAGS)).from_(table)
    return with_joins(query, target).where(joined(exp.And, [*on_date, holds]))


def changed(rule: ChangeRule, target: Target) -> exp.Select:
    """Return the customers whose tag changed so; those without a value on either date are not among them."""
    later, now = tags_of(target, target.as_of, NOW)
    earlier, then = tags_of(target, cast(date, rule.since), EARLIER)
    value: exp.Expr = exp.column(rule.tag.name, table=NOW)
    before: exp.Expr = exp.column(rule.tag.name, table=EARLIER)
    if rule.tag.type != "number":
        value, before = wide(value, target.dialect), wide(before, target.dialect)
    same = exp.EQ(this=customers_of(target, EARLIER), expression=customers_of(target, NOW))
    holds = compared(rule.op, value, before, rule.ratio, rule.difference, rule.tag.type)
    return (
        exp.select(customers_of(target, NOW))
        .from_(later)
        .join(earlier, on=same, join_type="inner")
        .where(joined(exp.And, [*now, *then, holds]))
    )


def placed(rule: RankRule, holds: exp.Expr | None, inner: Target) -> exp.Select:
    """Return the customers whose place by a tag is as asked, among those for whom ``holds``.

    A place is 1 + the number of customers with a better value, so that equal values share it.
    """
    table, on_date = tags_of(inner, inner.as_of)
    has_value = exp.Not(this=exp.Is(this=exp.column(rule.tag.name), expression=exp.null()))
    order = ordered(exp.column(rule.tag.name), inner.dialect, desc=rule.by in ("top", "top_percent"))
    place = exp.Window(this=exp.Anonymous(this="RANK"), order=exp.Order(expressions=[order]))
    ranked = exp.Window(this=exp.Count(this=exp.Star()))
    query = exp.select(customers_of(inner, TAGS), exp.alias_(place, "place"), exp.alias_(ranked, "ranked"))
    conditions = [*on_date, has_value, *([] if holds is None else [holds])]
    placed = with_joins(query.from_(table), inner).where(joined(exp.And, conditions))
    return exp.select(customers_of(inner)).from_(placed.subquery("placed")).where(_place_test(rule))


def _place_test(rule: RankRule) -> exp.Expr:
    place, ranked = exp.column("place"), exp.column("ranked")
    if rule.by in ("top", "bottom"):
        return exp.LTE(this=place, expression=whole(int(rule.amounts[0])))
    better = exp.Sub(this=place, expression=exp.Literal.number(1))
    share = exp.Mul(this=exp.Paren(this=better), expression=exp.Literal.number(10_000))

    def of_all(percent: Decimal) -> exp.Expr:
        return exp.Mul(this=ranked.copy(), expression=whole(int(percent * 100)))

    if rule.by != "percentile":
        return exp.LT(this=share, expression=of_all(rule.amounts[0]))
    low, high = rule.amounts
    tests: list[exp.Expr] = [exp.GTE(this=share, expression=of_all(low))]
    if high < 100:
        tests.append(exp.LT(this=share.copy(), expression=of_all(high)))
    return joined(exp.And, tests)
