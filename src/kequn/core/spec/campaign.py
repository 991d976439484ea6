"""Playbooks, campaigns and the contact policy: whom to contact with what, under which limits."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Definition, Name, Spec, Text
from kequn.core.spec.offer import Channel

Purpose = Literal["marketing", "service", "maturity_notice"]


class Holdout(Spec):
    """The control group (空白对照组): drawn by a stable salted hash within strata, among those who pass the gate at freeze."""

    rate: float = Field(default=0.1, ge=0, lt=1)
    salt: str = Field(min_length=1)
    strata: tuple[Name, ...] = ()
    """Tags whose values form the strata (numbers by their bins)."""


class Play(Spec):
    """One channel of a campaign, in the order of preference: the first that the gate lets through is used."""

    channel: Channel
    template: Name | None = None
    talk_track: Name | None = None
    unit_cost_cny: Decimal = Field(default=Decimal(0), ge=0)

    @model_validator(mode="after")
    def _content(self) -> Play:
        if self.channel == "rm_task":
            if self.talk_track is None:
                raise ValueError("an RM task needs a `talk_track`")
        elif self.template is None:
            raise ValueError(f"channel {self.channel} needs a `template`")
        return self


class CampaignSpec(Definition):
    """One purpose, audience, offer, dates, budget and control group (营销活动)."""

    kind: Literal["campaign"] = "campaign"
    playbook: Name | None = None
    segment: Name
    exclude: tuple[Name, ...] = ()
    """Segments whose members are left out."""
    offer: Name
    plays: tuple[Play, ...] = Field(min_length=1)
    purpose: Purpose = "marketing"
    evaluation: Literal["holdout", "reach_all"] = "holdout"
    """`reach_all` contacts everybody; its effect is then reported as not measurable. It needs approval like any campaign."""
    holdout: Holdout | None = None
    goal: Name
    guardrails: tuple[Name, ...] = ()
    window_days: int = Field(default=30, ge=1, le=366)
    budget_cny: Decimal = Field(gt=0)
    start_on: date
    end_on: date
    priority: int = Field(default=60, ge=0, le=100)

    @model_validator(mode="after")
    def _holdout(self) -> CampaignSpec:
        if self.end_on < self.start_on:
            raise ValueError("`end_on` is before `start_on`")
        if self.evaluation == "holdout" and self.purpose == "marketing" and self.holdout is None:
            raise ValueError("a marketing campaign needs a `holdout`, or `evaluation: reach_all`")
        return self


class Objective(Spec):
    """Why: the figure to move, from where to where, until when."""

    metric: Name
    baseline: Decimal | None = None
    target: Decimal | None = None
    due: date | None = None
    hypothesis: Text


class PlaybookSpec(Definition):
    """A reusable strategy for one segment, as seven questions (客群策略卡, 5W2H)."""

    kind: Literal["playbook"] = "playbook"
    why: Objective
    where: Name
    """The segment the strategy is for."""
    who: Text
    """Which posts do it, and how they hand over."""
    what: Text
    """Who these customers are and what they need."""
    how: tuple[Play, ...] = Field(min_length=1)
    offer: Name
    how_much_cny: Decimal = Field(gt=0)
    control_rate: float = Field(default=0.1, ge=0, lt=1)
    when: Text
    window_days: int = Field(default=30, ge=1, le=366)
    stop_loss_complaints_per_10k: Decimal = Decimal(3)


class Cap(Spec):
    """At most ``times`` contacts in ``days`` days, on one channel or (without ``channel``) on all together."""

    channel: Channel | None = None
    days: int = Field(ge=1, le=366)
    times: int = Field(ge=1)


class ContactPolicySpec(Definition):
    """Caps, quiet hours and cooling-off (触达策略)."""

    kind: Literal["contact_policy"] = "contact_policy"
    caps: tuple[Cap, ...]
    quiet_from: time = time(21)
    quiet_until: time = time(8)
    complaint_days: int = Field(default=90, ge=0)
    adult_age: int = Field(default=18, ge=14, le=21)
    senior_age: int = Field(default=65, ge=50, le=100)
    """From this age on investments of R3 and above are not promoted."""
    zone: str = "Asia/Shanghai"
