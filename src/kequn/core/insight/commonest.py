"""Texts of too many values for the index: the bank's commonest, a number a customer, so that the column is read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Index
from kequn.core.engine.index.bits import Words
from kequn.core.insight.cells import Counts, encoded, value_counts, values_shown
from kequn.core.spec.tag import TagSpec


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """The values of a tag that are shown: which of them each ordinal has, and how many customers of the bank do."""

    tag: TagSpec
    codes: npt.NDArray[np.unsignedinteger]
    """0 = no value, or no customer; k: value k-1 of ``bank``."""
    bank: Counts


_KEPT: WeakKeyDictionary[Index, dict[str, _Common]] = WeakKeyDictionary()
"""By index, which never changes; dropped with it."""


def commonest_inside(engine: Engine, index: Index, plane: Words, tags: Mapping[str, TagSpec]) -> dict[str, Counts]:
    """Return the counts of text tags among the customers of a plane (within the index's population)."""
    kept, found = _KEPT.setdefault(index, {}), {}
    members = index.loops.decode(plane)
    for name, tag in tags.items():
        if name not in kept or kept[name].tag != tag:
            kept[name] = _read(engine, index, tag)
        common = kept[name]
        inside = np.bincount(common.codes[members], minlength=len(common.bank.keys) + 1)[1:]
        found[name] = replace(common.bank, inside=inside, known=int(inside.sum()))
    return found


def _read(engine: Engine, index: Index, tag: TagSpec) -> _Common:
    table = engine.arrow(engine.tags_query(index.as_of, [tag.name]))
    column, ordinals = table.column(tag.name), table.column("ordinal").to_numpy()
    numbers, words = encoded(column.drop_null())
    bank = np.bincount(numbers, minlength=len(words))
    shown = values_shown(tag, words, bank)
    place: npt.NDArray[np.unsignedinteger] = np.full(
        len(words), len(shown) + 1, dtype=np.min_scalar_type(len(shown) + 1)
    )
    place[shown] = np.arange(1, len(shown) + 1)  # the others count together, after those shown
    codes = np.zeros(index.size, dtype=place.dtype)
    codes[ordinals[np.asarray(column.is_valid().to_numpy(), dtype=bool)]] = place[numbers]
    return _Common(tag, codes, value_counts(tag, words, bank, bank, len(numbers), len(numbers)))
