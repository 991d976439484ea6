"""Who gets which customers, how long they keep them, and which customers form a pool: rules a branch can read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from kequn.core.spec.base import Definition, Name, Spec

AssignBy = Literal["branch", "earlier", "skill", "language", "nearest", "balance"]


class Need(Spec):
    """What the members of a segment need of their relationship manager (客户需要)."""

    segment: Name
    skill: str = ""
    language: str = ""

    @model_validator(mode="after")
    def _one(self) -> Need:
        if bool(self.skill) == bool(self.language):
            raise ValueError("a need is a `skill` or a `language`")
        return self


class AssignmentSpec(Definition):
    """By which rules customers without an owner get one (分配规则).

    ``order`` is asked from the front: each rule keeps those of the relationship managers who fit, or says nothing where none
    does. ``branch`` and the book's limit are asked first and are never given up, but ``nearest`` lets a full branch pass
    customers on to the next one.
    """

    kind: Literal["assignment"] = "assignment"
    order: tuple[AssignBy, ...] = ("earlier", "skill", "language", "balance")
    needs: tuple[Need, ...] = ()
    earlier_days: int = Field(default=730, ge=1, le=3650)
    """How far back an earlier relationship manager counts."""
    nearest_within: Literal["parent", "bank"] = "parent"
    """How far ``nearest`` looks: the branches of the same parent, or the whole bank."""
    fill_percent: int = Field(default=100, ge=1, le=100)
    """Up to which part of her limit a book is filled by rule, so that room is left for claims."""

    @field_validator("order")
    @classmethod
    def _once(cls, order: tuple[AssignBy, ...]) -> tuple[AssignBy, ...]:
        if len(set(order)) != len(order):
            raise ValueError("a rule stands in `order` once")
        return order


class TakeBack(Spec):
    """After how many days without contact an owner is warned, her branch head told, and the customer taken back (久未联系)."""

    warn_days: int = Field(default=60, ge=1, le=3650)
    escalate_days: int = Field(default=75, ge=1, le=3650)
    take_back_days: int = Field(default=90, ge=1, le=3650)
    counts_from: date
    """Nobody's idle days are counted from before this day: the rule is told before it bites."""

    @model_validator(mode="after")
    def _order(self) -> TakeBack:
        if not self.warn_days < self.escalate_days < self.take_back_days:
            raise ValueError("`warn_days` < `escalate_days` < `take_back_days`")
        return self


class OwnershipPolicySpec(Definition):
    """How many customers one person may have, and how she comes by them and loses them (管户规则)."""

    kind: Literal["ownership_policy"] = "ownership_policy"
    book_limit: int = Field(default=400, ge=1, le=5000)
    """Customers in one book; a branch head may set another for one person."""
    owner_from_cny: Decimal = Field(default=Decimal(50_000), ge=0)
    """From this AUM on a customer is to have an owner; those below are served online and by the remote centre."""
    claims_a_day: int = Field(default=10, ge=0, le=500)
    protected_days: int = Field(default=14, ge=0, le=366)
    take_back: TakeBack | None = None
    """Absent: nobody is taken back."""
    on_conflict: Literal["keep", "bank"] = "keep"
    """When the bank's load names a third owner for a customer who was changed here: whose word stands."""
    notice_days: int = Field(default=10, ge=0, le=90)
    """Within how many days of a hand-over the customer is told."""
    remote_after_days: int = Field(default=3, ge=0, le=90)
    """Working days without owner and stand-in after which a customer's work goes to the remote centre."""
    wecom_moves: int = Field(default=2, ge=1, le=2)
    wecom_days: int = Field(default=90, ge=90, le=366)
    """At most ``wecom_moves`` in ``wecom_days`` days, as WeCom allows."""


class PoolSpec(Definition):
    """Which customers are kept for the long run, and what counts as coming back (客户池)."""

    kind: Literal["pool"] = "pool"
    segment: Name
    families: tuple[str, ...] = ()
    """Product families whose purchase counts; empty: every purchase."""
    repurchase_days: int = Field(default=180, ge=1, le=3650)
    """A purchase so long after an earlier one is a repurchase."""
    stay_days: int = Field(default=30, ge=0, le=3650)
    """How long a member stays after she no longer fits the segment."""
    churn_percent: int = Field(default=50, ge=1, le=100)
    """A fall of AUM by this much since she entered counts as lost."""
