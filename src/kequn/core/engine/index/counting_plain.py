"""The functions of `counting` in numpy alone, for machines without a compiler. The results are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Words, unpacked

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]

TILE = 4096
LANE_HISTOGRAMS = 1


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


def places(words: Words, out: npt.NDArray[np.uint32]) -> int:
    """Write the places of the set bits to ``out``, ascending, and return how many there are."""
    found = np.flatnonzero(unpacked(words, len(words) * 64))
    out[: len(found)] = found
    return len(found)


def tally(codes: Codes, rows: npt.NDArray[np.uint32], counts: npt.NDArray[np.int64]) -> None:
    """Add the codes of some rows to ``counts`` (lane, code)."""
    counts[0] += np.bincount(codes[rows], minlength=counts.shape[1])


def tally_below(codes: Codes, mask: Words, cuts: Codes) -> Ints:
    """How many masked rows have a code below each cut."""
    chosen = codes[unpacked(mask, len(codes))]
    if not len(chosen):
        return np.zeros(len(cuts), dtype=np.int64)
    upto = np.concatenate([[0], np.cumsum(np.bincount(chosen))])
    return np.asarray(upto[np.minimum(cuts.astype(np.int64), len(upto) - 1)], dtype=np.int64)


def gather(codes: Codes, mask: Words, code: Any, exact: npt.NDArray[Any], out: npt.NDArray[Any]) -> int:
    """Write the exact values of masked rows with this code to ``out`` and return how many there are."""
    found = exact[(codes == code) & unpacked(mask, len(codes))]
    out[: len(found)] = found
    return len(found)


def total_of_integers(exact: npt.NDArray[Any], rows: npt.NDArray[np.uint32]) -> tuple[int, int]:
    """Return (high, low) with sum = high × 2^32 + low."""
    values = exact[rows].astype(np.int64)
    return int((values >> 32).sum(dtype=np.int64)), int((values & 0xFFFFFFFF).sum(dtype=np.int64))


def total_of_floats(exact: npt.NDArray[Any], rows: npt.NDArray[np.uint32]) -> float:
    """Return the sum, by halves, so that little is rounded away."""
    return float(exact[rows].astype(np.float64).sum())
