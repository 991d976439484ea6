"""A plan answered row by row, where so few customers matter still that reading whole columns would cost more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bins import bounds_of, wanted_of
from kequn.core.engine.index.bits import Ordinals, Words
from kequn.core.engine.index.layout import Column
from kequn.core.engine.index.plain import are_among
from kequn.core.engine.index.plan import All, Among, Any, Bits, CodeIn, Leaf, Not, Plan, Range

Rows = npt.NDArray[np.int64]
"""Ordinals, sorted."""
CHUNK = 1 << 17
"""Rows at a time: what is in between stays in the processor's cache."""
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Few:
    """Answers normal plans about some rows, with the same results as the evaluator's planes."""

    columns: Mapping[str, Column]
    marks: Callable[[Range | Among], npt.NDArray[np.uint8]]
    """What the bins say of a test."""
    ordered: Callable[..., Sequence[Plan]]
    """The parts of an ``all`` or an ``any``, the most telling first."""

    def kept(self, parts: Sequence[Plan], rows: Ordinals) -> Rows:
        """Return the rows that meet all parts, tested in this order."""
        found = [np.zeros(0, dtype=np.int64)]
        for first in range(0, len(rows), CHUNK):
            found.append(self._kept(parts, rows[first : first + CHUNK].astype(np.int64)))
        return np.concatenate(found)

    def _kept(self, parts: Sequence[Plan], rows: Rows) -> Rows:
        """Rows are let go when they are most of those that are left."""
        flags = np.ones(len(rows), dtype=np.bool_)
        for part in parts:
            flags &= self.meets(part, rows)
            if 2 * np.count_nonzero(flags) < len(rows):
                rows = rows.take(flags.nonzero()[0])
                flags = np.ones(len(rows), dtype=np.bool_)
        return rows.take(flags.nonzero()[0])

    def meets(self, plan: Plan, rows: Rows) -> Flags:
        """Return of each row whether it meets a plan."""
        if not len(rows):
            return np.zeros(0, dtype=np.bool_)
        match plan:
            case All(parts=parts):
                return self._joined(parts, rows, all_=True)
            case Any(parts=parts):
                return self._joined(parts, rows, all_=False)
            case Not(part=part):
                return np.logical_not(self.meets(part, rows))
            case Bits():
                plane = plan.load()
                return _padded(_in_plane(plane, rows[: rows.searchsorted(len(plane) << 6)]), len(rows))
            case leaf:
                column = self.columns[leaf.tag]
                flags = _padded(self._leaf(leaf, column, rows[: rows.searchsorted(column.size)]), len(rows))
                if column.changes is not None:
                    hits, places = column.changes.who.places(rows)
                    flags[hits] = self._leaf(leaf, column.changes.rows, places)
                return flags

    def _joined(self, parts: Sequence[Plan], rows: Rows, *, all_: bool) -> Flags:
        """A row that is decided is not looked at again."""
        flags = np.full(len(rows), all_)
        for part in self.ordered(parts, all_=all_):
            open_ = (flags == all_).nonzero()[0]
            flags[open_] = self.meets(part, rows.take(open_))
        return flags

    def _leaf(self, leaf: Leaf, column: Column, rows: Rows) -> Flags:
        match leaf:
            case CodeIn(codes=codes) if column.codes is not None:
                marks = np.zeros(max(256, len(column.values or ()) + 1), dtype=np.bool_)
                marks[list(codes)] = True
                return marks.take(column.codes.take(rows))
            case CodeIn(codes=codes):
                return self._by_planes(column, codes, rows)
            case Range(low=low, high=high):
                below, above = bounds_of(column, low, high)
                return _by_bins(column, self.marks(leaf), rows, lambda exact: (exact >= below) & (exact <= above))
            case Among(values=values):
                wanted = wanted_of(column, values)
                return _by_bins(column, self.marks(leaf), rows, lambda exact: are_among(exact, wanted))
            case _:
                return _in_plane(column.known, rows)

    def _by_planes(self, column: Column, codes: tuple[int, ...], rows: Rows) -> Flags:
        flags = np.zeros(len(rows), dtype=np.bool_)
        for code in codes:
            if column.kind == "flag" and code != 1:
                flags |= _in_plane(column.known, rows) & ~_in_plane(column.planes[1], rows)
            else:
                flags |= _in_plane(column.planes[code], rows)
        return flags


def _by_bins(column: Column, marks: npt.NDArray[np.uint8], rows: Rows, test: Callable[[Anything], Flags]) -> Flags:
    """Exact values are read only of rows whose bin does not tell."""
    assert column.codes is not None
    assert column.exact is not None
    told = marks.take(column.codes.take(rows))
    flags: Flags = told == 1
    untold = (told == 2).nonzero()[0]
    flags[untold] = test(column.exact[rows[untold]])
    return flags


def _in_plane(plane: Words, rows: Rows) -> Flags:
    octets = plane.view(np.uint8)[rows >> 3]
    return np.asarray((octets >> (rows & 7).astype(np.uint8)) & 1, dtype=np.bool_)


def _padded(flags: Flags, size: int) -> Flags:
    """Rows beyond a column have no value."""
    return flags if len(flags) == size else np.concatenate([flags, np.zeros(size - len(flags), dtype=np.bool_)])
