"""The gate at the moment of sending: the same chain once more, on the facts of that moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from kequn.core.errors import KequnError
from kequn.core.gate import ALLOW, HOLD, Candidates, Content, Proposal, decide, proposal_from
from kequn.core.gate.facts import COLUMN
from kequn.core.spec.campaign import CampaignSpec, ContactPolicySpec
from kequn.core.spec.offer import TemplateSpec
from kequn.ops.audiences.queries import facts_about, ordinals
from kequn.ops.campaigns import states
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import branches_of
from kequn.ops.delivery.contracts import BY_HAND, NOTICE, Allow, Block, Hold, Pending, Verdict
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.queries import branches_for
from kequn.ops.runtime import engine
from kequn.ops.workbench.services import gate_by_hand, gate_notices

LATER = timedelta(minutes=5)
WAITING = {states.FROZEN: "NOT_LAUNCHED", states.STOPPED: "STOPPED"}


def gate_at_sending(touches: Sequence[Pending], now: datetime) -> list[Verdict]:
    """Return one verdict a touch, in order. What cannot be decided is not sent."""
    verdicts: dict[int, Verdict] = {}
    by_campaign: dict[str, list[int]] = {}
    for position, touch in enumerate(touches):
        by_campaign.setdefault(touch.campaign, []).append(position)
    for name, positions in by_campaign.items():
        found = _of_campaign(name, [touches[p] for p in positions], now)
        verdicts.update(zip(positions, found, strict=True))
    return [verdicts[position] for position in range(len(touches))]


def _of_campaign(name: str, touches: list[Pending], now: datetime) -> list[Verdict]:
    if name == BY_HAND:
        return gate_by_hand(touches, now)
    if name == NOTICE:
        return gate_notices(touches, now)
    campaign = Campaign.objects.select_related("audience").filter(name=name).first()
    if campaign is None or campaign.state not in (states.RUNNING, *WAITING):
        return [Block("NO_CAMPAIGN")] * len(touches)
    if campaign.state in WAITING:
        return [Hold(now + LATER, WAITING[campaign.state])] * len(touches)
    try:
        policy = catalog.policy()
        proposal = _proposal(campaign)
    except KequnError:
        return [Block("DEFINITION_MISSING")] * len(touches)
    verdicts = _decided(touches, campaign.spec, proposal, policy, now)
    return _without_paused(campaign, touches, verdicts, now)


def _without_paused(
    campaign: Campaign, touches: list[Pending], verdicts: list[Verdict], now: datetime
) -> list[Verdict]:
    """Hold back what would go to a branch in which the campaign pauses; what is blocked stays so."""
    paths = list(campaign.pauses.values_list("branch_path", flat=True))
    if not paths:
        return verdicts
    codes = {b.code for b in branches_for(system_actor()) if b.path.startswith(tuple(paths))}
    branches = branches_of(touch.customer_id for touch in touches)
    held = [branches.get(touch.customer_id) in codes for touch in touches]
    return [
        Hold(now + LATER, "BRANCH_PAUSED") if here and isinstance(verdict, Allow) else verdict
        for here, verdict in zip(held, verdicts, strict=True)
    ]


def _decided(
    touches: list[Pending], spec: CampaignSpec, proposal: Proposal, policy: ContactPolicySpec, now: datetime
) -> list[Verdict]:
    found = ordinals([touch.customer_id for touch in touches])
    known = np.flatnonzero(found >= 0)
    verdicts: list[Verdict] = [Block("UNKNOWN_CUSTOMER")] * len(touches)
    candidates = Candidates(
        found[known].astype(np.uint32),
        np.array([COLUMN[touches[i].channel] for i in known], dtype=np.int8),
        np.zeros(len(known), dtype=np.int16),
        (proposal,),
    )
    own = [touch.key for touch in touches]
    facts = facts_about(candidates.ordinals, policy=policy, now=now, without=own)
    decisions = decide(candidates, facts, policy, now=now, purpose=spec.purpose)
    for row, position in enumerate(known):
        verdict = decisions.verdict[row]
        if verdict == ALLOW:
            verdicts[position] = Allow()
        elif verdict == HOLD:
            until = decisions.held_until(row) or now + LATER
            verdicts[position] = Hold(until, ",".join(decisions.codes(row)))
        else:
            verdicts[position] = Block(",".join(decisions.codes(row)))
    return verdicts


def _proposal(campaign: Campaign) -> Proposal:
    """What was frozen: the pinned versions, each of which has to be in use still, not retired since."""
    spec, pins = campaign.spec, campaign.audience.pins["definitions"]
    offer = catalog.pinned("offer", spec.offer, pins["offer"][spec.offer])
    content: dict[str, Content] = {}
    for play in spec.plays:
        kind, name = ("talk_track", play.talk_track) if play.talk_track else ("template", str(play.template))
        fingerprint = pins[kind][name]
        text = catalog.pinned(kind, name, fingerprint)
        opt_out = isinstance(text, TemplateSpec) and bool(text.opt_out.strip())
        approved = catalog.is_approved_version(kind, name, fingerprint)
        content.setdefault(play.channel, Content(approved=approved, has_opt_out=opt_out))
    return proposal_from(engine(), offer, content)
