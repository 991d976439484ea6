"""What a task takes from the campaign it comes from; the campaigns' app above says what that is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from kequn.core.spec.campaign import Purpose
from kequn.core.spec.desk import DeskPolicySpec
from kequn.ops.workbench.contracts import CampaignBrief

Briefing = Callable[[Collection[str]], Mapping[str, CampaignBrief]]
_briefings: dict[str, Briefing] = {}


def tell_campaigns(briefing: Briefing) -> None:
    """Name who knows campaigns' titles, priorities and purposes."""
    _briefings["campaigns"] = briefing


def briefs_of(campaigns: Collection[str]) -> Mapping[str, CampaignBrief]:
    """Return what tasks take from campaigns, by name; one that nobody knows is not there."""
    named = {c for c in campaigns if c}
    return _briefings["campaigns"](named) if named and "campaigns" in _briefings else {}


def purpose_of(policy: DeskPolicySpec, kind: str, brief: CampaignBrief | None) -> Purpose:
    """Return what a contact on a task is for: what its campaign is for, else what the policy says of its kind."""
    return brief.purpose if brief else policy.of(kind).purpose
