"""The periods that figures are told for, one a month with holdings, and scans of the canonical tables that they are read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine, literal, quoted
from kequn.core.errors import NoData

MONTHS = 13
"""So many months show the same month of last year."""


@dataclass(frozen=True, slots=True)
class Period:
    """One month as far as the data tell it: from the day after the last period's end to the month's last day with holdings."""

    start: date
    end: date

    @property
    def label(self) -> str:
        """The month as 2026-07."""
        return f"{self.end:%Y-%m}"

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days + 1

    @property
    def is_partial(self) -> bool:
        """Whether the month is not over."""
        return (self.end + timedelta(days=1)).month == self.end.month


def periods(engine: Engine, *, until: date | None = None, most: int = MONTHS) -> tuple[Period, ...]:
    """Return the latest months with holdings, the earliest first.

    Raises:
        NoData: no holdings were loaded: there is nothing to take months from.
    """
    where, values = ("", []) if until is None else ("WHERE as_of <= ?", [until])
    ends: list[date] = []
    if engine.has("holding"):
        query = f"SELECT max(as_of) FROM holding {where} GROUP BY date_trunc('month', as_of) ORDER BY 1 DESC LIMIT {most + 1:d}"
        ends = sorted(row[0] for row in engine.rows(query, values))
    if not ends:
        raise NoData("No holdings were loaded.", hint="The bank's figures are told by month of the holdings table.")
    starts = [ends[0].replace(day=1), *(end + timedelta(days=1) for end in ends)]
    found = [Period(start, end) for start, end in zip(starts, ends, strict=False)]
    return tuple(found[-most:])


def scan(engine: Engine, table: str, *columns: str) -> str:
    """Return a sub-query of a canonical table; a column that no source maps is null, a table never loaded is empty."""
    wanted = TABLES[table].stored_columns()
    there = set(stored(engine, table))
    parts = [quoted(c) if c in there else f"CAST(NULL AS {wanted[c]}) AS {quoted(c)}" for c in columns]
    if not engine.has(table):
        return f"(SELECT {', '.join(parts)} WHERE FALSE)"
    return f"(SELECT {', '.join(parts)} FROM {quoted(table)})"


def stored(engine: Engine, table: str) -> tuple[str, ...]:
    """Return the columns of a table that a source maps; none where it was never loaded."""
    if not engine.has(table):
        return ()
    return tuple(engine.manifest.tables[table].columns or TABLES[table].stored_columns())


def spans(engine: Engine) -> dict[str, tuple[date, date]]:
    """Return the first and last business date of each table that has dates and rows."""
    found: dict[str, tuple[date, date]] = {}
    for name, table in TABLES.items():
        if table.on and engine.has(name) and table.on in stored(engine, name):
            first, last = engine.rows(f"SELECT min({quoted(table.on)}), max({quoted(table.on)}) FROM {quoted(name)}")[0]
            if first is not None:
                found[name] = (first, last)
    return found


def period_of(column: str, among: Sequence[Period]) -> str:
    """Return an SQL expression of the number of the period a date lies in; -1 before the first, null after the last."""
    first = f"WHEN {column} < DATE {literal(among[0].start.isoformat())} THEN -1"
    rest = " ".join(f"WHEN {column} <= DATE {literal(p.end.isoformat())} THEN {n}" for n, p in enumerate(among))
    return f"CASE {first} {rest} END"


def texts(values: Sequence[str]) -> str:
    """Return words as an SQL list in brackets."""
    return "(" + ", ".join(literal(v) for v in values) + ")"
