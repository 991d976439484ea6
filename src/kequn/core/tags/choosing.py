"""Which rows a window counts: conditions evaluated once a day and once a combination of column values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import sqlglot
from numpy.typing import NDArray

from kequn.core.data.compacting import LAST_DAY, ByCustomer
from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine, quoted
from kequn.core.tags.compiling import columns_in, scan_sql
from kequn.core.tags.language import Calendar
from kequn.core.tags.pivot import DAYS, Bools, Kind, Measure

EPOCH = date(1970, 1, 1)
MASK = 64
"""Different values that are counted exactly in one machine word."""


class OnlySql(Exception):
    """An aggregate is not one of windows over rows sorted by customer; no failure, the tag is computed by SQL."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows a measure is over: SQL conditions that must be true of their code and of their day."""

    codes: tuple[str, ...] = ()
    days: tuple[str, ...] = ()

    def and_(self, other: Chosen) -> Chosen:
        """Return the rows that both choose."""
        return Chosen(tuple(sorted({*self.codes, *other.codes})), tuple(sorted({*self.days, *other.days})))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A measure before its conditions are evaluated.

    ``value``: the SQL whose different values are counted; what is asked of ``timing``, of the kind ``timed``.
    """

    kind: Kind | Literal["timed"]
    rows: Chosen
    value: str = ""


@dataclass(frozen=True, slots=True)
class Timed:
    """What is asked of ``timing``, over the rows of some codes on some days."""

    what: str
    codes: Bools
    days: Bools


class Domain:
    """All days and all combinations that can occur, and which of them meet a condition."""

    def __init__(self, layout: ByCustomer, calendar: Calendar, engine: Engine) -> None:
        self.layout, self.calendar, self.engine = layout, calendar, engine
        table = TABLES[layout.table]
        self.on = table.on or ""
        self.first = layout.first_day
        self.last = min(layout.last_day, (calendar.as_of - EPOCH).days, LAST_DAY - 1)
        self.sizes = len(layout.combinations())
        numbers = pa.array(range(self.sizes), pa.uint32())
        self._names = f"codes_of_{layout.table}"
        engine.register(self._names, layout.combinations().append_column("ordinal", numbers))
        self._found: dict[str, Bools] = {}
        self._measures: dict[Leaf, Measure] = {}

    def check(self, leaves: Iterable[Leaf]) -> None:
        """Evaluate what some measures need.

        Raises:
            OnlySql: a condition fails on a day or combination (which the rows of a customer need not have), too many
                values for one word, sums that may be too large.
        """
        for leaf in leaves:
            try:
                self.timed(leaf) if leaf.kind == "timed" else self.measure(leaf)
            except duckdb.Error:
                raise OnlySql from None

    def measure(self, leaf: Leaf) -> Measure:
        """Return a measure with its codes and days."""
        if leaf not in self._measures:
            self._measures[leaf] = self._measure(leaf)
        return self._measures[leaf]

    def timed(self, leaf: Leaf) -> Timed:
        """Return a timing with its codes and days."""
        return Timed(leaf.value, *self._chosen(leaf.rows))

    def _measure(self, leaf: Leaf) -> Measure:
        assert leaf.kind != "timed"
        if leaf.kind == "sum" and self.layout.largest * self.layout.most_rows >= 1 << 62:
            raise OnlySql
        codes, days = self._chosen(leaf.rows)
        if leaf.kind == "bits":
            return Measure(leaf.kind, codes, days, self._numbered(codes, self._codes_query(leaf.value)))
        if leaf.kind == "day_bits":
            return Measure(leaf.kind, codes, days, self._numbered(days, self._days_query(leaf.value)))
        return Measure(leaf.kind, codes, days)

    def _chosen(self, rows: Chosen) -> tuple[Bools, Bools]:
        codes = np.ones(self.sizes, np.bool_)
        for text in rows.codes:
            codes &= self._codes_with(text)
        days = np.zeros(DAYS, np.bool_)
        if self.first <= self.last:
            days[self.first : self.last + 1] = True
            for text in rows.days:
                days &= self._days_with(text)
        return codes, days

    def _codes_with(self, text: str) -> Bools:
        return self._cached(text, self.sizes, lambda: self._codes_query(f"coalesce({text}, false)"))

    def _days_with(self, text: str) -> Bools:
        return self._cached(f"day {text}", DAYS, lambda: self._days_query(f"coalesce({text}, false)"))

    def _cached(self, key: str, size: int, query: Callable[[], str]) -> Bools:
        if key not in self._found:
            found = np.zeros(size, np.bool_)
            table = self.engine.arrow(query())
            values = table.column("value").combine_chunks().fill_null(False)
            found[table.column("number").to_numpy()] = values.to_numpy(zero_copy_only=False).astype(np.bool_)
            self._found[key] = found
        return self._found[key]

    def _numbered(self, chosen: Bools, query: str) -> NDArray[np.uint8]:
        """Give each different value among the chosen a number from 0, missing ones 64."""
        table = self.engine.arrow(query)
        encoded = table.column("value").combine_chunks().dictionary_encode()
        numbers = np.full(len(chosen), -1, np.int64)
        numbers[table.column("number").to_numpy()] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        used = np.unique(numbers[chosen & (numbers >= 0)])
        if len(used) > MASK:
            raise OnlySql
        found = np.full(len(chosen), MASK, np.uint8)
        for bit, number in enumerate(used):
            found[chosen & (numbers == number)] = bit
        return found

    def _codes_query(self, value: str) -> str:
        """``value`` for each code; products' columns come from the products by the code's product."""
        names = columns_in([sqlglot.parse_one(value, dialect="duckdb")])
        stored = dict.fromkeys(self.layout.columns, "")
        scan = scan_sql(replace(TABLES[self.layout.table], name=self._names), names, stored=stored)
        return f"SELECT ordinal AS number, {value} AS value FROM ({scan}) ORDER BY ordinal"

    def _days_query(self, value: str) -> str:
        days = f"SELECT range AS number, DATE '{EPOCH}' + CAST(range AS INTEGER) AS {quoted(self.on)}"
        return (
            f"SELECT number, {value} AS value FROM ({days} FROM range({self.first}, {self.last + 1})) ORDER BY number"
        )
