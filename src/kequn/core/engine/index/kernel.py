"""Which inner loops are used: the compiled ones where they can be had, else those in numpy."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words

Array = npt.NDArray[Any]


class Kernels(Protocol):
    """What `plain` and `kernels` both offer; each is described in `plain`."""

    FEW: float

    def codes_in(self, codes: Array, lows: Array, highs: Array, need: Words, out: Words) -> None: ...
    def codes_marked(self, codes: Array, marks: Array, need: Words, out: Words) -> None: ...
    def bins_between(
        self, codes: Array, runs: Array, borders: Array, exact: Array, low: Any, high: Any, need: Words, out: Words
    ) -> None: ...
    def bins_checked(
        self, codes: Array, borders: Array, exact: Array, low: Any, high: Any, wanted: bool, found: Words
    ) -> None: ...
    def bins_among(
        self, codes: Array, inside: Array, borders: Array, exact: Array, wanted: Array, need: Words, out: Words
    ) -> None: ...
    def count(self, words: Words) -> int: ...
    def count_both(self, one: Words, other: Words) -> int: ...
    def decode(self, words: Words) -> Ordinals: ...
    def take_bits(self, ordinals: Ordinals, words: Words, out: Words) -> None: ...
    def put_bits(self, ordinals: Ordinals, rows: Words, need: Words, plane: Words, everybody: bool) -> None: ...
    def histogram(self, codes: Array, words: Words, codes_known: int) -> npt.NDArray[np.int64]: ...
    def bin_codes(
        self, exact: Array, known: Words, edges: Array, codes: npt.NDArray[np.uint8], lows: Array, highs: Array
    ) -> None: ...


@cache
def plain() -> Kernels:
    """Return the inner loops in numpy."""
    return cast("Kernels", import_module("kequn.core.engine.index.plain"))


@cache
def kernel() -> Kernels:
    """Return the compiled inner loops, or those in numpy where numba is not installed or has nowhere to keep its cache.

    They are loaded at the first question: a process that asks none does not wait for the compiler.
    """
    try:
        return cast("Kernels", import_module("kequn.core.engine.index.kernels"))
    except (ImportError, RuntimeError):
        return plain()
