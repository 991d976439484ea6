"""What the core's tests share: a store with a few rows, written as a load would leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState, Store, TableState, TagState

ARROW = {
    "UINTEGER": pa.uint32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"),
}  # fmt: skip
LOADED_AT = datetime(2026, 6, 30, 22, tzinfo=UTC)
Rows = list[dict[str, Any]]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Return a function that writes canonical rows and tags into a new store and opens it.

    ``tags`` maps a business date to tag columns (one value an ordinal).
    """
    opened: list[Engine] = []

    def build(
        *, tags: dict[date, dict[str, list[Any]]] | None = None, loaded_at: datetime = LOADED_AT, **tables: Rows
    ) -> Engine:
        store = Store(tmp_path / f"store{len(opened)}")
        with store.writing(now=loaded_at) as draft:
            draft.manifest.ordinals = len(tables.get("customer", []))
            for name, rows in tables.items():
                draft.manifest.tables[name] = _table(draft, name, rows, loaded_at)
            for day, columns in (tags or {}).items():
                draft.manifest.dates[day.isoformat()] = _date(draft, columns, loaded_at)
        opened.append(Engine(store))
        return opened[-1]

    yield build
    for engine in opened:
        engine.close()


def _table(draft: Any, name: str, rows: Rows, loaded_at: datetime) -> TableState:
    stored = TABLES[name].stored_columns()
    if not rows:
        return TableState(loaded_at=loaded_at)
    columns = {c: pa.array([row.get(c) for row in rows], ARROW[kind]) for c, kind in stored.items()}
    unknown = {key for row in rows for key in row} - set(stored)
    assert not unknown, f"{name} has no column {unknown}"
    path, relative = draft.new_file("tables", name)
    pq.write_table(pa.table(columns), path)
    on = TABLES[name].on
    return TableState(
        files=[relative], rows=len(rows), as_of=max(row[on] for row in rows) if on else None, loaded_at=loaded_at
    )


def _date(draft: Any, columns: dict[str, list[Any]], loaded_at: datetime) -> DateState:
    n = len(next(iter(columns.values())))
    population = columns.get("population", [True] * n)
    path, relative = draft.new_file("tags", "population")
    pq.write_table(pa.table({"value": pa.array(population, pa.bool_())}), path)
    state = DateState(population=relative, customers=sum(population))
    for tag, values in columns.items():
        if tag != "population":
            path, relative = draft.new_file("tags", tag)
            pq.write_table(pa.table({"value": pa.array(values)}), path)
            known = sum(v is not None for v in values)
            state.tags[tag] = TagState(file=relative, fingerprint="0" * 12, known=known, computed_at=loaded_at)
    return state
