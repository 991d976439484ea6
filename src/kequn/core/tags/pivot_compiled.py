"""The pass of ``pivot`` compiled by numba: every row is read once, its accumulators stay in the first cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from kequn.core.data.compacting import Rows
from kequn.core.tags.pivot import LEAST, MOST, OUT, Family, arguments

COUNT, SUM, MAX, MIN, FIRST, LAST, DAYS, BITS, DAY_BITS = range(9)
LANES = 16
"""Customers whose accumulators stand side by side, so that their measures are put together by vector instructions."""


def pivot(family: Family, rows: Rows, out: OUT) -> None:
    """Fill ``out`` with the measures of each customer."""
    _pivot(
        rows.starts, rows.day, rows.code, rows.amount, *arguments(family), family.groups, max(1, family.classes), out
    )


def _signature(amount: Any) -> Any:
    """The types of a call; arrays that are only read may be memory-mapped or not."""

    def read(kind: Any, dimensions: int = 1) -> Any:
        return types.Array(kind, dimensions, "C", readonly=True)

    lists = [read(types.int32)] * 4
    family = [read(types.int16), read(types.uint16), *lists, read(types.int8), read(types.int32), read(types.uint8, 2)]
    family += [read(types.int8), *lists]
    rows = [read(types.uint32), read(types.uint16), read(types.uint16), read(amount)]
    return types.void(*rows, *family, types.int64, types.int64, types.Array(types.int64, 2, "C"))


_inlined: Any = njit(nogil=True)
# All signatures are compiled at once and in the same order: processes that start together, each compiling what it happens to
# need first, would mix up one another's entries in the cache.
_compiled: Any = njit([_signature(types.uint32), _signature(types.int64)], nogil=True, cache=True)


@_inlined
def _nothing(kind):  # type: ignore[no-untyped-def]
    if kind in (MAX, LAST):
        return LEAST
    if kind in (MIN, FIRST):
        return MOST
    return 0


@_inlined
def _put_together(  # type: ignore[no-untyped-def]
    counts, sums, others, out_kind, out_at, out_base, out_starts, outs, classes, out, block, lanes
):  # fmt: skip
    """Write the measures of some customers who stand side by side."""
    first = np.uint64(block)
    for o in range(len(out_kind)):
        kind = out_kind[o]
        at = out_at[o] * classes
        base = out_base[o]
        if base >= 0:
            for lane in range(lanes):
                out[o, first + np.uint64(lane)] = out[base, first + np.uint64(lane)]
        else:
            nothing = _nothing(kind)
            for lane in range(lanes):
                out[o, first + np.uint64(lane)] = nothing
        for j in range(out_starts[o], out_starts[o + 1]):
            p = np.uint64(at + outs[j])
            if kind == COUNT:
                for lane in range(lanes):
                    out[o, first + np.uint64(lane)] += counts[p, np.uint64(lane)]
            elif kind == SUM:
                for lane in range(lanes):
                    out[o, first + np.uint64(lane)] += sums[p, np.uint64(lane)]
            elif kind == DAYS:
                for lane in range(lanes):
                    out[o, first + np.uint64(lane)] += others[p, np.uint64(lane)]
            elif kind in (MAX, LAST):
                for lane in range(lanes):
                    here = first + np.uint64(lane)
                    out[o, here] = max(out[o, here], others[p, np.uint64(lane)])
            elif kind in (MIN, FIRST):
                for lane in range(lanes):
                    here = first + np.uint64(lane)
                    out[o, here] = min(out[o, here], others[p, np.uint64(lane)])
            else:
                for lane in range(lanes):
                    out[o, first + np.uint64(lane)] |= others[p, np.uint64(lane)]


@_compiled
def _pivot(  # type: ignore[no-untyped-def]
    starts, day, code, amount, day_class, code_class, add_starts, adds, more_starts, mores, more_kind, more_bits, bits,
    out_kind, out_at, out_base, out_starts, outs, groups, classes, out,
):  # fmt: skip
    counts = np.zeros((groups * classes, LANES), np.int64)
    sums = np.zeros((groups * classes, LANES), np.int64)
    others = np.zeros((len(more_kind) * classes, LANES), np.int64)
    last_seen = np.full(len(more_kind), -1, np.int64)
    one = np.int64(1)
    customers = len(starts) - 1
    for block in range(0, customers, LANES):
        counts[:] = 0
        sums[:] = 0
        for e in range(len(more_kind)):
            others[e * classes : (e + 1) * classes] = _nothing(more_kind[e])
        lanes = min(LANES, customers - block)
        for number in range(lanes):
            here = np.uint64(number)  # indices without a sign need no look at whether they count from the end
            last_seen[:] = -1
            for r in range(starts[block + number], starts[block + number + 1]):
                on = day[r]
                d = day_class[on]
                if d < 0:
                    continue
                c = code_class[code[r]]
                x = np.int64(amount[r])
                for j in range(add_starts[c], add_starts[c + 1]):
                    p = np.uint64(adds[j] * classes + d)
                    counts[p, here] += 1
                    sums[p, here] += x
                for j in range(more_starts[c], more_starts[c + 1]):
                    e = mores[j]
                    kind = more_kind[e]
                    p = np.uint64(e * classes + d)
                    if kind == MAX:  # the commonest kinds first
                        others[p, here] = max(others[p, here], x)
                    elif kind == LAST:
                        others[p, here] = on  # a customer's rows are in the order of their days
                    elif kind == FIRST:
                        others[p, here] = min(others[p, here], np.int64(on))
                    elif kind == BITS:
                        bit = bits[more_bits[e], code[r]]
                        if bit < 64:
                            others[p, here] |= one << bit
                    elif kind == MIN:
                        others[p, here] = min(others[p, here], x)
                    elif kind == DAY_BITS:
                        bit = bits[more_bits[e], on]
                        if bit < 64:
                            others[p, here] |= one << bit
                    elif last_seen[e] != on:
                        last_seen[e] = on
                        others[p, here] += 1
        if lanes == LANES:  # known beforehand, so that an output is two or four vectors
            _put_together(
                counts, sums, others, out_kind, out_at, out_base, out_starts, outs, classes, out, block, LANES
            )
        else:
            _put_together(
                counts, sums, others, out_kind, out_at, out_base, out_starts, outs, classes, out, block, lanes
            )
