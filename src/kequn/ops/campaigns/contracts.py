"""What pages and other apps may hold of campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from kequn.core.gate import Contactable
from kequn.core.measure import Detectable
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.metric import MetricSpec


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the design found: a block stops the campaign, a caution is shown to maker and checker."""

    code: str
    grade: Literal["block", "caution"]
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Design:
    """What a campaign will be, before it is (活动设计): sizes, who can be contacted, what it costs and what it can show."""

    as_of: date
    segment_size: int
    excluded: int
    members: int
    contactable: Contactable
    by_channel: dict[str, int]
    """Customers by the first of their channels that the gate lets through."""
    n_treated: int
    n_control: int
    detectable: Detectable | None
    """``None``: not measurable, for the reason given in ``findings``."""
    expected_cost_cny: Decimal
    budget_cny: Decimal
    unknown_facts: dict[str, float]
    findings: tuple[Finding, ...]
    quota_cny: Decimal | None = None
    """What may still be sold of the product; ``None`` where there is no limit."""

    @property
    def blocks(self) -> tuple[Finding, ...]:
        """What has to be cured before the campaign can be submitted."""
        return tuple(f for f in self.findings if f.grade == "block")

    @property
    def cautions(self) -> tuple[Finding, ...]:
        """What maker and checker should know."""
        return tuple(f for f in self.findings if f.grade == "caution")


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many got how far; every number counts customers but ``touches``, which counts touches by their final state."""

    members: int
    excluded: int
    passed: int
    treated: int
    control: int
    touches: dict[str, int]
    by_channel: dict[str, dict[str, int]]
    """{channel: {state: touches}}."""
    blocks: dict[str, dict[str, int]]
    """{channel: {reason: customers}} at the freeze."""
    blocked_later: dict[str, int]
    """{reason: touches} by the gate at the moment of sending."""


@dataclass(frozen=True, slots=True, eq=False)
class FrozenAudience:
    """The arms of a campaign as they were drawn; the rows of all arrays go together, blocked customers are not among them.

    Nor is, once waves are launched, anybody of either arm whose turn has not come.
    """

    campaign: str
    spec: CampaignSpec
    as_of: date
    window_from: date
    """The first day that counts: after the freeze, and not before the campaign began or its first wave was launched."""
    window_days: int
    """The days of the campaign's window, longer by the time between its first wave and its last."""
    ordinals: np.ndarray[Any, np.dtype[np.uint32]]
    treated: np.ndarray[Any, np.dtype[np.bool_]]
    strata: np.ndarray[Any, np.dtype[np.int32]]
    channels: np.ndarray[Any, Any]
    """The channel planned for each, also for those held out."""
    metrics: dict[str, MetricSpec]
    """Goal and guardrails as pinned, by name."""
    pins: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Got:
    """What one campaign meant for one customer, and why (谁收到了什么)."""

    campaign: str
    title_zh: str
    title_en: str
    as_of: date
    arm: Literal["treated", "control", "blocked"]
    channel: str
    reasons: tuple[tuple[str, str], ...]
    """(channel, reason code) of every rule that said no at the freeze."""
    touches: tuple[tuple[str, str, str], ...]
    """(channel, state, reason) of the touches made."""
