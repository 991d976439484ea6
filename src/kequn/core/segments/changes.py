"""Why customers joined or left between two dates: new and closed customers, a changed definition, or which condition turned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from kequn.core.engine.duck import Engine
from kequn.core.segments.query import engine_target, statement
from kequn.core.segments.rule import AnyRule, EveryRule, NotRule, Rule
from kequn.core.segments.sql import TAGS, predicate
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec

Bools = npt.NDArray[np.bool_]
Ordinals = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Cause:
    """One condition of the segment, and the customers whose membership turned with it."""

    path: str
    """Its place in the document."""
    mattered: int
    """Customers for whom its turning mattered: without it no change, or with it alone the change."""
    alone: int
    """Those of them for whom no other condition mattered."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Those who joined, or those who left: ``total`` = customers + definition + corrected + several + Σ alone."""

    total: int
    customers: int
    """Not a customer of the bank on the earlier date (joined), or on the later one (left)."""
    definition: int
    """Their data did not turn any condition: the definition was changed between the dates."""
    corrected: int
    """As before, but the definition is the same: the data of one of the dates were loaded or computed again since."""
    several: int
    """More than one condition mattered."""
    causes: tuple[Cause, ...]
    """All conditions, in the order of the document."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a segment between two dates, told by the definition as it is now."""

    before: date
    after: date
    joined: Movement
    left: Movement


def changes(
    engine: Engine,
    spec: SegmentSpec,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    before: date,
    after: date,
    joined: Ordinals,
    left: Ordinals,
    same_definition: bool,
) -> Changes:
    """Return why customers joined and left.

    Args:
        joined, left: sorted ordinals, as the time machine gives them.
        same_definition: whether both dates were found by the same definition.

    Raises:
        InvalidSpec and its kin: as `understand` does.
        NoData: tags, rows or a list that the segment needs are not there for one of the dates.
    """
    rule = understand(spec, tags=tags, segments=segments)

    def movement(who: Ordinals, *, into: bool) -> Movement:
        old, new = _Sight.of(engine, rule, before, who), _Sight.of(engine, rule, after, who)
        return _told(rule, old, new, into=into, same_definition=same_definition)

    return Changes(before, after, movement(joined, into=True), movement(left, into=False))


@dataclass(frozen=True, slots=True)
class _Sight:
    """Some customers on one date: who was there, and which leaf held for whom (one column a leaf)."""

    present: Bools
    held: Bools

    @classmethod
    def of(cls, engine: Engine, rule: Rule, as_of: date, who: Ordinals) -> _Sight:
        leaves = _leaves(rule)
        present, held = np.zeros(len(who), dtype=bool), np.zeros((len(who), len(leaves)), dtype=bool)
        if not len(who):
            return cls(present, held)
        engine.register("changed_customers", pa.table({"ordinal": pa.array(who, pa.uint32())}))
        target = engine_target(engine, leaves, as_of)
        columns = [exp.alias_(predicate(leaf, target), f"leaf_{i}") for i, leaf in enumerate(leaves)]
        query = exp.select(exp.column("ordinal"), *columns).from_(TAGS)
        few = engine.within("SELECT ordinal FROM changed_customers")
        found = engine.columns(statement(few, query, leaves, as_of))
        rows = np.searchsorted(who, np.asarray(found["ordinal"], dtype=np.uint32))
        present[rows] = True
        for i in range(len(leaves)):
            held[rows, i] = np.asarray(found[f"leaf_{i}"], dtype=bool)
        return cls(present, held)


def _told(rule: Rule, old: _Sight, new: _Sight, *, into: bool, same_definition: bool) -> Movement:
    leaves = _leaves(rule)
    there = old.present if into else new.present
    customers = int((~there).sum())
    pairs, counts = _patterns(np.hstack([old.held[there], new.held[there]]))
    before, after = pairs[:, : len(leaves)], pairs[:, len(leaves) :]
    was, is_now = _holds(rule, before, leaves), _holds(rule, after, leaves)
    turned = (was != into) & (is_now == into)
    unexplained = int(counts[~turned].sum())
    before, after, counts = before[turned], after[turned], counts[turned]
    mattered = np.zeros(before.shape, dtype=bool)
    for i in range(len(leaves)):
        back, ahead = after.copy(), before.copy()
        back[:, i], ahead[:, i] = before[:, i], after[:, i]
        needed = _holds(rule, back, leaves) != into
        enough = _holds(rule, ahead, leaves) == into
        mattered[:, i] = (before[:, i] != after[:, i]) & (needed | enough)
    single = mattered.sum(axis=1) == 1
    causes = tuple(
        Cause(leaf.path, int(counts[mattered[:, i]].sum()), int(counts[mattered[:, i] & single].sum()))
        for i, leaf in enumerate(leaves)
    )
    return Movement(
        total=len(there),
        customers=customers,
        definition=0 if same_definition else unexplained,
        corrected=unexplained if same_definition else 0,
        several=int(counts[~single].sum()),
        causes=causes,
    )


def _patterns(held: Bools) -> tuple[Bools, npt.NDArray[np.int64]]:
    """Customers with the same answers are looked at once: return the different rows and how often each comes."""
    packed = np.packbits(held, axis=1)
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    return held[first], counts.astype(np.int64)


def _leaves(rule: Rule) -> list[Rule]:
    """What is tested as a whole; another segment counts as one."""
    match rule:
        case EveryRule(parts=parts) | AnyRule(parts=parts):
            return [leaf for part in parts for leaf in _leaves(part)]
        case NotRule(part=part):
            return _leaves(part)
        case leaf:
            return [leaf]


def _holds(rule: Rule, held: Bools, leaves: list[Rule]) -> Bools:
    """Evaluate the tree over answers of its leaves, one row a case."""
    number = {id(leaf): i for i, leaf in enumerate(leaves)}

    def walk(part: Rule) -> Bools:
        match part:
            case EveryRule(parts=parts):
                return _all(map(walk, parts), len(held), np.logical_and, start=True)
            case AnyRule(parts=parts):
                return _all(map(walk, parts), len(held), np.logical_or, start=False)
            case NotRule(part=inner):
                return ~walk(inner)
            case leaf:
                return held[:, number[id(leaf)]]

    return walk(rule)


def _all(parts: Any, size: int, connective: Callable[[Bools, Bools], Bools], *, start: bool) -> Bools:
    found = np.full(size, start)
    for part in parts:
        found = connective(found, part)
    return found
