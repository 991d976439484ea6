"""The values of one number or date among some customers, in order, without sorting them.

The counts of the bins tell in which bin a place lies; only the exact values of that bin are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.facets import Crowd, Cuts, totals, values_in
from kequn.core.engine.index.layout import Column

Ints = npt.NDArray[np.int64]


class Binned:
    """Known values of a column among a crowd, in order.

    Args:
        histogram: of the crowd, by code, as `Column.histogram` counts.
        origin: is taken from each value; days since another date.
        total: sum of the crowd's values, where it is known already.
    """

    def __init__(
        self, column: Column, crowd: Crowd, histogram: Ints, *, origin: int = 0, total: float | None = None
    ) -> None:
        self._column = column
        self._crowd = crowd
        self._histogram = histogram
        self._upto = np.cumsum(histogram[1:])
        self._origin = origin
        self._total = total
        self._values: dict[int, npt.NDArray[Any]] = {}

    def __len__(self) -> int:
        return int(self._upto[-1]) if len(self._upto) else 0

    def at(self, ranks: Sequence[int]) -> npt.NDArray[Any]:
        """Return the values at some places, 0 the least."""
        lows = self._lows
        places = np.searchsorted(self._upto, ranks, side="right")
        values = self._in_bins({int(place) for place in places if self._is_mixed(int(place))})
        found = np.empty(len(ranks), dtype=lows.dtype)
        for i, (rank, place) in enumerate(zip(ranks, places.tolist(), strict=True)):
            before = int(self._upto[place - 1]) if place else 0
            found[i] = values[place][rank - before] if place in values else lows[place]
        return found - self._origin

    def below(self, values: Sequence[float] | npt.NDArray[Any]) -> Ints:
        """Return how many are below each value."""
        cuts = Cuts.of(self._column, np.asarray(values) + self._origin)
        inside = self._in_bins({int(code) - 1 for code in cuts.codes[cuts.split]})
        found: Ints = np.concatenate([[0], self._upto])[cuts.codes - 1]
        for i in cuts.split.tolist():
            found[i] += np.searchsorted(inside[int(cuts.codes[i]) - 1], cuts.values[i], side="left")
        return found

    def mean(self) -> float:
        """Return the mean; of whole numbers from their exact sum."""
        filled = np.flatnonzero(self._histogram[1:]).tolist()
        if any(map(self._is_mixed, filled)):
            total = totals([self._column], self._crowd)[self._column.name] if self._total is None else self._total
        else:
            total = sum(self._lows[place].item() * int(self._histogram[place + 1]) for place in filled)
        return total / len(self) - self._origin

    @property
    def _lows(self) -> npt.NDArray[Any]:
        assert self._column.lows is not None
        return self._column.lows

    def _is_mixed(self, place: int) -> bool:
        assert self._column.highs is not None
        return bool(self._lows[place] != self._column.highs[place])

    def _in_bins(self, places: set[int]) -> dict[int, npt.NDArray[Any]]:
        missing = [place + 1 for place in places if place not in self._values]
        self._values |= {code - 1: found for code, found in values_in(self._column, self._crowd, missing).items()}
        return {place: self._values[place] for place in places}
