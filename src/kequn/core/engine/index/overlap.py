"""How many customers each two of several sets have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Words
from kequn.core.engine.index.counter import Counter, counter

MOST_AT_ONCE = 1 << 20
"""Bytes of masks that are laid side by side at a time: so few that they are still in the cache when they are compared."""


def overlaps(masks: Sequence[Words], *, using: Counter | None = None) -> npt.NDArray[np.int64]:
    """Return the symmetric matrix (set, set) of the numbers of common customers, the sizes on its diagonal.

    All masks have the same number of words. The work is ``sets² ÷ 2 × words``, done in the processor's cache: each word is
    fetched from memory once whatever the number of sets.
    """
    both = np.zeros((len(masks), len(masks)), dtype=np.int64)
    if not masks:
        return both
    words = len(masks[0])
    step = max(1, MOST_AT_ONCE // (8 * len(masks)))
    for start in range(0, words, step):
        both += (using or counter()).common(np.stack([mask[start : start + step] for mask in masks]))
    return both
