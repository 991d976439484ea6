"""What each condition of a segment does to its size: the figures an editor shows while the segment is being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Index
from kequn.core.engine.index import plan as plans
from kequn.core.segments.indexed import lowered
from kequn.core.segments.members import By
from kequn.core.segments.past import Past
from kequn.core.segments.query import engine_target, statement
from kequn.core.segments.rule import EveryRule, Rule, TagRule, own_leaves, steps, tags_now
from kequn.core.segments.sql import TAGS, Target, joined, negated, predicate
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
    """What an editor shows while a segment is being written."""

    customers: int
    size: int
    steps: tuple[FunnelStep, ...]
    unknown: dict[str, int]
    """Path of each test on a tag in the document -> customers without a value."""

    @property
    def share(self) -> float | None:
        """Members ÷ customers of the bank; ``None`` for an empty bank."""
        return self.size / self.customers if self.customers else None


def preview(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
    by: By = "index",
) -> Preview:
    """Return size, funnel and unknowns. Raises as `count` does."""
    return preview_rule(engine, understand(spec, tags=tags, segments=segments), as_of=as_of, past=past, by=by)


def preview_rule(engine: Engine, rule: Rule, *, as_of: date, past: Past | None = None, by: By = "index") -> Preview:
    """Return size, funnel and unknowns of a rule as understood; a step for each of `steps`. Raises as `lowered` does."""
    figure = (_by_index if by == "index" else _by_sql)(engine, rule, as_of, past)
    parts, tested = steps(rule), tags_now(rule)
    made = tuple(
        FunnelStep(part.path, figure[f"alone_{i}"], figure[f"left_{i}"], figure[f"without_{i}"])
        for i, part in enumerate(parts)
    )
    tests = [leaf for leaf in own_leaves(rule) if isinstance(leaf, TagRule)]
    unknown = {test.path: figure[f"unknown_{tested.index(test.tag.name)}"] for test in tests}
    return Preview(figure["customers"], made[-1].left if made else figure["customers"], made, unknown)


def funnel(
    engine: Engine,
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    as_of: date,
    past: Past | None = None,
    by: By = "index",
) -> list[FunnelStep]:
    """Return for each condition of a top-level ``all``, in turn, how many meet it alone and how many are left then."""
    return list(preview(engine, spec, tags=tags, segments=segments, as_of=as_of, past=past, by=by).steps)


def _by_index(engine: Engine, rule: Rule, as_of: date, past: Past | None) -> dict[str, int]:
    """Each condition is a plane of its own, kept while the others are edited."""
    parts, tested = steps(rule), tags_now(rule)
    whole, _ = lowered(engine, EveryRule("", ()), as_of)
    missing: dict[tuple[str, ...], int] = {}
    figure, left = {"customers": whole.customers}, whole.population
    for i, part in enumerate(parts):
        index, plan = lowered(engine, part, as_of, past=past)
        alone = index.mask(plan, engine.masks, keep=True)
        left = left & alone
        figure[f"alone_{i}"], figure[f"left_{i}"] = index.loops.count(alone), index.loops.count(left)
        figure[f"without_{i}"] = _without(whole, tags_now(part), missing)
    return figure | {f"unknown_{i}": _without(whole, (name,), missing) for i, name in enumerate(tested)}


def _without(index: Index, names: tuple[str, ...], counted: dict[tuple[str, ...], int]) -> int:
    """Customers without a value of at least one of some tags, counted once."""
    if names not in counted:
        counted[names] = index.count(plans.Any(tuple(plans.Not(plans.Known(name)) for name in names)))
    return counted[names]


def _by_sql(engine: Engine, rule: Rule, as_of: date, past: Past | None) -> dict[str, int]:
    """All figures from one query."""
    parts, tested = steps(rule), tags_now(rule)
    fates = _fates(parts, tested, engine_target(engine, [rule], as_of, past))
    query = _figures(parts, tested).from_(fates.subquery("fates"))
    return {name: int(values[0]) for name, values in engine.columns(statement(engine, query, [rule], as_of)).items()}


def _fates(parts: Sequence[Rule], tested: Sequence[str], target: Target) -> exp.Select:
    """One row a customer: which conditions hold, the first that does not, which tags have no value."""
    holds = [exp.alias_(predicate(part, target), f"step_{i}") for i, part in enumerate(parts)]
    unknown = [
        exp.alias_(exp.Is(this=exp.column(name), expression=exp.null()), f"missing_{i}")
        for i, name in enumerate(tested)
    ]
    flags = [exp.column(f"step_{i}") for i in range(len(parts))]
    falls = exp.Case(
        ifs=[exp.If(this=negated(flag.copy()), true=exp.Literal.number(i)) for i, flag in enumerate(flags)],
        default=exp.Literal.number(len(parts)),
    )
    missing = [exp.column(f"missing_{i}") for i in range(len(tested))]
    customers = exp.select(*holds, *unknown, exp.alias_(exp.true(), "here")).from_(TAGS).subquery("customers")
    return exp.select(*flags, *missing, exp.alias_(falls if parts else exp.Literal.number(0), "falls_at")).from_(
        customers
    )


def _figures(parts: Sequence[Rule], tested: Sequence[str]) -> exp.Select:
    figures = [exp.alias_(exp.Count(this=exp.Star()), "customers")]
    for i, part in enumerate(parts):
        without = [exp.column(f"missing_{tested.index(name)}") for name in tags_now(part)]
        left = exp.GT(this=exp.column("falls_at"), expression=exp.Literal.number(i))
        figures.append(_how_many(exp.column(f"step_{i}"), f"alone_{i}"))
        figures.append(_how_many(left, f"left_{i}"))
        figures.append(_how_many(joined(exp.Or, without), f"without_{i}"))
    figures += [_how_many(exp.column(f"missing_{i}"), f"unknown_{i}") for i in range(len(tested))]
    return exp.select(*figures)


def _how_many(holds: exp.Expr, name: str) -> exp.Expr:
    count = exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=holds))
    return exp.alias_(count, name)
