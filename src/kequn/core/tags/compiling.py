"""From a checked tag to SQL: what is computed in the pass over its table, and what its value is made of after that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import ClassVar

import duckdb
from sqlglot import exp

from kequn.core.data.tables import TABLES, Table
from kequn.core.engine.duck import quoted
from kequn.core.engine.expression import AGGREGATES
from kequn.core.errors import BadExpression, Where
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.language import MACROS, PRODUCT_NAMES, Calendar, day, resolved
from kequn.core.tags.reading import ReadTag

SQL_OF_TYPE = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "money": "BIGINT",
    "date": "DATE",
    "text": "VARCHAR",
    "list": "VARCHAR[]",
}
"""How a tag's values are stored, by its type; money is fen."""

WHOLE = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
}
BROKEN = {"FLOAT", "DOUBLE"}
SELF_GUARDING = (
    exp.Sum,
    exp.Min,
    exp.Max,
    exp.Avg,
    exp.LogicalOr,
    exp.LogicalAnd,
    exp.ArgMax,
    exp.ArgMin,
    exp.ArrayAgg,
)
"""Aggregates that are missing, not 0, where no row counts."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What one tag adds to the pass over its table."""

    tag: str
    value: exp.Expr
    """The aggregate expression, every aggregate filtered by the tag's condition."""
    rows: exp.Expr | None
    """How many rows counted; ``None`` where the value itself tells that there were none."""


def aggregate(tag: ReadTag, calendar: Calendar, *, lower: date | None = None) -> Aggregate:
    """Return a tag's share of the pass over the rows of its table from ``lower`` (the first day) to the business
    date."""
    assert tag.table is not None
    condition = _condition(tag, tag.table, calendar, lower)
    value = resolved(tag.expression, tag.table, calendar)
    counted = exp.Count(this=exp.Star())
    guard = _filtered(counted, condition) if _needs_guard(tag.spec, value) else None
    return Aggregate(tag.spec.name, _filtered(value, condition), guard)


def first_day(tag: ReadTag, calendar: Calendar) -> date | None:
    """Return the first day whose rows a tag over a dated table can need, ``None`` when that is any day."""
    days = [calendar.as_of - timedelta(days=tag.spec.days - 1)] if tag.spec.days else []
    if tag.where is not None and tag.table is not None and tag.table.name == "holding":
        latest = calendar.snapshot_at(calendar.as_of)
        alone = tag.where.flatten() if isinstance(tag.where, exp.And) else [tag.where]
        if latest and any(isinstance(part, exp.Column) and part.name == "latest" for part in alone):
            days.append(latest)
    return max(days, default=None)


def value_sql(tag: ReadTag, raw: str, raw_type: str, *, rows: str | None = None) -> str:
    """Return the SQL of a tag's value: the raw SQL cast to the tag's type, with its null policy."""
    spec = tag.spec
    value = _cast(raw, raw_type, spec)
    instead = {"zero": "0", "false": "FALSE", "unknown": None}[spec.null]
    if instead is not None:
        value = f"COALESCE({value}, {instead})"
    if rows is not None:
        value = f"CASE WHEN {rows} > 0 THEN {value} ELSE {instead or 'NULL'} END"
    return value


def scan_sql(table: Table, names: Iterable[str], *, stored: Mapping[str, str] | None = None) -> str:
    """Return the rows of a table with its ordinal and the named columns; what a file lacks is missing.

    ``stored`` has the columns that the files have; the canonical ones where it is not given.
    """
    canonical = table.stored_columns()
    present = canonical if stored is None else stored
    selected, joined = ["r.ordinal"], False
    for name in dict.fromkeys(names):
        if name in PRODUCT_NAMES:
            joined = True
            selected.append(f"p.{quoted(PRODUCT_NAMES[name].name)} AS {quoted(name)}")
        elif name in present:
            selected.append(f"r.{quoted(name)}")
        else:
            selected.append(f"CAST(NULL AS {canonical[name]}) AS {quoted(name)}")
    product = " LEFT JOIN product p ON p.product_code = r.product_code" if joined else ""
    return f"SELECT {', '.join(selected)} FROM {quoted(table.name)} r{product}"


def columns_in(expressions: Iterable[exp.Expr | None]) -> list[str]:
    """Return the names of all columns in some expressions, each once."""
    return list(dict.fromkeys(c.name for e in expressions if e is not None for c in e.find_all(exp.Column)))


def plain_sql(tag: ReadTag, calendar: Calendar) -> str:
    """Return the SQL of a tag over ``customer`` or ``tags``, before its cast."""
    table = tag.table or TABLES["customer"]
    if tag.table is None:
        return tag.expression.transform(
            lambda node: day(calendar.as_of) if isinstance(node, exp.Column) and node.name == "as_of" else node
        ).sql(dialect="duckdb")
    return resolved(tag.expression, table, calendar).sql(dialect="duckdb")


class Binder:
    """An empty bank in memory, against which expressions are tried for their types.

    What was tried once is remembered for the life of the process: the whole catalogue is asked for again and again.
    """

    _tried: ClassVar[dict[tuple[object, ...], str]] = {}

    def __init__(self) -> None:
        month_ends = [date(2026, month, 1) - timedelta(days=1) for month in range(1, 8)]
        self._calendar = Calendar(month_ends[-1], tuple(month_ends))

    def types(self, tags: Iterable[ReadTag], *, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the SQL type of each tag's raw expression. ``given``: the types of tags that are not among them.

        Raises:
            BadExpression: the expression does not fit its columns, or its result does not fit the tag's type.
        """
        every = list(tags)
        of_type = {n: SQL_OF_TYPE[t] for n, t in (given or {}).items()}
        of_type |= {t.spec.name: SQL_OF_TYPE[t.spec.type] for t in every}
        texts = {t.spec.name: _text(t, of_type) for t in every}
        found = {n: self._tried[text] for n, text in texts.items() if text in self._tried}
        for group in _groups([t for t in every if t.spec.name not in found]):
            try:
                found |= self._described(group, of_type)
            except duckdb.Error:
                for tag in group:
                    found |= self._alone(tag, of_type)
        self._tried.update({texts[n]: found[n] for n in texts})
        for tag in every:
            _fits(tag.spec, found[tag.spec.name])
        return found

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        database = duckdb.connect(":memory:")
        for macro in MACROS:
            database.execute(macro)
        for table in TABLES.values():
            columns = ", ".join(f"{quoted(n)} {t}" for n, t in table.stored_columns().items())
            database.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")
        return database

    def _alone(self, tag: ReadTag, of_type: Mapping[str, str]) -> dict[str, str]:
        try:
            return self._described([tag], of_type)
        except duckdb.Error as error:
            reason = str(error).split("\n")[0].partition(": ")[2] or str(error)
            message = f"The expression of tag {tag.spec.name!r} does not fit its columns: {reason}"
            raise BadExpression(message, where=Where(field="expression"), tag=tag.spec.name) from None

    def _described(self, tags: list[ReadTag], of_type: Mapping[str, str]) -> dict[str, str]:
        query = self._query(tags, of_type)
        return {row[0]: row[1] for row in self._database.execute(f"DESCRIBE {query}").fetchall()}

    def _query(self, tags: list[ReadTag], of_type: Mapping[str, str]) -> str:
        if tags[0].per_row:
            names = {n for t in tags for n in t.tags}
            source = ", ".join(f"CAST(NULL AS {of_type[n]}) AS {quoted(n)}" for n in sorted(names))
            origin = f"(SELECT {source or '1 AS one'})" if tags[0].table is None else "customer"
            select = ", ".join(f"{plain_sql(t, self._calendar)} AS {quoted(t.spec.name)}" for t in tags)
            return f"SELECT {select} FROM {origin}"
        table = tags[0].table
        assert table is not None
        parts = [aggregate(t, self._calendar) for t in tags]
        select = ", ".join(f"{p.value.sql(dialect='duckdb')} AS {quoted(p.tag)}" for p in parts)
        scan = scan_sql(table, columns_in(e for p in parts for e in (p.value, p.rows)))
        return f"SELECT {select} FROM ({scan}) GROUP BY ordinal"


def _text(tag: ReadTag, of_type: Mapping[str, str]) -> tuple[object, ...]:
    return (tag.spec.over, tag.spec.expression, tag.spec.where, *((n, of_type[n]) for n in tag.tags))


def _groups(tags: list[ReadTag]) -> Iterator[list[ReadTag]]:
    by_source: dict[str, list[ReadTag]] = {}
    for tag in tags:
        by_source.setdefault(tag.spec.over, []).append(tag)
    yield from by_source.values()


def _condition(tag: ReadTag, table: Table, calendar: Calendar, lower: date | None) -> exp.Expr | None:
    parts: list[exp.Expr] = []
    if tag.where is not None:
        parts.append(resolved(tag.where, table, calendar))
    if tag.spec.days and table.on:
        first = calendar.as_of - timedelta(days=tag.spec.days - 1)
        if lower is None or lower < first:
            parts.append(exp.column(table.on, quoted=True) >= day(first))
    return exp.and_(*parts) if parts else None


def is_aggregate(node: exp.Expr) -> bool:
    return type(node) in AGGREGATES or (isinstance(node, exp.Anonymous) and node.this == "histogram")


def _filtered(expression: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """Let every aggregate in an expression count only the rows that meet a condition."""
    if condition is None:
        return expression.copy()

    def narrowed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Filter):
            both = exp.and_(condition.copy(), node.expression.this.copy())
            return exp.Filter(this=node.this.copy(), expression=exp.Where(this=both))
        if is_aggregate(node):
            return exp.Filter(this=node.copy(), expression=exp.Where(this=condition.copy()))
        return node

    return expression.transform(narrowed)


def _needs_guard(spec: TagSpec, value: exp.Expr) -> bool:
    """Whether "no row counted" must be asked for, because the value alone would not be missing, or not say so."""
    if isinstance(value, SELF_GUARDING):
        return False
    counts = isinstance(value, exp.Count | exp.CountIf)
    return not (counts and spec.null == "zero")


def _cast(raw: str, raw_type: str, spec: TagSpec) -> str:
    if spec.type in ("integer", "money"):
        return f"CAST({raw} AS BIGINT)" if raw_type in WHOLE else f"TRY_CAST(ROUND({raw}) AS BIGINT)"
    if spec.type == "number":
        return f"finite({raw})"
    return f"CAST({raw} AS {SQL_OF_TYPE[spec.type]})"


def _fits(spec: TagSpec, raw_type: str) -> None:
    numeric = raw_type in WHOLE or raw_type in BROKEN or raw_type.startswith("DECIMAL")
    fits = {
        "boolean": raw_type == "BOOLEAN",
        "integer": numeric,
        "money": numeric,
        "number": numeric,
        "date": raw_type in ("DATE", "TIMESTAMP"),
        "text": raw_type == "VARCHAR",
        "list": raw_type == "VARCHAR[]",
    }[spec.type]
    if not fits and raw_type not in ("NULL", '"NULL"'):
        message = f"The expression of tag {spec.name!r} gives {raw_type}, which is not {spec.type}."
        raise BadExpression(message, where=Where(field="expression"), tag=spec.name)
