"""What is asked of the index: a tree of tests on columns, joined by all, any and not.

A plan is made for the columns of one date: codes are that date's codes. It knows nothing of segments. Every leaf is
two-valued: a customer without a value fails each test, `Not` is the complement within the population.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from kequn.core.engine.index.bits import Words

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class CodeIn:
    """The tag has one of these codes (of a ``set`` tag: at least one of these values)."""

    tag: str
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The number or day lies in ``low … high``, both included; ``None`` is no bound. Fen; days since 1900-01-01."""

    tag: str
    low: Number | None = None
    high: Number | None = None


@dataclass(frozen=True, slots=True)
class Among:
    """The number or day is one of ``values``."""

    tag: str
    values: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The tag has a value."""

    tag: str


@dataclass(frozen=True, slots=True)
class Bits:
    """Customers found in another way; ``load`` gives their plane and is asked only where it matters who they are."""

    key: str
    """Bits of one index with the same key are the same customers."""
    load: Callable[[], Words] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; of none, everybody."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; of none, nobody."""

    parts: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Plan


Leaf: TypeAlias = CodeIn | Range | Among | Known | Bits
Plan: TypeAlias = Leaf | All | Any | Not

EVERYBODY = All(())
NOBODY = Any(())


def normal(plan: Plan) -> Plan:
    """Return the same question without nested alls in alls, double negations, repetitions and constants.

    `Not` is moved down to the leaves and stays there: the complement of ``a < 5`` is not ``a >= 5`` where ``a`` is
    missing.
    """
    return _normal(plan, negated=False)


def _normal(plan: Plan, *, negated: bool) -> Plan:
    match plan:
        case Not(part=part):
            return _normal(part, negated=not negated)
        case All(parts=parts):
            return _joined([_normal(part, negated=negated) for part in parts], all_=not negated)
        case Any(parts=parts):
            return _joined([_normal(part, negated=negated) for part in parts], all_=negated)
        case CodeIn(codes=()) | Among(values=()):
            return EVERYBODY if negated else NOBODY
        case Range(low=low, high=high) if low is not None and high is not None and low > high:
            return EVERYBODY if negated else NOBODY
        case leaf:
            return Not(leaf) if negated else leaf


def _joined(parts: list[Plan], *, all_: bool) -> Plan:
    """Join parts that are normal already."""
    kind, nothing_more, decided = (All, EVERYBODY, NOBODY) if all_ else (Any, NOBODY, EVERYBODY)
    flat: dict[Plan, None] = {}
    for part in parts:
        for own in part.parts if isinstance(part, kind) else (part,):
            if own == decided:
                return decided
            if own != nothing_more:
                flat[own] = None
    if any(isinstance(own, Not) and own.part in flat for own in flat):
        return decided
    return next(iter(flat)) if len(flat) == 1 else kind(tuple(flat))


def walk(plan: Plan) -> Iterator[Plan]:
    """Yield a plan and all its parts."""
    open_: list[Plan] = [plan]
    while open_:
        yield (here := open_.pop())
        match here:
            case All(parts=parts) | Any(parts=parts):
                open_.extend(parts)
            case Not(part=part):
                open_.append(part)


def repeated(plan: Plan) -> bool:
    """Whether some part that is more than a leaf stands in the plan twice."""
    joined = [part for part in walk(plan) if isinstance(part, All | Any)]
    return len(set(joined)) < len(joined)
