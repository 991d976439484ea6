"""The files of a tag's values: a column with a row an ordinal, and files of changes laid over it.

A column file is ``value`` (row i: ordinal i) and is written once. A day on which few customers' values are others adds a file of
changes instead of a column: ``ordinal`` (ascending) and one column for each tag that was computed for those customers, under the
tag's name. A `TagState` names both; of two files of changes that name a customer the later one counts, and a value that is
gone is a null there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Store, TagState

Ordinals = npt.NDArray[np.uint32]
ORDINAL = "ordinal"


class ChangeFiles:
    """Files of changes, at least one, as one: who changed, and to what."""

    def __init__(self, store: Store, files: Sequence[str]) -> None:
        self._files = [pq.ParquetFile(store.path(file)) for file in reversed(files)]

    @property
    def ordinals(self) -> Ordinals:
        """Who is named in some file, ascending."""
        return self._merged[0]

    def values(self, tag: str) -> pa.Array:
        """Return the latest values of a tag, one for each of `ordinals`; the tag is in every file."""
        parts = [_read(file, tag) for file in self._files]
        column = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        rows = self._merged[1]
        return column if rows is None else column.take(pa.array(rows))

    @cached_property
    def _merged(self) -> tuple[Ordinals, npt.NDArray[np.int64] | None]:
        """Who, and the row of each in the files put together, the latest file first."""
        found = [_read(file, ORDINAL).to_numpy() for file in self._files]
        if len(found) == 1:
            return found[0], None
        ordinals, rows = np.unique(np.concatenate(found), return_index=True)
        return ordinals, rows


def write_changes(path: Path, ordinals: Ordinals, values: Mapping[str, pa.Array | pa.ChunkedArray]) -> None:
    """Write a file of changes: ascending ordinals, and the values of each tag for them.

    What is small is quick to write: texts alone are worth a dictionary, and only ordinals are skipped by.
    """
    table = pa.table({ORDINAL: pa.array(ordinals, pa.uint32()), **values})
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(table, path, compression="lz4", use_dictionary=texts, write_statistics=[ORDINAL])


def _read(file: pq.ParquetFile, column: str) -> pa.Array:
    return file.read(columns=[column], use_threads=False).column(0).combine_chunks()


def column_of(store: Store, name: str, tag: TagState, *, size: int | None = None) -> pa.ChunkedArray:
    """Return a tag's values, one an ordinal, with its changes.

    Args:
        size: how many rows; those beyond the files have no value. As many as the files know where it is not given.
    """
    column = pq.read_table(store.path(tag.file)).column("value")
    if tag.changes:
        changes = ChangeFiles(store, tag.changes)
        return replaced(column, changes.ordinals, changes.values(name), size)
    if size is None or size == len(column):
        return column
    return replaced(column, np.zeros(0, dtype=np.uint32), pa.array([], column.type), size)


def replaced(column: pa.ChunkedArray, ordinals: Ordinals, values: pa.Array, size: int | None = None) -> pa.ChunkedArray:
    """Return a column of ``size`` rows in which some ordinals (ascending) have other values; rows beyond it have none."""
    rows = max(len(column), int(ordinals[-1]) + 1 if len(ordinals) else 0) if size is None else size
    places = np.arange(rows)
    missing = places >= len(column)
    inside = ordinals < rows
    places[ordinals[inside]] = len(column) + np.flatnonzero(inside)
    missing[ordinals[inside]] = False
    both = pa.chunked_array([*column.chunks, values.cast(column.type)], column.type)
    return pa.chunked_array([both.combine_chunks().take(pa.array(places, mask=missing))], column.type)


def value_of(store: Store, name: str, tag: TagState, ordinal: int) -> object:
    """Return one customer's value; only the row groups she is in are read."""
    for file in reversed(tag.changes):
        column = pq.read_table(store.path(file), columns=[name], filters=[(ORDINAL, "==", ordinal)]).column(name)
        if len(column):
            return column[0].as_py()
    with pq.ParquetFile(store.path(tag.file)) as rows:
        first = 0
        for group in range(rows.num_row_groups):
            count = rows.metadata.row_group(group).num_rows
            if ordinal < first + count:
                return rows.read_row_group(group, columns=["value"])["value"][ordinal - first].as_py()
            first += count
    return None
