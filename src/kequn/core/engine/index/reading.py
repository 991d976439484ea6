"""The values of a tag for some customers, out of its column: as many as a page shows, without a look at the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Words
from kequn.core.engine.index.changes import Changes
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
    if column.changes is not None:
        return _with_changes(column.changes, at)
    inside = (at >= 0) & (at < column.size)
    safe = np.where(inside, at, 0)
    if not column.size or not inside.any():
        return Values(np.zeros(len(at), dtype=object), np.zeros(len(at), dtype=np.bool_))
    known = inside & bits_at(column.known, safe)
    match column.kind:
        case "flag":
            return Values(bits_at(column.planes[1], safe), known)
        case "code" if column.codes is not None and column.values is not None:
            texts = np.array([None, *column.values], dtype=object)
            return Values(texts[column.codes[safe]], known)
        case "day" if column.exact is not None:
            return Values(np.datetime64(EPOCH, "D") + column.exact[safe].astype("timedelta64[D]"), known)
        case "number" if column.exact is not None:
            return Values(np.asarray(column.exact[safe]), known)
        case "set":
            return Values(_sets(column, safe), known)
    return Values(np.full(len(at), None, dtype=object), np.zeros(len(at), dtype=np.bool_))


def bits_at(words: Words, ordinals: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return whether each ordinal is in a plane."""
    shift = (ordinals & 63).astype(np.uint64)
    return np.asarray((words[ordinals >> 6] >> shift) & np.uint64(1), dtype=np.bool_)


def _with_changes(changes: Changes, at: npt.NDArray[np.int64]) -> Values:
    """The rows that changed stand in a small column of their own."""
    found = values_at(changes.before, at)
    hits, rows = changes.who.places(at)
    if not len(hits):
        return found
    later = values_at(changes.rows, rows)
    values, known = found.values.copy(), found.known.copy()
    if values.dtype != later.values.dtype:
        values = values.astype(np.result_type(values, later.values))
    values[hits], known[hits] = later.values, later.known
    return Values(values, known)


def _sets(column: Column, ordinals: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    names = column.values or ()
    there = [(names[code - 1], bits_at(plane, ordinals)) for code, plane in column.planes.items()]
    found = np.empty(len(ordinals), dtype=object)
    for i in range(len(ordinals)):
        found[i] = tuple(name for name, flags in there if flags[i])
    return found
