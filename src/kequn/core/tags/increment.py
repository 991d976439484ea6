"""Which customers a refresh must look at: those whose own rows, or whose place in a window, changed since the last one.

A tag's value follows from a customer's own rows, the products, the holdings' snapshots and the business date. Where an earlier
refresh computed the same definition, its values still hold for everybody except

* customers with rows in files loaded since, and new customers;
* where the date moved on: customers whose account opened since, with rows that became due, or with rows that left the window.

Whatever cannot be told in this way (a definition that names the date, another snapshot, a table that was replaced, timing) is
computed for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine, literal, quoted
from kequn.core.engine.store import DateState, Manifest, TableState
from kequn.core.tags.compiling import aggregate, plain_sql
from kequn.core.tags.language import GIVEN, Calendar
from kequn.core.tags.ordering import closure, levels
from kequn.core.tags.reading import ReadTag
from kequn.core.tags.timed import is_timed
from kequn.core.tags.tracing import fingerprints_of_inputs

MOST = 0.2
"""Share of all customers from which computing everybody is no more work."""
Ordinals = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Increment:
    """Tags that need new values for some customers only."""

    base: DateState
    tags: tuple[str, ...]
    ordinals: Ordinals
    """Ascending."""


def basis(manifest: Manifest) -> dict[str, list[str]]:
    """Return what a date's tags are made from, as ``increment`` compares it: the files of each table."""
    return {name: list(state.files) for name, state in sorted(manifest.tables.items())}


def increment(
    engine: Engine, read: Mapping[str, ReadTag], write: Iterable[str], calendar: Calendar
) -> Increment | None:
    """Return which of the tags to ``write`` can be made from those of an earlier refresh; ``None`` for none of them."""
    base_day = max((d for d in engine.manifest.dates if date.fromisoformat(d) <= calendar.as_of), default=None)
    if base_day is None or not engine.manifest.dates[base_day].basis:
        return None
    found = _Search(engine, read, calendar, date.fromisoformat(base_day))
    tags = found.tags(write)
    ordinals = found.ordinals(tags) if tags else None
    if ordinals is None or len(ordinals) > MOST * engine.manifest.ordinals:
        return None
    return Increment(found.base, tuple(tags), ordinals)


class _Search:
    """Compares two business dates and what was loaded for them."""

    def __init__(self, engine: Engine, read: Mapping[str, ReadTag], calendar: Calendar, base_day: date) -> None:
        self.engine, self.read, self.calendar, self.before = engine, read, calendar, base_day
        self.base = engine.manifest.dates[base_day.isoformat()]
        self.then = replace(calendar, as_of=base_day, snapshots=tuple(s for s in calendar.snapshots if s <= base_day))
        self.moved = base_day != calendar.as_of
        was = {name: TableState(files=files) for name, files in self.base.basis.items()}
        past = Manifest(tables=was, ordinals=self.base.ordinals)
        self.inputs = fingerprints_of_inputs(read, past, base_day)
        self.depends = {name: tag.tags for name, tag in read.items()}

    def tags(self, names: Iterable[str]) -> list[str]:
        """Return the tags whose earlier values hold for all but some customers."""
        local: dict[str, bool] = {}
        for level in levels(self.depends):
            for name in level:
                local[name] = all(local[t] for t in self.depends[name]) and self._is_local(self.read[name])
        return [n for n in names if local[n] and self._is_sound(n)]

    def ordinals(self, tags: Iterable[str]) -> Ordinals:
        """Return all customers whose values of some tags may have changed."""
        needed = [self.read[n] for n in sorted(closure(tags, self.depends))]
        queries = {self._new_rows(table) for t in needed for table in self._tables(t)} - {""}
        queries |= {q for t in needed for q in self._moved_rows(t)}
        parts = [np.arange(self.base.ordinals, self.engine.manifest.ordinals, dtype=np.uint32)]
        for query in sorted(queries):
            parts.append(self.engine.arrow(query).column("ordinal").to_numpy().astype(np.uint32))
        return np.unique(np.concatenate(parts))

    def _is_sound(self, name: str) -> bool:
        """Whether the earlier values are those of this definition over the rows that there were."""
        state = self.base.tags.get(name)
        return state is not None and state.inputs == self.inputs[name]

    def _tables(self, tag: ReadTag) -> list[str]:
        return sorted({"customer", *(table for table, _ in tag.columns)})

    def _is_local(self, tag: ReadTag) -> bool:
        if tag.spec.over == GIVEN or (tag.table is not None and not tag.per_row and is_timed(tag, self.calendar)):
            return False
        return all(self._only_grew(table) for table in self._tables(tag)) and self._same_meaning(tag)

    def _only_grew(self, table: str) -> bool:
        state, was = self.engine.manifest.tables.get(table), self.base.basis.get(table, [])
        if state is None:
            return not was
        new = set(state.files) - set(was)
        return set(was) <= set(state.files) and (TABLES[table].per_customer or not new)

    def _same_meaning(self, tag: ReadTag) -> bool:
        """Whether a definition says the same on both dates, its window left aside."""
        if not self.moved:
            return self.then == self.calendar
        if tag.per_row:
            return plain_sql(tag, self.then) == plain_sql(tag, self.calendar)
        return _text(tag, self.then) == _text(tag, self.calendar)

    def _new_rows(self, table: str) -> str:
        """The customers with rows in files loaded since."""
        state = self.engine.manifest.tables.get(table)
        new = sorted(set(state.files) - set(self.base.basis.get(table, []))) if state else []
        if not new:
            return ""
        paths = ", ".join(literal(str(self.engine.store.path(f))) for f in new)
        return f"SELECT DISTINCT ordinal FROM read_parquet([{paths}]) WHERE ordinal IS NOT NULL"

    def _moved_rows(self, tag: ReadTag) -> list[str]:
        """The customers with rows that came true, or left the window, between the two dates."""
        if not self.moved:
            return []
        now, then = self.calendar.as_of, self.before
        found = [_between("customer", "opened_on", then + timedelta(days=1), now)]
        if tag.table is None or tag.per_row or tag.table.on is None:
            return found
        found.append(_between(tag.table.name, tag.table.on, then + timedelta(days=1), now))
        if tag.spec.days:
            first = timedelta(days=tag.spec.days - 1)
            found.append(_between(tag.table.name, tag.table.on, then - first, now - first - timedelta(days=1)))
        return found


def _text(tag: ReadTag, calendar: Calendar) -> str:
    windowless = replace(tag, spec=tag.spec.model_copy(update={"days": None}))
    return aggregate(windowless, calendar).value.sql(dialect="duckdb")


def _between(table: str, on: str, first: date, last: date) -> str:
    return (
        f"SELECT DISTINCT ordinal FROM {quoted(table)}"
        f" WHERE {quoted(on)} BETWEEN DATE '{first}' AND DATE '{last}' AND ordinal IS NOT NULL"
    )
