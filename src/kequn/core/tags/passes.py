"""How many tags are computed at once: a few grouped passes over each table, then one query for the values of a shard.

A pass reads only the days that its tags can need. Its result is one row a customer who has rows, in a temporary
table; DuckDB spills what does not fit into memory. The values query joins them to the customers by ordinal and builds
tags of tags above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from kequn.core.data.tables import CUSTOMER, Table
from kequn.core.engine.duck import quoted
from kequn.core.tags.compiling import aggregate, columns_in, first_day, plain_sql, scan_sql, value_sql
from kequn.core.tags.language import Calendar, day
from kequn.core.tags.reading import ReadTag

CLASSES = (1, 8, 31, 92, 190, 370)
"""Windows of up to so many days share a pass; longer ones and those without an end have passes of their own."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Tags over one table whose rows are read together, from one day on (``None``: from the beginning)."""

    name: str
    table: Table
    lower: date | None
    tags: tuple[ReadTag, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the raw value of a tag stands after its pass: SQL for it, and for the number of rows that counted."""

    raw: str
    rows: str | None


def passes_over(tags: Iterable[ReadTag], calendar: Calendar) -> list[Pass]:
    """Group the tags over dated tables into passes."""
    groups: dict[tuple[str, int], list[tuple[ReadTag, date | None]]] = {}
    for tag in tags:
        if not tag.per_row and tag.table is not None:
            lower = first_day(tag, calendar)
            groups.setdefault((tag.table.name, _class(lower, calendar.as_of)), []).append((tag, lower))
    return [_pass(i, members) for i, (_, members) in enumerate(sorted(groups.items(), key=lambda g: g[0]))]


def pass_sql(
    one: Pass, calendar: Calendar, *, stored: Mapping[str, str], among: str = ""
) -> tuple[str, dict[str, Source]]:
    """Return the query of a pass (a row: a customer with rows in it) and where each tag's raw value is in its result.

    ``among`` names a relation of the ordinals that count; all do without it.
    """
    parts = [aggregate(tag, calendar, lower=one.lower) for tag in one.tags]
    columns: dict[str, str] = {}
    sources: dict[str, Source] = {}
    for part in parts:
        raw = _column(part.value, columns)
        rows = None if part.rows is None else f"{one.name}.{_column(part.rows, columns)}"
        sources[part.tag] = Source(f"{one.name}.{raw}", rows)
    names = columns_in(e for p in parts for e in (p.value, p.rows))
    select = ", ".join(f"{sql} AS {alias}" for sql, alias in columns.items())
    scan = scan_sql(one.table, names, stored=stored)
    chosen = f" SEMI JOIN {among} USING (ordinal)" if among else ""
    return f"SELECT ordinal, {select} FROM ({scan}{_dated(one, calendar)}){chosen} GROUP BY ordinal", sources


@dataclass(frozen=True, slots=True)
class Values:
    """Makes the query of all values of a shard, once the passes have run."""

    calendar: Calendar
    types: Mapping[str, str]
    passes: Sequence[str]
    sources: Mapping[str, Source]
    stored: Mapping[str, str]
    """The columns that the customer files have."""

    def sql(self, levels: Sequence[Sequence[ReadTag]], *, ordinals: str) -> str:
        """Return the query of all values for the ordinals of a query or relation, in their order.

        Its columns: ``present`` (a customer of the bank on the date) and one for each tag. A person who was not yet a
        customer has no value of any tag; one who left since keeps values but is not present.
        """
        every = [tag for level in levels for tag in level]
        query = self._base([t for t in every if t.table is not None], ordinals)
        guarded = [_consented(t, quoted(t.spec.name)) for t in every if t.table is not None and t.consent]
        if guarded:
            query = f"SELECT * REPLACE ({', '.join(guarded)}) FROM ({query})"
        for level in levels:
            made = [t for t in level if t.table is None]
            if made:
                select = ", ".join(_named(t, self._value(t, f"({plain_sql(t, self.calendar)})")) for t in made)
                query = f"SELECT *, {select} FROM ({query})"
        names = ", ".join(["present", *(quoted(t.spec.name) for t in every)])
        return f"SELECT {names} FROM ({query}) ORDER BY ordinal"

    def _base(self, tags: Sequence[ReadTag], ordinals: str) -> str:
        select = [
            "b.ordinal",
            "COALESCE(c.eligible, FALSE) AS eligible",
            "COALESCE(c.eligible AND c.is_here, FALSE) AS present",
        ]
        for tag in tags:
            name = tag.spec.name
            source = Source(f"c.{quoted(name)}", None) if tag.per_row else self.sources[name]
            select.append(_named(tag, self._value(tag, source.raw, source.rows)))
        joins = "".join(f" LEFT JOIN {name} ON {name}.ordinal = b.ordinal" for name in self.passes)
        return (
            f"SELECT {', '.join(select)} FROM {ordinals} b"
            f" LEFT JOIN ({self._customers([t for t in tags if t.per_row])}) c ON c.ordinal = b.ordinal{joins}"
        )

    def _customers(self, tags: Sequence[ReadTag]) -> str:
        as_of = day(self.calendar.as_of).sql(dialect="duckdb")
        names = {n for t in tags for n in columns_in([t.expression]) if n != "as_of"}
        scan = scan_sql(CUSTOMER, ["opened_on", "closed_on", "status", *sorted(names)], stored=self.stored)
        select = [
            "ordinal",
            f"opened_on <= {as_of} AS eligible",
            f"CASE WHEN closed_on IS NULL THEN status IS DISTINCT FROM 'closed' ELSE closed_on > {as_of} END"
            " AS is_here",
            *(f"{plain_sql(t, self.calendar)} AS {quoted(t.spec.name)}" for t in tags),
        ]
        return f"SELECT {', '.join(select)} FROM ({scan})"

    def _value(self, tag: ReadTag, raw: str, rows: str | None = None) -> str:
        return value_sql(tag, raw, self.types[tag.spec.name], rows=rows)


def _class(lower: date | None, as_of: date) -> int:
    if lower is None:
        return len(CLASSES)
    days = (as_of - lower).days + 1
    return next((i for i, most in enumerate(CLASSES) if days <= most), len(CLASSES))


def _pass(number: int, members: list[tuple[ReadTag, date | None]]) -> Pass:
    lowers = [lower for _, lower in members]
    known = [lower for lower in lowers if lower is not None]
    table = members[0][0].table
    assert table is not None
    return Pass(
        f"pass_{number}", table, min(known) if len(known) == len(lowers) else None, tuple(t for t, _ in members)
    )


def _column(expression: exp.Expr, columns: dict[str, str]) -> str:
    return columns.setdefault(expression.sql(dialect="duckdb"), f"a{len(columns)}")


def _dated(one: Pass, calendar: Calendar) -> str:
    if one.table.on is None:
        return ""
    on = exp.column(one.table.on, table="r", quoted=True)
    bounds = [on <= day(calendar.as_of)] + ([on.copy() >= day(one.lower)] if one.lower else [])
    return f" WHERE {exp.and_(*bounds).sql(dialect='duckdb')}"


def _consented(tag: ReadTag, value: str) -> str:
    """Without the separate consent on file nobody may use the value, so there is none."""
    return f"CASE WHEN {quoted(tag.consent or '')} THEN {value} END AS {quoted(tag.spec.name)}"


def _named(tag: ReadTag, value: str) -> str:
    if tag.consent and tag.table is None:
        return _consented(tag, f"CASE WHEN eligible THEN {value} END")
    return f"CASE WHEN eligible THEN {value} END AS {quoted(tag.spec.name)}"
