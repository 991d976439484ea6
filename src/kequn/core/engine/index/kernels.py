"""The index's inner loops compiled: 64 rows at a time become one word of a plane. The same functions as `plain`.

They hold no lock while they run, so threads share the machine. Comparing 64 rows is one vector operation that LLVM cuts
to what the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kequn.core.engine.compiled import compiled
from kequn.core.engine.index.bits import Ordinals, Words

Array = npt.NDArray[Any]
ONE = np.uint64(1)
NONE = np.uint64(0)
FEW = 0.0
"""Words of which nobody matters are passed over so quickly that looking at customers one by one never pays."""
NOTED = 64
"""Words whose undecided rows are noted before any of them is looked at."""


def _compared(_typing: Any, column: Any, _first: Any, _low: Any, _high: Any) -> Any:
    """64 unsigned rows from ``first`` on as a word: bit j says whether ``low <= column[first + j] <= high``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dtype = signature.args[0].dtype
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(context.get_data_type(dtype), 64)
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer())
        rows = builder.load(place, typ=vector)
        rows.align = dtype.bitwidth // 8
        undefined = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), None)

        def everywhere(value: Any) -> Any:
            first_lane = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(first_lane, undefined, zeros)

        above = builder.icmp_unsigned(">=", rows, everywhere(arguments[2]))
        below = builder.icmp_unsigned("<=", rows, everywhere(arguments[3]))
        return builder.bitcast(builder.and_(above, below), ir.IntType(64))

    return types.uint64(column, types.intp, column.dtype, column.dtype), generate


def _popcount(_typing: Any, _word: Any) -> Any:
    """How many bits of a word are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _trailing(_typing: Any, _word: Any) -> Any:
    """How many bits lie below the lowest that is set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


_word: Callable[..., Any] = intrinsic(_compared)
_ones: Callable[..., Any] = intrinsic(_popcount)
_below: Callable[..., Any] = intrinsic(_trailing)


@compiled
def _border(codes: Array, w: int, borders: Array) -> np.uint64:
    look = NONE
    for r in range(2):
        if borders[r]:
            look |= _word(codes, w << 6, borders[r], borders[r])
    return look


@compiled
def _is_one_of(value: Any, wanted: Array) -> bool:
    at = np.searchsorted(wanted, value)
    return bool(at < len(wanted) and wanted[at] == value)


@compiled
def codes_in(codes: Array, lows: Array, highs: Array, need: Words, out: Words) -> None:
    """As `plain.codes_in`."""
    whole = len(codes) >> 6
    out[whole:] = 0
    for w in range(whole):
        bits = NONE
        if need[w]:
            for r in range(len(lows)):
                bits |= _word(codes, w << 6, lows[r], highs[r])
        out[w] = bits & need[w]
    for i in range(whole << 6, len(codes)):
        for r in range(len(lows)):
            if lows[r] <= codes[i] <= highs[r]:
                out[whole] |= (ONE << np.uint64(i & 63)) & need[whole]


@compiled
def codes_marked(codes: Array, marks: Array, need: Words, out: Words) -> None:
    """As `plain.codes_marked`."""
    out[:] = 0
    for w in range((len(codes) + 63) >> 6):
        if need[w]:
            bits = NONE
            for i in range(w << 6, min((w << 6) + 64, len(codes))):
                bits |= np.uint64(marks[codes[i]]) << np.uint64(i & 63)
            out[w] = bits & need[w]


@compiled
def bins_between(
    codes: Array, runs: Array, borders: Array, exact: Array, low: Any, high: Any, need: Words, out: Words
) -> None:
    """As `plain.bins_between`; the places to look at are noted first, so that reading them need not wait for one another."""
    whole = len(codes) >> 6
    places = np.empty(NOTED << 6, dtype=np.int64)
    out[whole:] = 0
    for first in range(0, whole, NOTED):
        noted = 0
        for w in range(first, min(first + NOTED, whole)):
            bits = NONE
            if need[w]:
                bits = _word(codes, w << 6, runs[0], runs[1]) & need[w]
                look = _border(codes, w, borders) & need[w]
                while look:
                    places[noted] = (w << 6) + _below(look)
                    noted += 1
                    look &= look - ONE
            out[w] = bits
        for k in range(noted):
            i = places[k]
            out[i >> 6] |= np.uint64((exact[i] >= low) & (exact[i] <= high)) << np.uint64(i & 63)
    for i in range(whole << 6, len(codes)):
        inside = runs[0] <= codes[i] <= runs[1]
        border = codes[i] != 0 and (codes[i] == borders[0] or codes[i] == borders[1])
        if inside or (border and low <= exact[i] <= high):
            out[whole] |= (ONE << np.uint64(i & 63)) & need[whole]


@compiled
def bins_checked(codes: Array, borders: Array, exact: Array, low: Any, high: Any, wanted: bool, found: Words) -> None:
    """As `plain.bins_checked`."""
    whole = len(codes) >> 6
    places = np.empty(NOTED << 6, dtype=np.int64)
    for first in range(0, whole, NOTED):
        noted = 0
        for w in range(first, min(first + NOTED, whole)):
            if found[w]:
                look = _border(codes, w, borders) & found[w]
                while look:
                    places[noted] = (w << 6) + _below(look)
                    noted += 1
                    look &= look - ONE
        for k in range(noted):
            i = places[k]
            wrong = ((exact[i] >= low) & (exact[i] <= high)) != wanted
            found[i >> 6] &= ~(np.uint64(wrong) << np.uint64(i & 63))
    for i in range(whole << 6, len(codes)):
        border = codes[i] != 0 and (codes[i] == borders[0] or codes[i] == borders[1])
        if border and (low <= exact[i] <= high) != wanted:
            found[whole] &= ~(ONE << np.uint64(i & 63))


@compiled
def bins_among(
    codes: Array, inside: Array, borders: Array, exact: Array, wanted: Array, need: Words, out: Words
) -> None:
    """As `plain.bins_among`."""
    whole = len(codes) >> 6
    out[whole:] = 0
    for w in range(whole):
        bits = NONE
        if need[w]:
            look = NONE
            for r in range(len(inside)):
                bits |= _word(codes, w << 6, inside[r, 0], inside[r, 1])
            for r in range(len(borders)):
                look |= _word(codes, w << 6, borders[r, 0], borders[r, 1])
            look &= need[w]
            while look:
                if _is_one_of(exact[(w << 6) + _below(look)], wanted):
                    bits |= look & (~look + ONE)
                look &= look - ONE
        out[w] = bits & need[w]
    for i in range(whole << 6, len(codes)):
        hit = False
        for r in range(len(inside)):
            hit = hit or inside[r, 0] <= codes[i] <= inside[r, 1]
        for r in range(len(borders)):
            hit = hit or (borders[r, 0] <= codes[i] <= borders[r, 1] and _is_one_of(exact[i], wanted))
        if hit:
            out[whole] |= (ONE << np.uint64(i & 63)) & need[whole]


@compiled
def _count(words: Words) -> int:
    total = 0
    for w in range(len(words)):
        total += _ones(words[w])
    return total


@compiled
def _count_both(one: Words, other: Words) -> int:
    total = 0
    for w in range(len(one)):
        total += _ones(one[w] & other[w])
    return total


def count(words: Words) -> int:
    """As `plain.count`."""
    return int(_count(words))


def count_both(one: Words, other: Words) -> int:
    """As `plain.count_both`."""
    return int(_count_both(one, other))


@compiled
def _decode(words: Words, found: Ordinals) -> None:
    at = 0
    for w in range(len(words)):
        bits = words[w]
        while bits:
            bit = bits & (~bits + ONE)
            found[at] = (w << 6) + _below(bit)
            at += 1
            bits ^= bit


def decode(words: Words) -> Ordinals:
    """As `plain.decode`."""
    found = np.empty(count(words), dtype=np.uint32)
    _decode(words, found)
    return found


@compiled
def take_bits(ordinals: Ordinals, words: Words, out: Words) -> None:
    """As `plain.take_bits`."""
    for w in range(len(out)):
        bits = NONE
        for i in range(w << 6, min((w << 6) + 64, len(ordinals))):
            bits |= ((words[ordinals[i] >> 6] >> np.uint64(ordinals[i] & 63)) & ONE) << np.uint64(i & 63)
        out[w] = bits


@compiled
def put_bits(ordinals: Ordinals, rows: Words, need: Words, plane: Words, everybody: bool) -> None:
    """As `plain.put_bits`. Rows are written one by one without a branch: which of them share a word cannot be foreseen."""
    if everybody:
        for i in range(len(ordinals)):
            w, place = ordinals[i] >> np.uint32(6), np.uint64(ordinals[i] & np.uint32(63))
            bit = rows[i >> 6] >> np.uint64(i & 63)
            plane[w] ^= (((plane[w] >> place) ^ bit) & ONE) << place
    else:
        for i in range(len(ordinals)):
            w, place = ordinals[i] >> np.uint32(6), np.uint64(ordinals[i] & np.uint32(63))
            bit = (rows[i >> 6] >> np.uint64(i & 63)) & (need[w] >> place)
            plane[w] ^= (((plane[w] >> place) ^ bit) & ONE) << place


@compiled
def _histogram(codes: Array, words: Words, counts: npt.NDArray[np.int64]) -> None:
    for w in range((len(codes) + 63) >> 6):
        bits = words[w]
        if bits == ~NONE and (w << 6) + 64 <= len(codes):
            for i in range(w << 6, (w << 6) + 64):
                counts[codes[i]] += 1
        else:
            while bits:
                bit = bits & (~bits + ONE)
                i = (w << 6) + _below(bit)
                if i < len(codes):
                    counts[codes[i]] += 1
                bits ^= bit


def histogram(codes: Array, words: Words, codes_known: int) -> npt.NDArray[np.int64]:
    """As `plain.histogram`."""
    counts = np.zeros(codes_known + 1, dtype=np.int64)
    _histogram(codes, words, counts)
    counts[0] += count(words) - int(counts.sum())
    return counts


@compiled
def bin_codes(
    exact: Array, known: Words, edges: Array, codes: npt.NDArray[np.uint8], lows: Array, highs: Array
) -> None:
    """As `plain.bin_codes`."""
    bins = len(edges)
    for i in range(len(exact)):
        if not (known[i >> 6] >> np.uint64(i & 63)) & ONE:
            continue
        value = exact[i]
        first, span = 0, bins
        while span > 1:
            half = span >> 1
            if edges[first + half] <= value:
                first += half
            span -= half
        codes[i] = first + 1
        lows[first] = min(lows[first], value)
        highs[first] = max(highs[first], value)
