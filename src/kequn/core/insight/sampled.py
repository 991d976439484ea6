"""Values of tags of a few customers, read from the index: what a comparison of samples works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index import Column
from kequn.core.engine.index.bits import Ordinals, Words
from kequn.core.insight.cells import MOST_VALUES
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import say_value

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
FEW = 12
"""A number with no more values has a band for each."""
YES = Text(zh=say_value("boolean", True, "zh"), en=say_value("boolean", True, "en"))


@dataclass(frozen=True, slots=True, eq=False)
class Trait:
    """Something a customer has or has not (0 or 1), or how high she stands (a number)."""

    value: str
    """The value of the tag that she has; empty for a number."""
    title: Text
    figures: Floats
    known: Bools


def traits_of(tag: TagSpec, column: Column, ordinals: Ordinals) -> Iterator[Trait]:
    """Yield what a tag says of customers: the number itself, whether a flag is true, whether a value is theirs.

    Of texts and lists the bank's commonest values are taken. A tag of too many values yields nothing.
    """
    known = bits_of(column.known, ordinals)
    if column.kind == "flag":
        yield Trait("true", YES, bits_of(column.planes[1], ordinals).astype(np.float64), known)
    elif column.kind in ("number", "day"):
        assert column.exact is not None
        yield Trait("", tag.title, _rows(column.exact, ordinals).astype(np.float64), known)
    else:
        codes = None if column.codes is None else _rows(column.codes, ordinals)
        words = column.values or ()  # none of a text of too many values, whose histogram counts known and unknown
        for place in np.argsort(-column.histogram[1 : 1 + len(words)], kind="stable")[:MOST_VALUES].tolist():
            word = str(words[place])
            own = bits_of(column.planes[place + 1], ordinals) if codes is None else codes == place + 1
            title = tag.values.get(word, Text.model_construct(zh=word, en=""))
            yield Trait(word, title, own.astype(np.float64), known)


def bands_of(column: Column, ordinals: Ordinals, bands: int) -> Ints:
    """Return a small number for each customer's value, 0 where there is none: codes as they are, numbers in equal bands."""
    known = bits_of(column.known, ordinals)
    if column.kind == "flag":
        return np.where(known, 1 + bits_of(column.planes[1], ordinals), 0).astype(np.int64)
    assert column.codes is not None
    codes = _rows(column.codes, ordinals).astype(np.int64)
    if column.kind == "code" or len(np.unique(codes[known])) <= FEW:
        return codes
    cuts = np.unique(np.quantile(codes[known], np.arange(1, bands) / bands))
    return np.where(known, 1 + np.searchsorted(cuts, codes, side="right"), 0)


def bits_of(words: Words, ordinals: Ordinals) -> Bools:
    """Return whether each ordinal is in a plane."""
    inside = (ordinals >> np.uint32(6)) < len(words)
    at = np.where(inside, ordinals, 0)
    if not len(words):
        return np.zeros(len(ordinals), dtype=np.bool_)
    bits = words[at >> np.uint32(6)] >> (at & np.uint32(63)).astype(np.uint64) & np.uint64(1)
    return np.asarray(bits.astype(np.bool_) & inside)


def _rows(values: npt.NDArray[np.generic], ordinals: Ordinals) -> npt.NDArray[np.generic]:
    """The rows of some ordinals; those that came after the column was made have 0, which is no value."""
    if not len(values):
        return np.zeros(len(ordinals), dtype=values.dtype)
    inside = ordinals < len(values)
    found = values[np.where(inside, ordinals, 0)]
    return np.where(inside, found, np.zeros(1, dtype=values.dtype))
