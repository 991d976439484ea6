"""Deterministic buckets: where a stable salted hash puts an id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

MANTISSA = 53  # the bits a float64 holds exactly: a bucket never rounds up to 1.0


def salted_hashes(salt: str, ids: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return one 64-bit hash per id: the first 8 bytes, big-endian, of blake2b(salt, unit separator, id).

    The same on every platform and in every version for ever: who is in a control group depends on it.
    """
    head = blake2b(salt.encode() + b"\x1f", digest_size=8)

    def one(key: str) -> bytes:
        tail = head.copy()
        tail.update(key.encode())
        return tail.digest()

    return np.frombuffer(b"".join(map(one, ids)), dtype=">u8").astype(np.uint64)


def bucket(salt: str, ids: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return one number in [0, 1) per id, uniform over ids and independent between salts.

    >>> bucket("spring", ["C1", "C2"]).round(6).tolist() == bucket("spring", ["C2", "C1"])[::-1].round(6).tolist()
    True
    """
    kept = salted_hashes(salt, ids) >> np.uint64(64 - MANTISSA)
    return kept.astype(np.float64) / float(1 << MANTISSA)
