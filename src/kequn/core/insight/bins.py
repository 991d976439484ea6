"""The bins in which numbers and dates are shown: where they are cut, what they are called, and what sums a number up.

All of it is looked up in values in order, wherever these are: in a sorted array, or in the bins of an index column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import say_value

FEW_INTEGERS = 13
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
EPOCH = date(1970, 1, 1)
Numeric = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Mean and quantiles of a number, in yuan for money; of a date its quantiles, in ISO form."""

    mean: float | None
    quantiles: dict[str, float | str]
    """"p10", "p25", "p50" (the median), "p75", "p90"."""


class Ordered(Protocol):
    """The known values of a tag among some customers, in order; days count from 1970-01-01."""

    def __len__(self) -> int: ...
    def at(self, ranks: Sequence[int]) -> Numeric:
        """Return the values at some places, 0 the least."""
        ...

    def below(self, values: Sequence[float] | Numeric) -> npt.NDArray[np.int64]:
        """Return how many are below each value."""
        ...

    def mean(self) -> float:
        """Return the mean; of whole numbers from their exact sum."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sorted:
    """Values as a sorted array."""

    values: Numeric

    def __len__(self) -> int:
        return len(self.values)

    def at(self, ranks: Sequence[int]) -> Numeric:
        """As `Ordered.at`."""
        return self.values[np.asarray(ranks, dtype=np.int64)]

    def below(self, values: Sequence[float] | Numeric) -> npt.NDArray[np.int64]:
        """As `Ordered.below`."""
        return np.searchsorted(self.values, values, side="left")

    def mean(self) -> float:
        """As `Ordered.mean`."""
        if self.values.dtype.kind == "f":
            return float(self.values.mean())
        wide = self.values.astype(np.int64)
        return ((int((wide >> 32).sum()) << 32) + int((wide & 0xFFFFFFFF).sum())) / len(wide)


def edges_of(tag: TagSpec, ordered: Ordered) -> Numeric:
    """Cut points: the declared bins; else each whole number where they are few; else rounded quantiles of the bank."""
    if not len(ordered):
        return np.zeros(0)
    if tag.bins:
        scale = 100 if tag.type == "money" else 1
        return np.array([float(b * scale) for b in tag.bins])
    low, high = ordered.at([0, len(ordered) - 1])
    if tag.type == "integer" and high - low < FEW_INTEGERS:
        return np.arange(low + 1, high + 1)
    heap = int(ordered.below([np.nextafter(0.0, 1.0)])[0]) if low == 0 and tag.type != "date" else 0
    above = len(ordered) - heap
    if above > 0.8 * len(ordered):
        return _between(_rounded(tag, quantiles(ordered, (0.2, 0.4, 0.6, 0.8))), low, high)
    # a heap at zero gets a bin of its own
    cuts = _rounded(tag, quantiles(ordered, (0.25, 0.5, 0.75), skip=heap)) if above else np.zeros(0)
    return _between(np.concatenate([ordered.at([heap]) if above else [], cuts]), low, high)


def in_bins(ordered: Ordered, edges: Numeric) -> npt.NDArray[np.int64]:
    """Return how many values are in (-∞, e0), [e0, e1), … [ek, ∞)."""
    return np.diff(ordered.below(edges), prepend=0, append=len(ordered))


def quantiles(ordered: Ordered, levels: tuple[float, ...], *, skip: int = 0) -> Numeric:
    """Linear between neighbours, as numpy's default is; without the ``skip`` least values."""
    place = np.array(levels) * (len(ordered) - skip - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - skip - 1)
    low, high = ordered.at([*(below + skip), *(above + skip)]).astype(np.float64).reshape(2, -1)
    return np.asarray(low + (high - low) * (place - below))


def _rounded(tag: TagSpec, cuts: Numeric) -> Numeric:
    """Two figures are enough for a cut point; dates stay as they are."""
    if tag.type == "date":
        return np.round(cuts)
    size = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(cuts), 1e-12))) - 1)
    if tag.type in ("integer", "money"):
        size = np.maximum(size, 1 if tag.type == "integer" else 100)
    return np.round(cuts / size) * size


def _between(cuts: Numeric, low: float, high: float) -> Numeric:
    return np.unique(cuts[(cuts > low) & (cuts <= high)])


def bin_words(tag: TagSpec, ordered: Ordered, edges: Numeric, i: int) -> tuple[str, Text]:
    """Return key and words of the bin [edges[i-1], edges[i])."""
    low = edges[i - 1] if i else None
    high = edges[i] if i < len(edges) else None
    key = f"[{_key(tag, low)},{_key(tag, high)})"
    return key, Text(zh=_say_bin(tag, ordered, low, high, "zh"), en=_say_bin(tag, ordered, low, high, "en"))


def _key(tag: TagSpec, edge: float | None) -> str:
    if edge is None:
        return ""
    if tag.type == "date":
        return (EPOCH + timedelta(days=int(edge))).isoformat()
    return f"{edge / 100 if tag.type == 'money' else edge:.12g}"


def _say_bin(tag: TagSpec, ordered: Ordered, low: float | None, high: float | None, language: str) -> str:
    english = language.startswith("en")
    first, last = ordered.at([0, len(ordered) - 1])
    if low is None and high is None:
        return "all" if english else "全部"
    if tag.type == "integer" and low is not None and high is not None:  # whole numbers: both ends can be named
        return _say(tag, low, language) if low == high - 1 else f"{int(low):,}–{_say(tag, high - 1, language)}"
    if (
        not tag.bins
        and high is not None
        and low is None
        and first == ordered.at([int(ordered.below([high])[0]) - 1])[0]
    ):
        return _say(tag, first, language)  # one value alone, often 0
    if low is None or high is None:
        edge = _say(tag, high if low is None else low, language)
        if low == last and not tag.bins:
            return edge
        if english:
            return f"below {edge}" if low is None else f"{edge} and above"
        return f"{edge}以下" if low is None else f"{edge}及以上"
    return f"{_say(tag, low, language)}–{_say(tag, high, language)}"


def _say(tag: TagSpec, edge: float | None, language: str) -> str:
    value = edge or 0
    if tag.type == "date":
        return (EPOCH + timedelta(days=int(value))).isoformat()
    exact = int(value) if tag.type in ("integer", "money") else Decimal(f"{value:.12g}")
    unit = tag.unit.to(language) if tag.unit and tag.type != "money" else ""
    return f"{say_value(tag.type, exact, language)} {unit}".rstrip()


def summary(tag: TagSpec, ordered: Ordered) -> Numbers | None:
    """Return mean and quantiles of the values; ``None`` where there are none."""
    if not len(ordered):
        return None
    names = [f"p{round(q * 100)}" for q in QUANTILES]
    cuts = quantiles(ordered, QUANTILES)
    if tag.type == "date":
        return Numbers(None, {n: _key(tag, c) for n, c in zip(names, cuts, strict=True)})
    scale = 100 if tag.type == "money" else 1
    return Numbers(ordered.mean() / scale, {n: float(c) / scale for n, c in zip(names, cuts, strict=True)})
