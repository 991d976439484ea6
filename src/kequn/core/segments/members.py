"""Who belongs to a segment on a business date, and how many: the questions that are put to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlglot import exp

from kequn.core.engine.duck import Engine, with_query
from kequn.core.errors import NoData, UnknownTag
from kequn.core.segments.rule import Rule, lists_in, steps, tables_in, tags_in
from kequn.core.segments.sql import TAGS, Target, joined, on_day, predicate, rendered
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many customers two segments have in common: ``both[i][j]``, with the sizes on the diagonal."""

    names: tuple[str, ...]
    both: tuple[tuple[int, ...], ...]


def members_sql(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    dialect: str = "duckdb",
) -> str:
    """Return the SELECT of the members' ids, laid out to be read and to be run elsewhere.

    It refers to the logical views: ``customer_tags`` (customer_id, as_of, a column a tag), the canonical tables and
    ``list_<name>``, each with ``customer_id``. Money is integer fen there.

    >>> everybody = SegmentSpec(name="everybody", title="全部客户", where={"all": []})
    >>> print(members_sql(everybody, tags={}, segments={}, as_of=date(2026, 6, 30)))
    SELECT
      customer_id
    FROM customer_tags
    WHERE
      customer_tags.as_of = CAST('2026-06-30' AS DATE)
    """
    rule = understand(spec, tags=tags, segments=segments)
    target = Target("customer_id", as_of, dialect)
    on_date = exp.EQ(this=exp.column("as_of", table=TAGS), expression=on_day(as_of))
    query = (
        exp.select("customer_id")
        .from_(TAGS)
        .where(joined(exp.And, [on_date, *(predicate(step, target) for step in steps(rule))]))
    )
    return rendered(query, dialect=dialect, pretty=True)


def count(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> int:
    """Return how many customers belong.

    Raises:
        InvalidSpec and its kin: as `understand` does.
        NoData: tags, rows or a list that the segment needs are not there for that date.
    """
    rule = understand(spec, tags=tags, segments=segments)
    query = exp.select("COUNT(*)").from_(TAGS).where(predicate(rule, Target("ordinal", as_of)))
    return int(engine.rows(statement(engine, query, [rule], as_of))[0][0])


def members(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Return the ordinals of the members, sorted. Raises as `count` does."""
    rule = understand(spec, tags=tags, segments=segments)
    query = exp.select("ordinal").from_(TAGS).where(predicate(rule, Target("ordinal", as_of)))
    found = engine.columns(statement(engine, query, [rule], as_of))["ordinal"]
    return np.sort(np.asarray(found, dtype=np.uint32))


def overlap(
    engine: Engine,
    specs: Iterable[SegmentSpec],
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> Overlap:
    """Return how many customers each two of several segments have in common, in one pass. Raises as `count` does."""
    chosen = list(specs)
    rules = [understand(spec, tags=tags, segments=segments) for spec in chosen]
    if not rules:
        return Overlap((), ())
    target = Target("ordinal", as_of)
    holds = [exp.alias_(predicate(rule, target), f"member_{i}") for i, rule in enumerate(rules)]
    query = statement(engine, exp.select(*holds).from_(TAGS), rules, as_of)
    both = np.zeros((len(rules), len(rules)), dtype=np.int64)
    for batch in engine.batches(query, size=2**17):
        here = np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns]).astype(np.float32)
        both += (here @ here.T).astype(np.int64)  # exact: a batch has fewer rows than a float32 has integers
    return Overlap(tuple(spec.name for spec in chosen), tuple(tuple(int(n) for n in row) for row in both))


def count_by(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tag: str,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> dict[Any, int]:
    """Return the members by the value of a tag, largest first; ``None`` counts those without one.

    Raises:
        UnknownTag: the tag to group by is not in the catalogue.
    """
    if tag not in tags:
        raise UnknownTag(f"Tag {tag!r} is not in the catalogue.", hint="See `kequn tag list`.", tag=tag)
    rule = understand(spec, tags=tags, segments=segments)
    query = exp.select(exp.column(tag), "COUNT(*)").from_(TAGS).where(predicate(rule, Target("ordinal", as_of)))
    query = query.group_by("1").order_by("2 DESC", "1 NULLS LAST")
    return {value: int(n) for value, n in engine.rows(statement(engine, query, [rule], as_of, extra=(tag,)))}


def statement(
    engine: Engine, query: exp.Select, rules: Sequence[Rule], as_of: date, *, extra: tuple[str, ...] = ()
) -> str:
    """Return the query with ``customer_tags`` before it, made of the tags that the rules test, and of ``extra``.

    Raises:
        NoData: tags, rows or a list that the rules need are not there.
    """
    for rule in rules:
        _there(engine, rule)
    needed = [*extra, *(name for rule in rules for name in tags_in(rule))]
    return with_query(TAGS, engine.tags_query(as_of, needed), rendered(query, dialect="duckdb"))


def _there(engine: Engine, rule: Rule) -> None:
    for table in tables_in(rule):
        if not engine.has(table):
            raise NoData(f"No rows of {table!r} have been loaded.", hint="Load them: `kequn load`.", table=table)
    for name in lists_in(rule):
        if name not in engine.manifest.lists:
            raise NoData(f"There is no uploaded list {name!r}.", hint="Upload the list first.", list=name)
