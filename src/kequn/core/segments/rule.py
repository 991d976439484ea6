"""A segment's rule once it is understood: tags and columns found, values typed, other segments put in their place.

Every leaf is two-valued: a customer without the tag fails each test but ``unknown``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from kequn.core.data.tables import Column, Table
from kequn.core.spec.base import Text
from kequn.core.spec.segment import TestOp
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import Value


@dataclass(frozen=True, slots=True)
class TagRule:
    """A test on a tag; ``values`` are typed (money in fen)."""

    path: str
    tag: TagSpec
    op: TestOp
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """A test on a column of a behaviour's rows."""

    column: Column
    op: TestOp
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class RowsRule:
    """Rows of a table that meet every test."""

    table: Table
    tests: tuple[ColumnRule, ...]


@dataclass(frozen=True, slots=True)
class DidRule:
    """A behaviour within the ``within_days`` days that end with the business date."""

    path: str
    rows: RowsRule
    within_days: int
    at_least: int
    sum_of: Column | None
    sum_at_least: Value | None
    not_since: RowsRule | None


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


Rule: TypeAlias = TagRule | DidRule | ListRule | MemberRule | EveryRule | AnyRule | NotRule
Leaf: TypeAlias = TagRule | DidRule | ListRule


def steps(rule: Rule) -> tuple[Rule, ...]:
    """Return the conditions of a top-level ``all``; any other rule is one step."""
    return rule.parts if isinstance(rule, EveryRule) else (rule,)


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Yield the tests of a rule from left to right, those of inlined segments included."""
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


def tags_in(rule: Rule) -> tuple[str, ...]:
    """Return the names of the tags a rule tests, each once, in order."""
    return tuple(dict.fromkeys(leaf.tag.name for leaf in leaves(rule) if isinstance(leaf, TagRule)))


def tables_in(rule: Rule) -> tuple[str, ...]:
    """Return the canonical tables whose rows a rule reads, each once, in order."""
    found: dict[str, None] = {}
    for leaf in leaves(rule):
        if isinstance(leaf, DidRule):
            found[leaf.rows.table.name] = None
            if leaf.not_since:
                found[leaf.not_since.table.name] = None
    return tuple(found)


def lists_in(rule: Rule) -> tuple[str, ...]:
    """Return the uploaded lists a rule refers to, each once, in order."""
    return tuple(dict.fromkeys(leaf.name for leaf in leaves(rule) if isinstance(leaf, ListRule)))


def segments_in(rule: Rule) -> tuple[str, ...]:
    """Return the segments a rule refers to, directly or through others, each once, in order."""
    found: dict[str, None] = {}
    open_ = [rule]
    while open_:
        match open_.pop():
            case EveryRule(parts=parts) | AnyRule(parts=parts):
                open_.extend(reversed(parts))
            case NotRule(part=part):
                open_.append(part)
            case MemberRule(name=name, rule=inner):
                found[name] = None
                open_.append(inner)
            case _:
                continue
    return tuple(found)
