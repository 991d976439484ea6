"""Who may do what to whose campaign, and that what runs is what was approved."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from django.test import Client

from kequn.core.errors import Conflict, NotAllowed, NotApproved
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import services as audiences
from kequn.ops.campaigns import queries, services
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog import services as catalog
from kequn.ops.governance import services as governance
from kequn.ops.governance.models import Approval
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.models import User
from kequn.ops.orgs.services import actor_of_token, issue_token, set_active
from tests.ops.bank import CAMPAIGN, OFFER, SMS, Cast, approve, approved_campaign, customer_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def local(cast: Cast) -> Actor:
    """Return a marketer of branch 0001."""
    branch = User.objects.get(username="liqiang").branch
    return User.objects.create(
        username="local", display_name="本地", role="marketer", branch=branch, staff_no="M9", password="!"
    ).actor()


def but(**changes: object) -> CampaignSpec:
    return CampaignSpec.model_validate(CAMPAIGN.model_dump() | changes)


def put_in_use(cast: Cast, spec) -> None:  # type: ignore[no-untyped-def]  # any spec of the catalog
    row = catalog.save_definition(cast["zhaomin"], spec)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    approve(cast, spec.name)


# -- whose campaign -----------------------------------------------------------------------------------------------------


def test_a_branch_sees_the_campaign_of_head_office_and_leaves_it_alone(
    definitions: None, cast: Cast, local: Actor
) -> None:
    campaign = approved_campaign(cast)
    assert queries.campaign_for(local, campaign.pk) == campaign
    with pytest.raises(NotAllowed, match="above yours"):
        services.request_freeze(local, campaign.pk)
    with pytest.raises(NotAllowed, match="above yours"):
        services.freeze_campaign(local, campaign.pk)
    services.freeze_campaign(cast["zhaomin"], campaign.pk)
    for act in (services.request_launch, services.launch_campaign, services.finish_campaign):
        with pytest.raises(NotAllowed, match="above yours"):
            act(local, campaign.pk)


def test_a_branch_campaign_stays_within_its_branch_whoever_freezes_it(
    definitions: None, cast: Cast, local: Actor
) -> None:
    campaign = services.save_campaign(local, but(name="local_funds"))
    services.submit_campaign(local, campaign.pk)
    approve(cast, "local_funds")
    assert queries.design_campaign(cast["zhaomin"], campaign.pk).segment_size == 295
    services.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaign.refresh_from_db()
    ordinals = audience_table(campaign.audience.key)["ordinal"].to_numpy()
    assert len(ordinals) == 295
    assert not (ordinals % 2).any()


def test_who_got_what_is_told_within_ones_branches(definitions: None, cast: Cast) -> None:
    services.freeze_campaign(cast["zhaomin"], approved_campaign(cast).pk)
    assert queries.got_by(cast["liqiang"], customer_id(100))
    with pytest.raises(NotAllowed):
        queries.got_by(cast["liqiang"], customer_id(101))


# -- what was approved is what runs -------------------------------------------------------------------------------------


def newer_text() -> object:
    return SMS.model_copy(update={"body": "【客群银行】新的文案,{{ product_name }}投资有风险。"})


def test_a_newer_approved_text_needs_the_campaign_to_be_approved_again(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    put_in_use(cast, newer_text())
    with pytest.raises(NotApproved, match="fund_sms"):
        services.freeze_campaign(cast["zhaomin"], campaign.pk)
    assert services.submit_campaign(cast["zhaomin"], campaign.pk).state == "submitted"
    assert Approval.objects.filter(kind="campaign", state="withdrawn").count() == 1
    approve(cast, CAMPAIGN.name)
    assert services.freeze_campaign(cast["zhaomin"], campaign.pk).treated == 432


def test_a_newer_rule_of_the_segment_needs_it_too(definitions: None, cast: Cast) -> None:
    campaign = approved_campaign(cast)
    wider = SegmentSpec(name="rich", title="资产较高", where={"tag": "asset_aum_eod", "op": ">=", "value": 10_000})
    version = audiences.save_segment(cast["zhaomin"], wider)
    audiences.submit_segment(cast["zhaomin"], version.pk)
    approve(cast, "rich")
    with pytest.raises(NotApproved, match="rich"):
        services.freeze_campaign(cast["zhaomin"], campaign.pk)


def test_a_checker_does_not_approve_other_versions_than_she_was_shown(definitions: None, cast: Cast) -> None:
    campaign = services.save_campaign(cast["zhaomin"], CAMPAIGN)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    put_in_use(cast, newer_text())
    waiting = Approval.objects.get(kind="campaign", state="waiting")
    with pytest.raises(Conflict, match="fund_sms"):
        governance.decide(cast["zhoulv"], waiting.pk, approve=True)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    approve(cast, CAMPAIGN.name)
    campaign.refresh_from_db()
    assert campaign.state == "approved"


def test_another_list_under_the_same_name_needs_another_approval(
    definitions: None, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(*ordinals: int) -> None:
        monkeypatch.setattr(
            "kequn.ops.audiences.uploading.ordinal_finder",
            lambda store, key: lambda numbers: np.array([int(n[1:]) for n in numbers]),
        )
        text = "客户号\n" + "".join(f"C{i:07}\n" for i in ordinals)
        audiences.upload_list(
            cast["zhaomin"], text.encode(), "list.csv", name="vips", title="名单", purpose="测试",
            expires_on=date(2026, 8, 1),
        )  # fmt: skip

    upload(*range(0, 300))
    listed = SegmentSpec(name="listed", title="名单客户", where={"list": "vips"})
    version = audiences.save_segment(cast["zhaomin"], listed)
    audiences.submit_segment(cast["zhaomin"], version.pk)
    approve(cast, "listed")
    campaign = approved_campaign(cast, but(name="by_list", segment="listed"))
    upload(*range(300, 600))
    with pytest.raises(NotApproved, match="vips"):
        services.freeze_campaign(cast["zhaomin"], campaign.pk)


def test_a_title_that_nobody_approved_is_never_sent_as_a_benefit(definitions: None, cast: Cast) -> None:
    put_in_use(cast, SMS.model_copy(update={"body": "【客群银行】{{ benefit }},投资有风险。"}))
    assert "no_benefit" in {f.code for f in queries.design_campaign(cast["zhaomin"], CAMPAIGN).blocks}
    gift = OFFER.model_copy(update={"benefit": Text(zh="申购费一折")})
    put_in_use(cast, gift)
    assert "no_benefit" not in {f.code for f in queries.design_campaign(cast["zhaomin"], CAMPAIGN).blocks}


def test_the_checker_is_told_that_a_service_message_asks_no_consent(definitions: None, cast: Cast) -> None:
    notice = queries.design_campaign(cast["zhaomin"], but(purpose="service"))
    assert "not_marketing" in {f.code for f in notice.cautions}
    assert "not_marketing" not in {f.code for f in queries.design_campaign(cast["zhaomin"], CAMPAIGN).cautions}


def test_the_system_approves_nothing_for_people(definitions: None, cast: Cast) -> None:
    campaign = services.save_campaign(cast["zhaomin"], CAMPAIGN)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    waiting = Approval.objects.get(kind="campaign", state="waiting")
    with pytest.raises(NotAllowed):
        governance.decide(system_actor(), waiting.pk, approve=True)


def test_a_checker_decides_on_what_was_made_in_her_branches(definitions: None, cast: Cast, local: Actor) -> None:
    campaign = services.save_campaign(cast["zhaomin"], CAMPAIGN)
    services.submit_campaign(cast["zhaomin"], campaign.pk)
    waiting = Approval.objects.get(kind="campaign", state="waiting")
    near = User.objects.create(
        username="near", display_name="近", role="checker", branch_id=User.objects.get(username="local").branch_id,
        password="!",
    ).actor()  # fmt: skip
    with pytest.raises(NotAllowed):
        governance.decide(near, waiting.pk, approve=True)
    mine = services.save_campaign(local, but(name="local_funds"))
    services.submit_campaign(local, mine.pk)
    governance.decide(near, Approval.objects.get(name="local_funds").pk, approve=True)
    assert Campaign.objects.get(name="local_funds").state == "approved"


# -- who was shut out ---------------------------------------------------------------------------------------------------


def test_the_open_session_and_the_keys_of_somebody_shut_out_end_at_once(
    definitions: None, cast: Cast, client: Client
) -> None:
    client.force_login(User.objects.get(username="sunli"))
    key = issue_token(cast["admin"], "sunli", label="test")
    header = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/v1/people/me").status_code == 200
    assert Client().get("/api/v1/people/me", headers=header).status_code == 200
    set_active(cast["admin"], "sunli", active=False)
    assert client.get("/api/v1/people/me").status_code == 401
    assert client.get("/").status_code in (302, 403)
    assert Client().get("/api/v1/people/me", headers=header).status_code == 401
    assert actor_of_token(key) is None
