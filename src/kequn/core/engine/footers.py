"""What the footers of the store's own files tell without a row being read."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from kequn.core.engine.duck import Engine


def last_day(engine: Engine, table: str, column: str) -> date | None:
    """Return the largest date in a column of a table, ``None`` where the footers do not tell or there is none."""
    days = [_last_in(engine.store.path(file), column) for file in engine.manifest.tables[table].files]
    return max((d for d in days if d is not None), default=None) if None not in days else None


def latest(engine: Engine, table: str, as_of: date) -> date | None:
    """Return the latest ``as_of`` of a table up to a business date: by the footers, where nothing is later."""
    last = last_day(engine, table, "as_of")
    if last is not None and last <= as_of:
        return last
    found: date | None = engine.rows(f"SELECT max(as_of) FROM {table} WHERE as_of <= ?", [as_of])[0][0]
    return found


@lru_cache(maxsize=4_096)
def _last_in(file: Path, column: str) -> date | None:
    """Files never change under their name: what one footer said once, it says for good."""
    about = pq.read_metadata(file)
    try:
        at = about.schema.names.index(column)
    except ValueError:
        return None
    found: list[date] = []
    for group in range(about.num_row_groups):
        told = about.row_group(group).column(at).statistics
        if told is None or not told.has_min_max or not isinstance(told.max, date):
            return None
        found.append(told.max)
    return max(found, default=None)
