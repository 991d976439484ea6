"""Who belongs to a segment on a business date, and how many: asked of the index, or of DuckDB to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

import numpy as np
from sqlglot import exp

from kequn.core.engine.duck import Engine
from kequn.core.engine.index.bits import Words
from kequn.core.engine.index.overlap import overlaps
from kequn.core.segments.indexed import lowered
from kequn.core.segments.past import Past
from kequn.core.segments.query import engine_target, leaf_sql, statement
from kequn.core.segments.sql import TAGS, predicate
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec

By: TypeAlias = Literal["index", "duckdb"]
"""Who answers. Both give the same; DuckDB is what the index is held against."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many customers two segments have in common: ``both[i][j]``, with the sizes on the diagonal."""

    names: tuple[str, ...]
    both: tuple[tuple[int, ...], ...]


def count(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
    by: By = "index",
) -> int:
    """Return how many customers belong.

    Raises:
        InvalidSpec and its kin: as `understand` does.
        NoData: tags, rows or a list that the segment needs are not there for that date.
    """
    rule = understand(spec, tags=tags, segments=segments)
    if by == "index":
        index, plan = lowered(engine, rule, as_of, past=past)
        return index.count(plan, engine.masks)
    holds = predicate(rule, engine_target(engine, [rule], as_of, past))
    query = exp.select("COUNT(*)").from_(TAGS).where(holds)
    return int(engine.rows(statement(engine, query, [rule], as_of))[0][0])


def members(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
    by: By = "index",
) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Return the ordinals of the members, sorted. Raises as `count` does."""
    rule = understand(spec, tags=tags, segments=segments)
    if by == "index":
        index, plan = lowered(engine, rule, as_of, past=past)
        return index.ids(plan, engine.masks)
    found = engine.columns(leaf_sql(engine, rule, as_of, past=past))["ordinal"]
    return np.sort(np.asarray(found, dtype=np.uint32))


def plane(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
) -> Words:
    """Return the members as a plane of the date's index: bit i is ordinal i. Raises as `count` does."""
    index, plan = lowered(engine, understand(spec, tags=tags, segments=segments), as_of, past=past)
    return index.mask(plan, engine.masks)


def overlap(
    engine: Engine,
    specs: Iterable[SegmentSpec],
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
) -> Overlap:
    """Return how many customers each two of several segments have in common. Raises as `count` does."""
    chosen = list(specs)
    planes = [plane(engine, spec, tags=tags, segments=segments, as_of=as_of, past=past) for spec in chosen]
    both = overlaps(planes)
    return Overlap(tuple(spec.name for spec in chosen), tuple(tuple(int(n) for n in row) for row in both))
