"""Campaigns from design to launch: who decides, who is in, who is left alone."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, NotApproved
from kequn.core.spec.campaign import CampaignSpec
from kequn.ops import runtime
from kequn.ops.campaigns import queries, services
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Audience, Campaign
from kequn.ops.delivery.models import Touch
from kequn.ops.governance.models import Approval, AuditEntry
from kequn.ops.governance.services import decide, record_consent
from kequn.ops.jobs import services as jobs
from tests.ops.bank import CAMPAIGN, Cast, approved_campaign, customer_id

pytestmark = pytest.mark.django_db


def frozen(cast: Cast, spec: CampaignSpec = CAMPAIGN) -> Campaign:
    campaign = approved_campaign(cast, spec)
    services.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaign.refresh_from_db()
    return campaign


def but(**changes: object) -> CampaignSpec:
    return CampaignSpec.model_validate(CAMPAIGN.model_dump() | changes)


def arms(campaign: Campaign) -> Counter[str]:
    return Counter(audience_table(campaign.audience.key)["arm"].to_pylist())


def test_the_design_says_who_can_be_contacted_what_it_shows_and_what_it_costs(definitions: None, cast: Cast) -> None:
    design = queries.design_campaign(cast["zhaomin"], CAMPAIGN)
    assert design.segment_size == 590
    assert design.by_channel == {"sms": 432, "rm_task": 108}
    assert design.n_treated + design.n_control == 540
    assert design.n_control == 108
    assert design.detectable is not None
    assert design.detectable.mde is not None
    assert 0 < design.detectable.mde < 0.2
    assert 0 < design.expected_cost_cny < CAMPAIGN.budget_cny
    assert design.blocks == ()
    sms = next(c for c in design.contactable.channels if c.channel == "sms")
    assert {r.code for r in sms.reasons} >= {"NO_CONSENT", "UNSUITABLE"}


def test_the_design_blocks_what_is_not_approved_or_over_budget(
    bank: runtime.Runtime, definitions: None, cast: Cast
) -> None:
    dear = but(budget_cny=1)
    assert "over_budget" in {f.code for f in queries.design_campaign(cast["zhaomin"], dear).blocks}
    campaign = services.save_campaign(cast["zhaomin"], dear)
    with pytest.raises(InvalidSpec, match="budget"):
        services.submit_campaign(cast["zhaomin"], campaign.pk)


def test_a_design_without_its_definitions_says_what_is_missing(bank: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(Conflict, match="segment 'rich'"):
        queries.design_campaign(cast["zhaomin"], CAMPAIGN)


def test_nobody_approves_her_own_campaign(definitions: None, cast: Cast) -> None:
    campaign = services.save_campaign(cast["zhaomin"], CAMPAIGN)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    waiting = Approval.objects.get(kind="campaign", state="waiting")
    with pytest.raises(NotAllowed):
        decide(cast["zhaomin"], waiting.pk, approve=True)
    campaign.refresh_from_db()
    assert campaign.state == "submitted"


def test_an_edit_after_the_approval_voids_it(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    changed = services.save_campaign(cast["zhaomin"], but(budget_cny=60_000))
    assert (changed.pk, changed.state, changed.approved_fingerprint) == (campaign.pk, "draft", "")
    assert Approval.objects.get(kind="campaign").state == "withdrawn"
    with pytest.raises(NotApproved):
        services.freeze_campaign(cast["zhaomin"], campaign.pk)


def test_a_new_title_is_not_a_new_campaign(definitions: None, cast: Cast) -> None:
    approved_campaign(cast)
    renamed = services.save_campaign(cast["zhaomin"], but(title="新标题"))
    assert renamed.state == "approved"


def test_a_checker_cannot_approve_what_was_changed_meanwhile(definitions: None, cast: Cast) -> None:
    campaign = services.save_campaign(cast["zhaomin"], CAMPAIGN)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    waiting = Approval.objects.get(kind="campaign", state="waiting")
    services.save_campaign(cast["zhaomin"], but(window_days=60))
    with pytest.raises(Conflict):
        decide(cast["zhoulv"], waiting.pk, approve=True)


def test_freezing_twice_gives_one_audience(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    first = services.freeze_campaign(cast["zhaomin"], campaign.pk)
    assert services.freeze_campaign(cast["zhaomin"], campaign.pk) == first
    assert Audience.objects.count() == 1
    assert AuditEntry.objects.filter(act="audience.frozen").count() == 1
    assert len(runtime.runtime().store.manifest().audiences) == 1


def test_the_freeze_draws_the_control_group_within_strata_among_those_who_pass(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    table = audience_table(campaign.audience.key, columns=("ordinal", "arm", "stratum", "channel", "reasons"))
    assert arms(campaign) == {"treated": 432, "control": 108, "blocked": 50}
    rows = table.to_pylist()
    assert {r["ordinal"] for r in rows if r["arm"] == "blocked"} == {i for i in range(100, 600) if i % 100 < 10}
    for stratum in (0, 1):
        inside = [r["arm"] for r in rows if r["stratum"] == stratum and r["arm"] != "blocked"]
        assert abs(inside.count("control") - 0.2 * len(inside)) <= 1
    blocked = next(r for r in rows if r["arm"] == "blocked" and r["ordinal"] % 5 == 0)
    assert set(blocked["reasons"]) >= {"sms:NO_CONSENT", "sms:UNSUITABLE", "rm_task:UNSUITABLE"}


def test_the_frozen_audience_pins_what_it_was_made_from(definitions: None, cast: Cast) -> None:
    pins = frozen(cast).audience.pins
    assert set(pins["definitions"]) == {
        "segment", "tag", "offer", "template", "talk_track", "metric", "contact_policy",
    }  # fmt: skip
    assert set(pins["tags"]) == {"asset_aum_eod"}
    assert pins["store"] >= 1
    assert pins["gate"]


def test_excluded_segments_are_left_out(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast, but(exclude=("women",)))
    assert campaign.audience.excluded == 196
    ordinals = audience_table(campaign.audience.key)["ordinal"].to_numpy()
    assert not (ordinals % 3 == 0).any()


def test_service_messages_and_reach_all_hold_nobody_out(definitions: None, cast: Cast) -> None:
    everybody = but(name="all", evaluation="reach_all", holdout=None)
    campaign = services.save_campaign(cast["zhaomin"], everybody)
    with pytest.raises(InvalidSpec, match="compare"):
        services.submit_campaign(cast["zhaomin"], campaign.pk)
    reached = approved_campaign(cast, everybody, reason="监管要求全量告知")
    assert services.freeze_campaign(cast["zhaomin"], reached.pk).control == 0
    notice = but(name="notice", purpose="maturity_notice")
    assert services.freeze_campaign(cast["zhaomin"], approved_campaign(cast, notice).pk).control == 0


def test_the_freeze_is_a_job_that_can_be_asked_for_twice(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    jobs.run_waiting()  # the members of the segments approved so far are kept
    first = services.request_freeze(cast["zhaomin"], campaign.pk)
    assert services.request_freeze(cast["zhaomin"], campaign.pk).pk == first.pk
    assert jobs.run_waiting() == 1
    first.refresh_from_db()
    assert first.state == "done", first.error
    assert first.result["treated"] == 432


def test_the_launch_touches_the_treated_once_and_the_control_group_never(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    assert services.launch_campaign(cast["zhaomin"], campaign.pk) == 432
    assert services.launch_campaign(cast["zhaomin"], campaign.pk) == 0
    table = audience_table(campaign.audience.key).to_pylist()
    treated = {customer_id(r["ordinal"]) for r in table if r["arm"] == "treated"}
    assert set(Touch.objects.values_list("customer_id", flat=True)) == treated
    funnel = queries.funnel_for(cast["zhaomin"], campaign.pk)
    assert funnel is not None
    assert funnel.touches == {"ready": 432}
    assert sum(sum(states.values()) for states in funnel.by_channel.values()) == 432


def test_a_small_wave_goes_first_and_the_rest_follows_once(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    first = services.launch_campaign(cast["zhaomin"], campaign.pk, share=Decimal("0.1"))
    assert 15 < first < 80
    assert services.launch_campaign(cast["zhaomin"], campaign.pk, share=Decimal("0.1")) == 0
    assert queries.campaign_named(cast["zhaomin"], campaign.name).state == "running"
    seen = queries.frozen_audience(cast["zhaomin"], campaign.pk)
    assert int(seen.treated.sum()) == first
    assert 0 < int((~seen.treated).sum()) < campaign.audience.control
    with pytest.raises(Conflict, match=r"10\.00% of the audience is launched already"):
        services.launch_campaign(cast["zhaomin"], campaign.pk, share=Decimal("0.05"))
    assert services.launch_campaign(cast["zhaomin"], campaign.pk) == 432 - first
    assert Touch.objects.values("customer_id").distinct().count() == 432
    assert [w.to_share for w in queries.waves_of(campaign)] == [Decimal("0.1"), Decimal(1)]
    whole = queries.frozen_audience(cast["zhaomin"], campaign.pk)
    assert (int(whole.treated.sum()), int((~whole.treated).sum())) == (432, campaign.audience.control)


def test_a_launch_that_was_cut_off_is_finished_before_another_wave(
    definitions: None, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = frozen(cast)

    def cut(*_: object) -> int:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(services, "create_touches", cut)
        with pytest.raises(RuntimeError):
            services.launch_campaign(cast["zhaomin"], campaign.pk, share=Decimal("0.1"))
    assert [w.done_at for w in queries.waves_of(campaign)] == [None]
    first = services.launch_campaign(cast["zhaomin"], campaign.pk)
    assert 15 < first < 80  # the wave that was begun, not the whole that was asked for now
    assert services.launch_campaign(cast["zhaomin"], campaign.pk) == 432 - first


@pytest.mark.parametrize("share", ["0", "-0.1", "1.01"])
def test_a_share_outside_the_audience_is_refused(definitions: None, cast: Cast, share: str) -> None:
    campaign = frozen(cast)
    with pytest.raises(InvalidSpec, match="share"):
        services.launch_campaign(cast["zhaomin"], campaign.pk, share=Decimal(share))
    assert not queries.waves_of(campaign)


def test_the_next_campaign_is_drafted_from_the_last(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    draft = services.copy_campaign(cast["zhaomin"], campaign.pk)
    assert services.copy_campaign(cast["zhaomin"], campaign.pk).pk == draft.pk
    assert (draft.state, draft.spec.segment, draft.spec.offer) == ("draft", campaign.spec.segment, campaign.spec.offer)
    assert draft.spec.holdout is not None
    assert campaign.spec.holdout is not None
    assert draft.spec.holdout.salt != campaign.spec.holdout.salt
    assert draft.spec.end_on - draft.spec.start_on == campaign.spec.end_on - campaign.spec.start_on


def test_a_message_merges_the_family_name_and_says_how_to_refuse(definitions: None, cast: Cast) -> None:
    from kequn.ops.delivery.queries import text_of
    from kequn.ops.orgs.actor import system_actor

    campaign = frozen(cast)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    touch = Touch.objects.filter(channel="sms").first()
    assert touch is not None
    assert text_of(cast["zhaomin"], touch.pk) is None  # she sees no persons, and the text names one
    found = text_of(system_actor(), touch.pk)
    assert found is not None
    assert found[1] == "【客群银行】张先生/女士,FD201投资有风险。拒收请回复R"


def test_nothing_is_launched_before_the_freeze(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    with pytest.raises(Conflict, match="Freeze"):
        services.launch_campaign(cast["zhaomin"], campaign.pk)
    assert Touch.objects.count() == 0


def test_a_stop_needs_a_reason_and_a_checker_lifts_it(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    with pytest.raises(Conflict, match="why"):
        services.stop_campaign(cast["liqiang"], campaign.pk, reason=" ")
    assert services.stop_campaign(cast["liqiang"], campaign.pk, reason="客户投诉").state == "stopped"
    with pytest.raises(NotAllowed):
        services.resume_campaign(cast["zhaomin"], campaign.pk)
    assert services.resume_campaign(cast["zhoulv"], campaign.pk).state == "running"
    assert services.finish_campaign(cast["zhaomin"], campaign.pk).state == "finished"
    funnel = queries.funnel_for(cast["zhaomin"], campaign.pk)
    assert funnel is not None
    assert funnel.touches == {"cancelled": 432}


def test_who_got_what_is_told_with_its_reasons(definitions: None, cast: Cast) -> None:
    campaign = frozen(cast)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    blocked = queries.got_by(cast["zhaomin"], customer_id(100))
    assert [g.arm for g in blocked] == ["blocked"]
    assert ("rm_task", "UNSUITABLE") in blocked[0].reasons
    reached = next(
        g for i in range(11, 40) for g in queries.got_by(cast["zhaomin"], customer_id(i)) if g.arm == "treated"
    )
    assert reached.touches[0][1] == "ready"
    assert queries.got_by(cast["zhaomin"], customer_id(0)) == []


def test_a_role_without_the_right_makes_no_campaign(definitions: None, cast: Cast) -> None:
    for name in ("wangfang", "liqiang", "zhoulv", "sunli", "admin"):
        with pytest.raises(NotAllowed):
            services.save_campaign(cast[name], CAMPAIGN)


def test_a_consent_withdrawn_before_the_freeze_counts(definitions: None, cast: Cast) -> None:
    who = customer_id(11)
    record_consent(cast["wangfang"], who, channel="sms", granted=False, source="rm")
    campaign = frozen(cast)
    row = next(r for r in audience_table(campaign.audience.key, columns=("ordinal", "channel", "reasons")).to_pylist()
               if r["ordinal"] == 11)  # fmt: skip
    assert row["channel"] == "rm_task"
    assert "sms:OPTED_OUT" in row["reasons"]


def test_campaigns_that_are_over_are_finished_by_the_worker(definitions: None, cast: Cast) -> None:
    from kequn.ops.orgs.actor import system_actor

    campaign = frozen(cast)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    assert services.finish_due_campaigns(system_actor()) == 0
    runtime.runtime().clock = lambda: _later(date(2026, 8, 2))
    assert services.finish_due_campaigns(system_actor()) == 1


def _later(day: date):  # type: ignore[no-untyped-def]
    from tests.ops.conftest import NOW

    return NOW + timedelta(days=(day - NOW.date()).days)


def test_strata_keep_unknown_values_apart() -> None:
    import pyarrow as pa

    from kequn.core.tags import catalogue
    from kequn.ops.campaigns.freezing import _coded

    ages = _coded(pa.array([17, None, 30, 64, 66], pa.int32()), catalogue()["demo_age"])
    assert ages[1] == 0
    assert len(np.unique(ages)) == 5
