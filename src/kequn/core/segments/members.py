"""Who belongs to a segment on a business date, and how many: the questions that are put to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlglot import exp

from kequn.core.engine.duck import Engine, with_query
from kequn.core.errors import NoData, UnknownTag
from kequn.core.segments.rule import (
    EveryRule,
    Rule,
    TagRule,
    lists_in,
    own_leaves,
    tables_in,
    tags_in,
)
from kequn.core.segments.sql import TAGS, Target, joined, on_day, predicate, rendered
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One condition of a segment: how many meet it alone, and how many are left after it and those above it."""

    path: str
    alone: int
    left: int
    unknown: int
    """Customers for whom a tag that the condition tests has no value."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an editor shows while a segment is being written; all of it from one pass over the bank."""

    customers: int
    size: int
    steps: tuple[FunnelStep, ...]
    unknown: dict[str, int]
    """Path of each test on a tag in the document -> customers without a value."""

    @property
    def share(self) -> float | None:
        """Members ÷ customers of the bank; ``None`` for an empty bank."""
        return self.size / self.customers if self.customers else None


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
    """
    rule = understand(spec, tags=tags, segments=segments)
    target = Target("customer_id", as_of, dialect)
    on_date = exp.EQ(this=exp.column("as_of", table=TAGS), expression=on_day(as_of))
    query = exp.select("customer_id").from_(TAGS).where(joined(exp.And, [on_date, *_parts(rule, target)]))
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
    return int(_run(engine, query, [rule], as_of)[0][0])


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
    found = engine.columns(_statement(engine, query, [rule], as_of))["ordinal"]
    return np.sort(np.asarray(found, dtype=np.uint32))


def preview(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> Preview:
    """Return size, funnel and unknowns in one query. Raises as `count` does."""
    rule = understand(spec, tags=tags, segments=segments)
    steps, tests = _steps(rule), [leaf for leaf in own_leaves(rule) if isinstance(leaf, TagRule)]
    target = Target("ordinal", as_of)
    holds = [exp.alias_(predicate(step, target), f"step_{i}") for i, step in enumerate(steps)]
    tested = tags_in(rule)
    unknown = [exp.alias_(_is_unknown(name), f"unknown_{i}") for i, name in enumerate(tested)]
    per_customer = exp.select(*holds, *unknown, exp.alias_(exp.true(), "here")).from_(TAGS)
    figures: list[exp.Expr] = [exp.Count(this=exp.Star())]
    for i, step in enumerate(steps):
        missing = [f"unknown_{tested.index(name)}" for name in tags_in(step)]
        figures += [_how_many([f"step_{i}"]), _how_many([f"step_{j}" for j in range(i + 1)])]
        figures.append(_how_many(missing, exp.Or))
    figures += [_how_many([f"unknown_{i}"]) for i in range(len(tested))]
    query = exp.select(*figures).from_(per_customer.subquery("customers"))
    row = [int(n) for n in _run(engine, query, [rule], as_of)[0]]
    funnel_steps = tuple(FunnelStep(s.path, *row[1 + 3 * i : 4 + 3 * i]) for i, s in enumerate(steps))
    by_tag = dict(zip(tested, row[1 + 3 * len(steps) :], strict=True))
    size = funnel_steps[-1].left if steps else row[0]
    return Preview(row[0], size, funnel_steps, {t.path: by_tag[t.tag.name] for t in tests})


def funnel(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
) -> list[FunnelStep]:
    """Return for each condition of a top-level ``all``, in turn, how many meet it alone and how many are left then."""
    return list(preview(engine, spec, tags=tags, segments=segments, as_of=as_of).steps)


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
    statement = _statement(engine, exp.select(*holds).from_(TAGS), rules, as_of)
    both = np.zeros((len(rules), len(rules)), dtype=np.int64)
    for batch in engine.batches(statement, size=2**17):
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
    return {value: int(n) for value, n in engine.rows(_statement(engine, query, [rule], as_of, extra=(tag,)))}


def _parts(rule: Rule, target: Target) -> list[exp.Expr]:
    return [predicate(step, target) for step in _steps(rule)]


def _steps(rule: Rule) -> tuple[Rule, ...]:
    return rule.parts if isinstance(rule, EveryRule) else (rule,)


def _is_unknown(tag: str) -> exp.Expr:
    return exp.Is(this=exp.column(tag), expression=exp.null())


def _how_many(flags: list[str], connective: type[exp.Connector] = exp.And) -> exp.Expr:
    holds = joined(connective, [exp.column(flag) for flag in flags])
    return exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=holds))


def _run(engine: Engine, query: exp.Select, rules: list[Rule], as_of: date) -> list[tuple[Any, ...]]:
    return engine.rows(_statement(engine, query, rules, as_of))


def _statement(
    engine: Engine, query: exp.Select, rules: list[Rule], as_of: date, *, extra: tuple[str, ...] = ()
) -> str:
    """The query with ``customer_tags`` before it, made of the tags that it reads and no others."""
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
