"""A source: how one of the bank's tables, as it is, becomes a canonical table."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Definition, Name, Spec


class CsvInput(Spec):
    """Delimited text, plain or gzip; the path may hold a glob and is relative to the data folder."""

    format: Literal["csv"] = "csv"
    path: str = Field(min_length=1)
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    quote: str = Field(default='"', max_length=1)
    header: bool = True
    names: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ("",)

    @model_validator(mode="after")
    def _named(self) -> CsvInput:
        if not self.header and not self.names:
            raise ValueError("a file without a header line needs `names`")
        return self


class ParquetInput(Spec):
    """Parquet files; the path may hold a glob."""

    format: Literal["parquet"]
    path: str = Field(min_length=1)


class ExcelInput(Spec):
    """One sheet of an xlsx workbook, its first row the header."""

    format: Literal["excel"]
    path: str = Field(min_length=1)
    sheet: str | None = None


class PostgresInput(Spec):
    """The rows of one query; the connection comes from the environment variable ``dsn_env``, never from the file."""

    format: Literal["postgres"]
    query: str = Field(min_length=1)
    dsn_env: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")


Input = CsvInput | ParquetInput | ExcelInput | PostgresInput


class Lookup(Spec):
    """Columns brought from another file by key, before the columns are mapped; lookups are taken one after the other.

    ``on`` says which of our columns meets which column there, ``columns`` what each brought column is called here. Each key
    stands there at most once (checked); a row without a partner has no value in the brought columns.
    """

    input: Input = Field(discriminator="format")
    on: dict[str, str] = Field(min_length=1)
    columns: dict[str, str] = Field(min_length=1)
    where: str | None = None
    """A checked SQL condition over the columns there: only these rows are looked at."""


class ColumnMap(Spec):
    """Where one canonical column comes from: a column as it is, or a checked SQL expression over the source's columns.

    ``row_number`` is a column of every source: the number of the record within its file, from 1.
    ``codes`` translates values after reading; a value that is not a key of it rejects the row, unless ``"*"`` is given.
    ``date_format`` is a strptime pattern for dates and times that are not ISO.
    """

    from_: str | None = Field(default=None, alias="from")
    sql: str | None = None
    codes: dict[str, str | None] | None = None
    date_format: str | None = None
    unit: Literal["yuan", "fen"] = "yuan"

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> ColumnMap:
        if (self.from_ is None) == (self.sql is None):
            raise ValueError("say either `from` (a source column) or `sql` (an expression), not both")
        return self


class QualityCheck(Spec):
    """What must hold of the rows of one load (质量检查); a check that fails with ``severity: fail`` keeps the previous data.

    ``not_null``, ``range``, ``codes`` and ``refers`` count the rows that break the rule, ``unique`` the rows too many; up to a
    share of ``most`` of the rows may. ``rows_change`` and ``sum_change`` compare with the median of the last ``loads`` loads
    and allow a change of the share ``most``. Money is in yuan.
    """

    check: Literal["not_null", "unique", "range", "codes", "refers", "rows_change", "sum_change"]
    column: Name | None = None
    """Canonical column."""
    columns: tuple[Name, ...] = ()
    """Of ``unique``: the columns that are unique together."""
    low: Decimal | date | None = None
    high: Decimal | date | None = None
    values: tuple[str, ...] = ()
    refers_to: str | None = Field(default=None, pattern=r"^[a-z_]+\.[a-z_]+$")
    """``table.column`` in which each value must stand."""
    most: float = Field(default=0, ge=0, le=1)
    loads: int = Field(default=5, ge=1, le=60)
    severity: Literal["warn", "fail"] = "warn"

    @model_validator(mode="after")
    def _complete(self) -> QualityCheck:
        if self.check == "unique":
            if not (self.column or self.columns):
                raise ValueError("`unique` needs `column` or `columns`")
        elif self.check != "rows_change" and self.column is None:
            raise ValueError(f"`{self.check}` needs `column`")
        needs = {"range": self.low is not None or self.high is not None, "codes": self.values, "refers": self.refers_to}
        if not needs.get(self.check, True):
            named = {"range": "`low` or `high`", "codes": "`values`", "refers": "`refers_to`"}[self.check]
            raise ValueError(f"`{self.check}` needs {named}")
        if self.check in ("rows_change", "sum_change") and not self.most:
            raise ValueError(f"`{self.check}` needs `most`, the change that is allowed: 0.3 for 30 %")
        return self


class Declared(Spec):
    """The control file that comes with a delivery (控制文件): one line that says how many rows and what sums it should hold."""

    path: str = Field(min_length=1)
    """Delimited text with a header, relative to the data folder."""
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    rows: str | None = None
    """Its column with the number of records."""
    totals: dict[Name, str] = {}
    """Canonical column -> its column with the sum; money in yuan. They have to stand in ``control_totals``."""
    severity: Literal["warn", "fail"] = "fail"

    @model_validator(mode="after")
    def _some(self) -> Declared:
        if self.rows is None and not self.totals:
            raise ValueError("say `rows`, `totals` or both")
        return self


class SourceSpec(Definition):
    """One of the bank's tables mapped to a canonical table (数据源)."""

    kind: Literal["source"] = "source"
    table: Name
    input: Input = Field(discriminator="format")
    lookup: tuple[Lookup, ...] = ()
    load: Literal["replace", "append"] = "replace"
    """`replace`: the source is the whole table; `append`: its rows are added, by key, to those already there."""
    columns: dict[str, ColumnMap]
    where: str | None = None
    """A checked SQL condition over source columns; rows that do not meet it are counted as skipped, not rejected."""
    freshness_days: int = Field(default=1, ge=0)
    """How many days after a load the next has to be there."""
    due_at: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """By which hour of that day at the bank; by its end where none is given."""
    max_reject_rate: float = Field(default=0.01, ge=0, le=1)
    """The load fails, and the previous data go on serving, when a larger share of rows is rejected."""
    control_totals: tuple[str, ...] = ()
    """Canonical columns whose sums the load reports, before and after."""
    declared: Declared | None = None
    checks: tuple[QualityCheck, ...] = ()
