"""Campaigns, how far their customers got, and who got what, within an actor's sight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Q, QuerySet
from pydantic import TypeAdapter

from kequn.core.errors import Conflict, NotAllowed
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.metric import MetricSpec
from kequn.ops.audiences.queries import bank_today, latest_date, ordinals, reaches
from kequn.ops.campaigns import states
from kequn.ops.campaigns.contracts import Design, FrozenAudience, Funnel, Got
from kequn.ops.campaigns.definitions import find_definitions
from kequn.ops.campaigns.freezing import audience_table, row_of
from kequn.ops.campaigns.launching import in_turn
from kequn.ops.campaigns.models import Audience, BranchPause, Campaign, Wave
from kequn.ops.campaigns.planning import design_of, make_plan
from kequn.ops.catalog import queries as catalog
from kequn.ops.delivery.queries import contacts_since, outcomes_by_state, suppressed_by_reason, touches_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.contracts import CampaignBrief

_designs = TypeAdapter(Design)


def campaigns_for(actor: Actor, *, state: str | None = None) -> QuerySet[Campaign]:
    """Return the campaigns an actor sees: those of her branches and of the branches above her."""
    actor.must("campaign.view")
    rows = Campaign.objects.select_related("audience")
    if not actor.sees_all_branches:
        parts = actor.branch_path.strip("/").split("/")
        above = ["/", *("/" + "/".join(parts[:n]) + "/" for n in range(1, len(parts) + 1))]
        rows = rows.filter(Q(branch_path__in=above) | Q(branch_path__startswith=actor.branch_path))
    return rows.filter(state=state) if state else rows


def campaign_for(actor: Actor, campaign_id: int) -> Campaign:
    """Return one campaign.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = campaigns_for(actor).filter(pk=campaign_id).first()
    if row is None:
        raise NotAllowed("There is no such campaign in your scope.", campaign=campaign_id)
    return row


def own_campaign_for(actor: Actor, campaign_id: int) -> Campaign:
    """Return a campaign that the actor may change: one of her branches, not one that she only sees from below.

    Raises:
        NotAllowed: not in her sight, or of a branch above hers.
    """
    row = campaign_for(actor, campaign_id)
    if not actor.sees_all_branches and not row.branch_path.startswith(actor.branch_path):
        raise NotAllowed(
            "The campaign belongs to a branch above yours.", hint="Ask its owner.", campaign=row.name, right="campaign.edit"
        )  # fmt: skip
    return row


def reach_of(actor: Actor, campaign: Campaign) -> Actor:
    """Return the actor as she plans a campaign: within its branches, whoever of those above them she is."""
    role = "marketer" if actor.role == "system" else actor.role
    return replace(actor, branch_path=campaign.branch_path, role=role)


def campaign_named(actor: Actor, name: str) -> Campaign:
    """Return the campaign of a name.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    row = campaigns_for(actor).filter(name=name).first()
    if row is None:
        raise NotAllowed(f"There is no campaign {name!r} in your scope.", campaign=name)
    return row


def design_campaign(actor: Actor, what: CampaignSpec | int, *, as_of: date | None = None) -> Design:
    """Return the design of a campaign, saved or being written, on the latest data: a dry run of all but the draw.

    Raises:
        Conflict: it refers to so much that is not there that nothing can be computed; with what is missing.
    """
    actor.must("campaign.view")
    if isinstance(what, CampaignSpec):
        spec, planner = what, actor
    else:
        campaign = campaign_for(actor, what)
        spec, planner = campaign.spec, reach_of(actor, campaign)
    found = find_definitions(spec)
    if not found.can_be_planned:
        missing = [f for f in found.blocks if f.code.startswith(("unknown_", "no_policy", "invalid_"))]
        raise Conflict(
            "; ".join(f.en for f in missing) + ".", hint="Save what is missing first.", codes=[f.code for f in missing]
        )
    moment = now()
    plan = make_plan(planner, spec, found, as_of=as_of or latest_date(), now=moment, as_if_approved=True)
    return design_of(spec, found, plan, today=bank_today())


def submitted_design(campaign: Campaign) -> Design | None:
    """Return the design that the checker decided on."""
    return _designs.validate_python(campaign.design) if campaign.design else None


def funnel_for(actor: Actor, campaign_id: int) -> Funnel | None:
    """Return how many got how far; ``None`` before the freeze."""
    campaign = campaign_for(actor, campaign_id)
    audience = audience_of(campaign)
    if audience is None:
        return None
    later: Counter[str] = Counter()
    for reason, n in suppressed_by_reason(actor, campaign.name).items():
        state, _, codes = reason.partition(": ")
        if state == "suppressed":
            for code in codes.split(","):
                later[code] += n
    return Funnel(
        members=audience.members,
        excluded=audience.excluded,
        passed=audience.passed,
        treated=audience.treated,
        control=audience.control,
        touches=outcomes_by_state(actor, campaign.name),
        by_channel=_by_channel(actor, campaign.name),
        blocks=audience.blocks,
        blocked_later=dict(later.most_common()),
    )


def got_by(actor: Actor, customer_id: str) -> list[Got]:
    """Return what each frozen campaign meant for one customer, and why, the latest first."""
    actor.must("campaign.view")
    ordinal = int(ordinals([customer_id])[0])
    if ordinal < 0 or not reaches(actor, ordinal):
        raise NotAllowed("There is no such customer in your scope.", customer=customer_id)
    touches: dict[str, list[tuple[str, str, str]]] = {}
    for touch in touches_for(actor, customer_id=customer_id):
        touches.setdefault(touch.sending.campaign, []).append((touch.channel, touch.state, touch.reason))
    found = []
    for campaign in campaigns_for(actor).filter(state__in=states.AFTER_FREEZE).order_by("-audience__frozen_at"):
        row = row_of(campaign.audience.key, ordinal)
        if row is not None:
            reasons = tuple(tuple(reason.split(":", 1)) for reason in row["reasons"])
            title = campaign.spec.title
            seen = tuple(touches.get(campaign.name, ()))
            got = (campaign.audience.as_of, row["arm"], row["channel"] or "", reasons, seen)
            found.append(Got(campaign.name, title.zh, title.to("en"), *got))
    return found


def audience_of(campaign: Campaign) -> Audience | None:
    """Return the frozen audience of a campaign."""
    return Audience.objects.select_related("campaign").filter(campaign=campaign).first()


def frozen_audience(actor: Actor, campaign_id: int) -> FrozenAudience:
    """Return the arms of a frozen audience with all that was pinned, for the review.

    Raises:
        Conflict: it is not frozen.
    """
    campaign = campaign_for(actor, campaign_id)
    audience = audience_of(campaign)
    if audience is None:
        raise Conflict("The audience is not frozen yet.", hint="Freeze it first.", campaign=campaign.name)
    table = audience_table(audience.key)
    arm = np.array(table["arm"].to_pylist())
    inside = arm != "blocked"
    begun = [audience.as_of + timedelta(days=1), campaign.spec.start_on]
    window_days, waves = campaign.spec.window_days, list(audience.waves.all())
    if waves:
        inside &= in_turn(audience.key, table["ordinal"].to_numpy(), waves[-1].to_share)
        first, last = (_bank_date(wave.launched_at) for wave in (waves[0], waves[-1]))
        begun.append(first)
        window_days += (last - first).days
    metrics = audience.pins["definitions"].get("metric", {})
    return FrozenAudience(
        campaign=campaign.name,
        spec=campaign.spec,
        as_of=audience.as_of,
        window_from=max(begun),
        window_days=window_days,
        ordinals=table["ordinal"].to_numpy()[inside],
        treated=arm[inside] == "treated",
        strata=table["stratum"].to_numpy()[inside],
        channels=np.array([c or "" for c in table["channel"].to_pylist()])[inside],
        metrics={name: _metric(name, metrics.get(name)) for name in (campaign.spec.goal, *campaign.spec.guardrails)},
        pins=audience.pins,
    )


def _bank_date(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(engine().manifest.zone)).date()


def _metric(name: str, fingerprint: str | None) -> MetricSpec:
    spec = catalog.pinned("metric", name, fingerprint) if fingerprint else catalog.spec_of("metric", name)
    assert isinstance(spec, MetricSpec)
    return spec


def _by_channel(actor: Actor, campaign: str) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for channel, state in touches_for(actor, campaign=campaign).values_list("channel", "state"):
        counted.setdefault(channel, Counter())[state] += 1
    return {channel: dict(found) for channel, found in sorted(counted.items())}


def waves_of(campaign: Campaign) -> list[Wave]:
    """Return the waves of a campaign that was found for an actor, the first one first."""
    return list(Wave.objects.filter(audience__campaign=campaign))


def pauses_of(campaign: Campaign) -> list[BranchPause]:
    """Return the branches in which a campaign that was found for an actor pauses."""
    return list(campaign.pauses.all())


def recent_contacts(
    customer_ids: Collection[str] | None, since: date, without: Collection[str]
) -> Iterable[tuple[str, str, date]]:
    """Return the marketing contacts that kequn itself made, for the gate."""
    made = contacts_since(customer_ids, since, without=without)
    return [(c.customer_id, c.channel, c.on) for c in made if c.purpose == "marketing"]


def briefs_of(names: Collection[str]) -> dict[str, CampaignBrief]:
    """Return what RMs' tasks take from their campaigns, by name."""
    specs = [c.spec for c in Campaign.objects.filter(name__in=names)]
    return {s.name: CampaignBrief(s.title.zh, s.title.to("en"), s.priority, s.purpose) for s in specs}


def over_on(day: date) -> QuerySet[Campaign]:
    """Return campaigns that still run though their last day is over on a business day (for the worker)."""
    over = [c.pk for c in Campaign.objects.filter(state=states.RUNNING) if c.spec.end_on < day]
    return Campaign.objects.filter(pk__in=over)
