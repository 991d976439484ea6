"""Sets of whole numbers as ranges, with or without "no value": what a test on an amount lets pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST = -(1 << 63)
MOST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Spans:
    """Disjoint ranges in order, both ends included."""

    ranges: tuple[tuple[int, int], ...]
    nulls: bool = False

    @staticmethod
    def of(ranges: Iterable[tuple[int, int]], *, nulls: bool = False) -> Spans:
        """Return the union of ranges in any order; those that hold nothing are left out.

        >>> Spans.of([(5, 9), (1, 2), (3, 4), (8, 7)]).ranges
        ((1, 9),)
        """
        joined: list[tuple[int, int]] = []
        for low, high in sorted((max(low, LEAST), min(high, MOST)) for low, high in ranges if low <= high):
            if joined and low <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], high))
            else:
                joined.append((low, high))
        return Spans(tuple(joined), nulls)

    def both(self, other: Spans) -> Spans:
        """Return what lies in both."""
        common = ((max(a, c), min(b, d)) for a, b in self.ranges for c, d in other.ranges)
        return Spans.of(common, nulls=self.nulls and other.nulls)

    def rest(self) -> Spans:
        """Return what does not lie in these.

        >>> Spans.of([(1, 2)]).rest().both(Spans.of([(0, 9)])).ranges
        ((0, 0), (3, 9))
        """
        bounds = [LEAST - 1, *(end for span in self.ranges for end in span), MOST + 1]
        between = zip(bounds[::2], bounds[1::2], strict=True)
        return Spans.of(((low + 1, high - 1) for low, high in between), nulls=not self.nulls)

    def array(self) -> npt.NDArray[np.int64]:
        """Return the ranges as rows (low, high)."""
        return np.array(self.ranges, dtype=np.int64).reshape(-1, 2)


EVERYTHING = Spans(((LEAST, MOST),), nulls=True)
