"""Migration: how many customers went from which group to which between two dates, groups being segments or a tag's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine, quoted
from kequn.core.errors import InvalidSpec, NoData, Where
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.floor import floored

ABSENT, NONE = 0, 1
"""Codes: not a customer of the bank on the date; a customer in none of the groups."""
MOST_GROUPS = 24
Codes = npt.NDArray[np.uint8]
ABSENT_GROUP = Text(zh="非本行客户", en="Not a customer")
NONE_GROUP = Text(zh="不在其中", en="In none of them")
UNKNOWN_GROUP = Text(zh="无值", en="No value")


@dataclass(frozen=True, slots=True)
class Group:
    """One group of customers: a segment, a value of a tag, or what is left."""

    key: str
    title: Text


@dataclass(frozen=True, slots=True)
class Migration:
    """``matrix[i][j]`` customers were in group ``i`` on the earlier date and are in ``j`` on the later one.

    The first group are those who were not customers, the second those in none of the groups.
    """

    before: date
    after: date
    groups: tuple[Group, ...]
    matrix: tuple[tuple[int, ...], ...]
    left_out: int = 0
    """Cells of too few customers to be told: they stand as 0, and no sum counts them."""

    def told(self) -> Migration:
        """Return the same without small cells."""
        told, left_out = floored(np.array(self.matrix, dtype=np.int64))
        return replace(self, matrix=tuple(map(tuple, told.tolist())), left_out=left_out)

    @property
    def sizes_before(self) -> tuple[int, ...]:
        """Customers of each group on the earlier date."""
        return tuple(sum(row) for row in self.matrix)

    @property
    def sizes_after(self) -> tuple[int, ...]:
        """Customers of each group on the later date."""
        return tuple(sum(column) for column in zip(*self.matrix, strict=True))

    @property
    def stayed(self) -> int:
        """Customers in the same group on both dates, those in none left out."""
        return sum(self.matrix[i][i] for i in range(NONE + 1, len(self.groups)))


def of_tag(engine: Engine, tag: TagSpec, before: date, after: date) -> Migration:
    """Return the migration between a tag's values among the customers the engine sees.

    Raises:
        InvalidSpec: the tag has no values to go between: it is neither yes or no nor a code, or has more than 24.
        NoData, UnknownTag: it was not computed for a date.
    """
    old, new = _values_on(engine, tag, before), _values_on(engine, tag, after)
    found = sorted({value for values in (old, new) for value in values[1]}, key=_order(tag))
    if len(found) > MOST_GROUPS:
        hint = "Take a tag with fewer values, or make segments of them."
        raise InvalidSpec(f"Tag {tag.name!r} has {len(found)} values.", hint=hint, where=Where(field="tag"))
    place = {value: NONE + 1 + i for i, value in enumerate(found)}
    codes = [_coded(engine, values, place) for values in (old, new)]
    groups = [Group("", ABSENT_GROUP), Group("-", UNKNOWN_GROUP)]
    groups += [
        Group(str(value).lower() if isinstance(value, bool) else str(value), _said(tag, value)) for value in found
    ]
    return _counted(before, after, groups, *codes)


def of_segments(
    engine: Engine,
    groups: Sequence[Group],
    before: tuple[date, Sequence[npt.NDArray[Any]]],
    after: tuple[date, Sequence[npt.NDArray[Any]]],
) -> Migration:
    """Return the migration between segments; who is in several counts for the first of them.

    Args:
        before, after: the date, and the ordinals of the members of each group on it.

    Raises:
        NoData: it is not known who was a customer on a date.
    """
    codes = []
    for as_of, members in (before, after):
        held = _customers_on(engine, as_of)
        inside = held == NONE
        for i, ordinals in reversed(list(enumerate(members))):
            held[ordinals[inside[ordinals]]] = NONE + 1 + i
        codes.append(held)
    named = [Group("", ABSENT_GROUP), Group("-", NONE_GROUP), *groups]
    return _counted(before[0], after[0], named, *codes)


def _counted(before: date, after: date, groups: Sequence[Group], old: Codes, new: Codes) -> Migration:
    n = len(groups)
    counts = np.bincount(old.astype(np.int64) * n + new, minlength=n * n).reshape(n, n)
    counts[ABSENT, ABSENT] = 0
    return Migration(before, after, tuple(groups), tuple(tuple(int(c) for c in row) for row in counts))


def _customers_on(engine: Engine, as_of: date) -> Codes:
    codes = np.zeros(engine.manifest.ordinals, dtype=np.uint8)
    query = f"SELECT ordinal FROM ({engine.tags_query(as_of, ())})"
    codes[np.asarray(engine.columns(query)["ordinal"], dtype=np.int64)] = NONE
    return codes


def _values_on(engine: Engine, tag: TagSpec, as_of: date) -> tuple[Any, list[Any]]:
    """Return (ordinals and dictionary codes of the customers with a value, what the codes mean)."""
    if tag.type not in ("text", "boolean"):
        message = f"Tag {tag.name!r} is {tag.type}: it has no values to go between."
        raise InvalidSpec(message, hint="Take a tag of codes or of yes and no.", where=Where(field="tag"))
    if as_of.isoformat() not in engine.manifest.dates:
        raise NoData(f"No tags for {as_of}.", hint="Choose a date that was computed.", as_of=str(as_of))
    query = f"SELECT ordinal, {quoted(tag.name)} AS value FROM ({engine.tags_query(as_of, [tag.name])})"
    column = engine.arrow(query)
    values = column["value"].combine_chunks().dictionary_encode()
    return (column["ordinal"].to_numpy(), values.indices.fill_null(-1).to_numpy()), values.dictionary.to_pylist()


def _coded(engine: Engine, values: tuple[Any, list[Any]], place: dict[Any, int]) -> Codes:
    (ordinals, indices), meaning = values
    codes = np.zeros(engine.manifest.ordinals, dtype=np.uint8)
    to = np.array([*(place[value] for value in meaning), NONE], dtype=np.uint8)  # the last stands for no value
    codes[ordinals] = to[indices]
    return codes


def _order(tag: TagSpec) -> Any:
    declared = {value: i for i, value in enumerate(tag.values)}
    return lambda value: (declared.get(str(value), len(declared)), str(value))


def _said(tag: TagSpec, value: Any) -> Text:
    if isinstance(value, bool):
        return Text(zh="是", en="Yes") if value else Text(zh="否", en="No")
    return tag.values.get(value) or Text(zh=str(value))
