"""Index columns made from tag column files: once, beside each other, complete or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.core.engine.index import layout
from kequn.core.engine.index.bits import Words, empty, full, packed
from kequn.core.engine.index.cutting import likely_cuts
from kequn.core.engine.index.kernel import kernel
from kequn.core.engine.index.layout import Kind

Array = npt.NDArray[Any]
SAMPLE = 1 << 18
"""Rows by which the bins of a number are chosen; their extremes are of all rows."""
UNIX_EPOCH_DAYS = 25_567
"""From 1900-01-01 to 1970-01-01."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Who was a customer on a date."""

    words: Words
    size: int
    customers: int
    digest: str
    """Hash of the plane: the same customers in another file are the same population."""


@dataclass(slots=True)
class Parts:
    """A column in the making; `layout.Column` says what each part is."""

    kind: Kind
    size: int
    known: Words
    codes: Array | None = None
    values: list[str | bool] | None = None
    planes: dict[int, Words] = field(default_factory=dict)
    exact: Array | None = None
    bins: Array | None = None


def build_population(source: Path, folder: Path) -> Population:
    """Keep the plane of a population file and return it; where there is no space, only return it."""
    column = pq.read_table(source, columns=["value"]).column("value")
    words = packed(pc.fill_null(column, fill_value=False).to_numpy())
    digest = hashlib.blake2b(words.tobytes(), digest_size=12).hexdigest()
    population = Population(words, len(column), kernel().count(words), digest)

    def write(into: Path) -> None:
        np.save(into / "known.npy", words)
        _describe(into, {"size": population.size, "customers": population.customers, "digest": digest})

    with suppress(OSError):
        publish(folder, write)
    return population


def open_population(folder: Path) -> Population:
    """Map a population's plane. Raises as `layout.open_column` does."""
    about = layout.described(folder)
    return Population(layout.mapped(folder / "known.npy"), int(about["size"]), int(about["customers"]), about["digest"])


def build_column(source: Path, folder: Path, *, population: Population, cuts: Sequence[float] = ()) -> None:
    """Make the index column of one tag column file (parquet, one column ``value``).

    Args:
        cuts: values that are to be lower bounds of bins, such as a tag's declared bins (fen for money, days since 1900 for dates).

    Raises:
        OSError: a file cannot be read or written; nothing is half-written then.
    """
    parts = parts_of(_read(source), cuts=cuts)
    write_column(folder, parts, histogram_of(parts, population), population)


def column_in_memory(name: str, source: Path | pa.ChunkedArray, population: Population) -> layout.Column:
    """Return the index column of a tag column file, or of its values, without keeping it."""
    parts = parts_of(_read(source) if isinstance(source, Path) else source)
    edges, lows, highs = (None, None, None) if parts.bins is None else parts.bins
    return layout.Column(
        name, parts.kind, parts.size, parts.codes, None if parts.values is None else tuple(parts.values),
        edges, lows, highs, parts.planes, parts.known, parts.exact, histogram_of(parts, population), population.digest,
    )  # fmt: skip


def write_column(folder: Path, parts: Parts, histogram: npt.NDArray[np.int64], population: Population) -> None:
    """Write a column's folder, complete or not at all."""

    def write(into: Path) -> None:
        arrays = {"codes": parts.codes, "exact": parts.exact, "bins": parts.bins}
        arrays["planes"] = np.stack(list(parts.planes.values())) if parts.planes else None
        arrays["known"] = None if parts.known is full(parts.size) else parts.known
        there = {name: array for name, array in arrays.items() if array is not None}
        for name, array in there.items():
            np.save(into / f"{name}.npy", array)
        np.save(into / layout.COMMON, histogram)
        about = {"kind": parts.kind, "size": parts.size, "values": parts.values, "planes": list(parts.planes)}
        _describe(into, about | {"files": sorted(there), "population": population.digest})

    publish(folder, write)


def publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a folder beside ``folder`` and give it its name; if another process was first, its work stands."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:12]}"
    new.mkdir()
    try:
        write(new)
        try:
            new.rename(folder)
        except OSError:
            if not (folder / "column.json").exists():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def parts_of(column: pa.ChunkedArray, *, cuts: Sequence[float] = ()) -> Parts:
    """Return the parts of a tag's values, by their Arrow type."""
    type_ = column.type
    if pa.types.is_boolean(type_):
        return _flag(column)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _set(column)
    if pa.types.is_date(type_):
        return _number(column, "day", cuts)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return _number(column, "number", cuts)
    return _code(column)


def histogram_of(parts: Parts | layout.Column, population: Population) -> npt.NDArray[np.int64]:
    """Return the customers of a population by code, those without a value first."""
    loops = kernel()
    if isinstance(parts, layout.Column) and parts.changes is not None:
        who, digest = parts.changes.who, population.digest
        here = who.taken(population.words)
        rows = Population(here, len(who), loops.count(here), digest)
        rest = Population(who.without(population.words), who.size, population.customers - rows.customers, digest)
        return histogram_of(parts.changes.before, rest) + histogram_of(parts.changes.rows, rows)
    if parts.codes is not None:
        most = len(parts.values) if parts.values is not None else _bins_in(parts)
        return loops.histogram(parts.codes[: population.size], population.words, most)
    known = _both(parts.known, population.words)
    if parts.kind == "flag":
        true = _both(parts.planes[1], population.words)
        counts = [population.customers - known, true, known - true]
    else:
        counts = [population.customers - known, *(_both(plane, population.words) for plane in parts.planes.values())]
        counts += [known] if parts.kind == "text" else []
    return np.array(counts, dtype=np.int64)


def _bins_in(parts: Parts | layout.Column) -> int:
    edges = parts.edges if isinstance(parts, layout.Column) else None if parts.bins is None else parts.bins[0]
    return 0 if edges is None else len(edges)


def _both(one: Words, other: Words) -> int:
    shorter = min(len(one), len(other))
    return kernel().count_both(one[:shorter], other[:shorter])


def _read(source: Path) -> pa.ChunkedArray:
    is_text = pq.read_schema(source).field("value").type in (pa.string(), pa.large_string())
    with pq.ParquetFile(source, read_dictionary=["value"] if is_text else None) as file:
        return file.read(columns=["value"], use_threads=False).column("value")


def _describe(into: Path, about: dict[str, Any]) -> None:
    text = json.dumps({"format": layout.FORMAT, **about}, ensure_ascii=False)
    (into / "column.json").write_text(text, encoding="utf-8")


def _known(column: pa.ChunkedArray) -> Words:
    if column.null_count == 0:
        return full(len(column))
    return packed(np.asarray(column.is_valid().to_numpy(), dtype=np.bool_))


def _flag(column: pa.ChunkedArray) -> Parts:
    true = packed(pc.fill_null(column, fill_value=False).to_numpy())
    return Parts("flag", len(column), _known(column), values=[True, False], planes={1: true})


def _code(column: pa.ChunkedArray) -> Parts:
    """Texts by their place among all texts in order; too many of them are only known or unknown."""
    parts = Parts("text", len(column), _known(column))
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    encoded = encoded.unify_dictionaries().combine_chunks() if encoded.num_chunks else pa.array([], encoded.type)
    words = encoded.dictionary.cast(pa.string()).to_pylist()
    place = encoded.indices.fill_null(-1).to_numpy()
    used = np.bincount(place + 1, minlength=len(words) + 1)[1:] > 0
    values = sorted({word for word, here in zip(words, used.tolist(), strict=True) if here})
    if len(values) > layout.MOST_CODES:
        return parts
    rank = {word: i + 1 for i, word in enumerate(values)}
    dtype = np.uint8 if len(values) <= layout.MOST_BINS else np.uint16
    codes = np.array([0, *(rank.get(word, 0) for word in words)], dtype=dtype)[place + 1]
    parts.kind, parts.codes, parts.values = "code", codes, list(values)
    if len(values) <= layout.MOST_PLANES:
        parts.planes = {code: plane_of(codes, code) for code in range(1, len(values) + 1)}
    return parts


def plane_of(codes: Array, code: int) -> Words:
    """Return the rows that have a code."""
    words, run = empty(len(codes)), np.array([code], dtype=codes.dtype)
    kernel().codes_in(codes, run, run, full(len(codes)), words)
    return words


def _set(column: pa.ChunkedArray) -> Parts:
    """A plane a value; an empty list is known and in no plane."""
    lists = column.combine_chunks() if column.num_chunks else pa.array([], column.type)
    parts = Parts("text", len(column), _known(column))
    encoded = pc.list_flatten(lists).dictionary_encode()
    words = encoded.dictionary.cast(pa.string()).to_pylist()
    if len(words) > layout.MOST_SET_VALUES:
        return parts
    row = pc.list_parent_indices(lists).to_numpy()
    place = encoded.indices.fill_null(-1).to_numpy()
    values = sorted(words)
    parts.kind, parts.values = "set", list(values)
    for code, value in enumerate(values, start=1):
        flags = np.zeros(len(column), dtype=np.bool_)
        flags[row[place == words.index(value)]] = True
        parts.planes[code] = packed(flags)
    return parts


def _number(column: pa.ChunkedArray, kind: Kind, cuts: Sequence[float]) -> Parts:
    parts = Parts(kind, len(column), _known(column))
    exact = narrowed(whole_numbers(column, kind))
    parts.exact = exact
    sample = _sample(exact, parts.known)
    edges = edges_of(sample, [*cuts, *(likely_cuts(sample) if kind == "number" else ())])
    codes = np.zeros(len(exact), dtype=np.uint8)
    lows, highs = extremes(edges)
    kernel().bin_codes(exact, parts.known, edges, codes, lows, highs)
    parts.codes, parts.bins = codes, np.stack([edges, lows, highs])
    return parts


def whole_numbers(column: pa.ChunkedArray, kind: Kind) -> Array:
    """int64 or float64; 0 where there is no value, +inf for what is not a number."""
    if kind == "day":
        days = pc.fill_null(column.cast(pa.date32()).cast(pa.int32()), 0).to_numpy().astype(np.int64)
        return np.where(_flags(column), days + UNIX_EPOCH_DAYS, 0)
    numbers = pc.fill_null(column, 0).to_numpy()
    if numbers.dtype.kind == "f":
        return np.where(np.isnan(numbers), np.inf, numbers).astype(np.float64) + 0.0
    return np.asarray(numbers, dtype=np.int64)


def _flags(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(), dtype=np.bool_)


def narrowed(numbers: Array) -> Array:
    """Return the numbers in the narrowest dtype of a few that loses nothing."""
    if numbers.dtype.kind == "f":
        with np.errstate(over="ignore"):
            single = numbers.astype(np.float32)
        return single if np.array_equal(single.astype(np.float64), numbers) else numbers
    low, high = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    for dtype in (np.uint16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return numbers.astype(dtype)
    return numbers


def _sample(exact: Array, known: Words) -> Array:
    """Every n-th known value, in order."""
    step = max(1, len(exact) // SAMPLE)
    rows = np.arange(0, len(exact), step)
    bits = (known[rows >> 6] >> (rows & 63).astype(np.uint64)) & np.uint64(1)
    return np.sort(exact[rows[bits.astype(np.bool_)]].astype(np.float64 if exact.dtype.kind == "f" else np.int64))


def edges_of(ordered: Array, cuts: Sequence[float] = ()) -> Array:
    """Return the lower bounds of at most 255 bins.

    Few values have a bin each; of many, those as common as a whole bin (zero, mostly) have one of their own, and the
    others are cut at quantiles.
    """
    if not len(ordered):
        return np.zeros(1, dtype=ordered.dtype)
    forced = np.unique(np.array([ordered[0], *_typed(cuts, ordered.dtype)], dtype=ordered.dtype))[: layout.MOST_BINS]
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) + len(forced) <= layout.MOST_BINS:
        return np.unique(np.concatenate([forced, distinct]))
    common = distinct[counts * layout.MOST_BINS >= len(ordered)]
    alone = np.unique(np.concatenate([common, _next(common)]))[: layout.MOST_BINS - len(forced)]
    fixed = np.unique(np.concatenate([forced, alone]))
    left = layout.MOST_BINS - len(fixed)
    rest = ordered[~np.isin(ordered, common)]
    if left <= 0 or not len(rest):
        return fixed
    places = (np.arange(1, left + 1) * len(rest)) // (left + 1)
    return np.unique(np.concatenate([fixed, rest[places]]))


def extremes(edges: Array) -> tuple[Array, Array]:
    """Return the lows and highs of bins that nothing was put into."""
    if edges.dtype.kind == "f":
        return np.full_like(edges, np.inf), np.full_like(edges, -np.inf)
    bounds = np.iinfo(np.int64)
    return np.full_like(edges, bounds.max), np.full_like(edges, bounds.min)


def _typed(cuts: Sequence[float], dtype: Any) -> list[Any]:
    return [cut if np.dtype(dtype).kind == "f" else int(np.ceil(cut)) for cut in cuts]


def _next(values: Array) -> Array:
    return np.asarray(np.nextafter(values, np.inf) if values.dtype.kind == "f" else values + 1)
