"""Values of tags of a few customers, read from the index: what a comparison of samples works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index import Column
from kequn.core.engine.index.bits import Ordinals
from kequn.core.engine.index.changes import codes_of, exact_of, in_plane, known_of
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
    known = known_of(column, ordinals)
    if column.kind == "flag":
        yield Trait("true", YES, in_plane(column, 1, ordinals).astype(np.float64), known)
    elif column.kind in ("number", "day"):
        yield Trait("", tag.title, exact_of(column, ordinals).astype(np.float64), known)
    else:
        codes = None if column.codes is None else codes_of(column, ordinals)
        words = column.values or ()  # none of a text of too many values, whose histogram counts known and unknown
        for place in np.argsort(-column.histogram[1 : 1 + len(words)], kind="stable")[:MOST_VALUES].tolist():
            word = str(words[place])
            own = in_plane(column, place + 1, ordinals) if codes is None else codes == place + 1
            title = tag.values.get(word, Text.model_construct(zh=word, en=""))
            yield Trait(word, title, own.astype(np.float64), known)


def bands_of(column: Column, ordinals: Ordinals, bands: int) -> Ints:
    """Return a small number for each customer's value, 0 where there is none: codes as they are, numbers in equal bands."""
    known = known_of(column, ordinals)
    if column.kind == "flag":
        return np.where(known, 1 + in_plane(column, 1, ordinals), 0).astype(np.int64)
    codes = codes_of(column, ordinals).astype(np.int64)
    if column.kind == "code" or len(np.unique(codes[known])) <= FEW:
        return codes
    cuts = np.unique(np.quantile(codes[known], np.arange(1, bands) / bands))
    return np.where(known, 1 + np.searchsorted(cuts, codes, side="right"), 0)
