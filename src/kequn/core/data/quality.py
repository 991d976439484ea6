"""Quality checks: what a source's owner declared must hold of the rows of a load, asked before they are published."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import duckdb

from kequn.core.data.tables import TABLES, Column, Table
from kequn.core.engine.duck import literal, quoted
from kequn.core.engine.store import Manifest, Store
from kequn.core.errors import BadSource, InvalidSpec, KequnError, LoadFailed, Where
from kequn.core.spec.source import Declared, QualityCheck, SourceSpec

NUMBERS = ("money", "number", "integer")


@dataclass(frozen=True, slots=True)
class PastLoad:
    """An earlier good load of the same source, to compare with."""

    rows: int
    totals: Mapping[str, Decimal]
    """Canonical column -> sum stored, money in yuan."""
    columns: Mapping[str, str]
    """Column of the source -> its type."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. ``passed`` is ``None`` where there was nothing to compare with."""

    check: str
    """The kind of the check, or ``declared_rows``, ``declared_total``, ``column_types``."""
    column: str
    severity: Literal["warn", "fail"]
    passed: bool | None
    broken: int = 0
    """Rows that break the rule."""
    found: str = ""
    expected: str = ""


class ChecksFailed(LoadFailed):
    """A check with ``severity: fail`` did not hold; ``results`` are those of all checks."""

    code = "checks_failed"

    def __init__(self, results: Sequence[CheckResult], **facts: Any) -> None:
        bad = [r for r in results if r.passed is False and r.severity == "fail"]
        said = "; ".join(f"{r.check} {r.column}: {r.found}, expected {r.expected}".strip() for r in bad)
        super().__init__(
            f"{len(bad)} quality checks failed ({said}).",
            hint="The previous data go on serving. Ask the source's owner.",
            **facts,
        )
        self.results = tuple(results)


def check_quality(spec: SourceSpec) -> None:
    """Check the declared checks against the table they are about.

    Raises:
        InvalidSpec: with the place, a column or table that is not there or that a check cannot be about.
    """
    table = TABLES[spec.table]
    for i, check in enumerate(spec.checks):
        for name in _columns(check):
            column = table.by_name.get(name)
            if column is None or column.type == "person" or name not in spec.columns:
                message = f"The source maps no column {name!r} that can be checked."
                raise _fault(message, f"checks.{i}.column", "Columns: " + ", ".join(spec.columns) + ".")
            if check.check == "sum_change" and column.type not in NUMBERS:
                raise _fault(f"Column {name!r} is {column.type}: it has no sum.", f"checks.{i}.column")
        if check.refers_to is not None:
            other, _, key = check.refers_to.partition(".")
            if other not in TABLES or key not in TABLES[other].by_name:
                raise _fault(f"There is no column {check.refers_to!r}.", f"checks.{i}.refers_to")
    for name in spec.declared.totals if spec.declared else ():
        if name not in spec.control_totals:
            message = f"The sum of {name!r} is declared, but not among the control totals."
            raise _fault(message, "declared.totals", "Add it to `control_totals`.")


def run_checks(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    manifest: Manifest,
    spec: SourceSpec,
    *,
    path: Path | None,
    rows: int,
    read: int,
    totals: Mapping[str, tuple[Any, Any]],
    columns: Mapping[str, str],
    folder: Path,
    previous: Sequence[PastLoad],
) -> list[CheckResult]:
    """Return what each check found in the rows of a load.

    Args:
        path: the new file; ``None`` where no row was loaded.
        rows: rows in it. read: records read. totals: as the load reports them.
        columns: the source's columns and their types.
        previous: earlier good loads, the newest first.

    Raises:
        BadSource: the control file cannot be read.
    """
    run = _Run(connection, store, manifest, TABLES[spec.table], path, rows, totals, previous)
    results = [*_types(spec, columns, previous), *(run.result(check) for check in spec.checks)]
    if spec.declared is not None:
        results += _declared(spec.declared, folder, read, totals)
    return results


@dataclass(frozen=True, slots=True)
class _Run:
    connection: duckdb.DuckDBPyConnection
    store: Store
    manifest: Manifest
    table: Table
    path: Path | None
    rows: int
    totals: Mapping[str, tuple[Any, Any]]
    previous: Sequence[PastLoad]

    def result(self, check: QualityCheck) -> CheckResult:
        if check.check == "rows_change":
            return self._change(check, Decimal(self.rows), [Decimal(p.rows) for p in self.previous], "")
        assert check.column is not None or check.columns
        name = ", ".join(_columns(check))
        if check.check == "sum_change":
            known = [p.totals[name] for p in self.previous if name in p.totals]
            return self._change(check, self._sum(self.table.by_name[name]), known, name)
        broken = self._broken(check) if self.path is not None else 0
        if broken is None:
            return CheckResult(check.check, name, check.severity, None, expected=str(check.refers_to))
        allowed = int(check.most * self.rows)
        return CheckResult(
            check.check, name, check.severity, broken <= allowed, broken, f"{broken:,} rows", _wanted(check)
        )

    def _broken(self, check: QualityCheck) -> int | None:
        if check.check == "unique":
            key = ", ".join(quoted(_stored(self.table.by_name[c])) for c in _columns(check))
            return int(self._one(f"count(*) - count(DISTINCT ({key}))"))
        assert check.column is not None
        column = self.table.by_name[check.column]
        name = quoted(_stored(column))
        match check.check:
            case "not_null":
                return int(self._one(f"count(*) FILTER (WHERE {name} IS NULL)"))
            case "range":
                tests = [f"{name} < {_literal(column, check.low)}"] if check.low is not None else []
                tests += [f"{name} > {_literal(column, check.high)}"] if check.high is not None else []
                return int(self._one(f"count(*) FILTER (WHERE {' OR '.join(tests)})"))
            case "codes":
                known = ", ".join(literal(value) for value in check.values)
                return int(self._one(f"count(*) FILTER (WHERE CAST({name} AS VARCHAR) NOT IN ({known}))"))
            case _:
                return self._strangers(check, name)

    def _strangers(self, check: QualityCheck, name: str) -> int | None:
        other, _, key = str(check.refers_to).partition(".")
        state = self.manifest.tables.get(other)
        if state is None or not state.files:
            return None
        files = ", ".join(literal(str(self.store.path(file))) for file in state.files)
        stored = quoted(_stored(TABLES[other].by_name[key]))
        known = f"SELECT {stored} FROM read_parquet([{files}]) WHERE {stored} IS NOT NULL"
        return int(self._one(f"count(*) FILTER (WHERE {name} IS NOT NULL AND {name} NOT IN ({known}))"))

    def _sum(self, column: Column) -> Decimal:
        if column.name in self.totals:
            return Decimal(str(self.totals[column.name][1]))
        found = Decimal(str(self._one(f"coalesce(sum({quoted(_stored(column))}), 0)"))) if self.path else Decimal(0)
        return found.scaleb(-2) if column.type == "money" else found

    def _change(self, check: QualityCheck, found: Decimal, known: Sequence[Decimal], column: str) -> CheckResult:
        usual = statistics.median(known[: check.loads]) if known else None
        expected = f"{usual:,} ± {check.most:.0%}" if usual is not None else ""
        passed = None if usual is None else abs(found - usual) <= Decimal(str(check.most)) * abs(usual)
        return CheckResult(check.check, column, check.severity, passed, 0, f"{found:,}", expected)

    def _one(self, what: str) -> Any:
        found = self.connection.execute(f"SELECT {what} FROM read_parquet({literal(str(self.path))})").fetchone()
        return found[0] if found else 0


def _types(spec: SourceSpec, columns: Mapping[str, str], previous: Sequence[PastLoad]) -> Iterator[CheckResult]:
    """A column whose type is another than at the last load is always told."""
    before = previous[0].columns if previous else {}
    used = {mapped.from_ for mapped in spec.columns.values()}
    for name in sorted(set(before) & set(columns) & {u for u in used if u}):
        if before[name] != columns[name]:
            yield CheckResult("column_types", name, "warn", False, 0, columns[name], before[name])


def _declared(
    declared: Declared, folder: Path, read: int, totals: Mapping[str, tuple[Any, Any]]
) -> Iterator[CheckResult]:
    line = _control_line(declared, folder)

    def value(name: str) -> Decimal:
        if name not in line:
            hint = f"Its columns: {', '.join(line)}."
            raise BadSource(f"The control file {declared.path} has no column {name!r}.", hint=hint)
        try:
            return Decimal(line[name].replace(",", "").strip())
        except InvalidOperation:
            raise BadSource(f"{declared.path}: {name} is not a number.", hint="Ask for the file again.") from None

    def compared(check: str, column: str, found: Decimal, told: Decimal) -> CheckResult:
        return CheckResult(check, column, declared.severity, found == told, 0, f"{found:,}", f"{told:,}")

    if declared.rows is not None:
        yield compared("declared_rows", "", Decimal(read), value(declared.rows))
    for column, name in declared.totals.items():
        yield compared("declared_total", column, Decimal(str(totals[column][0])), value(name))


def _control_line(declared: Declared, folder: Path) -> dict[str, str]:
    root = folder.resolve()
    path = (root / declared.path).resolve()
    if not path.is_relative_to(root):
        raise BadSource(f"{declared.path} is outside the data folder.", hint="Paths are relative to it.")
    try:
        with path.open(encoding=declared.encoding, newline="") as file:
            lines = list(csv.DictReader(file, delimiter=declared.separator))
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadSource(f"The control file {declared.path} cannot be read.", hint="Was it delivered?") from error
    if len(lines) != 1:
        raise BadSource(f"The control file {declared.path} has {len(lines)} lines.", hint="A header and one line.")
    return {str(k).strip(): v or "" for k, v in lines[0].items()}


def _columns(check: QualityCheck) -> tuple[str, ...]:
    return check.columns or ((check.column,) if check.column else ())


def _stored(column: Column) -> str:
    return "ordinal" if column.type == "customer" else column.name


def _literal(column: Column, value: Decimal | date | None) -> str:
    if isinstance(value, date):
        return f"DATE {literal(value.isoformat())}"
    assert value is not None
    return str(value.scaleb(2) if column.type == "money" else value)


def _wanted(check: QualityCheck) -> str:
    said = f"≤ {check.most:.2%}" if check.most else "0 rows"
    if check.check == "range":
        return f"{said}, {check.low if check.low is not None else ''} … {check.high if check.high is not None else ''}"
    return f"{said} ({check.refers_to})" if check.refers_to else said


def _fault(message: str, field: str, hint: str = "") -> KequnError:
    return InvalidSpec(message, hint=hint or "See the table's columns.", where=Where(field=field))
