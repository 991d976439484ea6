"""A source spec as one query: from a block of the bank's rows to canonical columns and, for each row, what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import date

import duckdb
from sqlglot import exp

from kequn.core.data.conversion import UNKNOWN, Names, as_text, cleaned, conversion, translated
from kequn.core.data.identity import MASK_64, Salt
from kequn.core.data.rejects import Reason
from kequn.core.data.tables import TABLES, Column, Table
from kequn.core.engine.duck import literal, quoted
from kequn.core.engine.expression import checked, names_in
from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, Where
from kequn.core.spec.source import CsvInput, SourceSpec

ROW_NUMBER = "row_number"
ROWS = "bank_rows"
"""The name under which a block is seen by its query."""
SKIPPED = 255
PEOPLE = ("customer_id", "customer_no", "branch_code", "rm_no", "name", "phone", "document_no", "email", "address")
"""What is handed over of a customer and, but for ``customer_id``, ``branch_code`` and ``rm_no``, never stored here."""
NUMERIC = ("money", "integer", "number")


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a row can fail: canonical column, source column (empty for an expression) and reason."""

    column: str
    source: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Mapping:
    """The query of one source. Its rows are the block's rows in order, its columns:

    ``problem``: 0, 1 + the index into ``problems``, or ``SKIPPED``; the stored columns (without ``ordinal``);
    ``key_low``, ``key_high``: the customer's hash; ``row_key``: what must be unique beside the customer (where there is any);
    for the customer table also the columns of ``PEOPLE``, with ``person_`` in front.
    """

    table: Table
    problems: tuple[Problem, ...]
    plain: str
    """The query for blocks without blanks around values."""
    padded: str


def table_of(spec: SourceSpec) -> Table:
    """Return the canonical table a source fills.

    Raises:
        InvalidSpec: it is not one.
    """
    if spec.table not in TABLES:
        near = difflib.get_close_matches(spec.table, TABLES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Tables: {', '.join(TABLES)}."
        raise InvalidSpec(f"There is no table {spec.table!r}.", hint=hint, where=Where(field="table"))
    return TABLES[spec.table]


def check_source(spec: SourceSpec) -> None:
    """Check what can be known of a source spec without its data.

    Raises:
        InvalidSpec: an unknown table or column, a required column that is not mapped, codes the column does not have, an
            expression that goes beyond what is allowed.
    """
    table = table_of(spec)
    errors: list[KequnError] = list(_bad_expressions(spec))
    for name, mapped in spec.columns.items():
        field = f"columns.{name}"
        column = table.by_name.get(name)
        if column is None:
            near = difflib.get_close_matches(name, table.by_name, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Its columns: {', '.join(table.by_name)}."
            errors.append(
                InvalidSpec(f"The table {table.name} has no column {name!r}.", hint=hint, where=Where(field=field))
            )
            continue
        unknown = [v for v in (mapped.codes or {}).values() if v is not None and column.codes and v not in column.codes]
        if unknown:
            near = difflib.get_close_matches(unknown[0], column.codes, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Its codes: {', '.join(column.codes)}."
            where = Where(field=f"{field}.codes")
            errors.append(InvalidSpec(f"The column {name} has no code {unknown[0]!r}.", hint=hint, where=where))
    for column in table.columns:
        if column.required and column.name not in spec.columns:
            where = Where(field="columns")
            errors.append(InvalidSpec(f"The column {column.name!r} of {table.name} must be mapped.", where=where))
    for name in spec.control_totals:
        if name not in spec.columns or name not in table.by_name or table.by_name[name].type not in NUMERIC:
            where = Where(field="control_totals")
            errors.append(InvalidSpec(f"{name!r} is not a mapped column of numbers.", where=where))
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)


def _bad_expressions(spec: SourceSpec) -> Iterator[KequnError]:
    texts = {f"columns.{name}.sql": mapped.sql for name, mapped in spec.columns.items()}
    texts |= {"where": spec.where} | {f"lookup.{i}.where": lookup.where for i, lookup in enumerate(spec.lookup)}
    for field, text in texts.items():
        try:
            if text is not None:
                checked(text, columns=None, aggregates=False, where=Where(field=field))
        except KequnError as error:
            yield error


def wanted_columns(spec: SourceSpec, available: AnyMapping[str, str]) -> set[str]:
    """Return the names a spec reads, among the source's own columns, brought columns and ``row_number``.

    Raises:
        BadExpression: an expression reads what is not there, or goes beyond what is allowed.
    """
    names = {m.from_ for m in spec.columns.values() if m.from_ is not None}
    for name, mapped in spec.columns.items():
        if mapped.sql is not None:
            names |= names_in(_expression(mapped.sql, available, f"columns.{name}.sql"))
    if spec.where is not None:
        names |= names_in(_expression(spec.where, available, "where"))
    return names


def build(
    spec: SourceSpec, connection: duckdb.DuckDBPyConnection, *, rows: str, salts: AnyMapping[str, Salt], today: date
) -> Mapping:
    """Return the query of a source.

    Args:
        spec: a checked spec.
        connection: where an (empty) relation ``rows`` has the columns of a block, so that types are known.
        rows: SQL of the relation the query reads.
        salts: what numbers are hashed with.
        today: business dates lie at most a year and a day after it.
    """
    parts = [_Part(i, column, spec) for i, column in enumerate(_mapped(spec))]
    available = _types(connection, f"SELECT * FROM {rows}")
    problems = [Problem("where", "", "NOT_COMPUTABLE")] if spec.where is not None else []
    texts = {}
    for padded in (False, True):
        problems = problems[: 1 if spec.where is not None else 0]
        texts[padded] = _query(
            spec, parts, connection, rows, available, problems, padded=padded, salts=salts, today=today
        )
    return Mapping(table_of(spec), tuple(problems), texts[False], texts[True])


def _mapped(spec: SourceSpec) -> list[Column]:
    return [c for c in table_of(spec).columns if c.name in spec.columns]


class _Part:
    """One mapped column on its way through the query."""

    def __init__(self, i: int, column: Column, spec: SourceSpec) -> None:
        self.i, self.column = i, column
        self.map = spec.columns[column.name]
        self.nulls = spec.input.nulls if isinstance(spec.input, CsvInput) else ("",)


def _query(
    spec: SourceSpec,
    parts: list[_Part],
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    available: AnyMapping[str, str],
    problems: list[Problem],
    *,
    padded: bool,
    salts: AnyMapping[str, Salt],
    today: date,
) -> str:
    table = table_of(spec)
    steps = [f"step0 AS (SELECT {_raw(spec, parts, available)} FROM {rows})"]
    types = _types(connection, f"WITH {steps[0]} SELECT * FROM step0")
    steps.append(f"step1 AS (SELECT *, {', '.join(_read(p, types, padded=padded) for p in parts)} FROM step0)")
    types = _types(connection, f"WITH {', '.join(steps)} SELECT * FROM step1")
    cases = ["WHEN holds IS NULL THEN 1", f"WHEN holds.v IS NOT TRUE THEN {SKIPPED}"] if spec.where is not None else []
    parsed, stored = [], []
    for part in parts:
        made = conversion(
            part.column,
            Names(f"v{part.i}", types[f"v{part.i}"], f"p{part.i}"),
            unit=part.map.unit,
            date_format=part.map.date_format,
            today=today if part.column.name == table.on else None,
            salts=salts,
        )
        parsed.append(f"{made.parsed} AS p{part.i}")
        stored.append(f"{made.stored} AS c{part.i}")
        for condition, reason in _faults(part, made.faults):
            problems.append(Problem(part.column.name, part.map.from_ or "", reason))
            cases.append(f"WHEN {condition} THEN {len(problems)}")
    case = f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
    steps.append(f"step2 AS (SELECT *, {', '.join(parsed)} FROM step1)")
    steps.append(f"step3 AS (SELECT *, {', '.join(stored)}, {case} AS problem FROM step2)")
    return f"WITH {', '.join(steps)} SELECT {', '.join(_outputs(table, parts, salts))} FROM step3"


def _expression(text: str, available: AnyMapping[str, str], field: str) -> exp.Expr:
    expression = checked(text, columns=available, aggregates=False, where=Where(field=field))
    if "as_of" in names_in(expression) and "as_of" not in available:
        raise InvalidSpec("A source has no `as_of`.", hint="Take the date from a column.", where=Where(field=field))
    return expression


def _raw(spec: SourceSpec, parts: list[_Part], available: AnyMapping[str, str]) -> str:
    """The source values: columns as they are (r), and expressions in a struct that is null where they cannot be computed (t)."""
    chosen = []
    for part in parts:
        if part.map.from_ is not None:
            chosen.append(f"{quoted(part.map.from_)} AS r{part.i}")
        else:
            expression = _expression(part.map.sql or "", available, f"columns.{part.column.name}.sql")
            chosen.append(f"TRY({{'v': {expression.sql(dialect='duckdb')}}}) AS t{part.i}")
    if spec.where is not None:
        condition = _expression(spec.where, available, "where").sql(dialect="duckdb")
        chosen.append(f"TRY({{'v': CAST({condition} AS BOOLEAN)}}) AS holds")
    return ", ".join(chosen)


def _read(part: _Part, types: AnyMapping[str, str], *, padded: bool) -> str:
    """The value (v): text cleaned, codes translated."""
    i = part.i
    if part.map.from_ is not None:
        raw, sql_type = f"r{i}", types[f"r{i}"]
    else:
        struct = types[f"t{i}"]
        raw, sql_type = f"t{i}.v", struct.removeprefix("STRUCT(v ").removesuffix(")").removeprefix('"v" ')
        padded = True
    if part.map.codes is not None:
        text = as_text(raw, sql_type)
        return f"{translated(text, cleaned(text, nulls=part.nulls, padded=padded), part.map.codes)} AS v{i}"
    if sql_type == "VARCHAR":
        return f"{cleaned(raw, nulls=part.nulls, padded=padded)} AS v{i}"
    return f"{raw} AS v{i}"


def _faults(part: _Part, faults: tuple[tuple[str, Reason], ...]) -> list[tuple[str, Reason]]:
    found: list[tuple[str, Reason]] = []
    if part.map.sql is not None:
        found.append((f"t{part.i} IS NULL", "NOT_COMPUTABLE"))
    if part.map.codes is not None and "*" not in part.map.codes:
        found.append((f"v{part.i} = {literal(UNKNOWN)}", "UNKNOWN_CODE"))
    if part.column.required:
        found.append((f"v{part.i} IS NULL", "MISSING_REQUIRED"))
    listed = part.map.codes is not None and part.column.type == "text"  # its values were checked with the spec
    return [*found, *(f for f in faults if not (listed and f[1] == "UNKNOWN_CODE"))]


def _outputs(table: Table, parts: list[_Part], salts: AnyMapping[str, Salt]) -> list[str]:
    chosen = ["problem::UTINYINT AS problem"]
    for part in parts:
        if part.column.type == "customer":
            chosen += [f"(c{part.i} & {MASK_64})::UBIGINT AS key_low", f"(c{part.i} >> 64)::UBIGINT AS key_high"]
        elif part.column.stored:
            chosen.append(f"c{part.i} AS {quoted(part.column.stored)}")
    by_name = {p.column.name: p for p in parts}
    keys = [f"c{by_name[k].i}" for k in table.key if k in by_name and by_name[k].column.type != "customer"]
    if keys and not (len(table.key) == 1 and by_name[table.key[0]].column.type == "ref"):
        chosen.append(f"hash({', '.join(keys)}) AS row_key")
    if table.name == "customer":
        number = f"v{by_name['customer_no'].i}::VARCHAR"
        chosen.append(f"{salts['customer_id'].hex_sql(number)} AS person_customer_id")
        chosen += [_person(name, by_name.get(name)) for name in PEOPLE[1:]]
    return chosen


def _person(name: str, part: _Part | None) -> str:
    value = "NULL" if part is None else f"v{part.i}" if part.column.type == "customer" else f"c{part.i}"
    return f"{value}::VARCHAR AS person_{name}"


def _types(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
