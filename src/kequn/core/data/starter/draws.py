"""Reproducible draws and calendar arithmetic shared by the parts of the starter bank.

Everything is drawn a block of customers at a time from generators named by (seed, stream, block): the same customer
comes out the same whatever the size of the bank, and parts can be made again one by one.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Words = NDArray[np.str_]

BLOCK = 5_000
"""Customers made together; memory is bounded by it, and it is the unit of reproduction."""

EPOCH = date(1970, 1, 1)


def stream(seed: int, name: str, block: int = 0) -> np.random.Generator:
    """Return the generator of one named part of one block."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode()), block])))


def day(value: date) -> int:
    """Days since 1970-01-01."""
    return (value - EPOCH).days


def as_date(days: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(days))


@cache
def _calendar() -> Ints:
    days = np.arange(np.datetime64("1900-01-01"), np.datetime64("2101-01-01"))
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    return np.asarray(year * 10_000 + month * 100 + of_month, dtype=np.int64)


def yyyymmdd(days: Ints) -> Ints:
    """Turn day numbers (1900 to 2100) into integers like 20260630."""
    return np.asarray(_calendar()[days - day(date(1900, 1, 1))], dtype=np.int64)


def month_ends(as_of: date, months: int) -> list[date]:
    """Return ``as_of`` and the ends of the ``months - 1`` months before its own, oldest first."""
    ends = [as_of]
    while len(ends) < months:
        ends.append(ends[-1].replace(day=1) - timedelta(days=1))
    return ends[::-1]


def choose(rng: np.random.Generator, weights: Sequence[float] | Floats, size: int) -> Ints:
    """Draw ``size`` positions in proportion to ``weights``."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn = np.searchsorted(edges, rng.random(size) * edges[-1], side="right")
    return np.asarray(np.minimum(drawn, len(edges) - 1), dtype=np.int64)


def choose_by(rng: np.random.Generator, table: Floats, row: Ints) -> Ints:
    """Draw one column a row: ``table[row]`` holds the weights, ``row`` says whose weights each draw uses."""
    edges = np.cumsum(table, axis=1)
    edges /= edges[:, -1:]
    above = (rng.random(len(row))[:, None] > edges[row]).sum(axis=1)
    return np.asarray(above.clip(0, table.shape[1] - 1), dtype=np.int64)


def happens(rng: np.random.Generator, probability: float | Floats, size: int) -> Bools:
    """Draw ``size`` yes/no answers."""
    return rng.random(size) < probability


def repeated(counts: Ints) -> tuple[Ints, Ints]:
    """Return, for ``counts[i]`` copies of each i, the i of every copy and its number among them."""
    who = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return who.astype(np.int64), (np.arange(len(who)) - first).astype(np.int64)


def fen(yuan: Floats) -> Ints:
    """Round yuan to integer fen."""
    return np.rint(yuan * 100).astype(np.int64)
