"""From one tag's column to counts: customers with each value, or in each bin, in the segment and in the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import say_value

MOST_VALUES = 30
"""A text tag shows this many values, the bank's commonest; the others are counted together."""
FEW_INTEGERS = 13
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
EPOCH = date(1970, 1, 1)
OTHER = "…"

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Numeric = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Mean and quantiles of a number, in yuan for money; of a date its quantiles, in ISO form."""

    mean: float | None
    quantiles: dict[str, float | str]
    """"p10", "p25", "p50" (the median), "p75", "p90"."""


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
    titles = tuple(Text(zh=say_value("boolean", v, "zh"), en=say_value("boolean", v, "en")) for v in (True, False))
    bank, inside = np.bincount(codes, minlength=2)[::-1], np.bincount(codes[here], minlength=2)[::-1]
    return Counts(("true", "false"), titles, inside, bank, int(here.sum()), len(here))


def _texts(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    codes, words = _encoded(values)
    bank, inside = np.bincount(codes, minlength=len(words)), np.bincount(codes[here], minlength=len(words))
    return _by_value(tag, words, inside, bank, here)


def _lists(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    """Values of a list overlap: a customer counts once under each."""
    lists = values.combine_chunks() if values.num_chunks else pa.array([], type=values.type)
    codes, words = _encoded(pa.chunked_array([pc.list_flatten(lists)]).drop_null())
    row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    if len(row) != len(codes):
        row = row[np.asarray(pc.list_flatten(lists).is_valid().to_numpy(zero_copy_only=False), dtype=bool)]
    once = np.unique(row * max(len(words), 1) + codes)
    row, codes = once // max(len(words), 1), once % max(len(words), 1)
    bank, inside = np.bincount(codes, minlength=len(words)), np.bincount(codes[here[row]], minlength=len(words))
    return _by_value(tag, words, inside, bank, here)


def _encoded(values: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    if not len(values):
        return np.zeros(0, dtype=np.int64), []
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _by_value(tag: TagSpec, words: list[str], inside: Ints, bank: Ints, here: Bools) -> Counts:
    """Declared values in their order, others by how common they are; the rare ones together."""
    rank = {code: i for i, code in enumerate(tag.values)}
    order = sorted(range(len(words)), key=lambda i: (rank.get(words[i], len(rank)), -bank[i], words[i]))
    shown = order if rank else order[:MOST_VALUES]
    keys = [words[i] for i in shown]
    titles = [tag.values.get(key, Text.model_construct(zh=key, en="")) for key in keys]
    inside_n, bank_n = inside[shown], bank[shown]
    if rest := order[len(shown) :]:
        keys.append(OTHER)
        titles.append(Text(zh="其他", en="other"))
        inside_n, bank_n = np.append(inside_n, inside[rest].sum()), np.append(bank_n, bank[rest].sum())
    return Counts(tuple(keys), tuple(titles), inside_n, bank_n, int(here.sum()), len(here))


def _numbers(tag: TagSpec, values: pa.ChunkedArray, here: Bools) -> Counts:
    """Sorting once makes every count and quantile a look-up."""
    numbers = (values.cast(pa.int32()) if tag.type == "date" else values).to_numpy()
    bank, inside = np.sort(numbers), np.sort(numbers[here])
    edges = _edges(tag, bank)
    bank_n, inside_n = _in_bins(bank, edges), _in_bins(inside, edges)
    shown = [i for i in range(len(edges) + 1) if bank_n[i]]
    bins = [_bin(tag, bank, edges, i) for i in shown]
    return Counts(
        tuple(key for key, _ in bins),
        tuple(title for _, title in bins),
        inside_n[shown],
        bank_n[shown],
        len(inside),
        len(bank),
        _summary(tag, inside),
        _summary(tag, bank),
    )


def _in_bins(ordered: Numeric, edges: Numeric) -> Ints:
    """How many of the ordered numbers are in (-∞, e0), [e0, e1), … [ek, ∞)."""
    return np.diff(np.searchsorted(ordered, edges, side="left"), prepend=0, append=len(ordered))


def _edges(tag: TagSpec, ordered: Numeric) -> Numeric:
    """Cut points: the declared bins; else each whole number where they are few; else rounded quantiles of the bank."""
    if not len(ordered):
        return np.zeros(0)
    low, high = ordered[0], ordered[-1]
    if tag.bins:
        scale = 100 if tag.type == "money" else 1
        return np.array([float(b * scale) for b in tag.bins])
    if tag.type == "integer" and high - low < FEW_INTEGERS:
        return np.arange(low + 1, high + 1)
    above = ordered[np.searchsorted(ordered, 0, side="right") :] if low == 0 and tag.type != "date" else ordered
    if len(above) > 0.8 * len(ordered):
        return _between(_rounded(tag, _quantiles(ordered, (0.2, 0.4, 0.6, 0.8))), low, high)
    # a heap at zero gets a bin of its own
    cuts = _rounded(tag, _quantiles(above, (0.25, 0.5, 0.75))) if len(above) else np.zeros(0)
    return _between(np.concatenate([above[:1], cuts]), low, high)


def _quantiles(ordered: Numeric, levels: tuple[float, ...]) -> Numeric:
    """Linear between neighbours, as numpy's default is."""
    place = np.array(levels) * (len(ordered) - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    low, high = ordered[below].astype(np.float64), ordered[above].astype(np.float64)
    return np.asarray(low + (high - low) * (place - below))


def _rounded(tag: TagSpec, cuts: Numeric) -> Numeric:
    """Two figures are enough for a cut point; dates stay as they are."""
    if tag.type == "date":
        return np.round(cuts)
    size = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(cuts), 1e-12))) - 1)
    if tag.type in ("integer", "money"):
        size = np.maximum(size, 1 if tag.type == "integer" else 100)
    return np.round(cuts / size) * size


def _between(cuts: Numeric, low: float, high: float) -> Numeric:
    return np.unique(cuts[(cuts > low) & (cuts <= high)])


def _bin(tag: TagSpec, ordered: Numeric, edges: Numeric, i: int) -> tuple[str, Text]:
    """Key and words of the bin [edges[i-1], edges[i])."""
    low = edges[i - 1] if i else None
    high = edges[i] if i < len(edges) else None
    key = f"[{_key(tag, low)},{_key(tag, high)})"
    return key, Text(zh=_say_bin(tag, ordered, low, high, "zh"), en=_say_bin(tag, ordered, low, high, "en"))


def _key(tag: TagSpec, edge: float | None) -> str:
    if edge is None:
        return ""
    if tag.type == "date":
        return (EPOCH + timedelta(days=int(edge))).isoformat()
    return f"{edge / 100 if tag.type == 'money' else edge:.12g}"


def _say_bin(tag: TagSpec, ordered: Numeric, low: float | None, high: float | None, language: str) -> str:
    english = language.startswith("en")
    first, last = ordered[0], ordered[-1]
    if low is None and high is None:
        return "all" if english else "全部"
    if tag.type == "integer" and low is not None and high is not None:  # whole numbers: both ends can be named
        return _say(tag, low, language) if low == high - 1 else f"{int(low):,}–{_say(tag, high - 1, language)}"
    if not tag.bins and high is not None and low is None and first == ordered[np.searchsorted(ordered, high) - 1]:
        return _say(tag, first, language)  # one value alone, often 0
    if low is None or high is None:
        edge = _say(tag, high if low is None else low, language)
        if low == last and not tag.bins:
            return edge
        if english:
            return f"below {edge}" if low is None else f"{edge} and above"
        return f"{edge}以下" if low is None else f"{edge}及以上"
    return f"{_say(tag, low, language)}–{_say(tag, high, language)}"


def _say(tag: TagSpec, edge: float | None, language: str) -> str:
    value = edge or 0
    if tag.type == "date":
        return (EPOCH + timedelta(days=int(value))).isoformat()
    exact = int(value) if tag.type in ("integer", "money") else Decimal(f"{value:.12g}")
    unit = tag.unit.to(language) if tag.unit and tag.type != "money" else ""
    return f"{say_value(tag.type, exact, language)} {unit}".rstrip()


def _summary(tag: TagSpec, ordered: Numeric) -> Numbers | None:
    if not len(ordered):
        return None
    names = [f"p{round(q * 100)}" for q in QUANTILES]
    cuts = _quantiles(ordered, QUANTILES)
    if tag.type == "date":
        return Numbers(None, {n: _key(tag, c) for n, c in zip(names, cuts, strict=True)})
    scale = 100 if tag.type == "money" else 1
    return Numbers(float(ordered.mean()) / scale, {n: float(c) / scale for n, c in zip(names, cuts, strict=True)})
