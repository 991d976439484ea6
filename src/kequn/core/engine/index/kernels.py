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
from numba import njit, types
from numba.extending import intrinsic

from kequn.core.engine.index.bits import Ordinals, Words

Array = npt.NDArray[Any]
ONE = np.uint64(1)
NONE = np.uint64(0)


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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def codes_marked(codes: Array, marks: Array, need: Words, out: Words) -> None:
    """As `plain.codes_marked`."""
    out[:] = 0
    for w in range((len(codes) + 63) >> 6):
        if need[w]:
            bits = NONE
            for i in range(w << 6, min((w << 6) + 64, len(codes))):
                bits |= np.uint64(marks[codes[i]]) << np.uint64(i & 63)
            out[w] = bits & need[w]


@njit(nogil=True, cache=True)
def bins_between(
    codes: Array, runs: Array, borders: Array, exact: Array, low: Any, high: Any, need: Words, out: Words
) -> None:
    """As `plain.bins_between`."""
    whole = len(codes) >> 6
    out[whole:] = 0
    for w in range(whole):
        bits = NONE
        if need[w]:
            bits = _word(codes, w << 6, runs[0], runs[1]) & need[w]
            look = NONE
            for border in borders:
                if border:
                    look |= _word(codes, w << 6, border, border)
            look &= need[w]
            while look:
                bit = look & (~look + ONE)
                value = exact[(w << 6) + _below(bit)]
                if low <= value <= high:
                    bits |= bit
                look ^= bit
        out[w] = bits
    for i in range(whole << 6, len(codes)):
        inside = runs[0] <= codes[i] <= runs[1]
        border = codes[i] != 0 and (codes[i] == borders[0] or codes[i] == borders[1])
        if inside or (border and low <= exact[i] <= high):
            out[whole] |= (ONE << np.uint64(i & 63)) & need[whole]


@njit(nogil=True, cache=True)
def bins_among(codes: Array, marks: Array, exact: Array, wanted: Array, need: Words, out: Words) -> None:
    """As `plain.bins_among`."""
    out[:] = 0
    for w in range((len(codes) + 63) >> 6):
        if need[w] == 0:
            continue
        bits = NONE
        for i in range(w << 6, min((w << 6) + 64, len(codes))):
            mark = marks[codes[i]]
            if mark == 2:
                at = np.searchsorted(wanted, exact[i])
                mark = 1 if at < len(wanted) and wanted[at] == exact[i] else 0
            bits |= np.uint64(mark) << np.uint64(i & 63)
        out[w] = bits & need[w]


@njit(nogil=True, cache=True)
def _count(words: Words) -> int:
    total = 0
    for w in range(len(words)):
        total += _ones(words[w])
    return total


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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
