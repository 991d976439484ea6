"""Small cells of a table are left out: fewer than ten customers are nearly persons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST = 10
Counts = npt.NDArray[np.int64]


def floored(counts: Counts, least: int = LEAST) -> tuple[Counts, int]:
    """Return a table in which cells of fewer than ``least`` customers are 0, and how many cells were left out.

    Where just one of a row or a column would be, its next smallest goes too: else it could be had by subtraction from a
    whole that is told elsewhere.

    >>> floored(np.array([[100, 3, 20], [0, 50, 60], [70, 80, 90]]))[0].tolist()
    [[100, 0, 0], [0, 0, 0], [70, 80, 90]]
    """
    table = np.atleast_2d(np.asarray(counts, dtype=np.int64))
    hidden = (table > 0) & (table < least)
    lines = [(table[i], hidden[i]) for i in range(table.shape[0])]
    lines += [(table[:, j], hidden[:, j]) for j in range(table.shape[1]) if table.shape[0] > 1]
    changed = True
    while changed:
        changed = False
        for cells, mask in lines:  # views of the table: what a row hides, its columns see
            open_ = np.flatnonzero((cells > 0) & ~mask)
            if mask.sum() == 1 and len(open_):
                mask[open_[np.argmin(cells[open_])]] = changed = True
    return np.where(hidden, 0, table).reshape(np.shape(counts)), int(hidden.sum())
