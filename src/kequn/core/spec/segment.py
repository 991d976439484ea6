"""A segment: a condition tree that says who belongs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_serializer,
    field_validator,
    model_validator,
)

from kequn.core.spec.base import Definition, Name, Spec
from kequn.core.spec.period import Whole, read_day, read_period

Scalar = bool | int | Decimal | str
"""Dates are written, and kept, as ISO text; the tag's type decides how a value is read."""

DIGITS = 15  # what a JSON number carries without loss
TestOp = Literal[
    "=", "!=", "<", "<=", ">", ">=", "between", "in", "contains", "contains_all", "during", "anniversary",
    "known", "unknown",
]  # fmt: skip
"""``in`` on a list tag: any of the values; ``contains_all``: every one. ``during``: a date within a period;
``anniversary``: its month and day fall into the period, in whatever year."""
SEVERAL = ("in", "contains_all")
Amount = Annotated[Decimal, Field(max_digits=18)]


def _day(text: str) -> str:
    return str(read_day(text))


def _past(text: str) -> str:
    period = read_period(text)
    if getattr(period, "is_next", False) or (isinstance(period, Whole) and period.offset > 0):
        raise ValueError(f"{text!r} is in the future, where nothing has happened yet")
    return str(period)


DayText = Annotated[str, AfterValidator(_day)]
"""A date, or a day told from the business date: ``90 days ago``, ``end of last month``."""
PastText = Annotated[str, AfterValidator(_past)]
"""A period of the past: ``last 30 days``, ``last quarter``, ``2026-01-01 to 2026-03-31``."""


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
        if self.op in SEVERAL and not (several and self.value):
            raise ValueError(f"`{self.op}` takes a list of at least one value")
        if self.op not in ("between", *SEVERAL, "known", "unknown") and (several or self.value is None):
            raise ValueError(f"`{self.op}` takes one value")
        return self


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        value = Decimal(repr(value))  # 0.1 in YAML is a float; its shortest repr is what the person wrote
    if isinstance(value, Decimal) and (not value.is_finite() or len(value.as_tuple().digits) > DIGITS):
        raise ValueError(f"a number has at most {DIGITS} digits")
    return value.isoformat() if isinstance(value, date) else value


def _decimal(value: Any) -> Any:
    value = _scalar(value)
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TagTest(_Test):
    """One test on one tag (标签条件). A customer without the tag fails every test but ``unknown``.

    Money values are in yuan. Where a date is expected, a day told from the business date may stand: ``30 days ago``.
    """

    tag: Name
    as_of: DayText | None = None
    """The value the tag had on that day: as known on the last business date up to it."""


class ColumnTest(_Test):
    """One test on a column of a behaviour's rows."""

    column: Name


class Rows(Spec):
    """Rows of a canonical table about one customer: which table, which rows, how far back."""

    table: Literal["transaction", "event", "contact", "service", "holding"]
    where: tuple[ColumnTest, ...] = ()


class _Window(Spec):
    """Exactly one of the two says how far back rows count; rows after the business date never do."""

    within_days: int | None = Field(default=None, ge=1, le=3660)
    """The window ends with the business date, which it includes: 1 is that day alone."""
    during: PastText | None = None

    @model_validator(mode="after")
    def _one_window(self) -> _Window:
        if (self.within_days is None) == (self.during is None):
            raise ValueError("say either `within_days: 30` or `during: last quarter`")
        return self


class Behaviour(Rows, _Window):
    """Did X at least n times, with a sum of at least v, within d days (行为条件)."""

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


class Order(_Window):
    """First this, then that, both within the window (先后).

    Rows carry a date and no order within the day. ``then`` counts on the day of ``first`` as well, unless its row is
    one of ``first`` too, which then has to be on a later day. A row of ``without`` on either of the two days counts as
    having come between; one that is itself a row of ``first`` or ``then`` never does.
    """

    first: Rows
    then: Rows
    gap_days: int = Field(ge=0, le=3660)
    """At most so many days from ``first`` to ``then``."""
    without: Rows | None = None


class Sequence(Spec):
    """A sequence as a condition."""

    sequence: Order


class _Comparison(Spec):
    """One figure against another: their ratio, or their difference."""

    op: Literal["<", "<=", ">", ">="] = ">="
    ratio: Decimal | None = Field(default=None, ge=0, le=100, decimal_places=2)
    """The later figure ÷ the earlier; fails where the earlier is not above zero."""
    difference: Amount | None = None
    """The later figure − the earlier; money in yuan."""

    @model_validator(mode="after")
    def _one_measure(self) -> _Comparison:
        if (self.ratio is None) == (self.difference is None):
            raise ValueError("say either `ratio: 1.5` or `difference: 10000`")
        return self

    @field_validator("ratio", "difference", mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        return _decimal(value)

    @field_serializer("ratio", "difference", when_used="json")
    def _plain_number(self, value: Decimal | None) -> float | None:
        return None if value is None else float(value)


class Movement(Rows, _Comparison):
    """Rows of one period against those of another: how many, or the sum of a column (环比、同比).

    Customers without such a row in either period fail.
    """

    sum_of: Name | None = None
    during: PastText
    against: Literal["period before", "year before"] | PastText = "period before"


class Trend(Spec):
    """A movement between two periods as a condition."""

    trend: Movement


class TagChange(_Comparison):
    """A tag now against the same tag on an earlier day; fails where either has no value."""

    tag: Name
    since: DayText


class Change(Spec):
    """A tag's change as a condition (标签变化)."""

    change: TagChange


class Place(Spec):
    """By the value of a tag among the bank's customers, or among those of ``among`` (排名).

    Customers without a value have no place and do not count. Equal values share a place: ``top: 100`` are all
    customers below whom fewer than 100 values are higher, so that ties at the border all belong, on every engine.
    """

    tag: Name
    top: int | None = Field(default=None, ge=1)
    bottom: int | None = Field(default=None, ge=1)
    top_percent: Decimal | None = Field(default=None, gt=0, le=100, decimal_places=2)
    bottom_percent: Decimal | None = Field(default=None, gt=0, le=100, decimal_places=2)
    percentile: tuple[Decimal, Decimal] | None = None
    """From (included) the first to (not included, but for 100) the second: share of customers with lower values."""
    among: Condition | None = None

    @field_validator("top_percent", "bottom_percent", mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        return _decimal(value)

    @field_validator("percentile", mode="before")
    @classmethod
    def _ends(cls, value: Any) -> Any:
        return tuple(map(_decimal, value)) if isinstance(value, list | tuple) else value

    @field_serializer("top_percent", "bottom_percent", "percentile", when_used="json")
    def _plain_numbers(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return [float(v) for v in value]
        return None if value is None else float(value)

    @model_validator(mode="after")
    def _one_place(self) -> Place:
        said = (self.top, self.bottom, self.top_percent, self.bottom_percent, self.percentile)
        if sum(v is not None for v in said) != 1:
            raise ValueError("say one of `top`, `bottom`, `top_percent`, `bottom_percent`, `percentile`")
        if self.percentile is not None:
            low, high = self.percentile
            if not (0 <= low < high <= 100 and all(-v.as_tuple().exponent <= 2 for v in self.percentile)):  # type: ignore[operator]
                raise ValueError("`percentile` takes [low, high] from 0 to 100, with at most two decimals")
        return self


class Rank(Spec):
    """A place as a condition."""

    rank: Place


class ClusterSet(Spec):
    """Clusters of a set that was found and published (聚类)."""

    set: Name
    any_of: tuple[str, ...] = Field(alias="in", min_length=1)


class Cluster(Spec):
    """Membership of a cluster as a condition: short for a test on the tag of the set."""

    cluster: ClusterSet


class MemberOf(Spec):
    """Member of another segment (属于客群), now or on an earlier day."""

    segment: Name
    as_of: DayText | None = None


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


def _groups(value: Any) -> Any:
    """In a sum of groups, a bare word is the name of a segment."""
    if not isinstance(value, list | tuple):
        return value
    return tuple({"segment": v} if isinstance(v, str) else v for v in value)


class Union(Spec):
    """In at least one of several groups (并集); a bare word is the name of a segment."""

    union: Annotated[tuple[Condition, ...], BeforeValidator(_groups), Field(min_length=1)]


class Intersect(Spec):
    """In each of several groups (交集)."""

    intersect: Annotated[tuple[Condition, ...], BeforeValidator(_groups), Field(min_length=1)]


class Except(Spec):
    """In the first group and in none of the others (差集)."""

    groups: Annotated[tuple[Condition, ...], BeforeValidator(_groups), Field(min_length=2)] = Field(alias="except")


KEYS = {
    "tag": TagTest, "did": Did, "sequence": Sequence, "trend": Trend, "change": Change, "rank": Rank,
    "cluster": Cluster, "segment": MemberOf, "list": OnList, "all": AllOf, "any": AnyOf, "not": Not,
    "union": Union, "intersect": Intersect, "except": Except,
}  # fmt: skip
FIELDS = {"negated": "not", "groups": "except"}


def _which(value: Any) -> str | None:
    if isinstance(value, dict):
        found = [k for k in KEYS if k in value] or [key for name, key in FIELDS.items() if name in value]
        return found[0] if len(found) == 1 else None
    return next((k for k, kind in KEYS.items() if type(value) is kind), None)


Condition = Annotated[
    Annotated[TagTest, Tag("tag")]
    | Annotated[Did, Tag("did")]
    | Annotated[Sequence, Tag("sequence")]
    | Annotated[Trend, Tag("trend")]
    | Annotated[Change, Tag("change")]
    | Annotated[Rank, Tag("rank")]
    | Annotated[Cluster, Tag("cluster")]
    | Annotated[MemberOf, Tag("segment")]
    | Annotated[OnList, Tag("list")]
    | Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Union, Tag("union")]
    | Annotated[Intersect, Tag("intersect")]
    | Annotated[Except, Tag("except")],
    Discriminator(
        _which,
        custom_error_type="condition",
        custom_error_message=f"a condition has exactly one of: {', '.join(KEYS)}",
    ),
]


def cluster_tag(set: str) -> str:
    """Return the name of the tag under which a set of clusters is published."""
    return f"model_cluster_{set}"


class SegmentSpec(Definition):
    """A named group of customers (客群), defined once and versioned by fingerprint."""

    kind: Literal["segment"] = "segment"
    separate_consent: tuple[Name, ...] = ()
    """The separate consents that the use of class S tags rests on (``child_data``)."""
    where: Condition


for _model in (Place, Rank, AllOf, AnyOf, Not, Union, Intersect, Except, SegmentSpec):
    _model.model_rebuild()
