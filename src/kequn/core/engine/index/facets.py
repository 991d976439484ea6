"""How the customers of a set are spread over the values of tags: all tags at once, in about one reading of the index.

Three ways of counting a column, of which the cheapest is taken for each: bits that the set has in common with the plane of
a value (dear where values are many), codes of the set's rows one by one (dear where the set is large), and codes compared
with a few cut points, 64 rows at a time (where only a few bins of a number are asked for). Of a set of more than half the
bank the others are counted and taken from the bank's own figures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words, within
from kequn.core.engine.index.changes import Who
from kequn.core.engine.index.counter import Counter, counter
from kequn.core.engine.index.layout import Column

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

BLOCK = 1 << 19
"""Rows that are decoded at a time: their places stay in the second-level cache while the columns pass."""
PLANE_COST = 0.006
CUT_COST = 0.011
SCAN_COST = 0.041
ROW_COST = 0.45
"""Nanoseconds: a plane and a cut by customers of the bank, reading by byte, a row of the set. Only their ratios matter."""
LINE = 64


@dataclass(frozen=True, eq=False)
class Crowd:
    """Some customers about whom many columns are asked.

    ``bank`` is the whole they are part of, where the columns' histograms count just that.
    """

    words: Words
    size: int
    bank: Words | None = None
    using: Counter | None = None
    _apart: dict[Who, tuple[Crowd, Crowd]] = field(default_factory=dict, repr=False)

    @property
    def loops(self) -> Counter:
        """The inner loops."""
        return self.using or counter()

    @cached_property
    def count(self) -> int:
        """How many they are."""
        return int(self.loops.shared(self.words, self.words))

    @cached_property
    def others(self) -> Crowd | None:
        """The rest of the bank, where it is smaller than they are."""
        if self.bank is None:
            return None
        rest = Crowd(self.bank & ~self.words, self.size, None, self.using)
        return rest if rest.count < self.count else None

    def upto(self, size: int) -> Words:
        """The plane as far as a column of ``size`` rows reaches; a longer column's planes are as long."""
        return self.words if size == self.size else within(self.words, size)

    def apart(self, who: Who) -> tuple[Crowd, Crowd]:
        """Those whose rows did not change, and the others as changed rows; kept, since many columns changed together."""
        if who not in self._apart:
            rest = Crowd(who.without(self.words), self.size, None, self.using)
            self._apart[who] = rest, Crowd(who.taken(self.words), len(who), None, self.using)
        return self._apart[who]

    def rows(self) -> Iterable[tuple[int, Ordinals]]:
        """Yield (first ordinal of a block, places of the customers in the block)."""
        buffer = np.empty(min(BLOCK, len(self.words) * 64), dtype=np.uint32)
        for start in range(0, self.size, BLOCK):
            block = self.words[start >> 6 : (start + BLOCK) >> 6]
            yield start, buffer[: self.loops.places(block, buffer)]


@dataclass(frozen=True, slots=True, eq=False)
class Cuts:
    """Values at which the bins of a number's column are joined or cut, and where they lie among the bins."""

    values: Array
    codes: Ints
    """Of the first bin with a value at or above each cut; one more than there are bins where none is."""
    split: Ints
    """The places of the cuts that go through that bin."""

    @staticmethod
    def of(column: Column, values: Array) -> Cuts:
        """Return the cuts at ascending values."""
        assert column.lows is not None
        assert column.highs is not None
        filled = np.flatnonzero(column.lows <= column.highs)
        place = np.searchsorted(column.highs[filled], values, side="left")
        at = np.append(filled, len(column.lows))[place]
        inside = np.flatnonzero(place < len(filled))
        return Cuts(values, at + 1, inside[column.lows[at[inside]] < values[inside]])


def facets(columns: Sequence[Column], crowd: Crowd, *, cuts: Mapping[str, Cuts] | None = None) -> dict[str, Ints]:
    """Return by column how many of the customers have each code, as `Column.histogram` counts the bank's.

    Args:
        cuts: by the name of a number's column cuts c0 < c1 < …; its counts are then (without a value, below c0, from
            c0 below c1, …, from the last up), exact whatever its bins are.
    """
    wanted, found = cuts or {}, dict[str, Ints]()
    by_rows = []
    for column in columns:
        if column.codes is None or _planes_are_cheaper(column, crowd):
            found[column.name] = _by_planes(column, crowd)
        elif column.name in wanted and _cuts_are_cheaper(column, crowd, len(wanted[column.name].values)):
            found[column.name] = _by_cuts(column, crowd, wanted[column.name])
        else:
            by_rows.append(column)
    found |= histograms(by_rows, crowd)
    for column in by_rows:
        if column.name in wanted:
            found[column.name] = regrouped(column, crowd, found[column.name], wanted[column.name])
    return {column.name: found[column.name] for column in columns}


def histograms(columns: Sequence[Column], crowd: Crowd) -> dict[str, Ints]:
    """Return how many of the customers have each code, counted row by row."""
    if not columns:
        return {}
    if crowd.others is not None:
        rest = histograms(columns, crowd.others)
        return {column.name: column.histogram - rest[column.name] for column in columns}
    by_who: dict[Who, list[Column]] = {}
    for column in columns:
        if column.changes is not None:
            by_who.setdefault(column.changes.who, []).append(column)
    found = _tallied([column for column in columns if column.changes is None], crowd)
    for who, changed in by_who.items():
        others, inside = crowd.apart(who)
        one = _tallied([c.changes.before for c in changed if c.changes is not None], others)
        other = _tallied([c.changes.rows for c in changed if c.changes is not None], inside)
        found |= {name: counts + other[name] for name, counts in one.items()}
    return found


def _tallied(columns: Sequence[Column], crowd: Crowd) -> dict[str, Ints]:
    if not columns:
        return {}
    counts = {
        column.name: np.zeros((crowd.loops.LANE_HISTOGRAMS, len(column.histogram)), dtype=np.int64)
        for column in columns
    }
    for start, rows in crowd.rows():
        for column in columns:
            codes = column.codes[start : start + BLOCK]  # type: ignore[index]  # the caller's columns have codes
            mine = rows if len(codes) >= min(BLOCK, crowd.size - start) else rows[rows < len(codes)]
            crowd.loops.tally(codes, mine, counts[column.name])
    found = {name: lanes.sum(axis=0) for name, lanes in counts.items()}
    for one in found.values():
        one[0] += crowd.count - int(one.sum())
    return found


def regrouped(column: Column, crowd: Crowd, histogram: Ints, cuts: Cuts) -> Ints:
    """Return a number's counts by code as counts between cuts; only bins that a cut goes through are looked at again."""
    upto = np.cumsum(histogram)
    return _between(crowd, column, cuts, upto[cuts.codes - 1] - histogram[0], int(upto[-1] - histogram[0]))


def _by_planes(column: Column, crowd: Crowd) -> Ints:
    if column.changes is not None:
        rest, inside = crowd.apart(column.changes.who)
        return _by_planes(column.changes.before, rest) + _by_planes(column.changes.rows, inside)
    mask, loops = crowd.upto(column.size), crowd.loops
    known = crowd.count if column.is_full and column.size >= crowd.size else int(loops.shared(mask, column.known))
    counts = [int(loops.shared(mask, plane)) for plane in column.planes.values()]
    if column.kind == "flag":
        return np.array([crowd.count - known, counts[0], known - counts[0]], dtype=np.int64)
    if column.kind == "text":
        counts = [known]
    return np.array([crowd.count - known, *counts], dtype=np.int64)


def _by_cuts(column: Column, crowd: Crowd, cuts: Cuts) -> Ints:
    if column.changes is not None:
        rest, inside = crowd.apart(column.changes.who)
        return _by_cuts(column.changes.before, rest, cuts) + _by_cuts(column.changes.rows, inside, cuts)
    assert column.codes is not None
    assert column.lows is not None
    beyond = cuts.codes > len(column.lows)
    mask, first = crowd.upto(column.size), 0 if column.is_full else 1
    asked = np.ones(first + len(cuts.codes), dtype=column.codes.dtype)
    asked[first:] = np.where(beyond, 1, cuts.codes)
    found = crowd.loops.tally_below(column.codes[: crowd.size], mask, asked)
    rows = crowd.count if column.size >= crowd.size else int(crowd.loops.shared(mask, mask))
    known = rows - int(found[0]) if first else rows
    below = np.where(beyond, known, found[first:] - (rows - known))
    return _between(crowd, column, cuts, below, known)


def _between(crowd: Crowd, column: Column, cuts: Cuts, below: Ints, known: int) -> Ints:
    """From how many are in bins below each cut's own bin to the counts between cuts."""
    if len(cuts.split):
        values = values_in(column, crowd, set(cuts.codes[cuts.split].tolist()))
        for i in cuts.split.tolist():
            below[i] += np.searchsorted(values[int(cuts.codes[i])], cuts.values[i], side="left")
    upto = np.zeros(len(below) + 2, dtype=np.int64)
    upto[1:-1], upto[-1] = below, known
    counts = np.empty(len(upto), dtype=np.int64)
    counts[0], counts[1:] = crowd.count - known, upto[1:] - upto[:-1]
    return counts


def values_in(column: Column, crowd: Crowd, codes: Collection[int]) -> dict[int, Array]:
    """Return by code the exact values, sorted, of those of the customers who are in some bins; one look at the column."""
    if not codes:
        return {}
    if column.changes is not None:
        rest, inside = crowd.apart(column.changes.who)
        kept, changed = (
            values_in(c, w, codes) for c, w in ((column.changes.before, rest), (column.changes.rows, inside))
        )
        return {code: np.sort(np.concatenate([kept[code], changed[code]])) for code in kept}
    assert column.codes is not None
    assert column.exact is not None
    rows = np.empty(crowd.count, dtype=np.uint32)  # only what is written to takes memory
    wanted = np.array(sorted(codes), dtype=column.codes.dtype)
    rows = rows[: crowd.loops.gather(column.codes[: crowd.size], crowd.upto(column.size), wanted, rows)]
    mine, values = column.codes[rows], column.exact[rows]
    return {code: np.sort(values[mine == code]) for code in wanted.tolist()}


def totals(columns: Sequence[Column], crowd: Crowd) -> dict[str, int | float]:
    """Return by column the sum of the customers' exact values; of whole numbers it is exact however large."""
    found = _summed([column for column in columns if column.changes is None], crowd)
    for column in columns:
        if column.changes is not None:
            rest, rows = crowd.apart(column.changes.who)
            parts = _summed([column.changes.before], rest), _summed([column.changes.rows], rows)
            found[column.name] = sum(part[column.name] for part in parts)
    return found


def _summed(columns: Sequence[Column], crowd: Crowd) -> dict[str, int | float]:
    if not columns:
        return {}
    halves: dict[str, list[Any]] = {column.name: [0, 0] for column in columns}
    for start, rows in crowd.rows():
        for column in columns:
            assert column.exact is not None
            values, sums = column.exact[start : start + BLOCK], halves[column.name]
            mine = rows if len(values) >= min(BLOCK, crowd.size - start) else rows[rows < len(values)]
            if values.dtype.kind == "f":
                sums[1] += crowd.loops.total_of_floats(values, mine)
            else:
                high, low = crowd.loops.total_of_integers(values, mine)
                sums[0], sums[1] = sums[0] + int(high), sums[1] + int(low)
    return {name: (high << 32) + low for name, (high, low) in halves.items()}


def _planes_are_cheaper(column: Column, crowd: Crowd) -> bool:
    if column.kind in ("number", "day") or not column.planes:
        return False
    planes = len(column.planes) + (not column.is_full)
    return planes * PLANE_COST * column.size < _row_cost(column, crowd)


def _cuts_are_cheaper(column: Column, crowd: Crowd, cuts: int) -> bool:
    compared = -(-(cuts + (not column.is_full)) // 4) * 4
    return (compared * CUT_COST + SCAN_COST) * column.size < _row_cost(column, crowd)


def _row_cost(column: Column, crowd: Crowd) -> float:
    rows = crowd.others.count if crowd.others is not None else crowd.count
    width = 1 if column.codes is None else column.codes.dtype.itemsize
    lines = max(1, column.size * width // LINE)
    return rows * ROW_COST + SCAN_COST * width * column.size * (1 - exp(-rows / lines))
