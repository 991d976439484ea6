"""What a tag's expression may say beyond columns and the checked functions: names and functions of the bank's calendar.

Over a dated table ``months_ago`` is the number of calendar months from the row's date to the business date. Over
``holding`` a row belongs to a snapshot: ``held_on`` is its date, ``latest`` is true on the rows of the last snapshot
not after the business date, ``month_end`` on those of the last snapshot of each month; ``first_on`` and ``latest_on``
are the dates of the first and the last snapshot. ``is_asset`` is true where the family counts towards AUM; over
``account`` ``is_open`` is true where the account was not closed by then. A table with a ``product_code`` has the
``product_…`` columns of that product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import sqlglot
from sqlglot import exp

from kequn.core.data.tables import ASSETS, PRODUCT, SQL_TYPES, TABLES, Table
from kequn.core.errors import BadExpression
from kequn.core.tags.timing import FUNCTIONS as TIMING

CUSTOMER = "customer"
TAGS = "tags"
GIVEN = "given"
TIMED = "timed_"
PRODUCT_NAMES = {f"product_{c.name.removeprefix('product_')}": c for c in PRODUCT.columns if c.name != "product_code"}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The business date, and the dates of the holding snapshots up to it in order."""

    as_of: date
    snapshots: tuple[date, ...] = ()

    def snapshot_at(self, day: date) -> date | None:
        """Return the last snapshot not after ``day``."""
        return max((s for s in self.snapshots if s <= day), default=None)

    def month_ends(self) -> dict[int, date]:
        """Return months ago -> the last snapshot of that month."""
        return {months_between(s, self.as_of): s for s in self.snapshots}


@dataclass(frozen=True, slots=True)
class SpecialName:
    """A name that is not a column of its table: its SQL type, the columns it is made from, and how."""

    sql_type: str
    needs: tuple[str, ...]
    build: Callable[[Calendar], exp.Expr]


def months_between(earlier: date, later: date) -> int:
    """Return the calendar months from one date to another: the day of the month does not count."""
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def columns_of(over: str) -> dict[str, str]:
    """Return name -> SQL type of all that an expression over a canonical table may read, ``as_of`` left out."""
    table = TABLES[over]
    stored = {n: t for n, t in table.stored_columns().items() if n not in ("ordinal", "as_of")}
    return stored | {n: s.sql_type for n, s in special_names(table).items()}


def special_names(table: Table) -> dict[str, SpecialName]:
    """Return the names of a table beyond its columns."""
    names: dict[str, SpecialName] = {}
    if table.on and table.name != CUSTOMER:
        names["months_ago"] = SpecialName("INTEGER", (table.on,), lambda c: _months_ago(table, c))
    if table.name == "holding":
        names |= HOLDING_NAMES
    if table.name == "account":
        names["is_open"] = SpecialName("BOOLEAN", (), lambda c: _is_open(c.as_of))
    if "product_code" in table.by_name:
        for name, column in PRODUCT_NAMES.items():
            names[name] = SpecialName(SQL_TYPES[column.type], ("product_code", f"product.{column.name}"), _itself(name))
    return names


def resolved(expression: exp.Expr, table: Table, calendar: Calendar) -> exp.Expr:
    """Return an expression with dates, special names and functions put in; columns stay names of the table's
    columns."""
    names = special_names(table)

    def put_in(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            if node.name == "as_of":
                return day(calendar.as_of)
            if node.name in names:
                return exp.paren(names[node.name].build(calendar))
        if isinstance(node, exp.Anonymous) and str(node.this).lower() in FUNCTIONS:
            arguments = [resolved(a, table, calendar) for a in node.expressions]
            call = exp.Anonymous(this=node.this, expressions=arguments)
            return FUNCTIONS[str(node.this).lower()](call, table, calendar)
        return node

    return expression.transform(put_in)


def day(value: date) -> exp.Expr:
    """Return a date as SQL."""
    return exp.cast(exp.Literal.string(value.isoformat()), "DATE")


def _itself(name: str) -> Callable[[Calendar], exp.Expr]:
    return lambda _calendar: exp.column(name, quoted=True)


def _date_column(table: Table) -> exp.Expr:
    return exp.column(table.on or "", quoted=True)


def _months_ago(table: Table, calendar: Calendar) -> exp.Expr:
    column, now = _date_column(table), calendar.as_of.year * 12 + calendar.as_of.month
    return sqlglot.parse_one(
        f"{now} - (12 * year({column.sql('duckdb')}) + month({column.sql('duckdb')}))", dialect="duckdb"
    )


def _is_open(as_of: date) -> exp.Expr:
    closed = exp.column("closed_on", quoted=True)
    by_date = exp.and_(closed.is_(exp.null()).not_(), closed.copy() > day(as_of))
    undated = exp.and_(
        exp.column("closed_on", quoted=True).is_(exp.null()),
        exp.NullSafeNEQ(this=exp.column("status", quoted=True), expression=exp.Literal.string("closed")),
    )
    return exp.or_(by_date, undated)


def _held_at(days: Iterable[date | None]) -> exp.Expr:
    known = [day(d) for d in days if d is not None]
    return exp.In(this=exp.column("as_of", quoted=True), expressions=known) if known else exp.false()


def _day_or_null(value: date | None) -> exp.Expr:
    return day(value) if value else exp.cast(exp.null(), "DATE")


HOLDING_NAMES: dict[str, SpecialName] = {
    "held_on": SpecialName("DATE", ("as_of",), lambda _: exp.column("as_of", quoted=True)),
    "latest": SpecialName("BOOLEAN", ("as_of",), lambda c: _held_at([c.snapshot_at(c.as_of)])),
    "month_end": SpecialName("BOOLEAN", ("as_of",), lambda c: _held_at(c.month_ends().values())),
    "first_on": SpecialName("DATE", ("as_of",), lambda c: _day_or_null(min(c.snapshots, default=None))),
    "latest_on": SpecialName("DATE", ("as_of",), lambda c: _day_or_null(c.snapshot_at(c.as_of))),
    "is_asset": SpecialName(
        "BOOLEAN",
        ("family",),
        lambda _: exp.In(this=exp.column("family", quoted=True), expressions=[exp.Literal.string(f) for f in ASSETS]),
    ),
}


def _at_days_ago(call: exp.Anonymous, table: Table, calendar: Calendar) -> exp.Expr:
    (days,) = _whole_numbers(call, call.expressions)
    _only_over(call, table, "holding")
    return exp.paren(_held_at([calendar.snapshot_at(calendar.as_of - timedelta(days=days))]))


def _highest_month(call: exp.Anonymous, table: Table, calendar: Calendar) -> exp.Expr:
    amount, months = _amount_and_months(call)
    sums = _month_sums(amount, months, table, calendar)
    return exp.func("list_max", sums)


def _ladder_level(call: exp.Anonymous, table: Table, calendar: Calendar) -> exp.Expr:
    return exp.IntDiv(this=_ladder(call, table, calendar), expression=exp.Literal.number(10))


def _ladder_unmet(call: exp.Anonymous, table: Table, calendar: Calendar) -> exp.Expr:
    return exp.Mod(this=_ladder(call, table, calendar), expression=exp.Literal.number(10))


def _ladder(call: exp.Anonymous, table: Table, calendar: Calendar) -> exp.Expr:
    """The state after the completed months: 10 × level + months in a row below it (see ``LADDER``)."""
    amount, months = _amount_and_months(call)
    bounds = _whole_numbers(call, call.expressions[2:])
    if not 1 <= len(bounds) <= 9 or any(low >= high for low, high in pairwise(bounds)):
        raise BadExpression(f"`{call.this}` takes an amount, a number of months and 1 to 9 rising lower bounds.")
    tomorrow = calendar.as_of + timedelta(days=1)
    skipped = 0 if tomorrow.day == 1 else 1
    sums = _month_sums(amount, months, table, calendar, first=skipped)
    return exp.func("tier_ladder", sums, exp.Array(expressions=[exp.Literal.number(b) for b in bounds]))


def _month_sums(amount: exp.Expr, months: int, table: Table, calendar: Calendar, *, first: int = 0) -> exp.Expr:
    """A list of monthly sums, newest first: 0 where a customer has no rows, missing where the table has no such
    month."""
    ends = calendar.month_ends()
    items: list[exp.Expr] = []
    for ago in range(first, first + months):
        if table.name == "holding" and ago not in ends:
            continue
        in_month = (
            _held_at([ends[ago]])
            if table.name == "holding"
            else exp.EQ(this=exp.paren(_months_ago(table, calendar)), expression=exp.Literal.number(ago))
        )
        total = exp.Filter(this=exp.Sum(this=amount.copy()), expression=exp.Where(this=in_month))
        items.append(exp.func("coalesce", total, exp.Literal.number(0)))
    return exp.cast(exp.Array(expressions=items), "DOUBLE[]")


def _commonest(call: exp.Anonymous, _table: Table, _calendar: Calendar) -> exp.Expr:
    if len(call.expressions) != 1:
        raise BadExpression("`commonest` takes one value.")
    return exp.func("commonest_key", exp.Anonymous(this="histogram", expressions=[call.expressions[0].copy()]))


def _top(call: exp.Anonymous, _table: Table, _calendar: Calendar) -> exp.Expr:
    if len(call.expressions) != 2:
        raise BadExpression("`top` takes a value and how many.")
    (count,) = _whole_numbers(call, call.expressions[1:])
    counted = exp.Anonymous(this="histogram", expressions=[call.expressions[0].copy()])
    return exp.func("top_keys", counted, exp.Literal.number(count))


def _best_rate(call: exp.Anonymous, _table: Table, _calendar: Calendar) -> exp.Expr:
    if len(call.expressions) != 4:
        raise BadExpression("`best_rate` takes a value, a condition, and the hits and tries of the prior.")
    key, hit = call.expressions[:2]
    prior = [exp.Literal.number(n) for n in _whole_numbers(call, call.expressions[2:])]
    tries = exp.Anonymous(this="histogram", expressions=[key.copy()])
    hits = exp.Filter(this=tries.copy(), expression=exp.Where(this=hit.copy()))
    return exp.func("best_rate_key", tries, hits, *prior)


def _amount_and_months(call: exp.Anonymous) -> tuple[exp.Expr, int]:
    if len(call.expressions) < 2:
        raise BadExpression(f"`{call.this}` takes an amount and a number of months.")
    (months,) = _whole_numbers(call, call.expressions[1:2])
    if not 1 <= months <= 60:
        raise BadExpression(f"`{call.this}` looks back over 1 to 60 months.")
    return call.expressions[0], months


def _whole_numbers(call: exp.Anonymous, arguments: Iterable[exp.Expr]) -> list[int]:
    found = list(arguments)
    if not found or not all(isinstance(a, exp.Literal) and not a.is_string and a.name.isdigit() for a in found):
        raise BadExpression(f"`{call.this}` takes whole numbers written out.")
    return [int(a.name) for a in found]


def _only_over(call: exp.Anonymous, table: Table, name: str) -> None:
    if table.name != name:
        raise BadExpression(f"`{call.this}` is for tags over `{name}`.")


def _timed(call: exp.Anonymous, _table: Table, _calendar: Calendar) -> exp.Expr:
    """What ``timing`` computes; the count in it carries the condition of the rows."""
    name = str(call.this).lower()
    if len(call.expressions) != 1 or call.expressions[0].name != "amount":
        raise BadExpression(f"`{name}` takes the amount.")
    found = exp.Anonymous(this=f"{TIMED}{name}", expressions=[exp.Count(this=exp.Star())])
    if not name.endswith("_next"):
        return found
    return exp.cast(exp.Add(this=day(date(1970, 1, 1)), expression=exp.cast(found, "INTEGER")), "DATE")


FUNCTIONS: Mapping[str, Callable[[exp.Anonymous, Table, Calendar], exp.Expr]] = {
    "at_days_ago": _at_days_ago,
    "highest_month": _highest_month,
    "ladder_level": _ladder_level,
    "ladder_unmet": _ladder_unmet,
    "commonest": _commonest,
    "top": _top,
    "best_rate": _best_rate,
} | dict.fromkeys(TIMING, _timed)
"""Functions of tag expressions over a dated table.

``at_days_ago(30)``: the row is of the last snapshot not after 30 days before the business date.
``highest_month(x, 12)``: the largest of the sums of x by calendar month, this month and the 11 before it.
``ladder_level(x, 13, b1, b2, …)``, ``ladder_unmet(…)``: the tier (0 below b1, 1 from b1, …) that the ladder gives
after the last 13 completed months whose value is the sum of x, and for how many months in a row the customer was
below it (0 to 6).
``commonest(x)``: the value that occurs most often, the smallest of several. ``top(x, 3)``: the three most frequent,
in order.
``best_rate(x, hit, 1, 20)``: the value with the highest share of rows that hit, 1 hit in 20 tries taken as known
before. ``payday(amount)``, ``inflow_cycle(amount)``, ``bonus_month(amount)`` and what goes with them: see ``timing``.
"""

MACROS = (
    "CREATE OR REPLACE TEMP MACRO by_frequency(counts) AS list_transform(list_sort(list_transform(map_entries(counts),"
    " lambda e: {'n': -CAST(e.value AS BIGINT), 'k': e.key})), lambda e: e.k)",
    "CREATE OR REPLACE TEMP MACRO commonest_key(counts) AS by_frequency(counts)[1]",
    "CREATE OR REPLACE TEMP MACRO top_keys(counts, n) AS nullif(by_frequency(counts)[1:n], [])",
    "CREATE OR REPLACE TEMP MACRO best_rate_key(tries, hits, a, b) AS CASE WHEN hits IS NOT NULL THEN"
    " list_sort(list_transform(map_entries(tries), lambda e:"
    " {'r': -CAST(coalesce(hits[e.key], 0) + a AS DOUBLE) / (e.value + b), 'k': e.key}))[1].k END",
    "CREATE OR REPLACE TEMP MACRO tier_of(x, bounds) AS len(list_filter(bounds, lambda b: x >= b))",
    "CREATE OR REPLACE TEMP MACRO tiers_of(newest_first, bounds) AS"
    " list_transform(list_reverse(newest_first), lambda x: tier_of(x, bounds))",
    "CREATE OR REPLACE TEMP MACRO with_best_of_seven(tiers) AS"
    " list_transform(tiers, lambda t, i: 10 * t + list_max(tiers[greatest(1, i - 6):i]))",
    "CREATE OR REPLACE TEMP MACRO tier_ladder(newest_first, bounds) AS list_reduce("
    "list_prepend(CAST(0 AS BIGINT), with_best_of_seven(tiers_of(newest_first, bounds))), lambda held, m:"
    " CASE WHEN m // 10 >= held // 10 THEN 10 * (m // 10)"
    " WHEN held % 10 < 6 THEN held + 1"
    " ELSE 10 * (m % 10) + CASE WHEN m // 10 < m % 10 THEN 1 ELSE 0 END END)",
    *(f"CREATE OR REPLACE TEMP MACRO {TIMED}{name}(n) AS CAST(NULL AS DOUBLE)" for name in TIMING),
    "CREATE OR REPLACE TEMP MACRO finite(x) AS CASE WHEN isfinite(CAST(x AS DOUBLE)) THEN CAST(x AS DOUBLE) END",
)
"""How the functions are computed in DuckDB; those of ``timing`` are computed outside it, and only have their type here.

The ladder: a month at or above the tier held sets it at once; a month below leaves it and counts; after six months
below in a row the seventh brings it down to the best tier of those seven months. Months 4 to 6 below are the watch.
"""
