"""What makes a row unique: duplicates within a load and rows that the table already has.

Each row's key is brought down to 64 bits while the rows stream by; sorting those finds every row that may come twice, and only
these are compared by their values.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.data.tables import Table
from kequn.core.engine.duck import literal, quoted

Rows = NDArray[np.int64]
Keys = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(ordinals: NDArray[np.int64] | None, rest: Keys | None) -> Keys:
    """Return 64 bits for (ordinal, hash of the other key columns)."""
    if ordinals is None:
        return rest if rest is not None else np.zeros(0, np.uint64)
    mix = (ordinals.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    mix ^= mix >> np.uint64(29)
    return mix if rest is None else (mix * _GOLDEN) ^ rest


class KeyBook:
    """The keys of the rows written so far, by row."""

    def __init__(self) -> None:
        self._parts: list[Keys] = []

    def add(self, keys: Keys) -> None:
        """Take down the keys of the next rows; copied, since a view would keep the whole block in memory."""
        self._parts.append(keys.copy())

    def rows_that_may_repeat(self) -> Rows:
        """Return the rows whose key another row has as well, ascending."""
        keys = self._all()
        ordered = np.sort(keys)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        return np.flatnonzero(np.isin(keys, twice)) if len(twice) else np.zeros(0, np.int64)

    def rows_that_may_be_known(self, known: Iterable[Keys]) -> Rows:
        """Return the rows whose key is among those of ``known``, ascending."""
        keys = self._all()
        hit = np.zeros(len(keys), dtype=bool)
        for others in known:
            hit |= np.isin(keys, others, kind="sort")
        return np.flatnonzero(hit)

    def _all(self) -> Keys:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros(0, np.uint64)


def key_columns(table: Table) -> list[str]:
    """Return the stored names of a table's key."""
    return [table.by_name[k].stored or k for k in table.key]


def repeated_rows(connection: duckdb.DuckDBPyConnection, table: Table, file: Path, rows: Rows) -> Rows:
    """Return those of ``rows`` of a file whose key an earlier row has, ascending."""
    keys = ", ".join(quoted(k) for k in key_columns(table))
    query = (
        f"SELECT i FROM (SELECT file_row_number AS i, row_number() OVER (PARTITION BY {keys} ORDER BY file_row_number) AS n"
        f" FROM read_parquet({literal(str(file))}, file_row_number = true)"
        f" WHERE file_row_number IN (SELECT i FROM chosen)) WHERE n > 1 ORDER BY i"
    )
    return _rows(connection, query, rows)


def known_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, file: Path, rows: Rows, *, before: Iterable[Path]
) -> tuple[Rows, Rows]:
    """Return (rows that the table has with the same content, rows whose key it has with another content), ascending."""
    columns = list(table.stored_columns())
    same_key = " AND ".join(f"n.{quoted(k)} IS NOT DISTINCT FROM o.{quoted(k)}" for k in key_columns(table))
    same = " AND ".join(f"n.{quoted(c)} IS NOT DISTINCT FROM o.{quoted(c)}" for c in columns)
    old = ", ".join(literal(str(p)) for p in before)
    joined = (
        f"SELECT n.file_row_number AS i, bool_or({same}) AS same"
        f" FROM (SELECT * FROM read_parquet({literal(str(file))}, file_row_number = true)"
        f" WHERE file_row_number IN (SELECT i FROM chosen)) n"
        f" JOIN read_parquet([{old}]) o ON {same_key} GROUP BY 1"
    )
    equal = _rows(connection, f"SELECT i FROM ({joined}) WHERE same ORDER BY i", rows)
    other = _rows(connection, f"SELECT i FROM ({joined}) WHERE NOT same ORDER BY i", rows)
    return equal, other


def _rows(connection: duckdb.DuckDBPyConnection, query: str, chosen: Rows) -> Rows:
    connection.register("chosen", pa.table({"i": chosen}))
    try:
        found = connection.sql(query).to_arrow_table()
        return np.asarray(found.column("i").to_numpy(), dtype=np.int64)
    finally:
        connection.unregister("chosen")


def without_rows(file: Path, target: Path, drop: Rows, *, options: dict[str, object]) -> int:
    """Copy a file without some of its rows; return how many are left."""
    source = pq.ParquetFile(file)
    at, kept = 0, 0
    with pq.ParquetWriter(target, source.schema_arrow, **options) as out:
        for group in range(source.num_row_groups):
            rows = source.read_row_group(group)
            inside = drop[np.searchsorted(drop, at) : np.searchsorted(drop, at + rows.num_rows)] - at
            keep = np.ones(rows.num_rows, dtype=bool)
            keep[inside] = False
            out.write_table(rows.filter(pa.array(keep)))
            at += rows.num_rows
            kept += int(keep.sum())
    return kept
