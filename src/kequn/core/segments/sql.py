"""A rule as SQL: one sqlglot tree over the restricted core, the same for every engine.

The rules of the core: no value is ever joined into text; each test on a tag is ``COALESCE(test, FALSE)``; dates are
computed beforehand, so that no engine's date arithmetic matters; no NULL in lists; no test on the key of an outer join.

A window of d days ends with the business date, which it includes; rows after the business date count nowhere.
``not_since``: after the last matching row no row of the other kind. Rows carry a date, not an order within the day, so
a row of the other kind on the same day as the last matching row counts as having followed it (whoever bought on the day
they looked is not asked to buy); a row that itself matches the behaviour never counts as one of the other kind.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlglot import exp

from kequn.core.segments.rule import (
    AnyRule,
    ColumnRule,
    DidRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    RowsRule,
    Rule,
    TagRule,
)
from kequn.core.spec.segment import TestOp
from kequn.core.spec.value import Value

TAGS = "customer_tags"
ESCAPE = "!"
LONG_AGO = date(1000, 1, 1)
COMPARE: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the SQL will run: the column that names a customer, the business date, and the dialect."""

    customer: str
    as_of: date
    dialect: str = "duckdb"


def predicate(rule: Rule, target: Target) -> exp.Expr:
    """Return a boolean over a row of ``customer_tags``: true for members, false for all others, never NULL."""
    match rule:
        case TagRule():
            return _known(
                _test(exp.column(rule.tag.name), rule.tag.type, rule.op, rule.values, target.dialect), rule.op
            )
        case DidRule():
            return _among(_behaviour(rule, target), target)
        case ListRule(name=name):
            listed = exp.select(_customer(target)).from_(exp.to_table(f"list_{name}"))
            return _among(listed, target)
        case MemberRule(rule=inner):
            return predicate(inner, target)
        case EveryRule(parts=parts):
            return joined(exp.And, [predicate(part, target) for part in parts])
        case AnyRule(parts=parts):
            return joined(exp.Or, [predicate(part, target) for part in parts])
        case NotRule(part=NotRule(part=part)):
            return predicate(part, target)
        case NotRule(part=part):
            return negated(predicate(part, target))


def joined(connective: type[exp.Connector], parts: Sequence[exp.Expr]) -> exp.Expr:
    """Return the parts joined by AND or OR as a balanced tree: 500 of them are nine levels deep, not 500."""
    if not parts:
        return exp.true() if connective is exp.And else exp.false()
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = joined(connective, parts[:half]), joined(connective, parts[half:])
    return connective(this=_apart(left, connective), expression=_apart(right, connective))


def negated(part: exp.Expr) -> exp.Expr:
    """Return NOT of a two-valued expression."""
    return exp.Not(this=exp.Paren(this=part) if isinstance(part, exp.Connector | exp.Not | exp.In) else part)


def on_day(day: date) -> exp.Expr:
    """Return a date as a literal that every dialect reads the same way."""
    return exp.cast(exp.Literal.string(day.isoformat()), "DATE")


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


def _apart(part: exp.Expr, connective: type[exp.Connector]) -> exp.Expr:
    mixed = isinstance(part, exp.Connector) and not isinstance(part, connective)
    return exp.Paren(this=part) if mixed else part


def _known(test: exp.Expr, op: TestOp) -> exp.Expr:
    """A test on nothing is false; the null tests are two-valued as they are."""
    return test if op in ("known", "unknown") else exp.func("COALESCE", test, exp.false())


def _among(customers: exp.Select, target: Target) -> exp.Expr:
    """Neither side is ever NULL, so IN is two-valued here."""
    return exp.In(this=exp.column(target.customer, table=TAGS), query=exp.Subquery(this=customers))


def _customer(target: Target, table: str | None = None) -> exp.Column:
    return exp.column(target.customer, table=table)


def _test(column: exp.Expr, type: str, op: TestOp, values: tuple[Value, ...], dialect: str) -> exp.Expr:
    if op == "known":
        return exp.Not(this=exp.Is(this=column, expression=exp.null()))
    if op == "unknown":
        return exp.Is(this=column, expression=exp.null())
    if type == "timestamp" and not isinstance(values[0], datetime):
        column = exp.cast(column, "DATE")
    literals = [_literal(v, type) for v in values]
    if op == "between":
        return exp.Between(this=column, low=literals[0], high=literals[1])
    if type == "list":
        return _overlaps(column, literals, dialect)
    if op == "in":
        return exp.In(this=column, expressions=literals)
    if op == "contains":
        return _substring(column, str(values[0]))
    return COMPARE[op](this=column, expression=literals[0])


def _overlaps(column: exp.Expr, elements: list[exp.Expr], dialect: str) -> exp.Expr:
    if dialect == "postgres":
        return exp.ArrayOverlaps(this=column, expression=exp.Array(expressions=elements))
    contains = [exp.ArrayContains(this=column.copy(), expression=element) for element in elements]
    return joined(exp.Or, contains)


def _substring(column: exp.Expr, text: str) -> exp.Expr:
    literal = text
    for special in (ESCAPE, "%", "_"):
        literal = literal.replace(special, ESCAPE + special)
    like = exp.Like(this=column, expression=exp.Literal.string(f"%{literal}%"))
    return exp.Escape(this=like, expression=exp.Literal.string(ESCAPE)) if literal != text else like


def _literal(value: Value, type: str) -> exp.Expr:
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "TIMESTAMP")
    if isinstance(value, date):
        return on_day(value)
    if isinstance(value, str):
        return exp.Literal.string(value)
    number = exp.Literal.number(f"{abs(Decimal(value)):f}")
    signed: exp.Expr = exp.Neg(this=number) if value < 0 else number
    return exp.cast(signed, "DOUBLE") if type == "number" else signed


def _behaviour(did: DidRule, target: Target) -> exp.Select:
    """The customers of a behaviour, each once where it has to be."""
    start = target.as_of - timedelta(days=did.within_days - 1)
    matching = _rows(did.rows, start, target, _tests(did.rows, target.dialect))
    conditions: list[exp.Expr] = []
    if did.at_least > 1:
        conditions.append(exp.GTE(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(did.at_least)))
    if did.sum_of is not None and did.sum_at_least is not None:
        total = exp.Sum(this=_column(did.sum_of.name))
        conditions.append(exp.GTE(this=total, expression=_literal(did.sum_at_least, did.sum_of.type)))
    if conditions or did.not_since:
        matching = matching.group_by(_customer(target))
    if conditions:
        matching = matching.having(joined(exp.And, conditions))
    if did.not_since is None:
        return matching.select(_customer(target))
    return _without_later(did, matching, start, target)


def _without_later(did: DidRule, matching: exp.Select, start: date, target: Target) -> exp.Select:
    """Those who did and whose last row of the other kind is earlier than their last matching row, or is not there.

    Rows of the other kind before the window cannot follow a row in it, so both sides read the same days.
    """
    assert did.not_since is not None
    tests = _tests(did.not_since, target.dialect)
    if did.not_since.table == did.rows.table:
        matches = joined(exp.And, _tests(did.rows, target.dialect))
        tests.append(negated(exp.func("COALESCE", matches, exp.false())))
    other = _rows(did.not_since, start, target, tests)
    on = did.rows.table.on or ""
    last = matching.select(_customer(target), exp.alias_(exp.Max(this=_column(on)), "last_on"))
    later_on = exp.alias_(exp.Max(this=_column(did.not_since.table.on or "")), "last_on")
    later = other.select(_customer(target), later_on).group_by(_customer(target))
    earlier = exp.LT(
        this=exp.func("COALESCE", exp.column("last_on", table="later"), on_day(LONG_AGO)),
        expression=exp.column("last_on", table="did"),
    )
    same_customer = exp.EQ(this=_customer(target, "later"), expression=_customer(target, "did"))
    return (
        exp.select(_customer(target, "did"))
        .from_(last.subquery("did"))
        .join(later.subquery("later"), on=same_customer, join_type="left")
        .where(earlier)
    )


def _rows(rows: RowsRule, start: date, target: Target, tests: list[exp.Expr]) -> exp.Select:
    """FROM and WHERE of the rows in the window that meet the tests; the caller says what to select."""
    window = exp.Between(this=_column(rows.table.on or ""), low=on_day(start), high=on_day(target.as_of))
    table = exp.Table(this=exp.to_identifier(rows.table.name, quoted=True))
    return exp.select().from_(table).where(joined(exp.And, [window, *tests]))


def _tests(rows: RowsRule, dialect: str) -> list[exp.Expr]:
    return [_column_test(test, dialect) for test in rows.tests]


def _column_test(test: ColumnRule, dialect: str) -> exp.Expr:
    """A test on nothing is unknown, and a WHERE takes that for false."""
    return _test(_column(test.column.name), test.column.type, test.op, test.values, dialect)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))
