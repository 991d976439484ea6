"""A segment's rule once it is understood: tags and columns found, values typed, other segments put in their place.

Every leaf is two-valued: a customer without the tag fails each test but ``unknown``. A rule as understood holds for any
date; `settled` puts the days of one business date in the place of ``30 days ago`` and ``this month``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from kequn.core.data.tables import Column, Table
from kequn.core.spec.base import Text
from kequn.core.spec.period import Day, Days, Period
from kequn.core.spec.segment import TestOp
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import Value

Told: TypeAlias = Value | Day | Period
"""A value as written: a date may be told from the business date; a settled rule has none such."""
Compare = Literal["<", "<=", ">", ">="]
By = Literal["top", "bottom", "top_percent", "bottom_percent", "percentile"]


@dataclass(frozen=True, slots=True)
class TagRule:
    """A test on a tag; ``values`` are typed (money in fen)."""

    path: str
    tag: TagSpec
    op: TestOp
    values: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class YearlyRule:
    """A date tag whose month and day lie in one of the ranges (month × 100 + day); only settled rules have it."""

    path: str
    tag: TagSpec
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ThenRule:
    """A test on the value a tag had on an earlier day (settled: a business date)."""

    path: str
    test: Rule
    on: Day | date


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """A tag now against itself on an earlier day: their ratio or their difference; both have to be known."""

    path: str
    tag: TagSpec
    since: Day | date
    op: Compare
    ratio: Decimal | None
    difference: Value | None


@dataclass(frozen=True, slots=True)
class RankRule:
    """The place of a tag's value in the whole bank, or among those for whom ``among`` holds; ties share a place."""

    path: str
    tag: TagSpec
    by: By
    amounts: tuple[Decimal, ...]
    """How many, what per cent, or the two ends of the percentiles."""
    among: Rule | None


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """A test on a column of a behaviour's rows."""

    column: Column
    op: TestOp
    values: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class RowsRule:
    """Rows of a table that meet every test."""

    table: Table
    tests: tuple[ColumnRule, ...]


@dataclass(frozen=True, slots=True)
class DidRule:
    """A behaviour within the ``within_days`` days that end with the business date, or within a period.

    A settled rule has ``during`` (as days) only where the period ends before the business date.
    """

    path: str
    rows: RowsRule
    within_days: int | None
    at_least: int
    sum_of: Column | None
    sum_at_least: Value | None
    not_since: RowsRule | None
    during: Period | Days | None = None


@dataclass(frozen=True, slots=True)
class SequenceRule:
    """Rows of one kind followed by rows of another, at most ``gap_days`` later, without a third kind in between."""

    path: str
    first: RowsRule
    then: RowsRule
    gap_days: int
    without: RowsRule | None
    during: Period | Days


@dataclass(frozen=True, slots=True)
class TrendRule:
    """Rows of one period against those of another: their number, or the sum of a column."""

    path: str
    rows: RowsRule
    sum_of: Column | None
    during: Period | Days
    against: Period | Days
    op: Compare
    ratio: Decimal | None
    difference: Value | None


@dataclass(frozen=True, slots=True)
class ListRule:
    """On an uploaded list."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class MemberRule:
    """Member of another segment, whose own rule is ``rule``."""

    path: str
    name: str
    title: Text
    rule: Rule


@dataclass(frozen=True, slots=True)
class WasRule:
    """Was a member of another segment on an earlier day (settled: a business date, ``rule`` settled for it)."""

    path: str
    name: str
    title: Text
    rule: Rule
    on: Day | date


@dataclass(frozen=True, slots=True)
class EveryRule:
    """Every part holds; of none, everybody."""

    path: str
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyRule:
    """At least one part holds; of none, nobody."""

    path: str
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class NotRule:
    """The part does not hold."""

    path: str
    part: Rule


Leaf: TypeAlias = (
    TagRule | YearlyRule | ThenRule | ChangeRule | RankRule | DidRule | SequenceRule | TrendRule | ListRule | WasRule
)
Rule: TypeAlias = Leaf | MemberRule | EveryRule | AnyRule | NotRule


def steps(rule: Rule) -> tuple[Rule, ...]:
    """Return the conditions of a top-level ``all``; any other rule is one step."""
    return rule.parts if isinstance(rule, EveryRule) else (rule,)


def inside(rule: Rule) -> tuple[Rule, ...]:
    """Return the rules a rule is made of, those of other segments included."""
    match rule:
        case EveryRule(parts=parts) | AnyRule(parts=parts):
            return parts
        case NotRule(part=part) | ThenRule(test=part):
            return (part,)
        case MemberRule(rule=inner) | WasRule(rule=inner):
            return (inner,)
        case RankRule(among=among) if among is not None:
            return (among,)
        case _:
            return ()


def walk(rule: Rule) -> Iterator[Rule]:
    """Yield a rule and all it is made of, from left to right, whichever customers and dates the parts are about."""
    open_ = [rule]
    while open_:
        yield (here := open_.pop())
        open_.extend(reversed(inside(here)))


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Yield the tests on a customer now from left to right, those of inlined segments included."""
    match rule:
        case EveryRule(parts=parts) | AnyRule(parts=parts):
            for part in parts:
                yield from leaves(part)
        case NotRule(part=part):
            yield from leaves(part)
        case MemberRule(rule=inner):
            yield from leaves(inner)
        case leaf:
            yield leaf


def own_leaves(rule: Rule) -> Iterator[Leaf | MemberRule]:
    """Yield the tests that stand in the document itself; another segment counts as one."""
    match rule:
        case EveryRule(parts=parts) | AnyRule(parts=parts):
            for part in parts:
                yield from own_leaves(part)
        case NotRule(part=part):
            yield from own_leaves(part)
        case leaf:
            yield leaf


def specs_in(rule: Rule) -> dict[str, TagSpec]:
    """Return name -> spec of the tags a rule reads on any date, in order."""
    with_tag = (part for part in walk(rule) if isinstance(part, TagRule | YearlyRule | ChangeRule | RankRule))
    return {part.tag.name: part.tag for part in with_tag}


def tags_in(rule: Rule) -> tuple[str, ...]:
    """Return the names of the tags a rule reads on any date, each once, in order."""
    return tuple(specs_in(rule))


def tags_now(rule: Rule) -> tuple[str, ...]:
    """Return the names of the tags whose value now decides about the customer herself, each once, in order."""
    with_tag = (leaf for leaf in leaves(rule) if isinstance(leaf, TagRule | YearlyRule | ChangeRule | RankRule))
    return tuple(dict.fromkeys(leaf.tag.name for leaf in with_tag))


def tables_in(rule: Rule) -> tuple[str, ...]:
    """Return the canonical tables whose rows a rule reads, each once, in order."""
    found: dict[str, None] = {}
    kinds: tuple[RowsRule | None, ...]
    for part in walk(rule):
        match part:
            case DidRule(rows=rows, not_since=other):
                kinds = (rows, other)
            case SequenceRule(first=first, then=then, without=other):
                kinds = (first, then, other)
            case TrendRule(rows=rows):
                kinds = (rows,)
            case _:
                continue
        found |= {kind.table.name: None for kind in kinds if kind}
    return tuple(found)


def lists_in(rule: Rule) -> tuple[str, ...]:
    """Return the uploaded lists a rule refers to, each once, in order."""
    return tuple(dict.fromkeys(part.name for part in walk(rule) if isinstance(part, ListRule)))


def segments_in(rule: Rule) -> tuple[str, ...]:
    """Return the segments a rule refers to, directly or through others, each once, in order."""
    return tuple(dict.fromkeys(part.name for part in walk(rule) if isinstance(part, MemberRule | WasRule)))


def key_of(rule: Rule) -> str:
    """Return text that is equal for two rules just when they ask the same; neither place nor titles are in it.

    A settled rule's key, with the version of the store, names its members.
    """
    return str(_keyed(rule))


def _keyed(value: Any) -> Any:
    match value:
        case TagSpec() | Column() | Table():
            return value.name
        case MemberRule(rule=inner):
            return _keyed(inner)
        case tuple():
            return tuple(map(_keyed, value))
        case str() | int() | Decimal() | date() | None:
            return repr(value)
        case _:
            shown = (f.name for f in fields(value) if f.name not in ("path", "title"))
            return (type(value).__name__, *(_keyed(getattr(value, name)) for name in shown))
