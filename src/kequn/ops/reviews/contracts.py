"""What pages, REST and files may hold of a review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from kequn.core.measure import Conclusion, Lift, Worth


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric: the effect with its interval, or why there is none, and what may be said about it."""

    metric: str
    title_zh: str
    title_en: str
    role: Literal["goal", "guardrail"]
    arm: str
    """The arm compared with the control group; ``treated`` for a campaign."""
    unit: Literal["points", "cny", "number"]
    lift: Lift | None
    conclusion: Conclusion
    worth: Worth | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a campaign cost so far."""

    touches: int
    """Handed over, each at the unit cost of its channel."""
    touches_cny: Decimal
    conversions: int
    """Customers who are given the benefit: conversions of the treated, or deals that RMs recorded."""
    benefits_cny: Decimal

    @property
    def total_cny(self) -> Decimal:
        """All together."""
        return self.touches_cny + self.benefits_cny


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the audience. Descriptive: differences between parts are not effects of what tells them apart."""

    name: str
    n_treated: int
    n_control: int
    n_contacted: int
    treated: float | None
    """The goal's mean of those assigned to contact, in its stored unit."""
    control: float | None


@dataclass(frozen=True, slots=True)
class CampaignReview:
    """The review of one campaign (后评估报告)."""

    campaign: str
    title_zh: str
    title_en: str
    as_of: date
    frozen_on: date
    window_from: date
    window_until: date
    n_treated: int
    n_control: int
    n_contacted: int
    goal: MetricResult
    guardrails: tuple[MetricResult, ...]
    cost: Cost
    by_channel: tuple[Part, ...]
    by_branch: tuple[Part, ...]
    split_p_value: float | None
    split_is_broken: bool
    method_zh: str
    method_en: str

    @property
    def sentence_zh(self) -> str:
        """What may be said, in Chinese."""
        return self.goal.conclusion.text.zh

    @property
    def sentence_en(self) -> str:
        """What may be said, in English."""
        return self.goal.conclusion.text.to("en")


@dataclass(frozen=True, slots=True)
class ExperimentReview:
    """The review of an experiment whose arms another system drew."""

    experiment: str
    as_of: date
    control: str
    window_from: date
    window_until: date
    arms: dict[str, int]
    """Arm -> customers."""
    results: tuple[MetricResult, ...]
    """One a metric and arm."""
    split_p_value: float | None
    split_is_broken: bool
