"""The functions of `counting` in numpy alone, for machines without a compiler. The results are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Ordinals, Words, packed, unpacked

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]

TILE = 4096
LANE_HISTOGRAMS = 1
ROWS_BLOCK = 1 << 24
"""Customers whose rows are gathered at a time: few blocks, since each costs a turn of the interpreter a run."""


def common(masks: npt.NDArray[np.uint64]) -> Ints:
    """How many bits each two of several masks (mask, word) have in common; sizes on the diagonal."""
    many, words = masks.shape
    both = np.zeros((many, many), dtype=np.int64)
    for start in range(0, words, TILE):
        tile = masks[:, start : start + TILE]
        for i in range(many):
            both[i, i:] += np.bitwise_count(tile[i:] & tile[i]).sum(axis=1, dtype=np.int64)
    return both + np.triu(both, 1).T


def shared(mask: Words, plane: Words) -> int:
    """How many bits two planes of the same length have in common."""
    return int(np.bitwise_count(mask & plane).sum(dtype=np.int64))


def places(words: Words, out: Ordinals) -> int:
    """Write the places of the set bits to ``out``, ascending, and return how many there are."""
    found = np.flatnonzero(unpacked(words, len(words) * 64))
    out[: len(found)] = found
    return len(found)


def tally(codes: Codes, rows: Ordinals, counts: npt.NDArray[np.int64]) -> None:
    """Add the codes of some rows to ``counts`` (lane, code)."""
    counts[0] += np.bincount(codes[rows], minlength=counts.shape[1])


def tally_below(codes: Codes, mask: Words, cuts: Codes) -> Ints:
    """How many masked rows have a code below each cut."""
    chosen = codes[unpacked(mask, len(codes))]
    if not len(chosen):
        return np.zeros(len(cuts), dtype=np.int64)
    upto = np.concatenate([[0], np.cumsum(np.bincount(chosen))])
    return np.asarray(upto[np.minimum(cuts.astype(np.int64), len(upto) - 1)], dtype=np.int64)


def gather(codes: Codes, mask: Words, wanted: Codes, rows: Ordinals) -> int:
    """Write the places of the masked rows that have one of some codes to ``rows`` and return how many there are."""
    found = np.flatnonzero(np.isin(codes, wanted) & unpacked(mask, len(codes)))
    rows[: len(found)] = found
    return len(found)


def total_of_integers(exact: npt.NDArray[Any], rows: Ordinals) -> tuple[int, int]:
    """Return (high, low) with sum = high × 2^32 + low."""
    values = exact[rows].astype(np.int64)
    return int((values >> 32).sum(dtype=np.int64)), int((values & 0xFFFFFFFF).sum(dtype=np.int64))


def total_of_floats(exact: npt.NDArray[Any], rows: Ordinals) -> float:
    """Return the sum, by halves, so that little is rounded away."""
    return float(exact[rows].astype(np.float64).sum())


def mark(ordinals: Ordinals, starts: Ints, stops: Ints, words: Words) -> None:
    """Set the bits of the ordinals in some runs."""
    flags = unpacked(words, len(words) * 64).copy()
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        flags[ordinals[start:stop]] = True
    words |= packed(flags)


def count_rows(
    ordinals: Ordinals, cursors: Ints, stops: Ints, block: tuple[int, int], test: Any, counts: npt.NDArray[np.uint32]
) -> None:
    """Add to ``counts`` the rows of each ordinal of a block that pass the test; `counting` says what the arguments are."""
    for rows in _runs(ordinals, cursors, stops, block):
        mine = ordinals[rows][_passing(rows, test)]
        counts += np.bincount(mine - block[0], minlength=len(counts)).astype(np.uint32)


def add_values(
    ordinals: Ordinals, cursors: Ints, stops: Ints, block: tuple[int, int], test: Any, summed: Any, sums: Any
) -> None:
    """As `count_rows`; also add up ``summed`` (values, gaps) into ``sums`` (totals, whether any was there, rows)."""
    amounts, holes = summed
    totals, seen, counts = sums
    for rows in _runs(ordinals, cursors, stops, block):
        passing = _passing(rows, test)
        np.add.at(counts, ordinals[rows][passing] - block[0], 1)
        if len(holes):
            passing = passing & ~holes[rows]
        at = ordinals[rows][passing] - block[0]
        np.add.at(totals, at, amounts[rows][passing])
        seen[at] = True


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
    for day, rows in zip(days.tolist(), _runs(ordinals, cursors, stops, block), strict=True):
        at = ordinals[rows][_passing(rows, test)] - block[0]
        last[at] = np.maximum(last[at], day)


def _runs(ordinals: Ordinals, cursors: Ints, stops: Ints, block: tuple[int, int]) -> Iterator[slice]:
    """The part of each run that lies in the block; the cursors move on behind it."""
    for r, (start, stop) in enumerate(zip(cursors.tolist(), stops.tolist(), strict=True)):
        behind = start + int(np.searchsorted(ordinals[start:stop], block[1]))
        cursors[r] = behind
        yield slice(start, behind)


def _passing(rows: slice, test: Any) -> npt.NDArray[np.bool_]:
    values, gaps, spans, nulls = test
    if not len(values):
        return np.ones(rows.stop - rows.start, dtype=np.bool_)
    value = values[rows]
    found = np.zeros(len(value), dtype=np.bool_)
    for low, high in spans.tolist():
        found |= (value >= low) & (value <= high)
    return np.where(gaps[rows], nulls, found) if len(gaps) else found
