"""Sets of customers as planes: bit ``i % 64`` of word ``i // 64`` says whether ordinal ``i`` is in.

Words are little-endian ``uint64``; bits beyond the size are 0 in every plane, so that planes can be joined and counted
without a look at the size.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ordinals = npt.NDArray[np.uint32]
FLAGS = 1 << 18


def words_for(size: int) -> int:
    """Return how many words hold ``size`` bits."""
    return (size + 63) >> 6


def empty(size: int) -> Words:
    """Return a plane of nobody, to be written to."""
    return np.zeros(words_for(size), dtype=np.uint64)


@lru_cache(maxsize=8)
def full(size: int) -> Words:
    """Return the plane of all ordinals below ``size``; shared, hence read-only."""
    words = np.full(words_for(size), ~np.uint64(0), dtype=np.uint64)
    if size & 63:
        words[-1] = np.uint64((1 << (size & 63)) - 1)
    words.flags.writeable = False
    return words


def packed(flags: npt.NDArray[Any]) -> Words:
    """Return the plane of a boolean array, one flag an ordinal."""
    octets = np.packbits(flags, bitorder="little")
    if not len(octets) & 7:
        return octets.view(np.uint64)
    words = np.zeros(words_for(len(flags)) * 8, dtype=np.uint8)
    words[: len(octets)] = octets
    return words.view(np.uint64)


def has_bit(words: Words, ordinal: int) -> bool:
    """Return whether one ordinal is in a plane."""
    return bool(int(words[ordinal >> 6]) >> (ordinal & 63) & 1)


def unpacked(words: Words, size: int) -> npt.NDArray[np.bool_]:
    """Return one flag an ordinal."""
    return np.unpackbits(words.view(np.uint8), count=size, bitorder="little").view(np.bool_)


def from_ordinals(ordinals: npt.NDArray[Any], size: int) -> Words:
    """Return the plane of some ordinals, in any order; those not below ``size`` are left out."""
    flags = np.zeros(size, dtype=np.bool_)
    flags[ordinals[ordinals < size]] = True
    return packed(flags)


def from_sorted(ordinals: npt.NDArray[np.int64], size: int) -> Words:
    """Return the plane of some ordinals below ``size``, sorted; some at a time, so that no flag leaves the processor's cache."""
    words, flags = empty(size), np.zeros(FLAGS, dtype=np.bool_)
    cuts = ordinals.searchsorted(np.arange(0, size + FLAGS, FLAGS))
    for block in np.flatnonzero(np.diff(cuts)).tolist():
        mine = ordinals[cuts[block] : cuts[block + 1]] - block * FLAGS
        flags[mine] = True
        part = words[(block * FLAGS) >> 6 : ((block + 1) * FLAGS) >> 6]
        part[:] = packed(flags)[: len(part)]
        flags[mine] = False
    return words


def within(words: Words, size: int) -> Words:
    """Return a plane made for more or fewer ordinals cut or filled up to ``size``."""
    wanted = words_for(size)
    if len(words) < wanted:
        return np.concatenate([words, np.zeros(wanted - len(words), dtype=np.uint64)])
    if len(words) == wanted and not size & 63:
        return words
    return words[:wanted] & full(size)
