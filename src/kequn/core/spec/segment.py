"""A segment: a condition tree that says who belongs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_serializer, field_validator, model_validator

from kequn.core.spec.base import Definition, Name, Spec

Scalar = bool | int | Decimal | str
"""Dates are written, and kept, as ISO text; the tag's type decides how a value is read."""

DIGITS = 15  # what a JSON number carries without loss
TestOp = Literal["=", "!=", "<", "<=", ">", ">=", "between", "in", "contains", "known", "unknown"]


class _Test(Spec):
    op: TestOp = "="
    value: Scalar | tuple[Scalar, ...] | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        return tuple(map(_scalar, value)) if isinstance(value, list | tuple) else _scalar(value)

    @field_serializer("value", when_used="json")
    def _number(self, value: Any) -> Any:
        def plain(v: Any) -> Any:
            return float(v) if isinstance(v, Decimal) else v

        return [plain(v) for v in value] if isinstance(value, tuple) else plain(value)

    @model_validator(mode="after")
    def _arity(self) -> _Test:
        several = isinstance(self.value, tuple)
        if self.op in ("known", "unknown") and self.value is not None:
            raise ValueError(f"`{self.op}` takes no value")
        if self.op == "between" and not (several and len(self.value) == 2):  # type: ignore[arg-type]
            raise ValueError("`between` takes two values: [low, high], both included")
        if self.op == "in" and not (several and self.value):
            raise ValueError("`in` takes a list of at least one value")
        if self.op not in ("between", "in", "known", "unknown") and (several or self.value is None):
            raise ValueError(f"`{self.op}` takes one value")
        return self


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        value = Decimal(repr(value))  # 0.1 in YAML is a float; its shortest repr is what the person wrote
    if isinstance(value, Decimal) and (not value.is_finite() or len(value.as_tuple().digits) > DIGITS):
        raise ValueError(f"a number has at most {DIGITS} digits")
    return value.isoformat() if isinstance(value, date) else value


class TagTest(_Test):
    """One test on one tag (标签条件). A customer without the tag fails every test but ``unknown``.

    Money values are in yuan.
    """

    tag: Name


class ColumnTest(_Test):
    """One test on a column of a behaviour's rows."""

    column: Name


class Rows(Spec):
    """Rows of a canonical table about one customer: which table, which rows, how far back."""

    table: Literal["transaction", "event", "contact", "service", "holding"]
    where: tuple[ColumnTest, ...] = ()


class Behaviour(Rows):
    """Did X at least n times, with a sum of at least v, within d days (行为条件)."""

    within_days: int = Field(ge=1, le=3660)
    """The window ends with the business date, which it includes: 1 is that day alone."""
    at_least: int = Field(default=1, ge=1)
    sum_of: Name | None = None
    sum_at_least: Decimal | None = None
    not_since: Rows | None = None
    """And after the last such row no row of this kind followed (up to the business date)."""

    @model_validator(mode="after")
    def _sum(self) -> Behaviour:
        if (self.sum_of is None) != (self.sum_at_least is None):
            raise ValueError("`sum_of` and `sum_at_least` go together")
        return self


class Did(Spec):
    """A behaviour as a condition."""

    did: Behaviour


class MemberOf(Spec):
    """Member of another segment (属于客群)."""

    segment: Name


class OnList(Spec):
    """On an uploaded list (在名单内)."""

    list: Name


class AllOf(Spec):
    """Every condition holds (且); of none, everybody."""

    all: tuple[Condition, ...]


class AnyOf(Spec):
    """At least one condition holds (或); of none, nobody."""

    any: tuple[Condition, ...]


class Not(Spec):
    """The condition does not hold (非)."""

    negated: Condition = Field(alias="not")


KEYS = {"tag": TagTest, "did": Did, "segment": MemberOf, "list": OnList, "all": AllOf, "any": AnyOf, "not": Not}


def _which(value: Any) -> str | None:
    if isinstance(value, dict):
        found = [k for k in KEYS if k in value] or (["not"] if "negated" in value else [])
        return found[0] if len(found) == 1 else None
    return next((k for k, kind in KEYS.items() if type(value) is kind), None)


Condition = Annotated[
    Annotated[TagTest, Tag("tag")]
    | Annotated[Did, Tag("did")]
    | Annotated[MemberOf, Tag("segment")]
    | Annotated[OnList, Tag("list")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")],
    Discriminator(
        _which,
        custom_error_type="condition",
        custom_error_message="a condition has exactly one of: tag, did, segment, list, all, any, not",
    ),
]


class SegmentSpec(Definition):
    """A named group of customers (客群), defined once and versioned by fingerprint."""

    kind: Literal["segment"] = "segment"
    where: Condition


for _model in (AllOf, AnyOf, Not, SegmentSpec):
    _model.model_rebuild()
