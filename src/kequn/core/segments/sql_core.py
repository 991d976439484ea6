"""What every piece of a rule's SQL is made of: where it will run, tests, literals, and the few words dialects differ in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from sqlglot import exp

from kequn.core.spec.segment import TestOp
from kequn.core.spec.value import Value

TAGS = "customer_tags"
ESCAPE = "!"
WITH_LIKE_ESCAPE = ("duckdb", "postgres")
"""Where LIKE takes an ESCAPE; elsewhere a part of a text is looked for by its position, which has no wildcards."""
SUBTRACTS_DAYS = ("duckdb", "postgres")
"""Where a date minus a date is a number of days."""
NULLS_LAST = {"duckdb": (True, True), "postgres": (True, False)}
"""Whether an engine puts nulls last when (ascending, descending); others: (False, True)."""
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
    """Where the SQL will run: the column that names a customer, the business date, and the dialect.

    Where customers are ordinals it is the store's own engine; else the logical views.
    """

    customer: str
    as_of: date
    dialect: str = "duckdb"
    dates: Collection[date] | None = None
    """The business dates that have tags; ``None``: not known, so that an earlier day means itself."""
    snapshots: Collection[tuple[str, date]] = ()
    """Segment and business date whose members are at hand, under `snapshot_name`."""
    joins: list[exp.Select] | None = field(default=None, compare=False)
    """Collects the subqueries that are to be joined; ``None``: they stay where they stand."""

    def inner(self, as_of: date | None = None) -> Target:
        """Return the target for a query inside this one."""
        return replace(self, as_of=as_of or self.as_of, joins=None if self.joins is None else [])


def tags_name(day: date) -> str:
    """Return the name under which the engine finds the tags of the whole bank on a business date."""
    return f"tags_{day:%Y%m%d}"


def snapshot_name(segment: str, day: date) -> str:
    """Return the name under which the engine finds the members a segment had on a business date."""
    return f"members_{segment}_{day:%Y%m%d}"


def tags_of(target: Target, day: date, alias: str = TAGS) -> tuple[exp.Table, list[exp.Expr]]:
    """Return the tags of the whole bank on a day as a table named ``alias``, and the conditions on its rows."""
    if target.customer == "ordinal":
        return exp.to_table(tags_name(day), alias=alias), []
    on_date = exp.EQ(this=exp.column("as_of", table=alias), expression=on_day(day))
    return exp.to_table(TAGS, alias=None if alias == TAGS else alias), [on_date]


def customers_of(target: Target, table: str | None = None) -> exp.Column:
    """Return the column that names a customer."""
    return exp.column(target.customer, table=table)


def among(customers: exp.Select, target: Target) -> exp.Expr:
    """Return whether the customer of a row is among those of a query. Neither side is ever NULL: it is two-valued."""
    if target.joins is None:
        return exp.In(this=customers_of(target, TAGS), query=exp.Subquery(this=customers))
    target.joins.append(customers)
    hit = exp.func("COALESCE", exp.column("hit", table=f"leaf_{len(target.joins)}"), exp.Literal.number(0))
    return exp.EQ(this=hit, expression=exp.Literal.number(1))


def with_joins(query: exp.Select, target: Target) -> exp.Select:
    """Return a query over ``customer_tags`` with the subqueries that its conditions collected joined to it."""
    for number, customers in enumerate(target.joins or (), start=1):
        found, leaf = f"found_{number}", f"leaf_{number}"
        hit = exp.alias_(exp.Literal.number(1), "hit")
        each_once = exp.select(customers_of(target, found), hit).distinct().from_(customers.subquery(found))
        same = exp.EQ(this=customers_of(target, leaf), expression=customers_of(target, TAGS))
        query = query.join(each_once.subquery(leaf), on=same, join_type="left")
    return query


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
    return exp.Not(this=exp.Paren(this=part) if isinstance(part, exp.Connector | exp.Not | exp.In | exp.EQ) else part)


def whole(number: int) -> exp.Expr:
    """Return a whole number as a literal."""
    literal = exp.Literal.number(abs(number))
    return exp.Neg(this=literal) if number < 0 else literal


def on_day(day: date) -> exp.Expr:
    """Return a date as a literal that every dialect reads the same way."""
    return exp.cast(exp.Literal.string(day.isoformat()), "DATE")


def within(column: exp.Expr, first: date, last: date) -> exp.Expr:
    """Return whether a date lies between two days, both included."""
    return exp.Between(this=column, low=on_day(first), high=on_day(last))


def days_between(later: exp.Expr, earlier: exp.Expr, dialect: str) -> exp.Expr:
    """Return the number of days from one date to another."""
    if dialect in SUBTRACTS_DAYS:
        return exp.Sub(this=later, expression=earlier)
    return exp.Anonymous(this="DATEDIFF", expressions=[later, earlier])


def ordered(column: exp.Expr, dialect: str, *, desc: bool = False) -> exp.Ordered:
    """Return a column to order by that is never null, so that no engine has to be told where nulls go."""
    last = NULLS_LAST.get(dialect, (False, True))[desc]
    return exp.Ordered(this=column, desc=desc, nulls_first=not last)


def either(condition: exp.Expr, then: exp.Expr, otherwise: exp.Expr | None = None) -> exp.Case:
    """Return ``CASE WHEN condition THEN then ELSE otherwise END``."""
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


def wide(number: exp.Expr, dialect: str) -> exp.Expr:
    """Return a whole number in a type in which it can be multiplied by a ratio's two sides."""
    return exp.cast(number, {"duckdb": "INT128", "postgres": "DECIMAL"}.get(dialect, "BIGINT"))


def compared(
    op: str, later: exp.Expr, earlier: exp.Expr, ratio: Decimal | None, difference: Value | None, type: str
) -> exp.Expr:
    """Return whether two figures stand in a ratio or differ by an amount; never NULL where neither figure is.

    Whole numbers are multiplied, not divided: nothing is rounded, and nothing is divided by zero.
    """
    if ratio is None:
        assert difference is not None
        return COMPARE[op](this=exp.Sub(this=later, expression=earlier), expression=literal(difference, type))
    above_zero = exp.GT(this=earlier.copy(), expression=exp.Literal.number(0))
    if type == "number":
        times = exp.Mul(this=literal(ratio, "number"), expression=earlier)
        return exp.And(this=above_zero, expression=COMPARE[op](this=later, expression=times))
    upper, lower = ratio.as_integer_ratio()
    left = exp.Mul(this=later, expression=whole(lower)) if lower != 1 else later
    right = exp.Mul(this=earlier, expression=whole(upper)) if upper != 1 else earlier
    return exp.And(this=above_zero, expression=COMPARE[op](this=left, expression=right))


def known(test: exp.Expr, op: TestOp) -> exp.Expr:
    """Return a test of which nothing is false; the null tests are two-valued as they are."""
    return test if op in ("known", "unknown") else exp.func("COALESCE", test, exp.false())


def tested(column: exp.Expr, type: str, op: TestOp, values: Sequence[Value], dialect: str) -> exp.Expr:
    """Return a test on a column of a type; a test on nothing is NULL, but for ``known`` and ``unknown``."""
    if op == "known":
        return exp.Not(this=exp.Is(this=column, expression=exp.null()))
    if op == "unknown":
        return exp.Is(this=column, expression=exp.null())
    if type == "timestamp" and not isinstance(values[0], datetime):
        column = exp.cast(column, "DATE")
    literals = [literal(v, type) for v in values]
    if op == "between":
        return exp.Between(this=column, low=literals[0], high=literals[1])
    if type == "list":
        return _overlaps(column, literals, dialect)
    if op == "in":
        return exp.In(this=column, expressions=literals)
    if op == "contains":
        return _substring(column, str(values[0]), dialect)
    return COMPARE[op](this=column, expression=literals[0])


def yearly_test(column: exp.Expr, ranges: Sequence[tuple[int, int]]) -> exp.Expr:
    """Return whether a date's month and day lie in one of some ranges of month × 100 + day."""
    month = exp.Mul(this=exp.Month(this=column), expression=exp.Literal.number(100))
    month_day = exp.Add(this=month, expression=exp.Day(this=column.copy()))
    tests = [exp.Between(this=month_day.copy(), low=whole(low), high=whole(high)) for low, high in ranges]
    return joined(exp.Or, tests)


def literal(value: Value, type: str) -> exp.Expr:
    """Return a value of a type as a literal."""
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


def _apart(part: exp.Expr, connective: type[exp.Connector]) -> exp.Expr:
    mixed = isinstance(part, exp.Connector) and not isinstance(part, connective)
    return exp.Paren(this=part) if mixed else part


def _overlaps(column: exp.Expr, elements: list[exp.Expr], dialect: str) -> exp.Expr:
    if dialect == "postgres":
        return exp.ArrayOverlaps(this=column, expression=exp.Array(expressions=elements))
    contains = [exp.ArrayContains(this=column.copy(), expression=element) for element in elements]
    return joined(exp.Or, contains)


def _substring(column: exp.Expr, text: str, dialect: str) -> exp.Expr:
    if dialect not in WITH_LIKE_ESCAPE:
        place = exp.Anonymous(this="INSTR", expressions=[column, exp.Literal.string(text)])
        return exp.GT(this=place, expression=exp.Literal.number(0))
    pattern = text
    for special in (ESCAPE, "%", "_"):
        pattern = pattern.replace(special, ESCAPE + special)
    like = exp.Like(this=column, expression=exp.Literal.string(f"%{pattern}%"))
    # Where no ESCAPE is named, PostgreSQL takes the backslash for one.
    escaped = pattern != text or "\\" in text
    return exp.Escape(this=like, expression=exp.Literal.string(ESCAPE)) if escaped else like
