"""A column of the day after: a copy of the day's in which the rows that changed are written anew.

Most tags of most customers are tomorrow what they are today. Copying a column and writing two rows in a hundred costs a small
part of building it from its file. What the copy cannot hold (a text that was never there, a number too wide) is left to
`build`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.index import layout
from kequn.core.engine.index.bits import Words, from_ordinals, full, unpacked
from kequn.core.engine.index.build import Population, histogram_of, publish, whole_numbers
from kequn.core.engine.index.layout import Column

Array = npt.NDArray[Any]


class _DoesNotFit(Exception):
    """The column's codes or numbers cannot hold a new value."""


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
    except _DoesNotFit:
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


def _fitting(column: Column, values: pa.Array) -> dict[str, Any]:
    """Return the new rows in the column's own terms: known, codes or sets, exact."""
    known = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    if column.kind in ("number", "day"):
        return _numbers(column, values, known)
    if column.kind == "text":
        return {"known": known}
    code = {value: i for i, value in enumerate(column.values or (), start=1)}
    if column.kind == "set":
        rows = [[v for v in row or () if v is not None] for row in values.to_pylist()]
        if any(v not in code for row in rows for v in row):
            raise _DoesNotFit
        return {
            "known": known,
            "sets": {k: np.array([v in row for row in rows], dtype=np.bool_) for v, k in code.items()},
        }
    encoded = values.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if any(word not in code for word in words):
        raise _DoesNotFit
    codes = np.array([0, *(code[word] for word in words)])[encoded.indices.fill_null(-1).to_numpy() + 1]
    return {"known": known, "codes": codes}


def _numbers(column: Column, values: pa.Array, known: npt.NDArray[np.bool_]) -> dict[str, Any]:
    assert column.exact is not None
    assert column.edges is not None
    wide = whole_numbers(pa.chunked_array([values]), column.kind)
    exact = wide.astype(column.exact.dtype)
    if not np.array_equal(exact.astype(wide.dtype), wide):
        raise _DoesNotFit
    typed = wide.astype(column.edges.dtype)
    bins = np.searchsorted(column.edges[1:], typed, side="right")
    return {"known": known, "codes": np.where(known, bins + 1, 0), "exact": exact, "bins": bins, "typed": typed}


def _write_rows(into: Path, column: Column, ordinals: Array, new: Mapping[str, Any]) -> None:
    known, changed = new["known"], from_ordinals(ordinals, column.size)
    if not column.is_full or not known.all():
        before = full(column.size) if column.is_full else column.known
        np.save(into / "known.npy", _replaced(before, changed, ordinals[known], column.size))
    if column.codes is not None:
        _rows(into / "codes.npy")[ordinals] = new["codes"]
    if column.planes:
        sets = new.get("sets") or {code: new["codes"] == code for code in column.planes}
        planes = _rows(into / "planes.npy")
        for i, code in enumerate(column.planes):
            planes[i] = _replaced(column.planes[code], changed, ordinals[sets[code]], column.size)
    if column.exact is not None:
        _rows(into / "exact.npy")[ordinals] = new["exact"]
        bins = _rows(into / "bins.npy")
        np.minimum.at(bins[1], new["bins"][known], new["typed"][known])
        np.maximum.at(bins[2], new["bins"][known], new["typed"][known])


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
