"""A column with the changes put in: a copy in which the rows that changed are written anew.

Copying a column and writing ten rows in a hundred costs a small part of building it from its file. What the copy cannot hold (a
text that was never there, a number too wide) is left to `build`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.index import layout
from kequn.core.engine.index.bits import Words, from_ordinals, full, unpacked
from kequn.core.engine.index.build import Parts, Population, histogram_of, publish
from kequn.core.engine.index.changes import DoesNotFit, rows_of
from kequn.core.engine.index.layout import Column

Array = npt.NDArray[Any]


def patch_column(
    column: Column, source: Path, folder: Path, *, ordinals: Array, values: pa.Array, population: Population
) -> bool:
    """Write to ``folder`` the column that ``source`` holds, with other values for some ordinals.

    Args:
        column: what ``source`` holds, opened.
        ordinals: whose value changed, ascending, each once and below the column's size.
        values: their values, of the tag's Arrow type; null where there is none any more.
        population: the customers of the new date, by whom the histogram is counted.

    Returns:
        Whether it was written; if not the column is to be built from its file.

    Raises:
        OSError: a file cannot be read or written; nothing is half-written then.
    """
    ordinals = np.asarray(ordinals, dtype=np.int64)
    try:
        new = _fitting(column, values)
    except DoesNotFit:
        return False
    about = layout.described(source)
    if column.is_full and values.null_count:
        about["files"] = sorted({*about["files"], "known"})

    def write(into: Path) -> None:
        for part in about["files"]:
            if (source / f"{part}.npy").exists():  # the plane of who has a value may come with the new ones
                shutil.copyfile(source / f"{part}.npy", into / f"{part}.npy")
        shutil.copyfile(
            source / layout.COMMON, into / layout.COMMON
        )  # not those of other populations: they count old values
        _write_rows(into, column, ordinals, new)
        (into / "column.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        patched = layout.open_column(column.name, into)
        counts = _counts(column, patched, ordinals, population)
        np.save(into / layout.COMMON, counts)
        text = json.dumps(about | {"population": population.digest}, ensure_ascii=False)
        (into / "column.json").write_text(text, encoding="utf-8")

    publish(folder, write)
    return True


def _fitting(column: Column, values: pa.Array) -> Parts:
    """Return the new rows in the column's own terms. Raises `DoesNotFit`."""
    rows = rows_of(column, values)
    if column.exact is not None and rows.exact is not None:
        exact = rows.exact.astype(column.exact.dtype)
        if not np.array_equal(exact.astype(rows.exact.dtype), rows.exact):
            raise DoesNotFit
    return rows


def _write_rows(into: Path, column: Column, ordinals: Array, new: Parts) -> None:
    changed, size = from_ordinals(ordinals, column.size), column.size
    known = unpacked(new.known, new.size)
    if not column.is_full or not known.all():
        before = full(size) if column.is_full else column.known
        np.save(into / "known.npy", _replaced(before, changed, ordinals[known], size))
    if column.codes is not None:
        _rows(into / "codes.npy")[ordinals] = new.codes
    if column.planes:
        planes = _rows(into / "planes.npy")
        for i, code in enumerate(column.planes):
            planes[i] = _replaced(column.planes[code], changed, ordinals[unpacked(new.planes[code], new.size)], size)
    if column.exact is not None:
        _rows(into / "exact.npy")[ordinals] = new.exact
        np.save(into / "bins.npy", np.asarray(new.bins))


def _replaced(plane: Words, changed: Words, those: Array, size: int) -> Words:
    return (plane & ~changed) | from_ordinals(those, size)


def _rows(path: Path) -> Array:
    return np.load(path, mmap_mode="r+", allow_pickle=False)  # type: ignore[no-any-return]


def _counts(before: Column, after: Column, ordinals: Array, population: Population) -> npt.NDArray[np.int64]:
    """The histogram moved by the changed rows; counted anew where the population is another."""
    if before.population != population.digest or before.codes is None or after.codes is None:
        return histogram_of(after, population)
    here = unpacked(population.words, population.size)
    mine = ordinals[ordinals < population.size]
    mine = mine[here[mine]]
    most = len(before.histogram)
    moved = np.bincount(after.codes[mine], minlength=most) - np.bincount(before.codes[mine], minlength=most)
    return np.asarray(before.histogram + moved, dtype=np.int64)
