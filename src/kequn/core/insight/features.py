"""From tag columns to numbers a model can compare: which tags may be used, and how each becomes columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, NoData, UnknownTag, Where
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]
Kind = Literal["number", "flag", "code", "codes"]

ROWS_AT_ONCE = 2**17
MOST_VALUES = 30
HARDLY_KNOWN = 0.05
"""A tag known of fewer customers than this share says nothing about the others."""
CODE_WEIGHT = 1.0
GAP = 0.05
"""Where at least this share is unknown, and is known, being unknown is a column of its own."""
PROTECTED = re.compile(
    r"gender|(^|_)sex(_|$)|ethnic|nationality|relig|health|medical|disab|disease|marital|politic"
    r"|^demo_(city|area_type|resident_type)$|^acct_(branch|rm_id)$"
)
"""Protected attributes, and place as a proxy for them: no model may choose customers by them."""
KINDS: dict[str, Kind] = {
    "money": "number",
    "integer": "number",
    "number": "number",
    "boolean": "flag",
    "text": "code",
    "list": "codes",
}
UNUSABLE = {
    "class": Text(zh="标签等级为 S 或 X", en="the tag is of class S or X"),
    "protected": Text(zh="受保护属性或其替代", en="a protected attribute, or a proxy for one"),
    "purpose": Text(zh="不是为营销目的采集", en="not collected for marketing"),
    "date": Text(zh="日期；请改用“距今天数”类标签", en="a date; use a tag that counts days instead"),
    "derived": Text(zh="由客群发现或模型得出", en="itself found by a model"),
}
LEFT_OUT = {
    "hardly_known": Text(zh="已知的客户不足 5%", en="known of fewer than 5% of customers"),
    "constant": Text(zh="取值没有差别", en="the same for everybody"),
    "many_values": Text(zh="不同取值超过 30 个", en="more than 30 different values"),
}


@dataclass(frozen=True, slots=True)
class Feature:
    """How one tag becomes columns of the matrix."""

    tag: str
    kind: Kind
    centre: float = 0.0
    """Of a number after the signed log: the mean of the sample, which also stands for an unknown value."""
    scale: float = 1.0
    unit: float = 1.0
    """Of a number: what a stored value is multiplied by first; 0.01 makes yuan of fen."""
    values: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    """Of a flag or code: the sample's share of each column, which stands for an unknown value."""
    known: float = 1.0
    """Share of the sample whose value is known."""
    has_gap: bool = False
    """Whether being unknown is a column too."""

    @property
    def width(self) -> int:
        """How many columns it has."""
        return max(1, len(self.values)) + self.has_gap


@dataclass(frozen=True, slots=True)
class Space:
    """All features in their order, and the tags that were asked for and left out with the reason."""

    features: tuple[Feature, ...]
    left_out: dict[str, str]
    """Tag -> key of `LEFT_OUT`."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags used."""
        return tuple(f.tag for f in self.features)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"features": [asdict(f) for f in self.features], "left_out": dict(self.left_out)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Space:
        """Return what `as_json` gave."""
        features = tuple(
            Feature(**{**f, "values": tuple(f["values"]), "shares": tuple(f["shares"])}) for f in kept["features"]
        )
        return cls(features, dict(kept["left_out"]))


def unusable(tag: TagSpec) -> Text | None:
    """Return why no model may use a tag; ``None`` where it may."""
    if tag.sensitivity in ("S", "X"):
        return UNUSABLE["class"]
    if PROTECTED.search(tag.name):
        return UNUSABLE["protected"]
    if tag.purpose != "marketing":
        return UNUSABLE["purpose"]
    if tag.type == "date":
        return UNUSABLE["date"]
    return UNUSABLE["derived"] if tag.family == "model" else None


def check_usable(names: Iterable[str], tags: Mapping[str, TagSpec]) -> None:
    """Refuse tags that are not there or that no model may use.

    Raises:
        UnknownTag: not in the catalogue.
        InvalidSpec: protected, of class S or X, a date, or made by a model.
    """
    for name in names:
        if name not in tags:
            raise UnknownTag(
                f"Tag {name!r} is not in the catalogue.", hint="See `kequn tag list`.", where=Where(field="tags")
            )
        why = unusable(tags[name])
        if why is not None:
            raise InvalidSpec(
                f"Tag {name!r} may not be used here: {why.to('en')}.",
                hint="Leave it out.",
                where=Where(field="tags"),
                tag=name,
            )


def sampled(engine: Engine, names: Sequence[str], *, as_of: date, rows: int, seed: int) -> tuple[pa.Table, int]:
    """Return the columns of at most ``rows`` customers drawn by ``seed``, in the order of ordinals, and how many there are.

    Raises:
        NoData: there are no customers or no tags on that date.
    """
    ordinals = everybody(engine, as_of)
    chosen = ordinals
    if len(ordinals) > rows:
        chosen = np.sort(np.random.default_rng(seed).choice(ordinals, rows, replace=False))
    return rows_of(engine, names, chosen, as_of=as_of), len(ordinals)


def everybody(engine: Engine, as_of: date) -> npt.NDArray[np.uint32]:
    """Return the ordinals of the bank's customers on a date, sorted.

    Raises:
        NoData: no tags were computed for that date, or there are no customers.
    """
    found = engine.columns(f"SELECT ordinal FROM ({engine.tags_query(as_of, [])}) ORDER BY 1")["ordinal"]
    if not len(found):
        raise NoData(f"There are no customers on {as_of}.", as_of=str(as_of))
    return np.asarray(found, dtype=np.uint32)


def ordinals_on(engine: Engine, as_of: date) -> int:
    """Return how many ordinals there were when a date's tags were computed: the length of its column files.

    Raises:
        NoData: no tags were computed for that date.
    """
    state = engine.manifest.dates.get(as_of.isoformat())
    if state is None:
        raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh`.", as_of=str(as_of))
    return int(pq.read_metadata(engine.store.path(state.population)).num_rows)


def rows_of(engine: Engine, names: Sequence[str], ordinals: npt.NDArray[Any], *, as_of: date) -> pa.Table:
    """Return the columns of some customers, in the order of ordinals; those who are no customers then are left out."""
    engine.register("discovery_rows", pa.table({"ordinal": pa.array(ordinals, pa.uint32())}))
    query = f"SELECT t.* FROM ({engine.tags_query(as_of, names)}) t SEMI JOIN discovery_rows USING (ordinal)"
    return engine.arrow(f"{query} ORDER BY ordinal")


def all_rows(engine: Engine, names: Sequence[str], *, as_of: date) -> Iterator[pa.RecordBatch]:
    """Yield the columns of all customers, some rows at a time: memory stays bounded however large the bank is."""
    yield from engine.batches(engine.tags_query(as_of, names), size=ROWS_AT_ONCE)


def fitted(sample: pa.Table, tags: Mapping[str, TagSpec], names: Iterable[str]) -> Space:
    """Return how each tag becomes columns, as learnt from a sample; what says nothing is left out with the reason.

    Numbers (money in yuan) go through the signed logarithm sign(x)·ln(1+|x|) and are standardised: money spans six
    orders of magnitude, and unlogged the richest hundred customers would be the clusters. A code's columns are weighted
    so that two customers who differ in it are as far apart as two who differ by about one standard deviation.
    """
    features: list[Feature] = []
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(names):
        made = _feature(tags[name], sample.column(name))
        if isinstance(made, Feature):
            features.append(made)
        else:
            left_out[name] = made
    return Space(tuple(features), left_out)


def matrix(space: Space, rows: pa.Table | pa.RecordBatch) -> Matrix:
    """Return rows as the space has them: (rows, columns), float32, nothing missing."""
    found = np.empty((rows.num_rows, sum(f.width for f in space.features)), dtype=np.float32)
    at = 0
    for feature in space.features:
        found[:, at : at + feature.width] = _block(feature, rows.column(feature.tag))
        at += feature.width
    return found


def plain(space: Space, rows: pa.Table | pa.RecordBatch) -> Floats:
    """Return rows with one column a number (its own unit, yuan for money; NaN unknown), a flag (1, 0, NaN), and one of 0
    and 1 for each value of a code: what rules are made of."""
    parts = [_plain_block(feature, rows.column(feature.tag)) for feature in space.features]
    return np.concatenate(parts, axis=1) if parts else np.zeros((rows.num_rows, 0))


def plain_columns(space: Space) -> list[tuple[Feature, str]]:
    """Return what each column of `plain` is: the feature, and the value where it is a code's."""
    return [(f, value) for f in space.features for value in (f.values if f.kind in ("code", "codes") else ("",))]


def blocks(space: Space) -> list[slice]:
    """Return the columns of each feature in the matrix."""
    ends = np.cumsum([f.width for f in space.features]).tolist()
    return [slice(end - f.width, end) for f, end in zip(space.features, ends, strict=True)]


def signed_log(x: Floats) -> Floats:
    """Return sign(x)·ln(1+|x|).

    >>> [round(float(v), 3) for v in signed_log(np.array([-1.0, 0.0, 99.0]))]
    [-0.693, 0.0, 4.605]
    """
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))


def _feature(tag: TagSpec, column: pa.ChunkedArray) -> Feature | str:
    kind = KINDS[tag.type]
    known = 1 - column.null_count / max(len(column), 1)
    if known < HARDLY_KNOWN:
        return "hardly_known"
    has_gap = 1 - known >= GAP
    if kind in ("code", "codes"):
        return _coded(tag, kind, column, known, has_gap=has_gap)
    unit = 0.01 if tag.type == "money" else 1.0
    values = _numbers(column) * unit
    if kind == "flag":
        share = float(np.nanmean(values))
        is_constant = share in (0.0, 1.0) and not has_gap
        return "constant" if is_constant else Feature(tag.name, kind, shares=(share,), known=known, has_gap=has_gap)
    logged = signed_log(values)
    centre, scale = float(np.nanmean(logged)), float(np.nanstd(logged))
    if scale < 1e-9:
        return "constant"
    return Feature(tag.name, kind, centre, scale, unit, known=known, has_gap=has_gap)


def _coded(tag: TagSpec, kind: Kind, column: pa.ChunkedArray, known: float, *, has_gap: bool) -> Feature | str:
    flat = pc.list_flatten(column) if kind == "codes" else column
    counted = {e["values"]: e["counts"] for e in pc.value_counts(flat.drop_null()).to_pylist()}
    if len(counted) > MOST_VALUES:
        return "many_values"
    if not counted or (len(counted) == 1 and kind == "code" and not has_gap):
        return "constant"
    order = {code: i for i, code in enumerate(tag.values)}
    values = tuple(sorted(counted, key=lambda v: (order.get(v, len(order)), -counted[v], v)))
    n = len(column) - column.null_count
    return Feature(
        tag.name, kind, values=values, shares=tuple(counted[v] / n for v in values), known=known, has_gap=has_gap
    )


def _block(feature: Feature, column: pa.ChunkedArray | pa.Array) -> Floats:
    """The feature's columns of the matrix; an unknown value stands at the sample's mean."""
    found = _plain_block(feature, column)
    unknown = np.isnan(found[:, 0]) if feature.kind in ("number", "flag") else _nulls(column)
    if feature.kind == "number":
        found = (signed_log(found) - feature.centre) / feature.scale
        found[unknown] = 0.0
    else:
        found[unknown] = feature.shares
        found = found * CODE_WEIGHT
    gap = unknown[:, None].astype(np.float64) * CODE_WEIGHT
    return np.concatenate([found, gap], axis=1) if feature.has_gap else found


def _plain_block(feature: Feature, column: pa.ChunkedArray | pa.Array) -> Floats:
    if feature.kind in ("number", "flag"):
        return (_numbers(column) * feature.unit)[:, None]
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    found = np.zeros((len(column), len(feature.values)))
    known = pa.array(feature.values, pa.string())
    flat = pc.list_flatten(whole) if feature.kind == "codes" else whole
    row = np.asarray(pc.list_parent_indices(whole)) if feature.kind == "codes" else np.arange(len(whole))
    code = pc.index_in(flat, value_set=known).fill_null(-1).to_numpy(zero_copy_only=False)
    found[row[code >= 0], code[code >= 0]] = 1.0
    return found


def _numbers(column: pa.ChunkedArray | pa.Array) -> Floats:
    """Values as floats, NaN where unknown."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _nulls(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)
