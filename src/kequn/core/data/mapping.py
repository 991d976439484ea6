"""A source spec as one query: from a block of the bank's rows to canonical columns and, for each row, what is wrong with it."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from datetime import date

import duckdb
from sqlglot import exp

from kequn.core.data.conversion import UNKNOWN, Conversion, Names, as_text, cleaned, conversion, translated
from kequn.core.data.identity import MASK_64, Salt
from kequn.core.data.rejects import Reason
from kequn.core.data.tables import TABLES, Column, Table
from kequn.core.engine.duck import literal, quoted
from kequn.core.engine.expression import checked, names_in
from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, Where
from kequn.core.spec.source import ColumnMap, CsvInput, SourceSpec

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
    numbers: AnyMapping[str, str]
    """Source column -> ``customer`` or ``ref``, for numbers that may be hashed before the query."""
    query: Callable[..., str]
    """``query(padded=…, hashed=…)``: the query for a block whose values have blanks around them or not, and whose columns
    ``hashed`` come with ``hash_columns`` beside them."""


def hash_columns(source: str, kind: str) -> tuple[str, ...]:
    """Return the names under which the hashes of a source column are handed to the query."""
    return (f"{source}\x1flow", f"{source}\x1fhigh") if kind == "customer" else (f"{source}\x1fref",)


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


def nulls_at_reading(spec: SourceSpec) -> tuple[str, ...]:
    """Return the values that the reader of delimited text may turn into none: all that mean none, unless one is a code."""
    if not isinstance(spec.input, CsvInput):
        return ()
    nulls = tuple(dict.fromkeys(["", *spec.input.nulls]))
    codes = {code for mapped in spec.columns.values() for code in mapped.codes or {}}
    return () if codes & set(nulls) else nulls


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
    return _Builder(spec, connection, rows=rows, salts=salts, today=today).mapping()


@dataclass(frozen=True, slots=True)
class _Part:
    """One mapped column on its way through the query: v is its value, p what was parsed, t and f belong to an expression."""

    i: int
    column: Column
    map: ColumnMap
    sql_type: str
    """Of the value before codes are translated."""
    expression: str = ""
    made: Conversion | None = None

    @property
    def value_type(self) -> str:
        """SQL type of the value."""
        return "VARCHAR" if self.map.codes is not None else self.sql_type

    @property
    def stored(self) -> str:
        """SQL of what is stored."""
        return self.made.stored if self.made else ""


class _Builder:
    """Puts the query of one source together, in as few steps as keep a value from being computed twice."""

    def __init__(
        self,
        spec: SourceSpec,
        connection: duckdb.DuckDBPyConnection,
        *,
        rows: str,
        salts: AnyMapping[str, Salt],
        today: date,
    ) -> None:
        self.spec, self.rows, self.salts, self.today = spec, rows, salts, today
        self.table = table_of(spec)
        self.nulls = spec.input.nulls if isinstance(spec.input, CsvInput) else ("",)
        self.read_nulls = bool(nulls_at_reading(spec))
        self.available = _types(connection, f"SELECT * FROM {rows}")
        self.parts = self._parts(connection)
        self.problems, self.case = self._problems()

    def mapping(self) -> Mapping:
        """Return the finished query, for blocks with and without blanks around values."""
        kinds: dict[str, set[str]] = {}
        for part in self.parts:
            if part.map.from_ and part.value_type == "VARCHAR" and not part.map.codes:
                kinds.setdefault(part.map.from_, set()).add(part.column.type)
        numbers = {source: kind for source, (kind, *more) in kinds.items() if kind in ("customer", "ref") and not more}
        return Mapping(self.table, tuple(self.problems), numbers, functools.cache(self._query))

    def _parts(self, connection: duckdb.DuckDBPyConnection) -> list[_Part]:
        mapped = [c for c in self.table.columns if c.name in self.spec.columns]
        expressions = {
            c.name: _expression(sql, self.available, f"columns.{c.name}.sql").sql(dialect="duckdb")
            for c in mapped
            if (sql := self.spec.columns[c.name].sql) is not None
        }
        structs = [f"TRY({{'v': {e}}}) AS {quoted(n)}" for n, e in expressions.items()]
        computed = _types(connection, f"SELECT {', '.join(structs)} FROM {self.rows}") if structs else {}
        parts = []
        for i, column in enumerate(mapped):
            map_ = self.spec.columns[column.name]
            kind = self.available[map_.from_] if map_.from_ is not None else _inner(computed[column.name])
            part = _Part(i, column, map_, kind, expressions.get(column.name, ""))
            parts.append(replace(part, made=self._conversion(part)))
        return parts

    def _conversion(self, part: _Part) -> Conversion:
        return conversion(
            part.column,
            Names(f"v{part.i}", part.value_type, f"p{part.i}"),
            unit=part.map.unit,
            date_format=part.map.date_format,
            today=self.today if part.column.name == self.table.on else None,
            salts=self.salts,
        )

    def _problems(self) -> tuple[list[Problem], str]:
        """Return the problems a row can have and the CASE that tells the first of them."""
        problems, cases = [], []
        if self.spec.where is not None:
            problems.append(Problem("where", "", "NOT_COMPUTABLE"))
            cases += ["WHEN holds IS NULL THEN 1", f"WHEN holds.v IS NOT TRUE THEN {SKIPPED}"]
        for part in self.parts:
            for condition, reason in _faults(part):
                problems.append(Problem(part.column.name, part.map.from_ or "", reason))
                cases.append(f"WHEN {condition} THEN {len(problems)}")
        return problems, f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"

    def _query(self, *, padded: bool, hashed: frozenset[str] = frozenset()) -> str:
        given = {p.i: hash_columns(p.map.from_, p.column.type) for p in self.parts if p.map.from_ in hashed}
        computed = [p for p in self.parts if p.expression]
        plain = [p for p in self.parts if not p.expression]
        holds = ["holds"] if self.spec.where is not None else []
        read = [self._read(p, quoted(p.map.from_ or ""), padded=padded) for p in plain]
        read += [f"TRY({{'v': {p.expression}}}) AS t{p.i}" for p in computed]
        hashes = [f"h{i}_{k}" for i, names in given.items() for k in range(len(names))]
        read += [f"{quoted(name)} AS h{i}_{k}" for i, names in given.items() for k, name in enumerate(names)]
        if self.spec.where is not None:
            condition = _expression(self.spec.where, self.available, "where").sql(dialect="duckdb")
            read.append(f"TRY({{'v': CAST({condition} AS BOOLEAN)}}) AS holds")
        steps = [f"was_read AS (SELECT {', '.join(read)} FROM {self.rows})"]
        if computed:
            values = [f"v{p.i}" for p in plain] + holds + hashes
            values += [f"t{p.i} IS NULL AS f{p.i}" for p in computed]
            values += [self._read(p, f"t{p.i}.v", padded=True) for p in computed]
            steps.append(f"was_computed AS (SELECT {', '.join(values)} FROM was_read)")
        values = [f"v{p.i}" for p in self.parts] + [f"f{p.i}" for p in computed] + holds + hashes
        values += [f"{p.made.parsed} AS p{p.i}" for p in self.parts if p.made and p.i not in given]
        source = "was_computed" if computed else "was_read"
        steps.append(f"was_parsed AS (SELECT {', '.join(values)} FROM {source})")
        return f"WITH {', '.join(steps)} SELECT {', '.join(self._outputs(given))} FROM was_parsed"

    def _read(self, part: _Part, raw: str, *, padded: bool) -> str:
        """The value: text cleaned, codes translated."""
        if part.value_type != "VARCHAR":
            return f"{raw} AS v{part.i}"
        text = as_text(raw, part.sql_type)
        known = self.read_nulls and not padded
        clean = text if known else cleaned(text, nulls=self.nulls, padded=padded)
        if part.map.codes is None:
            return f"{clean} AS v{part.i}"
        return f"{translated(text, clean, part.map.codes)} AS v{part.i}"

    def _outputs(self, given: Collection[int]) -> list[str]:
        chosen = [f"({self.case})::UTINYINT AS problem"]
        for part in self.parts:
            if part.column.type == "customer" and part.i in given:
                chosen += [f"h{part.i}_0 AS key_low", f"h{part.i}_1 AS key_high"]
            elif part.column.type == "ref" and part.i in given:
                value = f"CASE WHEN v{part.i} IS NOT NULL THEN h{part.i}_0 END"
                chosen.append(f"{value} AS {quoted(part.column.name)}")
            elif part.column.type == "customer":
                chosen += [f"(p{part.i} & {MASK_64})::UBIGINT AS key_low", f"(p{part.i} >> 64)::UBIGINT AS key_high"]
            elif part.column.stored:
                chosen.append(f"{part.stored} AS {quoted(part.column.stored)}")
        by_name = {p.column.name: p for p in self.parts}
        keys = [by_name[k] for k in self.table.key if k in by_name and by_name[k].column.type != "customer"]
        if keys and not (len(self.table.key) == 1 and keys[0].column.type == "ref"):
            values = [f"h{k.i}_0" if k.i in given else k.stored for k in keys]
            chosen.append(f"hash({', '.join(values)}) AS row_key")
        if self.table.name == "customer":
            number = as_text(f"v{by_name['customer_no'].i}", by_name["customer_no"].value_type)
            chosen.append(f"{self.salts['customer_id'].hex_sql(number)} AS person_customer_id")
            chosen += [_person(name, by_name.get(name)) for name in PEOPLE[1:]]
        return chosen


def _faults(part: _Part) -> list[tuple[str, Reason]]:
    found: list[tuple[str, Reason]] = []
    if part.expression:
        found.append((f"f{part.i}", "NOT_COMPUTABLE"))
    if part.map.codes is not None and "*" not in part.map.codes:
        found.append((f"v{part.i} = {literal(UNKNOWN)}", "UNKNOWN_CODE"))
    if part.column.required:
        found.append((f"v{part.i} IS NULL", "MISSING_REQUIRED"))
    listed = part.map.codes is not None and part.column.type == "text"  # its values were checked with the spec
    faults = part.made.faults if part.made else ()
    return [*found, *(f for f in faults if not (listed and f[1] == "UNKNOWN_CODE"))]


def _person(name: str, part: _Part | None) -> str:
    value = "NULL::VARCHAR" if part is None else as_text(f"v{part.i}", part.value_type)
    return f"{value} AS person_{name}"


def _inner(struct: str) -> str:
    """Return the type of the only field, ``v``, of a struct type."""
    return struct.removeprefix("STRUCT(").removesuffix(")").removeprefix('"v" ').removeprefix("v ")


def _expression(text: str, available: AnyMapping[str, str], field: str) -> exp.Expr:
    expression = checked(text, columns=available, aggregates=False, where=Where(field=field))
    if "as_of" in names_in(expression) and "as_of" not in available:
        raise InvalidSpec("A source has no `as_of`.", hint="Take the date from a column.", where=Where(field=field))
    return expression


def _types(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
