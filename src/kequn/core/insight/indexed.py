"""From the index to counts: what `cells` counts in columns of values, counted in planes and codes. The results are equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index import Column, Index
from kequn.core.engine.index.bits import Words
from kequn.core.engine.index.facets import Crowd, Cuts, facets, histograms, totals
from kequn.core.engine.index.layout import EPOCH as INDEX_EPOCH
from kequn.core.engine.index.ordered import Binned
from kequn.core.insight.bins import EPOCH, Numbers, bin_words, edges_of, in_bins, summary
from kequn.core.insight.cells import Counts, truth_counts, value_counts
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec

Ints = npt.NDArray[np.int64]
KINDS = {
    "boolean": "flag",
    "text": "code",
    "list": "set",
    "date": "day",
    "integer": "number",
    "number": "number",
    "money": "number",
}


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """A number's bins in one bank: they change with the bank or the tag, not with the segment. Money is fen."""

    tag: TagSpec
    edges: npt.NDArray[Any]
    cuts: Cuts
    """The edges as the index's column has them."""
    shown: list[int]
    keys: tuple[str, ...]
    titles: tuple[Text, ...]
    bank: Ints
    known: int
    ordered: Binned
    numbers: list[Numbers | None] = field(default_factory=list)
    """Of the bank; put in when they are first asked for."""


_SCALES: WeakKeyDictionary[Index, dict[str, Scale]] = WeakKeyDictionary()
"""By index, which never changes; dropped with it."""
_COUNTS: WeakKeyDictionary[Index, dict[str, Ints]] = WeakKeyDictionary()
"""The bank's counts by code, where it is a part of the whole bank and they have to be counted."""


def answered(index: Index, tags: Mapping[str, TagSpec]) -> list[str]:
    """Return the tags whose counts the index has: not those with too many values, nor one whose type has changed since."""
    return [name for name, tag in tags.items() if index.columns[name].kind == KINDS.get(tag.type)]


def counted_inside(index: Index, words: Words, tags: Mapping[str, TagSpec], *, numbers: bool) -> dict[str, Counts]:
    """Return the counts of tags among the customers of a plane (within the index's population).

    Args:
        numbers: with mean and quantiles, which take about as long again.
    """
    columns = [index.columns[name] for name in tags]
    bank = Crowd(index.population, index.size)
    whole = index.population if all(column.population == index.digest for column in columns) else None
    crowd = Crowd(words, index.size, whole)
    scales = scales_of(index, tags)
    if numbers:
        made = _with_numbers([c for c in columns if c.name in scales], crowd, bank, scales)
        found = facets([c for c in columns if c.name not in scales], crowd)
    else:
        found = facets(columns, crowd, cuts={name: scale.cuts for name, scale in scales.items()})
        made = {name: _of_number(scale, found[name][1:]) for name, scale in scales.items()}
    others, sizes = [column for column in columns if column.name not in scales], (crowd.count, index.customers)
    bank_counts = _bank_counts(index, others)
    for column in others:
        name = column.name
        made[name] = _of_values(tags[name], column, found[name], bank_counts[name], sizes)
    return {name: made[name] for name in tags}


def _bank_counts(index: Index, columns: list[Column]) -> dict[str, Ints]:
    kept = _COUNTS.setdefault(index, {})
    new = [column for column in columns if column.name not in kept]
    mine = [column for column in new if column.population != index.digest]
    kept |= {column.name: column.histogram for column in new if column.population == index.digest}
    kept |= facets(mine, Crowd(index.population, index.size))
    return kept


def scales_of(index: Index, tags: Mapping[str, TagSpec]) -> dict[str, Scale]:
    """Return the bins in which the numbers and dates among some tags are shown; made once for an index."""
    kept = _SCALES.setdefault(index, {})
    columns = [column for name in tags if (column := index.columns[name]).kind in ("number", "day")]
    new = [c for c in columns if c.name not in kept or kept[c.name].tag != tags[c.name]]
    bank = Crowd(index.population, index.size)
    counts = {c.name: c.histogram for c in new if c.population == index.digest}
    counts |= histograms([c for c in new if c.name not in counts], bank)
    for column in new:
        kept[column.name] = _scale(tags[column.name], column, bank, counts[column.name])
    return {column.name: kept[column.name] for column in columns}


def _with_numbers(columns: list[Column], crowd: Crowd, bank: Crowd, scales: Mapping[str, Scale]) -> dict[str, Counts]:
    made, full = {}, histograms(columns, crowd)
    mine = _summaries(columns, crowd, {name: scale.tag for name, scale in scales.items()}, full)
    new = [column for column in columns if not scales[column.name].numbers]
    for name, (_, numbers) in _summaries(new, bank, {c.name: scales[c.name].tag for c in new}).items():
        scales[name].numbers.append(numbers)
    for name, (ordered, numbers) in mine.items():
        made[name] = _of_number(scales[name], in_bins(ordered, scales[name].edges), numbers, scales[name].numbers[0])
    return made


def _summaries(
    columns: list[Column], crowd: Crowd, tags: Mapping[str, TagSpec], full: Mapping[str, Ints] | None = None
) -> dict[str, tuple[Binned, Numbers | None]]:
    counts = histograms(columns, crowd) if full is None else full
    sums = totals([column for column in columns if column.kind == "number"], crowd)
    made = {}
    for column in columns:
        name = column.name
        ordered = Binned(column, crowd, counts[name], origin=_origin(column), total=sums.get(name))
        made[name] = ordered, summary(tags[name], ordered)
    return made


def _of_values(tag: TagSpec, column: Column, inside: Ints, bank: Ints, sizes: tuple[int, int]) -> Counts:
    if column.kind == "flag":
        return truth_counts(inside[1:], bank[1:])
    there = np.flatnonzero(bank[1:])  # a value that nobody in this bank has is not shown
    words = [str((column.values or ())[i]) for i in there]
    known, bank_known = sizes[0] - int(inside[0]), sizes[1] - int(bank[0])
    return value_counts(tag, words, inside[1:][there], bank[1:][there], known, bank_known)


def _of_number(
    scale: Scale, inside: Ints, numbers: Numbers | None = None, bank_numbers: Numbers | None = None
) -> Counts:
    known = int(inside.sum())
    return Counts(scale.keys, scale.titles, inside[scale.shown], scale.bank, known, scale.known, numbers, bank_numbers)


def _scale(tag: TagSpec, column: Column, bank: Crowd, histogram: Ints) -> Scale:
    ordered = Binned(column, bank, histogram, origin=_origin(column))
    edges = edges_of(tag, ordered)
    counts, cuts = in_bins(ordered, edges), Cuts.of(column, edges + _origin(column))
    shown = np.flatnonzero(counts).tolist()
    named = [bin_words(tag, ordered, edges, i) for i in shown]
    keys, titles = tuple(key for key, _ in named), tuple(title for _, title in named)
    return Scale(tag, edges, cuts, shown, keys, titles, counts[shown], len(ordered), ordered)


def _origin(column: Column) -> int:
    return (EPOCH - INDEX_EPOCH).days if column.kind == "day" else 0
