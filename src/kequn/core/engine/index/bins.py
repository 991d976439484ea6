"""What the bins of a number or day say of a range: outside, inside, or only the exact values tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.layout import Column

INT_BOUNDS = np.iinfo(np.int64)


def marks_of(column: Column, low: float | None, high: float | None) -> npt.NDArray[np.uint8]:
    """Return of each code: 0 = its bin lies outside, 1 = inside as a whole, 2 = in part; code 0 = without a value is outside."""
    assert column.lows is not None
    assert column.highs is not None
    lows, highs = column.lows, column.highs
    is_used = lows <= highs
    touches, holds = is_used.copy(), is_used.copy()
    if low is not None:
        touches &= highs >= low
        holds &= lows >= low
    if high is not None:
        touches &= lows <= high
        holds &= highs <= high
    marks = np.zeros(256, dtype=np.uint8)
    marks[1 : len(lows) + 1] = np.where(holds, 1, np.where(touches, 2, 0))
    return marks


def borders_of(marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the bins that lie in a range in part, two at most; 0 where there is none."""
    borders = np.zeros(2, dtype=np.uint8)
    found = np.flatnonzero(marks == 2)
    borders[: len(found)] = found
    return borders


def bounds_of(column: Column, low: float | None, high: float | None) -> tuple[Any, Any]:
    """Return a range's ends, typed so that a comparison with a narrow column is made in the wide type."""
    if _is_float(column):
        return np.float64(-np.inf if low is None else low), np.float64(np.inf if high is None else high)
    floor, ceiling = int(INT_BOUNDS.min), int(INT_BOUNDS.max)
    return np.int64(floor if low is None else max(low, floor)), np.int64(
        ceiling if high is None else min(high, ceiling)
    )


def wanted_of(column: Column, values: tuple[float, ...]) -> npt.NDArray[Any]:
    """Return values as the column compares them, sorted."""
    return np.unique(np.array(values, dtype=np.float64 if _is_float(column) else np.int64))


def _is_float(column: Column) -> bool:
    return column.exact is not None and column.exact.dtype.kind == "f"


def among_of(column: Column, values: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """Return of each code what `marks_of` says of all the values together."""
    marks = np.zeros(256, dtype=np.uint8)
    for value in values:
        np.maximum(marks, marks_of(column, value, value), out=marks)
    return marks
