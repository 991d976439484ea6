"""The values of a tag for some customers, out of its column: as many as a page shows, without a look at the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.changes import codes_of, exact_of, in_plane, known_of
from kequn.core.engine.index.layout import EPOCH, Column


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """One value for each customer asked for, in the order asked. Where ``known`` is false, ``values`` says nothing.

    Numbers keep their dtype (money is fen), days are ``datetime64[D]``, codes and texts ``object`` with the text, flags ``bool``,
    sets ``object`` with a tuple of texts. A column whose texts are too many to be held has no values: nobody is known.
    """

    values: npt.NDArray[Any]
    known: npt.NDArray[np.bool_]


def values_at(column: Column, ordinals: npt.NDArray[Any]) -> Values:
    """Return the values of some ordinals; one that is negative, or beyond the column, has none."""
    at = np.asarray(ordinals, dtype=np.int64)
    safe = np.maximum(at, 0)
    if not len(at) or not column.size:
        return Values(np.full(len(at), None, dtype=object), np.zeros(len(at), dtype=np.bool_))
    known = (at >= 0) & known_of(column, safe)
    match column.kind:
        case "flag":
            return Values(in_plane(column, 1, safe), known)
        case "code" if column.values is not None:
            texts = np.array([None, *column.values], dtype=object)
            return Values(texts[codes_of(column, safe)], known)
        case "day":
            days = exact_of(column, safe).astype("timedelta64[D]")
            return Values(np.datetime64(EPOCH, "D") + days, known)
        case "number":
            return Values(np.asarray(exact_of(column, safe)), known)
        case "set":
            return Values(_sets(column, safe), known)
    return Values(np.full(len(at), None, dtype=object), np.zeros(len(at), dtype=np.bool_))


def _sets(column: Column, ordinals: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    there = [(name, in_plane(column, code, ordinals)) for code, name in enumerate(column.values or (), 1)]
    found = np.empty(len(ordinals), dtype=object)
    for i in range(len(ordinals)):
        found[i] = tuple(name for name, flags in there if flags[i])
    return found
