"""Where a number's values are likely to be cut when they are shown, told from a sample of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
HEAP = 0.2
"""Zeros of more than so large a share stand apart, and the others are cut by their own quantiles."""


def likely_cuts(ordered: Array) -> Array:
    """Return quantiles of sorted numbers rounded to two figures.

    Profiles cut numbers at the bank's quantiles, so rounded. Where a bin of the index begins at the same value, a count
    between cuts is a count of bins; elsewhere the values of the bin that is cut are read as well.
    """
    ordered = ordered[np.isfinite(ordered)]
    if not len(ordered):
        return ordered
    above = ordered[np.searchsorted(ordered, 0, side="right") :] if ordered[0] == 0 else ordered
    levels = (0.2, 0.4, 0.6, 0.8) if len(above) > (1 - HEAP) * len(ordered) else (0.25, 0.5, 0.75)
    if not len(above):
        return above
    cuts = np.quantile(above, levels)
    sizes = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(cuts), 1e-12))) - 1)
    if ordered.dtype.kind != "f":
        sizes = np.maximum(sizes, 1)
    rounded = np.round(cuts / sizes) * sizes
    inside = (rounded > ordered[0]) & (rounded <= ordered[-1])
    return np.asarray(rounded[inside])
