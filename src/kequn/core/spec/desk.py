"""What gives a relationship manager a reason to call today, how urgent it is, and how long her list may be: rules a bank can edit."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Definition, Name, Spec
from kequn.core.spec.campaign import Purpose


class Occasion(Spec):
    """What all kinds of occasions have: their place in the order, how long they stand, what is offered."""

    is_on: bool = True
    priority: int = Field(default=60, ge=0, le=100)
    """Compliance 100, service 90, matured money, large flows and churn 80, tier 70, a segment's strategy 60, products 40, image 20."""
    purpose: Purpose = "marketing"
    """What the gate is asked for."""
    stands_days: int = Field(default=7, ge=1, le=366)
    """After so many days nobody calls for it any more."""
    offer: Name | None = None
    talk_track: Name | None = None


class Maturity(Occasion):
    """Money that comes free, or came free and went nowhere yet (到期)."""

    priority: int = Field(default=80, ge=0, le=100)
    purpose: Purpose = "maturity_notice"
    families: tuple[str, ...] = ("time", "cd", "wmp", "bond", "trust", "insurance")
    within_days: int = Field(default=7, ge=1, le=92)
    """How far ahead, or back."""
    from_cny: Decimal = Field(default=Decimal(10_000), ge=0)
    kept_percent: int = Field(default=80, ge=1, le=100)
    """Put into products again up to this part, matured money counts as kept."""


class LargeFlow(Occasion):
    """A day's payments that are large, and large against the customer's own habit (大额资金)."""

    priority: int = Field(default=80, ge=0, le=100)
    within_days: int = Field(default=3, ge=1, le=31)
    from_cny: Decimal = Field(default=Decimal(200_000), gt=0)
    times_habit: Decimal = Field(default=Decimal(3), ge=1)
    """So many times her average day with payments in the same direction before."""
    habit_days: int = Field(default=180, ge=30, le=366)


class RiskExpiry(Occasion):
    """The risk test of somebody who holds investments, or may want to, ends (风评到期)."""

    priority: int = Field(default=90, ge=0, le=100)
    purpose: Purpose = "service"
    ahead_days: int = Field(default=15, ge=0, le=92)
    back_days: int = Field(default=30, ge=0, le=366)
    stands_days: int = Field(default=45, ge=1, le=366)
    families: tuple[str, ...] = ("wmp", "fund", "trust", "insurance", "bond")
    """Who has something in these is told."""
    from_cny: Decimal = Field(default=Decimal(10_000), ge=0)


class Birthday(Occasion):
    """The day and month of birth; never the age (生日)."""

    priority: int = Field(default=70, ge=0, le=100)
    ahead_days: int = Field(default=1, ge=0, le=14)
    stands_days: int = Field(default=2, ge=1, le=31)
    from_cny: Decimal = Field(default=Decimal(200_000), ge=0)
    """Of whoever has so much with the bank."""


class Churn(Occasion):
    """A tag says that the customer is about to leave (流失预警)."""

    priority: int = Field(default=80, ge=0, le=100)
    tag: Name = "life_stage"
    values: tuple[str, ...] = ("decline",)
    from_value: float | None = None
    """Of a tag that is a number, instead of ``values``."""
    from_cny: Decimal = Field(default=Decimal(50_000), ge=0)
    stands_days: int = Field(default=14, ge=1, le=92)
    again_days: int = Field(default=90, ge=30, le=366)
    """The same customer is not named again within so many days (counted in fixed spans of the calendar)."""

    @model_validator(mode="after")
    def _one(self) -> Churn:
        if bool(self.values) == (self.from_value is not None):
            raise ValueError("a churn warning needs `values`, or `from_value` for a number")
        return self


class DeskPolicySpec(Definition):
    """A relationship manager's day: occasions, their order, and how many a day (工作台规则)."""

    kind: Literal["desk_policy"] = "desk_policy"
    list_length: int = Field(default=20, ge=1, le=200)
    """Tasks on the page Today."""
    live_percent: int = Field(default=30, ge=0, le=90)
    """Part of everybody's capacity that is kept for what happens during the day."""
    wait_days: int = Field(default=3, ge=0, le=30)
    """Working days a task waits for a place; then it goes over."""
    overflow: Literal["remote", "unassigned"] = "remote"
    """To whom: the remote centre's queue, or nobody until the branch head acts."""
    unowned_from_cny: Decimal = Field(default=Decimal(50_000), ge=0)
    """An occasion of a customer without an owner is kept for the remote centre from this value on."""
    credit_days: int = Field(default=30, ge=1, le=366)
    """A contact so long ago still counts as what brought a purchase about."""
    bought_from_cny: Decimal = Field(default=Decimal(1_000), gt=0)
    """Less is no purchase."""
    matured: Maturity = Maturity(within_days=5)
    maturing: Maturity = Maturity()
    large_in: LargeFlow = LargeFlow()
    large_out: LargeFlow = LargeFlow()
    risk_expiry: RiskExpiry = RiskExpiry()
    retest: Occasion = Occasion(priority=90, purpose="service", stands_days=14)
    """Stands in for an offer that waits for a valid risk test."""
    birthday: Birthday = Birthday()
    churn: Churn = Churn()
    appointment: Occasion = Occasion(priority=90, purpose="service", stands_days=14)
    promise: Occasion = Occasion(priority=90, purpose="service", stands_days=14)
    campaign: Occasion = Occasion(priority=60)
    """Lists sent down carry their campaign's own priority."""

    def of(self, kind: str) -> Occasion:
        """Return what is ruled for a kind of occasion; a contact of one's own is a campaign's equal."""
        found: Occasion = getattr(self, kind if kind != "contact" else "campaign")
        return found
