"""Rows of a column that are others than its arrays say: laid over them when they are asked, so that a day's refresh rewrites no column.

The changed rows are a small column of their own, in which row i stands for one changed ordinal and codes mean what they mean in
the large one. A question is put to both: of the large column's answer the bits of changed rows are replaced by the small
one's, and counts of the two, each without the other's customers, add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.index.bits import Ordinals, Words, empty, full, packed, within, words_for
from kequn.core.engine.index.build import Parts, Population, histogram_of, whole_numbers
from kequn.core.engine.index.kernel import kernel
from kequn.core.engine.index.layout import Column

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]


class DoesNotFit(Exception):
    """The column's codes cannot say a new value. Never leaves the index."""


class Who:
    """The changed ordinals, laid out for taking and putting their bits. Shared by all columns that changed for the same customers.

    Args:
        ordinals: ascending, at least one, all below ``size``.
        size: ordinals of the index.
    """

    def __init__(self, ordinals: Ordinals, size: int) -> None:
        self.ordinals: Ordinals = _frozen(ordinals)
        self.size = size
        self.everybody = full(len(ordinals)).copy()
        """The plane of all changed rows."""

    def __len__(self) -> int:
        return len(self.ordinals)

    def taken(self, words: Words) -> Words:
        """Return the plane of the changed rows that are in a plane of the index."""
        found = empty(len(self))
        kernel().take_bits(self.ordinals, _reaching(words, self.size), found)
        return found

    def put(self, rows: Words, plane: Words, need: Words | None = None) -> None:
        """Write a plane of changed rows into one of the index; of those outside of ``need`` nobody is in it."""
        kernel().put_bits(self.ordinals, rows, plane if need is None else need, plane, need is None)

    def without(self, words: Words) -> Words:
        """Return a plane of the index without the changed rows."""
        found = within(words, self.size).copy()
        self.put(empty(len(self)), found)
        return found

    def places(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return which of some ascending ordinals changed, and which changed rows they are."""
        at = np.searchsorted(self.ordinals, rows)
        hits = np.flatnonzero(self.ordinals.take(at, mode="clip") == rows)
        return hits, at[hits]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a column's arrays do not say."""

    who: Who
    before: Column
    """The column without its changes: true of all other rows."""
    rows: Column
    """Row i is the i-th changed ordinal; ``lows`` and ``highs`` of the bins are those of both."""


class Changed:
    """Who changed, and which of them belong to a date's population."""

    def __init__(self, who: Who, population: Population) -> None:
        self.who = who
        here, plane = who.taken(population.words), empty(who.size)
        customers = kernel().count(here)
        who.put(here, plane)
        self.rows = Population(here, len(who), customers, population.digest)
        """Of the changed rows."""
        self.gone = Population(plane, population.size, customers, population.digest)
        """The same customers as ordinals of the index."""


def with_changes(column: Column, changed: Changed, values: pa.Array) -> Column:
    """Return a column whose histogram counts the population of ``changed``, with other values for those who changed.

    Raises:
        DoesNotFit: a text that the column has no code for.
    """
    parts = rows_of(column, values)
    lows, highs = column.lows, column.highs
    if parts.bins is not None:
        lows, highs = (_frozen(np.asarray(ends)) for ends in parts.bins[1:])
    before = replace(column, lows=lows, highs=highs)
    rows = replace(
        before, size=parts.size, codes=parts.codes, planes=parts.planes, known=parts.known, exact=parts.exact, changes=None,
        histogram=np.zeros(0, dtype=np.int64),
    )  # fmt: skip
    rows = replace(rows, histogram=histogram_of(rows, changed.rows))
    histogram = column.histogram - histogram_of(before, changed.gone) + rows.histogram
    return replace(before, histogram=histogram, changes=Changes(changed.who, before, rows))


def rows_of(column: Column, values: pa.Array) -> Parts:
    """Return values in the column's own codes, read-only as mapped arrays are; the bins' extremes are widened to hold them.

    Raises:
        DoesNotFit: a text that the column has no code for.
    """
    size = len(values)
    valid = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    parts = Parts(column.kind, size, full(size) if valid.all() else _frozen(packed(valid)))
    if column.kind in ("number", "day"):
        _numbers(column, values, parts)
    elif column.kind == "set":
        _sets(column, values, parts)
    elif column.kind != "text":
        _codes(column, values, parts)
    return parts


def _numbers(column: Column, values: pa.Array, parts: Parts) -> None:
    assert column.edges is not None
    assert column.lows is not None
    assert column.highs is not None
    exact = whole_numbers(pa.chunked_array([values]), column.kind)
    codes = np.zeros(len(exact), dtype=np.uint8)
    bins = np.stack([column.edges, column.lows, column.highs])
    known = parts.known.copy()
    kernel().bin_codes(exact, known, bins[0], codes, bins[1], bins[2])
    parts.exact, parts.codes, parts.bins = _frozen(exact), _frozen(codes), bins


def _codes(column: Column, values: pa.Array, parts: Parts) -> None:
    code = {value: i for i, value in enumerate(column.values or (), start=1)}
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    if any(word not in code for word in words):
        raise DoesNotFit
    dtype = np.uint8 if column.codes is None else column.codes.dtype
    codes = np.array([0, *(code[word] for word in words)], dtype=dtype)[encoded.indices.fill_null(-1).to_numpy() + 1]
    parts.planes = {place: _frozen(packed(codes == place)) for place in column.planes}
    parts.codes = None if column.codes is None else _frozen(codes)


def _sets(column: Column, values: pa.Array, parts: Parts) -> None:
    code = {value: i for i, value in enumerate(column.values or (), start=1)}
    flags = {place: np.zeros(parts.size, dtype=np.bool_) for place in column.planes}
    for row, several in enumerate(values.to_pylist()):
        for value in several or ():
            if value is None:
                continue
            if value not in code:
                raise DoesNotFit
            flags[code[value]][row] = True
    parts.planes = {place: _frozen(packed(own)) for place, own in flags.items()}


def _reaching(words: Words, size: int) -> Words:
    """A plane that is long enough to be looked at for every ordinal."""
    return words if len(words) >= words_for(size) else within(words, size)


def _frozen(array: Array) -> Any:
    """Compiled loops have a form for read-only arrays, which those mapped from files are."""
    array.flags.writeable = False
    return array


# -- single customers ----------------------------------------------------------------------------------------------------


def at(column: Column, ordinal: int) -> tuple[Column, int]:
    """Return the column that speaks of an ordinal, and its row in it."""
    if column.changes is not None:
        place = int(np.searchsorted(column.changes.who.ordinals, ordinal))
        if place < len(column.changes.who) and column.changes.who.ordinals[place] == ordinal:
            return column.changes.rows, place
    return column, ordinal


def known_of(column: Column, ordinals: Array) -> Flags:
    """Return of each ordinal whether it has a value."""
    return np.asarray(_picked(column, ordinals, lambda own, rows: _bits(own.known, rows)))


def in_plane(column: Column, code: int, ordinals: Array) -> Flags:
    """Return of each ordinal whether it is in the plane of a code."""
    return np.asarray(_picked(column, ordinals, lambda own, rows: _bits(own.planes[code], rows)))


def codes_of(column: Column, ordinals: Array) -> Array:
    """Return the code of each ordinal; 0, which is no value, for those that came after the column was made."""
    return _picked(column, ordinals, lambda own, rows: _rows(own.codes, rows))


def exact_of(column: Column, ordinals: Array) -> Array:
    """Return the exact value of each ordinal, 0 where there is none."""
    return _picked(column, ordinals, lambda own, rows: _rows(own.exact, rows))


def _picked(column: Column, ordinals: Array, of: Callable[[Column, Array], Array]) -> Array:
    found = of(column, ordinals)
    if column.changes is None:
        return found
    hits, places = column.changes.who.places(ordinals)
    changed = of(column.changes.rows, places)
    found = found.astype(np.result_type(found, changed))
    found[hits] = changed
    return found


def _bits(words: Words, ordinals: Array) -> Flags:
    if not len(words):
        return np.zeros(len(ordinals), dtype=np.bool_)
    inside = (ordinals >> 6) < len(words)
    rows = np.where(inside, ordinals, 0)
    bits = words[rows >> 6] >> (rows & 63).astype(np.uint64) & np.uint64(1)
    return np.asarray(bits.astype(np.bool_) & inside)


def _rows(values: Array | None, ordinals: Array) -> Array:
    assert values is not None
    if not len(values):
        return np.zeros(len(ordinals), dtype=values.dtype)
    inside = ordinals < len(values)
    return np.where(inside, values[np.where(inside, ordinals, 0)], np.zeros(1, dtype=values.dtype))
