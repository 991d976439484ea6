"""Which loops count inside a set of customers: the compiled ones where they can be had, else those in numpy."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


class Counter(Protocol):
    """What `counting` and `counting_plain` both offer; each is described there."""

    LANE_HISTOGRAMS: int
    ROWS_BLOCK: int

    def common(self, masks: npt.NDArray[np.uint64]) -> Ints: ...
    def shared(self, mask: Words, plane: Words) -> int: ...
    def places(self, words: Words, out: Ordinals) -> int: ...
    def tally(self, codes: Array, rows: Ordinals, counts: Ints) -> Any: ...
    def tally_below(self, codes: Array, mask: Words, cuts: Array) -> Ints: ...
    def gather(self, codes: Array, mask: Words, wanted: Array, rows: Ordinals) -> int: ...
    def total_of_integers(self, exact: Array, rows: Ordinals) -> tuple[int, int]: ...
    def total_of_floats(self, exact: Array, rows: Ordinals) -> float: ...
    def mark(self, ordinals: Ordinals, starts: Ints, stops: Ints, words: Words) -> None: ...
    def count_rows(
        self, ordinals: Ordinals, cursors: Ints, stops: Ints, block: tuple[int, int], test: Any, counts: Array
    ) -> None: ...
    def add_values(
        self, ordinals: Ordinals, cursors: Ints, stops: Ints, block: tuple[int, int], test: Any, summed: Any, sums: Any
    ) -> None: ...
    def latest(
        self,
        ordinals: Ordinals,
        cursors: Ints,
        stops: Ints,
        days: npt.NDArray[np.int32],
        block: tuple[int, int],
        test: Any,
        last: Array,
    ) -> None: ...


@cache
def plain_counter() -> Counter:
    """Return the loops in numpy."""
    return cast("Counter", import_module("kequn.core.engine.index.counting_plain"))


@cache
def counter() -> Counter:
    """Return the compiled loops, or those in numpy where numba is not installed or has nowhere to keep its cache."""
    try:
        return cast("Counter", import_module("kequn.core.engine.index.counting"))
    except (ImportError, RuntimeError):
        return plain_counter()
