"""Many window measures in one pass over rows sorted by customer.

A row has one code (a combination of column values) and one day. Every measure counts the rows of some codes on some days.
Codes that are in the same measures are one class, and so are days; a row then touches only the accumulators of its code
class, at its day class, and a measure is put together from the day classes it covers once a customer's rows are through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kequn.core.data.compacting import Rows

Kind = Literal["count", "sum", "max", "min", "first", "last", "days", "bits", "day_bits"]
DAYS = 1 << 16
LINE = 8
"""Numbers in a line of the cache."""
LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
NOTHING: dict[str, int] = {"max": LEAST, "last": LEAST, "min": MOST, "first": MOST}
"""What a measure is where no row counted; 0 for the other kinds."""
OUT = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number a customer, over the rows of some codes on some days.

    ``count`` rows, ``sum``, ``max`` and ``min`` of their amounts, ``first`` and ``last`` day, ``days``: different days;
    ``bits`` and ``day_bits``: how many different values, ``bit`` being the value's number (0–63, 64: none) by code or by day.
    """

    kind: Kind
    codes: Bools
    """By code."""
    days: Bools
    """By day since 1970, 65,536 of them."""
    bit: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Measures made ready for a pass (arrays as both kernels and their fallback take them)."""

    measures: tuple[Measure, ...]
    classes: int
    day_class: NDArray[np.int16]
    """By day; -1: no measure needs it."""
    code_class: NDArray[np.uint16]
    add_starts: NDArray[np.int32]
    """By code class: where its groups of rows stand in ``adds``, each a counter and a sum."""
    adds: NDArray[np.int32]
    groups: int
    more_starts: NDArray[np.int32]
    mores: NDArray[np.int32]
    """As ``adds``, for the accumulators of the other kinds."""
    more_kind: NDArray[np.int8]
    more_bits: NDArray[np.int32]
    bits: NDArray[np.uint8]
    """Rows of bit numbers, by code or by day."""
    out_kind: NDArray[np.int8]
    out_at: NDArray[np.int32]
    """Which group or other accumulator a measure is made of."""
    out_base: NDArray[np.int32]
    """An earlier measure whose days this one has as well; -1 without one."""
    out_starts: NDArray[np.int32]
    outs: NDArray[np.int32]
    """The day classes a measure has beyond those of its base."""


KINDS: dict[str, int] = {
    k: i for i, k in enumerate(("count", "sum", "max", "min", "first", "last", "days", "bits", "day_bits"))
}


class Pivot(Protocol):
    """The pass: fills ``out`` (measures × at least the customers of ``rows``), bits not yet counted."""

    def __call__(self, family: Family, rows: Rows, out: OUT) -> None: ...


def family(measures: Sequence[Measure], *, codes: int) -> Family:
    """Make measures ready for a pass over rows with ``codes`` different codes."""
    day_class, day_sets = _classes([m.days for m in measures], DAYS, none=True)
    sets, set_of = _distinct([m.codes for m in measures])
    groups: dict[int, int] = {}
    more: dict[tuple[str, int, bytes], int] = {}
    bits: list[NDArray[np.uint8]] = []
    at, more_bits = [], []
    for measure, s in zip(measures, set_of, strict=True):
        if measure.kind in ("count", "sum"):
            at.append(groups.setdefault(s, len(groups)))
            continue
        key = (measure.kind, s, b"" if measure.bit is None else measure.bit.tobytes())
        if key not in more:
            more[key] = len(more)
            more_bits.append(len(bits))
            if measure.bit is not None:
                bits.append(np.resize(measure.bit, DAYS))
        at.append(more[key])
    used = [sets[s] for s in groups] + [sets[s] for _, s, _ in more]
    code_class, code_sets = _classes(used, codes, none=False)
    add_starts, adds = _lists([[j for j in range(len(groups)) if row[j]] for row in code_sets])
    beyond = range(len(groups), len(used))
    more_starts, mores = _lists([[j - len(groups) for j in beyond if row[j]] for row in code_sets])
    base, out_starts, outs = _from_classes(measures, at, day_sets)
    return Family(
        tuple(measures), len(day_sets), day_class.astype(np.int16), code_class.astype(np.uint16), add_starts, adds,
        len(groups), more_starts, mores, np.array([KINDS[k] for k, _, _ in more], np.int8),
        np.array(more_bits, np.int32), np.stack(bits) if bits else np.zeros((1, 1), np.uint8),
        np.array([KINDS[m.kind] for m in measures], np.int8), np.array(at, np.int32), base, out_starts, outs,
    )  # fmt: skip


def pivoted(made: Family, rows: Rows, *, kernel: Pivot | None = None) -> OUT:
    """Return the measures of the customers of ``rows``: an array (measures × customers), ``NOTHING`` where no row counted.

    ``kernel`` is the compiled one by default, the plain one where that is not there.
    """
    customers = len(rows.starts) - 1
    # one customer's measures are written at once: rows a power of two apart would all fall into the same lines of the cache
    out = np.empty((len(made.measures), customers + LINE + -customers % LINE), np.int64)
    (kernel or fastest())(made, rows, out)
    for i, measure in enumerate(made.measures):
        if measure.kind in ("bits", "day_bits"):
            out[i] = np.bitwise_count(out[i].view(np.uint64))
    return out[:, :customers]


@cache
def fastest() -> Pivot:
    """Return the compiled kernel, or the plain one where numba is not installed."""
    try:
        from kequn.core.tags.pivot_compiled import pivot as compiled
    except ImportError:
        from kequn.core.tags.pivot_plain import pivot as plain

        return plain
    return compiled


def _distinct(sets: Sequence[Bools]) -> tuple[list[Bools], list[int]]:
    numbers: dict[bytes, int] = {}
    of = [numbers.setdefault(s.tobytes(), len(numbers)) for s in sets]
    return [np.frombuffer(text, np.bool_) for text in numbers], of


def _classes(sets: Sequence[Bools], size: int, *, none: bool) -> tuple[NDArray[np.int64], list[Bools]]:
    """Return each element's class, and for each class which of ``sets`` have it. ``none``: class -1 is in no set."""
    distinct, of = _distinct(sets)
    member = np.stack(distinct, axis=1) if distinct else np.zeros((size, 0), np.bool_)
    packed = np.packbits(member, axis=1) if member.shape[1] else np.zeros((size, 1), np.uint8)
    _, example, number = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    number = number.reshape(-1).astype(np.int64)
    kept = [e for e in example if not none or member[e].any()]
    names = np.full(len(example), -1, np.int64)
    names[[number[e] for e in kept]] = np.arange(len(kept))
    return names[number], [member[e][of] if of else np.zeros(0, np.bool_) for e in kept]


def _lists(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Lists of different lengths as (starts, elements)."""
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    return starts, np.array([x for row in rows for x in row], np.int32)


def _from_classes(
    measures: Sequence[Measure], at: Sequence[int], day_sets: Sequence[Bools]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """How each measure is put together: from an earlier one with fewer days, if any, and further day classes."""
    base: list[int] = []
    lists: list[list[int]] = []
    covers = [{c for c, row in enumerate(day_sets) if row[i]} for i in range(len(measures))]
    for i, measure in enumerate(measures):
        same = [j for j in range(i) if measures[j].kind == measure.kind and at[j] == at[i] and covers[j] <= covers[i]]
        best = max(same, key=lambda j: len(covers[j]), default=-1)
        base.append(best)
        lists.append(sorted(covers[i] - (covers[best] if best >= 0 else set())))
    starts, elements = _lists(lists)
    return np.array(base, np.int32), starts, elements


def arguments(made: Family) -> tuple[Any, ...]:
    """Return a family's arrays in the order in which the compiled kernel takes them."""
    return (
        made.day_class, made.code_class, made.add_starts, made.adds, made.more_starts, made.mores, made.more_kind,
        made.more_bits, made.bits, made.out_kind, made.out_at, made.out_base, made.out_starts, made.outs,
    )  # fmt: skip
