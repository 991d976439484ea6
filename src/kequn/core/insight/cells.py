"""From one tag's column to counts: customers with each value, or in each bin, in the segment and in the bank."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nsmallest

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kequn.core.insight.bins import Numbers, Sorted, bin_words, edges_of, in_bins, summary
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import say_value

MOST_VALUES = 30
"""A text tag shows this many values, the bank's commonest; the others are counted together."""
OTHER = "…"

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted of one tag: per value its key and words, customers in the segment and in the bank."""

    keys: tuple[str, ...]
    titles: tuple[Text, ...]
    inside: Ints
    bank: Ints
    known: int
    bank_known: int
    numbers: Numbers | None = None
    bank_numbers: Numbers | None = None


def counted(tag: TagSpec, column: pa.ChunkedArray, inside: Bools) -> Counts:
    """Return the counts of one tag; ``inside`` says of each row whether it is in the segment."""
    valid = np.asarray(column.is_valid().to_numpy(), dtype=bool)
    here = inside[valid]
    values = column.drop_null()
    match tag.type:
        case "boolean":
            return _booleans(values, here)
        case "text":
            return _texts(tag, values, here)
        case "list":
            return _lists(tag, values, here)
        case _:
            return _numbers(tag, values, here)


def _booleans(values: pa.ChunkedArray, here: Bools) -> Counts:
    codes = np.asarray(values.to_numpy(), dtype=bool).astype(np.int64)
    bank, inside = np.bincount(codes, minlength=2)[::-1], np.bincount(codes[here], minlength=2)[::-1]
    return truth_counts(inside, bank)


def _texts(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    codes, words = encoded(values)
    bank, inside = np.bincount(codes, minlength=len(words)), np.bincount(codes[here], minlength=len(words))
    return value_counts(tag, words, inside, bank, int(here.sum()), len(here))


def _lists(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    """Values of a list overlap: a customer counts once under each."""
    lists = values.combine_chunks() if values.num_chunks else pa.array([], type=values.type)
    codes, words = encoded(pa.chunked_array([pc.list_flatten(lists)]).drop_null())
    row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    if len(row) != len(codes):
        row = row[np.asarray(pc.list_flatten(lists).is_valid().to_numpy(zero_copy_only=False), dtype=bool)]
    once = np.unique(row * max(len(words), 1) + codes)
    row, codes = once // max(len(words), 1), once % max(len(words), 1)
    bank, inside = np.bincount(codes, minlength=len(words)), np.bincount(codes[here[row]], minlength=len(words))
    return value_counts(tag, words, inside, bank, int(here.sum()), len(here))


def encoded(values: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return texts as numbers and what each number stands for."""
    if not len(values):
        return np.zeros(0, dtype=np.int64), []
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def truth_counts(inside: Ints, bank: Ints) -> Counts:
    """Return the counts of (true, false)."""
    titles = tuple(Text(zh=say_value("boolean", v, "zh"), en=say_value("boolean", v, "en")) for v in (True, False))
    return Counts(("true", "false"), titles, inside, bank, int(inside.sum()), int(bank.sum()))


def value_counts(tag: TagSpec, words: list[str], inside: Ints, bank: Ints, known: int, bank_known: int) -> Counts:
    """Return the counts of values: declared ones in their order, others by how common they are; the rare ones together."""
    shown = values_shown(tag, words, bank)
    keys = [words[i] for i in shown]
    titles = [tag.values.get(key, Text.model_construct(zh=key, en="")) for key in keys]
    inside_n, bank_n = inside[shown], bank[shown]
    if len(shown) < len(words):
        keys.append(OTHER)
        titles.append(Text(zh="其他", en="other"))
        rest = [counts.sum() - own.sum() for counts, own in ((inside, inside_n), (bank, bank_n))]
        inside_n, bank_n = np.append(inside_n, rest[0]), np.append(bank_n, rest[1])
    return Counts(tuple(keys), tuple(titles), inside_n, bank_n, known, bank_known)


def values_shown(tag: TagSpec, words: list[str], bank: Ints) -> list[int]:
    """Return the places of the values that are shown one by one, in their order; the others are counted together."""
    rank = {code: i for i, code in enumerate(tag.values)}
    return _by_rank(words, bank, rank) if rank else _most_common(words, bank)


def _by_rank(words: list[str], bank: Ints, rank: dict[str, int]) -> list[int]:
    return sorted(range(len(words)), key=lambda i: (rank.get(words[i], len(rank)), -bank[i], words[i]))


def _most_common(words: list[str], bank: Ints) -> list[int]:
    """The places of the most common, equals by their words; a hundred thousand may be equal, so these are not all sorted."""
    least = np.partition(bank, -MOST_VALUES)[-MOST_VALUES] if len(words) > MOST_VALUES else -1
    above = sorted(np.flatnonzero(bank > least).tolist(), key=lambda i: (-bank[i], words[i]))
    equal = np.flatnonzero(bank == least).tolist()
    return above + nsmallest(MOST_VALUES - len(above), equal, key=words.__getitem__)


def _numbers(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    """Sorting once makes every count and quantile a look-up."""
    numbers = (values.cast(pa.int32()) if tag.type == "date" else values).to_numpy()
    bank, inside = np.sort(numbers), np.sort(numbers[here])
    edges = edges_of(tag, Sorted(bank))
    bank_n, inside_n = in_bins(Sorted(bank), edges), in_bins(Sorted(inside), edges)
    shown = [i for i in range(len(edges) + 1) if bank_n[i]]
    bins = [bin_words(tag, Sorted(bank), edges, i) for i in shown]
    return Counts(
        tuple(key for key, _ in bins),
        tuple(title for _, title in bins),
        inside_n[shown],
        bank_n[shown],
        len(inside),
        len(bank),
        summary(tag, Sorted(inside)),
        summary(tag, Sorted(bank)),
    )
