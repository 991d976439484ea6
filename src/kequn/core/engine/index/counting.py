"""Counting inside a set of customers, compiled. `counting_plain` has the same functions in numpy alone.

All masks and planes are ``uint64`` words without bits beyond the size; codes have one row an ordinal. Nothing here allocates
by the number of customers, and none of it holds the interpreter's lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kequn.core.engine.compiled import compiled
from kequn.core.engine.index.bits import Ordinals, Words

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]

LANES = 64
TILE = 1024
"""Words of a mask that are compared at a time: fifty masks of 8 KiB stay in the second-level cache."""
LANE_HISTOGRAMS = 4
"""Histograms that are filled in turn, since two equal codes in a row would have to wait for one another."""
CHUNK = 512
"""Rows whose lines are fetched ahead."""
LINE = 64
FAR = 4 * LINE
"""Bytes between rows beyond which most lines would be read for nothing."""
LOW = 0xFFFFFFFF
ROWS_BLOCK = 1 << 17
"""Customers whose rows are gathered at a time: their counts and sums stay in the second-level cache."""


def _popcount(_typing: Any, _word: Any) -> Any:
    """How many bits of a word are set."""
    return types.uint64(types.uint64), lambda _context, builder, _signature, given: builder.ctpop(given[0])


def _lowest(_typing: Any, _word: Any) -> Any:
    """The place of the lowest bit of a word that is not 0."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


def _below_in_word(_typing: Any, codes: Any, _word: Any, _cut: Any) -> Any:
    """A bit for each of the 64 codes of a word: whether it is below the cut. One comparison of 64 lanes."""
    return types.uint64(codes, types.intp, codes.dtype), lambda *given: _compared("<", *given)


def _equal_in_word(_typing: Any, codes: Any, _word: Any, _code: Any) -> Any:
    """A bit for each of the 64 codes of a word: whether it is this one."""
    return types.uint64(codes, types.intp, codes.dtype), lambda *given: _compared("==", *given)


def _compared(how: str, context: Any, builder: Any, signature: Any, given: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, given[0])
    lanes = ir.VectorType(context.get_data_type(signature.args[0].dtype), LANES)
    first = builder.gep(array.data, [builder.mul(given[1], ir.Constant(given[1].type, LANES))])
    rows = builder.load(builder.bitcast(first, lanes.as_pointer()), typ=lanes)
    rows.align = signature.args[0].dtype.bitwidth // 8
    nothing = ir.Constant(lanes, ir.Undefined)
    one = builder.insert_element(nothing, given[2], ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    found = builder.icmp_unsigned(how, rows, builder.shuffle_vector(one, nothing, everywhere))
    return builder.bitcast(found, ir.IntType(LANES))


popcount: Any = intrinsic(_popcount)
lowest: Any = intrinsic(_lowest)
below_in_word: Any = intrinsic(_below_in_word)
equal_in_word: Any = intrinsic(_equal_in_word)


@compiled
def common(masks: npt.NDArray[np.uint64]) -> Ints:
    """How many bits each two of several masks (mask, word) have in common; sizes on the diagonal.

    Four pairs at a time, so that each word that was fetched is used twice.
    """
    many, words = masks.shape
    both = np.zeros((many, many), np.int64)
    for start in range(0, words, TILE):
        stop = min(start + TILE, words)
        for i in range(0, many, 2):
            ii = min(i + 1, many - 1)
            a, aa = masks[i, start:stop], masks[ii, start:stop]
            for j in range(i, many, 2):
                jj = min(j + 1, many - 1)
                b, bb = masks[j, start:stop], masks[jj, start:stop]
                n = nn = m = mm = np.uint64(0)
                for w in range(len(a)):
                    n += popcount(a[w] & b[w])
                    nn += popcount(a[w] & bb[w])
                    m += popcount(aa[w] & b[w])
                    mm += popcount(aa[w] & bb[w])
                both[i, j] += np.int64(n)
                if jj > j:
                    both[i, jj] += np.int64(nn)
                if ii > i:
                    both[ii, j] += np.int64(m)
                if ii > i and jj > j:
                    both[ii, jj] += np.int64(mm)
    for i in range(many):
        for j in range(i):
            both[i, j] = both[j, i]
    return both


@compiled
def shared(mask: Words, plane: Words) -> Any:
    """How many bits two planes of the same length have in common."""
    n = np.uint64(0)
    for w in range(len(mask)):
        n += popcount(mask[w] & plane[w])
    return np.int64(n)


@compiled
def places(words: Words, out: Ordinals) -> int:
    """Write the places of the set bits to ``out``, ascending, and return how many there are."""
    n = 0
    for w in range(len(words)):
        word, base = words[w], np.uint32(w * LANES)
        while word:
            out[n] = base + np.uint32(lowest(word))
            n += 1
            word &= word - np.uint64(1)
    return n


@compiled
def tally(codes: Codes, rows: Ordinals, counts: Ints) -> Any:
    """Add the codes of some rows to ``counts`` (lane, code); the lanes are to be added up by the caller.

    Where rows are a few cache lines apart the lines are read in order first: the processor fetches ahead then, instead of
    waiting for each row. What was read is returned, so that the compiler does not leave it out; it has no meaning.
    """
    read = 0
    for start in range(0, len(rows), CHUNK):
        stop = min(start + CHUNK, len(rows))
        first, last = np.int64(rows[start]), np.int64(rows[stop - 1])
        if LINE < (last - first) * codes.itemsize // (stop - start) < FAR:
            for i in range(first, last, LINE // codes.itemsize):
                read += codes[i]
        whole = start + (stop - start) // LANE_HISTOGRAMS * LANE_HISTOGRAMS
        for j in range(start, whole, LANE_HISTOGRAMS):
            counts[0, codes[rows[j]]] += 1
            counts[1, codes[rows[j + 1]]] += 1
            counts[2, codes[rows[j + 2]]] += 1
            counts[3, codes[rows[j + 3]]] += 1
        for j in range(whole, stop):
            counts[0, codes[rows[j]]] += 1
    return read


@compiled
def tally_below(codes: Codes, mask: Words, cuts: Codes) -> Ints:
    """How many masked rows have a code below each cut. Four cuts a pass; what is left over is compared row by row."""
    counts = np.zeros(len(cuts), np.int64)
    whole = len(codes) // LANES
    for k in range(0, len(cuts), 4):
        last = len(cuts) - 1
        c0, c1, c2, c3 = cuts[k], cuts[min(k + 1, last)], cuts[min(k + 2, last)], cuts[min(k + 3, last)]
        n0 = n1 = n2 = n3 = np.uint64(0)
        for w in range(whole):
            here = mask[w]
            n0 += popcount(below_in_word(codes, w, c0) & here)
            n1 += popcount(below_in_word(codes, w, c1) & here)
            n2 += popcount(below_in_word(codes, w, c2) & here)
            n3 += popcount(below_in_word(codes, w, c3) & here)
        counts[k] = n0
        if k + 1 <= last:
            counts[k + 1] = n1
        if k + 2 <= last:
            counts[k + 2] = n2
        if k + 3 <= last:
            counts[k + 3] = n3
    for i in range(whole * LANES, len(codes)):
        if mask[i >> 6] >> np.uint64(i & 63) & np.uint64(1):
            for k in range(len(cuts)):
                counts[k] += codes[i] < cuts[k]
    return counts


@compiled
def gather(codes: Codes, mask: Words, wanted: Codes, rows: Ordinals) -> Any:
    """Write the places of the masked rows that have one of some codes to ``rows`` and return how many there are."""
    n = 0
    whole = len(codes) // LANES
    for w in range(whole):
        here = mask[w]
        if here:
            found = np.uint64(0)
            for k in range(len(wanted)):
                found |= equal_in_word(codes, w, wanted[k])
            here &= found
            while here:
                rows[n] = np.uint32(w * LANES + np.int64(lowest(here)))
                n += 1
                here &= here - np.uint64(1)
    for i in range(whole * LANES, len(codes)):
        if mask[i >> 6] >> np.uint64(i & 63) & np.uint64(1):
            for k in range(len(wanted)):
                if codes[i] == wanted[k]:
                    rows[n] = np.uint32(i)
                    n += 1
    return n


@compiled
def total_of_integers(exact: npt.NDArray[Any], rows: Ordinals) -> Any:
    """Return (high, low) with sum = high × 2^32 + low: neither half can run over for fewer than 2^31 rows."""
    high = low = np.int64(0)
    for j in range(len(rows)):
        value = np.int64(exact[rows[j]])
        high += value >> np.int64(32)
        low += value & np.int64(LOW)
    return high, low


@compiled
def total_of_floats(exact: npt.NDArray[Any], rows: Ordinals) -> float:
    """Return the sum, with Kahan's correction for what adding rounds away."""
    total = lost = 0.0
    for j in range(len(rows)):
        value = np.float64(exact[rows[j]]) - lost
        raised = total + value
        lost = (raised - total) - value
        total = raised
    return total


@compiled
def mark(ordinals: Ordinals, starts: Ints, stops: Ints, words: Words) -> None:
    """Set the bits of the ordinals in some runs."""
    for r in range(len(starts)):
        for i in range(starts[r], stops[r]):
            words[ordinals[i] >> np.uint32(6)] |= np.uint64(1) << np.uint64(ordinals[i] & np.uint32(63))


@compiled
def _passes(value: int, gap: bool, spans: Ints, nulls: bool) -> Any:
    if gap:
        return nulls
    found = False
    for s in range(len(spans)):
        found |= spans[s, 0] <= value <= spans[s, 1]
    return found


@compiled
def count_rows(
    ordinals: Ordinals,
    cursors: Ints,
    stops: Ints,
    block: tuple[int, int],
    test: Any,
    counts: npt.NDArray[np.uint32],
) -> None:
    """Add to ``counts`` the rows of each ordinal of a block that pass the test.

    Args:
        cursors: where each run stands; moved on behind the block. Within a run ordinals ascend.
        block: first ordinal, and the one behind the last.
        test: (values, gaps, spans, nulls): the row's value lies in a span, or is missing and ``nulls``; without values
            all rows pass.
    """
    first, behind = block
    values, gaps, spans, nulls = test
    for r in range(len(cursors)):
        i = cursors[r]
        while i < stops[r] and ordinals[i] < behind:
            if len(values) == 0 or _passes(values[i], len(gaps) > 0 and gaps[i], spans, nulls):
                counts[ordinals[i] - first] += np.uint32(1)
            i += 1
        cursors[r] = i


@compiled
def add_values(
    ordinals: Ordinals,
    cursors: Ints,
    stops: Ints,
    block: tuple[int, int],
    test: Any,
    summed: Any,
    sums: Any,
) -> None:
    """As `count_rows`; also add up ``summed`` (values, gaps) into ``sums`` (totals, whether any was there, rows)."""
    first, behind = block
    values, gaps, spans, nulls = test
    amounts, holes = summed
    totals, seen, counts = sums
    for r in range(len(cursors)):
        i = cursors[r]
        while i < stops[r] and ordinals[i] < behind:
            if len(values) == 0 or _passes(values[i], len(gaps) > 0 and gaps[i], spans, nulls):
                at = ordinals[i] - first
                counts[at] += np.uint32(1)
                if len(holes) == 0 or not holes[i]:
                    totals[at] += amounts[i]
                    seen[at] = True
            i += 1
        cursors[r] = i


@compiled
def latest(
    ordinals: Ordinals,
    cursors: Ints,
    stops: Ints,
    days: npt.NDArray[np.int32],
    block: tuple[int, int],
    test: Any,
    last: npt.NDArray[np.int32],
) -> None:
    """As `count_rows`; raise ``last`` to the day of the run where a row passes."""
    first, behind = block
    values, gaps, spans, nulls = test
    for r in range(len(cursors)):
        i = cursors[r]
        while i < stops[r] and ordinals[i] < behind:
            if len(values) == 0 or _passes(values[i], len(gaps) > 0 and gaps[i], spans, nulls):
                at = ordinals[i] - first
                last[at] = max(last[at], days[r])
            i += 1
        cursors[r] = i
