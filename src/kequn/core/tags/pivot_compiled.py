"""The pass of ``pivot`` compiled by numba: every row is read once, its accumulators stay in the first cache."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kequn.core.data.compacting import Rows
from kequn.core.tags.pivot import LEAST, MOST, OUT, Family, arguments

_compiled: Any = njit(nogil=True, cache=True)
COUNT, SUM, MAX, MIN, FIRST, LAST, DAYS, BITS, DAY_BITS = range(9)


def pivot(family: Family, rows: Rows, out: OUT) -> None:
    """Fill ``out`` with the measures of each customer."""
    _pivot(
        rows.starts, rows.day, rows.code, rows.amount, *arguments(family), family.groups, max(1, family.classes), out
    )


@_compiled
def _pivot(  # type: ignore[no-untyped-def]
    starts, day, code, amount, day_class, code_class, add_starts, adds, more_starts, mores, more_kind, more_bits, bits,
    out_kind, out_at, out_base, out_starts, outs, groups, classes, out,
):  # fmt: skip
    counts = np.zeros(groups * classes, np.int64)
    sums = np.zeros(groups * classes, np.int64)
    others = np.zeros(len(more_kind) * classes, np.int64)
    last_seen = np.full(len(more_kind), -1, np.int64)
    one = np.int64(1)
    for i in range(len(starts) - 1):
        counts[:] = 0
        sums[:] = 0
        for e in range(len(more_kind)):
            kind = more_kind[e]
            empty = 0
            if kind in (MAX, LAST):
                empty = LEAST
            elif kind in (MIN, FIRST):
                empty = MOST
            last_seen[e] = -1
            for d in range(classes):
                others[e * classes + d] = empty
        for r in range(starts[i], starts[i + 1]):
            on = day[r]
            d = day_class[on]
            if d < 0:
                continue
            c = code_class[code[r]]
            x = np.int64(amount[r])
            for j in range(add_starts[c], add_starts[c + 1]):
                p = adds[j] * classes + d
                counts[p] += 1
                sums[p] += x
            for j in range(more_starts[c], more_starts[c + 1]):
                e = mores[j]
                kind = more_kind[e]
                p = e * classes + d
                if kind == MAX:
                    others[p] = max(others[p], x)
                elif kind == MIN:
                    others[p] = min(others[p], x)
                elif kind == BITS:
                    bit = bits[more_bits[e], code[r]]
                    if bit < 64:
                        others[p] |= one << bit
                elif kind == DAY_BITS:
                    bit = bits[more_bits[e], on]
                    if bit < 64:
                        others[p] |= one << bit
                elif kind == DAYS:
                    if last_seen[e] != on:
                        last_seen[e] = on
                        others[p] += 1
                elif kind == FIRST:
                    others[p] = min(others[p], np.int64(on))
                else:
                    others[p] = max(others[p], np.int64(on))
        for o in range(len(out_kind)):
            kind = out_kind[o]
            at = out_at[o] * classes
            base = out_base[o]
            if kind == COUNT:
                v = out[base, i] if base >= 0 else np.int64(0)
                for j in range(out_starts[o], out_starts[o + 1]):
                    v += counts[at + outs[j]]
            elif kind == SUM:
                v = out[base, i] if base >= 0 else np.int64(0)
                for j in range(out_starts[o], out_starts[o + 1]):
                    v += sums[at + outs[j]]
            elif kind in (MAX, LAST):
                v = out[base, i] if base >= 0 else LEAST
                for j in range(out_starts[o], out_starts[o + 1]):
                    v = max(v, others[at + outs[j]])
            elif kind in (MIN, FIRST):
                v = out[base, i] if base >= 0 else MOST
                for j in range(out_starts[o], out_starts[o + 1]):
                    v = min(v, others[at + outs[j]])
            elif kind == DAYS:
                v = out[base, i] if base >= 0 else np.int64(0)
                for j in range(out_starts[o], out_starts[o + 1]):
                    v += others[at + outs[j]]
            else:
                v = out[base, i] if base >= 0 else np.int64(0)
                for j in range(out_starts[o], out_starts[o + 1]):
                    v |= others[at + outs[j]]
            out[o, i] = v
