"""The index's inner loops in numpy. `kernels` has the same functions compiled; their results are equal.

Each ``…_in`` writes to ``out`` the ordinals of ``need`` that qualify: words whose ``need`` is 0 are not looked at. A column
may be shorter than ``need``; the ordinals beyond it do not qualify.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words, packed

Array = npt.NDArray[Any]
BLOCK = 1 << 16
"""Rows at a time: what is in between stays in the processor's cache."""


def codes_in(codes: Array, lows: Array, highs: Array, need: Words, out: Words) -> None:
    """Find the rows whose code lies in one of the runs ``lows[r] … highs[r]``; both of the codes' own dtype."""

    runs = np.stack([lows, highs], axis=1)
    _blocks(codes, lambda block, _: _in_runs(block, runs), need, out)


def codes_marked(codes: Array, marks: Array, need: Words, out: Words) -> None:
    """Find the rows whose code is marked: ``marks`` has a truth value for each code."""
    _blocks(codes, lambda block, _: marks[block], need, out)


def bins_between(
    codes: Array, runs: Array, borders: Array, exact: Array, low: Any, high: Any, need: Words, out: Words
) -> None:
    """Find the rows whose value lies in ``low … high``.

    Args:
        codes: the bin of each row, 0 = no value.
        runs: the bins (first, last) that lie inside as a whole; first > last where there is none.
        borders: the two bins that lie inside in part, 0 where there is none: only their rows' exact values are read.
    """

    out[(len(codes) + 63) >> 6 :] = 0
    for first, block, words in _needed(codes, need, out):
        found = packed(_between(block, runs[0], runs[1])) & need[words]
        rows = _set(packed(_on_border(block, borders)) & need[words])
        values = exact[first + rows]
        out[words] = found | _plane(rows[(values >= low) & (values <= high)], len(block))


def bins_checked(codes: Array, borders: Array, exact: Array, low: Any, high: Any, wanted: bool, found: Words) -> None:
    """Take out of ``found`` the rows of the two border bins of which it is not as ``wanted`` that they lie in ``low … high``."""
    for first, block, words in _needed(codes, found, found):
        rows = _set(packed(_on_border(block, borders)) & found[words])
        values = exact[first + rows]
        wrong = rows[((values >= low) & (values <= high)) != wanted]
        if len(wrong):
            found[words] &= ~_plane(wrong, len(block))


def bins_among(
    codes: Array, inside: Array, borders: Array, exact: Array, wanted: Array, need: Words, out: Words
) -> None:
    """Find the rows whose value is one of ``wanted`` (sorted).

    Args:
        inside: runs (first, last) of bins all whose values are wanted.
        borders: runs of bins of which only the exact values tell.
    """

    def hits(block: Array, rows: slice) -> Array:
        found = _in_runs(block, inside)
        some = np.flatnonzero(_in_runs(block, borders))
        if len(some):
            found[some] = np.isin(exact[rows][some], wanted)
        return found

    _blocks(codes, hits, need, out)


def count(words: Words) -> int:
    """Return how many bits are set."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def count_both(one: Words, other: Words) -> int:
    """Return how many bits two planes have in common."""
    return count(one & other)


def decode(words: Words) -> Ordinals:
    """Return the ordinals of a plane, sorted."""
    parts = [np.zeros(0, dtype=np.uint32)]
    for first in range(0, len(words), BLOCK >> 6):
        block = words[first : first + (BLOCK >> 6)]
        if block.any():
            found = np.flatnonzero(np.unpackbits(block.view(np.uint8), bitorder="little"))
            parts.append((found + (first << 6)).astype(np.uint32))
    return np.concatenate(parts)


def histogram(codes: Array, words: Words, codes_known: int) -> npt.NDArray[np.int64]:
    """Return how many rows of a plane have each code 0 … ``codes_known``; rows beyond the column count as 0."""
    counts = np.zeros(codes_known + 1, dtype=np.int64)
    for rows, chosen in _chosen(codes, words):
        counts += np.bincount(codes[rows][chosen], minlength=codes_known + 1)
    counts[0] += count(words) - int(counts.sum())
    return counts


def bin_codes(
    exact: Array, known: Words, edges: Array, codes: npt.NDArray[np.uint8], lows: Array, highs: Array
) -> None:
    """Write the bin of each known row to ``codes``, and lower ``lows`` and raise ``highs`` to the bins' extremes."""
    for rows, chosen in _chosen(exact, known):
        values = exact[rows][chosen].astype(edges.dtype)
        bins = np.searchsorted(edges[1:], values, side="right")
        np.minimum.at(lows, bins, values)
        np.maximum.at(highs, bins, values)
        codes[rows][chosen] = bins + 1


def _in_runs(block: Array, runs: Array) -> Array:
    if not len(runs):
        return np.zeros(len(block), dtype=np.bool_)
    found = _between(block, *runs[0])
    for low, high in runs[1:]:
        found |= _between(block, low, high)
    return found


def _between(block: Array, low: Any, high: Any) -> Array:
    """One comparison instead of two: what is below ``low`` wraps around to above."""
    if low > high:
        return np.zeros(len(block), dtype=np.bool_)
    if low == high:
        return np.asarray(block == low)
    return np.asarray((block - low) <= (high - low))


def _blocks(codes: Array, hits: Callable[[Array, slice], Array], need: Words, out: Words) -> None:
    out[(len(codes) + 63) >> 6 :] = 0
    for first, block, words in _needed(codes, need, out):
        np.bitwise_and(packed(hits(block, slice(first, first + BLOCK))), need[words], out=out[words])


def _needed(codes: Array, need: Words, out: Words) -> Iterator[tuple[int, Array, slice]]:
    """The blocks of which somebody is needed: first row, codes, words; of the others nobody is found."""
    for first in range(0, len(codes), BLOCK):
        block = codes[first : first + BLOCK]
        words = slice(first >> 6, (first + len(block) + 63) >> 6)
        if need[words].any():
            yield first, block, words
        else:
            out[words] = 0


def _on_border(block: Array, borders: Array) -> Array:
    bins = [border for border in borders if border]
    return _in_runs(block, np.array([(border, border) for border in bins], dtype=block.dtype).reshape(-1, 2))


def _set(words: Words) -> npt.NDArray[np.int64]:
    """The places of the bits that are set; quick where they are few."""
    octets = words.view(np.uint8)
    some = np.flatnonzero(octets)
    octet, bit = np.nonzero(np.unpackbits(octets[some], bitorder="little").reshape(-1, 8))
    return (some[octet] << 3) + bit


def _plane(rows: npt.NDArray[np.int64], size: int) -> Words:
    flags = np.zeros(size, dtype=np.bool_)
    flags[rows] = True
    return packed(flags)


def _chosen(column: Array, words: Words) -> Iterator[tuple[slice, npt.NDArray[np.bool_]]]:
    for first in range(0, len(column), BLOCK):
        rows = min(BLOCK, len(column) - first)
        block = words[first >> 6 : (first + rows + 63) >> 6]
        if block.any():
            flags = np.unpackbits(block.view(np.uint8), count=rows, bitorder="little").view(np.bool_)
            yield slice(first, first + rows), flags
