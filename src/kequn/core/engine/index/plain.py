"""The index's inner loops in numpy. `kernels` has the same functions compiled; their results are equal.

Each ``…_in`` writes to ``out`` the ordinals of ``need`` that qualify: words whose ``need`` is 0 are not looked at. A column
may be shorter than ``need``; the ordinals beyond it do not qualify.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words, packed, unpacked

Array = npt.NDArray[Any]
BLOCK = 1 << 18
"""Rows at a time: so few that what is in between stays in the processor's cache, so many that starting a step costs little."""
FEW = 1 / 400
"""Below this share of all customers, for each unit that tests cost, they are looked at one by one: `few.Few`."""
KEEP = ~(1 << np.arange(8)).astype(np.uint8)
"""Of an octet all bits but one."""
MOST_RUNS = 6
"""Runs of codes compared one by one; more are looked up in a table."""


def codes_in(codes: Array, lows: Array, highs: Array, need: Words, out: Words) -> None:
    """Find the rows whose code lies in one of the runs ``lows[r] … highs[r]``; both of the codes' own dtype."""
    if len(lows) > MOST_RUNS:
        marks = np.zeros(np.iinfo(codes.dtype).max + 1, dtype=np.bool_)
        for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
            marks[low : high + 1] = True
        codes_marked(codes, marks, need, out)
    else:
        room = _Room(codes)
        runs = np.stack([lows, highs], axis=1)
        _blocks(codes, lambda block: room.in_runs(block, runs), need, out)


def codes_marked(codes: Array, marks: Array, need: Words, out: Words) -> None:
    """Find the rows whose code is marked: ``marks`` has a truth value for each code."""
    if codes.dtype == np.uint8:
        table = marks[:256].astype(np.uint8).tobytes().ljust(256, b"\0")
        _blocks(codes, lambda block: np.frombuffer(block.tobytes().translate(table), dtype=np.uint8), need, out)
    else:
        room = _Room(codes)
        _blocks(codes, lambda block: marks.take(block, out=room.found[: len(block)], mode="clip"), need, out)


def bins_between(
    codes: Array, runs: Array, borders: Array, exact: Array, low: Any, high: Any, need: Words, out: Words
) -> None:
    """Find the rows whose value lies in ``low … high``.

    Args:
        codes: the bin of each row, 0 = no value.
        runs: the bins (first, last) that lie inside as a whole; first > last where there is none.
        borders: the two bins that lie inside in part, 0 where there is none: only their rows' exact values are read.
    """
    room, untold = _Room(codes), _as_runs(borders)
    out[(len(codes) + 63) >> 6 :] = 0
    for first, block, words in _needed(codes, need, out):
        rows = _set(packed(room.in_runs(block, untold)) & need[words])
        values = exact[first + rows]
        found = room.in_runs(block, runs.reshape(1, 2))
        found[rows] = (values >= low) & (values <= high)
        np.bitwise_and(packed(found), need[words], out=out[words])


def bins_checked(codes: Array, borders: Array, exact: Array, low: Any, high: Any, wanted: bool, found: Words) -> None:
    """Take out of ``found`` the rows of the two border bins of which it is not as ``wanted`` that they lie in ``low … high``."""
    room, untold = _Room(codes), _as_runs(borders)
    for first, block, words in _needed(codes, found, found):
        rows = _set(packed(room.in_runs(block, untold)) & found[words])
        values = exact[first + rows]
        wrong = rows[((values >= low) & (values <= high)) != wanted]
        octets = found[words].view(np.uint8)
        np.bitwise_and.at(octets, wrong >> 3, KEEP[wrong & 7])


def bins_among(
    codes: Array, inside: Array, borders: Array, exact: Array, wanted: Array, need: Words, out: Words
) -> None:
    """Find the rows whose value is one of ``wanted`` (sorted).

    Args:
        inside: runs (first, last) of bins all whose values are wanted.
        borders: runs of bins of which only the exact values tell.
    """
    marks = np.zeros(256, dtype=np.uint8)
    for runs, mark in ((inside, 1), (borders, 2)):
        for first, last in runs.tolist():
            marks[first : last + 1] = mark
    table, room = marks.tobytes(), _Room(codes)
    out[(len(codes) + 63) >> 6 :] = 0
    for first, block, words in _needed(codes, need, out):
        told, found = np.frombuffer(block.tobytes().translate(table), dtype=np.uint8), room.found[: len(block)]
        rows = _set(packed(np.equal(told, 2, out=found)) & need[words])
        np.equal(told, 1, out=found)[rows] = are_among(exact[first + rows], wanted)
        np.bitwise_and(packed(found), need[words], out=out[words])


def are_among(values: Array, wanted: Array) -> npt.NDArray[np.bool_]:
    """Return of each value whether it is one of ``wanted`` (sorted, at least one)."""
    places = wanted.searchsorted(values.astype(wanted.dtype))
    return np.asarray(wanted.take(places, mode="clip") == values)


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
        parts.append((_set(words[first : first + (BLOCK >> 6)]) + (first << 6)).astype(np.uint32))
    return np.concatenate(parts)


def take_bits(ordinals: Ordinals, words: Words, out: Words) -> None:
    """Find of ascending ordinals the places of those in ``words``."""
    bits = words[ordinals >> np.uint32(6)] >> (ordinals & np.uint32(63)).astype(np.uint64)
    out[:] = packed((bits & np.uint64(1)).astype(np.bool_))


def put_bits(ordinals: Ordinals, rows: Words, need: Words, plane: Words, everybody: bool) -> None:
    """Write into ``plane`` of each ordinal (ascending) whether its place is in ``rows`` and it is in ``need``, or ``everybody`` is."""
    hits, flags = unpacked(rows, len(ordinals)), np.zeros(BLOCK, dtype=np.bool_)
    cuts = ordinals.searchsorted(np.arange(0, (len(plane) << 6) + BLOCK, BLOCK))
    for block in np.flatnonzero(np.diff(cuts)).tolist():
        mine = ordinals[cuts[block] : cuts[block + 1]].astype(np.intp) - block * BLOCK
        words = slice((block * BLOCK) >> 6, ((block + 1) * BLOCK) >> 6)
        part = plane[words]
        flags[mine] = True
        np.bitwise_and(part, ~packed(flags)[: len(part)], out=part)
        flags[mine] = hits[cuts[block] : cuts[block + 1]]
        bits = packed(flags)[: len(part)]
        np.bitwise_or(part, bits if everybody else bits & need[words], out=part)
        flags[mine] = False


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


class _Room:
    """Where the steps of one pass put what is in between, taken once; what is returned is overwritten by the next step."""

    def __init__(self, codes: Array) -> None:
        rows = min(BLOCK, len(codes))
        self.found = np.zeros(rows, dtype=np.bool_)
        self.more = np.empty(rows, dtype=np.bool_)
        self.shifted = np.empty(rows, dtype=codes.dtype)
        self.greatest = np.iinfo(codes.dtype).max

    def in_runs(self, block: Array, runs: Array) -> npt.NDArray[np.bool_]:
        """Return of each row whether its code lies in one of the runs (first, last); first > last is none."""
        found, more = self.found[: len(block)], self.more[: len(block)]
        if not len(runs):
            found[:] = False
        for r, (low, high) in enumerate(runs):
            here = more if r else found
            self._between(block, low, high, here)
            if r:
                np.logical_or(found, more, out=found)
        return found

    def _between(self, block: Array, low: Any, high: Any, found: Array) -> None:
        """One comparison instead of two: what is below ``low`` wraps around to above."""
        if low > high:
            found[:] = False
        elif low == high:
            np.equal(block, low, out=found)
        elif high == self.greatest:
            np.greater_equal(block, low, out=found)
        elif low == 0:
            np.less_equal(block, high, out=found)
        else:
            np.less_equal(np.subtract(block, low, out=self.shifted[: len(block)]), high - low, out=found)


def _blocks(codes: Array, hits: Callable[[Array], Array], need: Words, out: Words) -> None:
    out[(len(codes) + 63) >> 6 :] = 0
    for _, block, words in _needed(codes, need, out):
        np.bitwise_and(packed(hits(block)), need[words], out=out[words])


def _needed(codes: Array, need: Words, out: Words) -> Iterator[tuple[int, Array, slice]]:
    """The blocks of which somebody is needed: first row, codes, words; of the others nobody is found."""
    for first in range(0, len(codes), BLOCK):
        block = codes[first : first + BLOCK]
        words = slice(first >> 6, (first + len(block) + 63) >> 6)
        if need[words].any():
            yield first, block, words
        else:
            out[words] = 0


def _as_runs(borders: Array) -> Array:
    """Each border bin as a run of its own."""
    bins = borders[borders > 0]
    return np.stack([bins, bins], axis=1)


def _set(words: Words) -> npt.NDArray[np.int64]:
    """The places of the bits that are set; quick where they are few."""
    octets = words.view(np.uint8)
    some = (octets != 0).nonzero()[0]
    places = np.unpackbits(octets[some], bitorder="little").view(np.bool_).nonzero()[0]
    return np.asarray((some[places >> 3] << 3) + (places & 7))


def _chosen(column: Array, words: Words) -> Iterator[tuple[slice, npt.NDArray[np.bool_]]]:
    for first in range(0, len(column), BLOCK):
        rows = min(BLOCK, len(column) - first)
        block = words[first >> 6 : (first + rows + 63) >> 6]
        if block.any():
            flags = np.unpackbits(block.view(np.uint8), count=rows, bitorder="little").view(np.bool_)
            yield slice(first, first + rows), flags
