"""One tag on one date as the index holds it: narrow codes, planes of bits and exact values, mapped from files.

A tag's column file never changes, so what is derived from it is kept under that file's name (files of changes are laid over
it in memory, `changes`)::

    <store>/index/<tag>/<stem of the column file>/
        column.json      kind, size, the meaning of codes, whether every row has a value
        codes.npy        uint8 or uint16, a row an ordinal; 0 = no value
        planes.npy       uint64 (plane, word), in the order of ``column.json``'s ``planes``
        known.npy        uint64 (word,); absent where every row has a value
        exact.npy        the values of numbers and days, 0 where there is none
        bins.npy         three rows: ``edges``, ``lows``, ``highs`` of the bins of numbers and days
        histogram.npy    int64, customers by code within the population named in ``column.json``

A folder is complete or it is not there: it is written beside and renamed. All arrays are read-only memory maps; what is
not looked at is not in memory.
"""

from __future__ import annotations

import io
import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Words, full, words_for

if TYPE_CHECKING:
    from kequn.core.engine.index.changes import Changes

FORMAT = 1
"""Of the folder; a folder of another format is built anew."""
EPOCH = date(1900, 1, 1)
"""Day 0 of ``day`` columns: uint16 reaches from here to 2079, int32 is taken for days outside."""
MOST_PLANES = 16
"""A ``code`` column of up to so many values has a plane for each."""
MOST_CODES = 65_534
MOST_SET_VALUES = 512
MOST_BINS = 255
"""Bins of a number: as many as a byte tells apart, since a range then leaves few rows to be looked at exactly."""
COMMON = "histogram.npy"

Kind = Literal["flag", "code", "number", "day", "set", "text"]


class BrokenColumn(Exception):
    """A folder of the index cannot be read; whoever opens it builds it again. Never leaves the index."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One tag on one date. Row ``i`` is ordinal ``i``; ordinals from ``size`` on came later and have no value.

    ===========  =========================  ============================  ================================  =========
    kind         codes                      values                        planes                            exact
    ===========  =========================  ============================  ================================  =========
    flag         –                          (True, False)                 {1: those who are true}           –
    code         uint8/uint16               the texts, sorted             every code, if at most 16         –
    number       uint8, the bin             –                             –                                 int/float
    day          uint8, the bin             –                             –                                 days
    set          –                          the texts, sorted             every value                       –
    text         – (too many values)        –                             –                                 –
    ===========  =========================  ============================  ================================  =========

    A customer may be in several planes of a ``set``. Money is fen; NaN is kept as +inf, above all numbers.
    """

    name: str
    kind: Kind
    size: int
    codes: npt.NDArray[Any] | None
    """0 = no value; k ≥ 1: ``values[k-1]``, or bin k-1."""
    values: tuple[Any, ...] | None
    edges: npt.NDArray[Any] | None
    """Lower bounds of the bins, ascending: bin k is [edges[k], edges[k+1]); the first takes all below it too."""
    lows: npt.NDArray[Any] | None
    highs: npt.NDArray[Any] | None
    """The least and greatest value that is in each bin; equal where a bin holds one value alone. An empty bin has the
    least above the greatest."""
    planes: Mapping[int, Words]
    """Code → the ordinals that have it."""
    known: Words
    """Who has a value. Like all planes not limited to the population."""
    exact: npt.NDArray[Any] | None
    """uint16, int32, int64, float32 or float64, whichever is the narrowest without loss; days since 1900-01-01."""
    histogram: npt.NDArray[np.int64]
    """Customers of the date's population by code, 0 = without a value first; of a ``set`` they overlap. A ``flag`` counts
    (none, true, false), a ``text`` (none, known)."""
    population: str
    """Of which population: the hash of its plane."""
    changes: Changes | None = None
    """Rows of which the arrays above (not ``lows``, ``highs`` and ``histogram``) are not true any more."""

    @property
    def is_full(self) -> bool:
        """Whether every row has a value."""
        return self.known is full(self.size)

    def nbytes(self) -> tuple[int, int]:
        """Return the bytes of what questions read (codes, planes) and of the exact values."""
        planes = sum(plane.nbytes for plane in self.planes.values())
        known = 0 if self.is_full else self.known.nbytes
        codes = 0 if self.codes is None else self.codes.nbytes
        return codes + planes + known, 0 if self.exact is None else self.exact.nbytes


def days_of(day: date) -> int:
    """Return a date as ``day`` columns hold it."""
    return (day - EPOCH).days


def mapped(path: Path) -> npt.NDArray[Any]:
    """Return an array file as a read-only map. `numpy.load` takes ten times as long, and a date has a thousand of them."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # lives as long as the array
        start = 10 + int.from_bytes(data[8:10], "little")
        shape, dtype = _described_array(data[:start])
        return np.ndarray(shape, dtype, buffer=data, offset=start)
    except (ValueError, TypeError, EOFError) as error:
        raise BrokenColumn(str(path)) from error


@lru_cache(maxsize=4096)
def _described_array(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """What the head of an array file of format 1.0 says."""
    file = io.BytesIO(head)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another format")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if in_columns or dtype.hasobject:
        raise ValueError("another layout")
    return shape, dtype


def open_column(name: str, folder: Path) -> Column:
    """Map the column in a folder.

    Raises:
        FileNotFoundError: it was not built.
        BrokenColumn: it cannot be read, or is of another format.
    """
    about = described(folder)
    size, there = int(about["size"]), frozenset(about["files"])

    def array(part: str) -> npt.NDArray[Any] | None:
        return mapped(folder / f"{part}.npy") if part in there else None

    planes, codes, exact, known = array("planes"), array("codes"), array("exact"), array("known")
    bins = array("bins")
    histogram = mapped(folder / COMMON)
    words = words_for(size)
    if any(part is not None and len(part) != size for part in (codes, exact)) or (
        planes is not None and planes.shape != (len(about["planes"]), words)
    ):
        raise BrokenColumn(str(folder))
    return Column(
        name=name,
        kind=about["kind"],
        size=size,
        codes=codes,
        values=None if about["values"] is None else tuple(about["values"]),
        edges=None if bins is None else bins[0],
        lows=None if bins is None else bins[1],
        highs=None if bins is None else bins[2],
        planes={code: planes[i] for i, code in enumerate(about["planes"])} if planes is not None else {},
        known=full(size) if known is None else known,
        exact=exact,
        histogram=histogram,
        population=about["population"],
    )


def described(folder: Path) -> dict[str, Any]:
    """Return what ``column.json`` says. Raises as `open_column` does."""
    try:
        about: dict[str, Any] = json.loads((folder / "column.json").read_bytes())
    except ValueError as error:
        raise BrokenColumn(str(folder)) from error
    if about.get("format") != FORMAT:
        raise BrokenColumn(str(folder))
    return about
