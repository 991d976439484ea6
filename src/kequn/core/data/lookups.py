"""Columns that a source takes from other files by key: each row meets at most one row there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from kequn.core.data.conversion import cleaned
from kequn.core.data.readers import Source, check_columns, open_source
from kequn.core.engine.duck import quoted
from kequn.core.engine.expression import checked, names_in
from kequn.core.errors import BadSource, Where
from kequn.core.spec.source import CsvInput, Lookup


class Lookups:
    """The looked-up files of one source, held in memory while it is loaded."""

    def __init__(self, specs: tuple[Lookup, ...], *, folder: Path, dsn: Callable[[str], str] | None) -> None:
        self._specs = specs
        self._sources = [open_source(s.input, folder=folder, dsn=dsn) for s in specs]
        self._tables: list[pa.Table] = []

    @property
    def columns(self) -> dict[str, str]:
        """The brought columns, all text."""
        return {name: "VARCHAR" for spec in self._specs for name in spec.columns}

    @property
    def reads(self) -> set[str]:
        """The columns on our side that the keys are met by."""
        return {ours for spec in self._specs for ours in spec.on}

    @property
    def content(self) -> str:
        """What identifies the content of all files; empty where one is not known yet."""
        contents = [s.content() for s in self._sources]
        return "-".join(["none", *contents]) if all(contents) else ""

    def read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the files.

        Raises:
            BadSource: a column is missing, or a key stands twice.
            BadExpression: the condition is not allowed.
        """
        self._tables = [
            _table(i, spec, source, connection)
            for i, (spec, source) in enumerate(zip(self._specs, self._sources, strict=True))
        ]

    def register(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Make the files visible to a cursor's queries."""
        for i, table in enumerate(self._tables):
            cursor.register(f"lookup_{i}", table)

    def joined(self, rows: str) -> str:
        """Return SQL of the relation ``rows`` with the brought columns."""
        for i, spec in enumerate(self._specs):
            keys = " AND ".join(f"trim(b.{quoted(o)}::VARCHAR, ' \t') = l.k{j}" for j, o in enumerate(spec.on))
            brought = ", ".join(f"l.{quoted(n)}" for n in spec.columns)
            rows = f"(SELECT b.*, {brought} FROM {rows} b LEFT JOIN lookup_{i} l ON {keys})"
        return rows


def _table(i: int, spec: Lookup, source: Source, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    condition = "true"
    wanted = {*spec.on.values(), *spec.columns.values()}
    if spec.where is not None:
        expression = checked(
            spec.where, columns=source.columns, aggregates=False, where=Where(field=f"lookup.{i}.where")
        )
        wanted |= names_in(expression)
        condition = f"TRY(CAST({expression.sql(dialect='duckdb')} AS BOOLEAN))"
    separator = spec.input.separator if isinstance(spec.input, CsvInput) else ""
    check_columns(source, sorted(wanted), separator=separator)
    blocks = []
    for part in source.parts(wanted, ()):
        block = part()
        if block.faults:
            fault = block.faults[0]
            raise BadSource(f"A row cannot be read ({fault.reason}).", where=Where(block.file, fault.line))
        blocks.append(block.table)
    rows = pa.concat_tables(blocks) if blocks else pa.table({c: pa.array([], pa.string()) for c in wanted})
    nulls = spec.input.nulls if isinstance(spec.input, CsvInput) else ("",)
    connection.register("lookup_rows", rows)
    chosen = [
        f"{cleaned(quoted(t) + '::VARCHAR', nulls=nulls, padded=True)} AS k{j}" for j, t in enumerate(spec.on.values())
    ]
    chosen += [f"{quoted(t)}::VARCHAR AS {quoted(n)}" for n, t in spec.columns.items()]
    table = connection.sql(f"SELECT {', '.join(chosen)} FROM lookup_rows WHERE {condition}").to_arrow_table()
    connection.unregister("lookup_rows")
    connection.register(f"lookup_{i}", table)
    keys = ", ".join(f"k{j}" for j in range(len(spec.on)))
    known = " AND ".join(f"k{j} IS NOT NULL" for j in range(len(spec.on)))
    twice = connection.execute(
        f"SELECT {keys} FROM lookup_{i} WHERE {known} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
    ).fetchone()
    if twice is not None:
        file = source.files[0] if source.files else ""
        raise BadSource(
            f"The key {', '.join(spec.on.values())} stands more than once, so that rows would be doubled.",
            hint="Choose one row per key with `where`.",
            where=Where(file, field=f"lookup.{i}"),
        )
    return table
