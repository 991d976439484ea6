"""A rule as SQL: one sqlglot tree over the restricted core, the same for every engine.

The rules of the core: no value is ever joined into text; each test on a tag is ``COALESCE(test, FALSE)``; dates are
computed beforehand, so that no engine's date arithmetic matters; no NULL in lists; no test on the key of an outer join.
Where an engine may refuse subqueries inside AND, OR and NOT, each becomes an outer join on a column ``hit``.
"""

from __future__ import annotations

import threading
from datetime import date
from typing import cast

from sqlglot import exp

from kequn.core.segments.rule import (
    AnyRule,
    ChangeRule,
    DidRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    RankRule,
    Rule,
    SequenceRule,
    TagRule,
    ThenRule,
    TrendRule,
    WasRule,
    YearlyRule,
    steps,
)
from kequn.core.segments.settle import settled
from kequn.core.segments.sql_core import (
    TAGS,
    Target,
    among,
    customers_of,
    joined,
    known,
    negated,
    on_day,
    snapshot_name,
    tags_of,
    tested,
    with_joins,
    yearly_test,
)
from kequn.core.segments.sql_rows import behaviour, sequence, trend
from kequn.core.segments.sql_tags import changed, customers_where, placed
from kequn.core.spec.value import Value

__all__ = [
    "DIALECTS",
    "EXECUTED",
    "TAGS",
    "Target",
    "joined",
    "members_query",
    "negated",
    "on_day",
    "predicate",
    "rendered",
]

DIALECTS = ("duckdb", "postgres", "spark", "hive", "doris", "starrocks")
EXECUTED = ("duckdb", "postgres")
"""Where the SQL was run and its members compared; for the others it is emitted by the same rules, but not executed."""


def predicate(rule: Rule, target: Target) -> exp.Expr:
    """Return a boolean over a row of ``customer_tags``: true for members, false for all others, never NULL."""
    return _holds(settled(rule, target.as_of, dates=target.dates), target)


def members_query(rule: Rule, target: Target) -> exp.Select:
    """Return the SELECT of the members over the logical views; a top-level ``all`` is one condition after another."""
    table, on_date = tags_of(target, target.as_of)
    conditions = [*on_date, *(predicate(step, target) for step in steps(rule))]
    query = exp.select(customers_of(target, TAGS)).from_(table)
    return with_joins(query, target).where(joined(exp.And, conditions))


def rendered(query: exp.Expr, *, dialect: str, pretty: bool = False) -> str:
    """Return the SQL text.

    sqlglot's generator recurses; a thread of its own gives it a whole stack, so that the depth that is accepted does
    not depend on how deep the caller already is.
    """
    text: list[str] = []
    thread = threading.Thread(target=lambda: text.append(query.sql(dialect=dialect, pretty=pretty)))
    thread.start()
    thread.join()
    return text[0]


def _holds(rule: Rule, target: Target) -> exp.Expr:
    match rule:
        case TagRule(tag=tag, op=op, values=values):
            test = tested(exp.column(tag.name), tag.type, op, cast(tuple[Value, ...], values), target.dialect)
            return known(test, op)
        case YearlyRule(tag=tag, ranges=ranges):
            return exp.func("COALESCE", yearly_test(exp.column(tag.name), ranges), exp.false())
        case MemberRule(rule=inner):
            return _holds(inner, target)
        case EveryRule(parts=parts):
            return joined(exp.And, [_holds(part, target) for part in parts])
        case AnyRule(parts=parts):
            return joined(exp.Or, [_holds(part, target) for part in parts])
        case NotRule(part=NotRule(part=part)):
            return _holds(part, target)
        case NotRule(part=part):
            return negated(_holds(part, target))
        case _:
            return among(_customers(rule, target), target)


def _customers(rule: Rule, target: Target) -> exp.Select:
    """The customers of a condition that the tags of today do not answer."""
    match rule:
        case DidRule():
            return behaviour(rule, target)
        case SequenceRule():
            return sequence(rule, target)
        case TrendRule():
            return trend(rule, target)
        case ThenRule(test=test, on=on):
            then = target.inner(cast(date, on))
            return customers_where(_holds(test, then), then)
        case ChangeRule():
            return changed(rule, target)
        case RankRule(among=base):
            inner = target.inner()
            return placed(rule, None if base is None else _holds(base, inner), inner)
        case WasRule():
            return _were_members(rule, target)
        case ListRule(name=name):
            return exp.select(customers_of(target)).from_(exp.to_table(f"list_{name}"))
    raise TypeError(type(rule).__name__)


def _were_members(rule: WasRule, target: Target) -> exp.Select:
    """The members at hand for that day; else they are found again, by the tags and rows of that day."""
    day = cast(date, rule.on)
    if (rule.name, day) in target.snapshots:
        return exp.select(customers_of(target)).from_(exp.to_table(snapshot_name(rule.name, day)))
    inner = target.inner(day)
    return customers_where(_holds(rule.rule, inner), inner)
