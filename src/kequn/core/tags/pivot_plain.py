"""The pass of ``pivot`` in numpy alone, measure by measure: slower, with the same results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kequn.core.data.compacting import Rows
from kequn.core.tags.pivot import NOTHING, OUT, Family, Measure


def pivot(family: Family, rows: Rows, out: OUT) -> None:
    """Fill ``out`` with the measures of each customer."""
    first, last = int(rows.starts[0]), int(rows.starts[-1])
    customers = len(rows.starts) - 1
    customer = np.repeat(np.arange(customers), np.diff(rows.starts))
    day, code = rows.day[first:last], rows.code[first:last]
    amount = rows.amount[first:last].astype(np.int64)
    for i, measure in enumerate(family.measures):
        chosen = measure.codes[code] & measure.days[day]
        out[i, :customers] = _measured(measure, customer[chosen], day[chosen], code[chosen], amount[chosen], customers)


def _measured(
    measure: Measure,
    customer: NDArray[np.int64],
    day: NDArray[np.uint16],
    code: NDArray[np.uint16],
    amount: NDArray[np.int64],
    size: int,
) -> OUT:
    found = np.full(size, NOTHING.get(measure.kind, 0), np.int64)
    if not len(customer):
        return found
    if measure.kind == "days":
        new = np.ones(len(day), np.bool_)
        new[1:] = (day[1:] != day[:-1]) | (customer[1:] != customer[:-1])
        return np.bincount(customer[new], minlength=size).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, customer[1:] != customer[:-1]])
    who = customer[starts]
    match measure.kind:
        case "count":
            found[who] = np.diff(np.r_[starts, len(customer)])
        case "sum":
            found[who] = np.add.reduceat(amount, starts)
        case "max":
            found[who] = np.maximum.reduceat(amount, starts)
        case "min":
            found[who] = np.minimum.reduceat(amount, starts)
        case "first":
            found[who] = np.minimum.reduceat(day, starts)
        case "last":
            found[who] = np.maximum.reduceat(day, starts)
        case _:
            found[who] = np.bitwise_or.reduceat(_bits(measure, day, code), starts)
    return found


def _bits(measure: Measure, day: NDArray[np.uint16], code: NDArray[np.uint16]) -> NDArray[np.int64]:
    assert measure.bit is not None
    bit = measure.bit[code if measure.kind == "bits" else day]
    masks = np.left_shift(np.uint64(1), np.minimum(bit, 63).astype(np.uint64))
    return np.where(bit < 64, masks, np.uint64(0)).view(np.int64)
