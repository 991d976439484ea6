"""The rows of a table file by (key, day): who has a row of some kind on some day is read off without a look at the others.

A key is a combination of the values of the table's columns with few values (kind × channel …); within a key and day the
ordinals ascend. As everything in the index it is derived from an immutable file and kept under its name::

    <store>/index/_rows/<stem of the table file>/
        column.json              the keys and days of each part
        <part>-ordinals.npy      uint32, a row of the table each
        <part>-offsets.npy       int64 (keys × days + 1): where the rows of a key and day begin
        <part>-<column>.npy      int64, an amount a row; <part>-<column>-gaps.npy says where there is none
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.core.engine.index import layout
from kequn.core.engine.index.bits import Ordinals
from kequn.core.engine.index.build import publish
from kequn.core.engine.store import Store

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Key = tuple[Any, ...]

ROWS = "_rows"
PART_ROWS = 20_000_000
"""A part is built in memory, about 50 bytes a row."""
MOST_COMBINATIONS = 1 << 22
LEAST_GROUPS = 1 << 16
ROWS_A_GROUP = 8
"""Columns are added to the key as long as a key and day has about so many rows: finer groups would be read one by one."""
QUICK_TO_BUILD = 2_000_000
"""Rows that a question builds itself; larger files wait for the next refresh, and SQL answers until then."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns of a table make its keys, where they have few values, and which hold amounts."""

    on: str
    keys: tuple[str, ...]
    amounts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of some days. Group ``k × len(days) + d`` is key k on day d."""

    columns: tuple[str, ...]
    keys: tuple[Key, ...]
    days: npt.NDArray[np.int32]
    """Days since 1970-01-01 that have rows, ascending."""
    offsets: Ints
    ordinals: Ordinals
    amounts: Mapping[str, tuple[Ints, npt.NDArray[np.bool_]]]
    """Values and where they are missing; of the latter none where no value is."""
    greatest: Mapping[str, int]
    """No amount is further from 0."""
    reach: int
    """All ordinals are below it."""


def folder_of_rows(store: Store, file: str) -> Path:
    """Return the folder of what is derived from a table file."""
    return store.root / "index" / ROWS / PurePosixPath(file).stem


def build_rows(store: Store, files: Sequence[str], shape: Shape) -> None:
    """Build what is missing of a table's postings; a refresh does so after a load.

    Raises:
        OSError: a file cannot be read or written; nothing is half-written then.
    """
    for file in files:
        if not (folder_of_rows(store, file) / "column.json").exists():
            _build(store.path(file), folder_of_rows(store, file), shape)


def rows_of(store: Store, files: Sequence[str], shape: Shape) -> list[Part] | None:
    """Return the parts of a table's files; ``None`` where a file's postings are not there and cannot be built quickly."""
    parts: list[Part] = []
    for file in files:
        folder = folder_of_rows(store, file)
        if not (folder / "column.json").exists():
            if pq.read_metadata(store.path(file)).num_rows > QUICK_TO_BUILD:
                return None
            try:
                _build(store.path(file), folder, shape)
            except OSError:  # no space, or not ours to write to
                return None
        parts += open_rows(folder)
    return parts


@lru_cache(maxsize=256)
def open_rows(folder: Path) -> tuple[Part, ...]:
    """Map the parts in a folder; its content never changes."""
    return tuple(_opened(folder, i, about) for i, about in enumerate(layout.described(folder)["parts"]))


def _opened(folder: Path, i: int, about: dict[str, Any]) -> Part:
    def array(name: str) -> Array:
        return layout.mapped(folder / f"{i}-{name}.npy")

    none = np.zeros(0, dtype=np.bool_)
    none.flags.writeable = False
    amounts = {name: (array(name), array(f"{name}-gaps") if gaps else none) for name, gaps in about["amounts"].items()}
    keys = tuple(tuple(key) for key in about["keys"])
    days = np.array(about["days"], dtype=np.int32)
    return Part(
        tuple(about["columns"]),
        keys,
        days,
        array("offsets"),
        array("ordinals"),
        amounts,
        about["greatest"],
        about["reach"],
    )


def _build(source: Path, folder: Path, shape: Shape) -> None:
    def write(into: Path) -> None:
        parts = [_written(into, i, table, shape) for i, table in enumerate(_portions(source, shape))]
        text = json.dumps({"format": layout.FORMAT, "parts": parts}, ensure_ascii=False)
        (into / "column.json").write_text(text, encoding="utf-8")

    publish(folder, write)


def _portions(source: Path, shape: Shape) -> Iterator[pa.Table]:
    """The file's rows that have a day, by ranges of days of at most so many rows."""
    schema = pq.read_schema(source)
    wanted = ["ordinal", shape.on, *(c for c in (*shape.keys, *shape.amounts) if c in schema.names)]
    words = [name for name in wanted if pa.types.is_string(schema.field(name).type)]
    bounds = _bounds(source, shape.on)
    for low, high in bounds:
        ends = [pa.scalar(int(end), pa.int32()).cast(pa.date32()) for end in (low, high)]
        only = (pc.field(shape.on) >= ends[0]) & (pc.field(shape.on) <= ends[1])
        filters = only if len(bounds) > 1 else pc.is_valid(pc.field(shape.on))
        yield pq.read_table(source, columns=wanted, filters=filters, read_dictionary=words)


def _bounds(source: Path, on: str) -> list[tuple[int, int]]:
    counts: dict[int, int] = {}
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(columns=[on], batch_size=1 << 20):
            days, rows = np.unique(batch.column(0).drop_null().cast(pa.int32()).to_numpy(), return_counts=True)
            for day, n in zip(days.tolist(), rows.tolist(), strict=True):
                counts[day] = counts.get(day, 0) + n
    bounds: list[tuple[int, int]] = []
    taken = 0
    for day in sorted(counts):
        if bounds and taken + counts[day] <= PART_ROWS:
            bounds[-1] = (bounds[-1][0], day)
            taken += counts[day]
        else:
            bounds.append((day, day))
            taken = counts[day]
    return bounds


def _written(into: Path, i: int, table: pa.Table, shape: Shape) -> dict[str, Any]:
    days, day = np.unique(table.column(shape.on).cast(pa.int32()).to_numpy(), return_inverse=True)
    names, keys, key = _keyed(table, [n for n in shape.keys if n in table.column_names], len(days))
    group = key * len(days) + day
    order = np.argsort((group.astype(np.uint64) << np.uint64(32)) | table.column("ordinal").to_numpy())
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(keys) * len(days)))])
    np.save(into / f"{i}-offsets.npy", offsets.astype(np.int64))
    ordinals = table.column("ordinal").to_numpy().astype(np.uint32)[order]
    np.save(into / f"{i}-ordinals.npy", ordinals)
    gaps, greatest = {}, {}
    for name in (n for n in shape.amounts if n in table.column_names):
        column = table.column(name)
        values = pc.fill_null(column, 0).to_numpy().astype(np.int64)[order]
        np.save(into / f"{i}-{name}.npy", values)
        gaps[name], greatest[name] = column.null_count > 0, _furthest(values)
        if gaps[name]:
            np.save(into / f"{i}-{name}-gaps.npy", ~np.asarray(column.is_valid().to_numpy(), dtype=np.bool_)[order])
    reach = int(ordinals.max()) + 1 if len(ordinals) else 0
    about = {"columns": names, "keys": keys, "days": days.tolist(), "amounts": gaps, "greatest": greatest}
    return about | {"reach": reach}


def _furthest(values: Ints) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if len(values) else 0


def _keyed(table: pa.Table, columns: Sequence[str], days: int) -> tuple[list[str], list[list[Any]], Ints]:
    """The columns of the key, the keys that occur, and each row's key. Columns with the fewest values come first."""
    encoded = sorted(((*_encoded(table.column(name)), name) for name in columns), key=lambda c: (len(c[1]), c[2]))
    most = max(LEAST_GROUPS, len(table) // ROWS_A_GROUP)
    names: list[str] = []
    keys: list[list[Any]] = [[]]
    key = np.zeros(len(table), dtype=np.int64)
    for codes, words, name in encoded:
        if len(keys) * len(words) > MOST_COMBINATIONS:
            break
        joined = key * len(words) + codes
        used = np.flatnonzero(np.bincount(joined, minlength=len(keys) * len(words)))
        if len(used) * days > most:
            break
        place = np.zeros(len(keys) * len(words), dtype=np.int64)
        place[used] = np.arange(len(used))
        keys = [[*keys[code // len(words)], words[code % len(words)]] for code in used.tolist()]
        key = place[joined]
        names.append(name)
    return names, keys, key


def _encoded(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    """Codes and what they mean; code 0 is no value."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    one = encoded.unify_dictionaries().combine_chunks() if encoded.num_chunks else pa.array([], encoded.type)
    return pc.fill_null(one.indices, -1).to_numpy().astype(np.int64) + 1, [None, *one.dictionary.to_pylist()]
