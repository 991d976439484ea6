"""At the moment of sending the gate decides again, on the facts of that moment, and fails closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kequn.channels.base import Accepted, Answer, Message, Terms
from kequn.core.errors import Conflict, NotAllowed
from kequn.ops import runtime
from kequn.ops.campaigns import queries, services
from kequn.ops.campaigns.freezing import audience_table
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog import services as catalog
from kequn.ops.catalog.models import DefinitionVersion
from kequn.ops.customers.queries import branches_of
from kequn.ops.customers.services import mark_phone
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.models import Outcome, Ready, Touch
from kequn.ops.governance.services import record_consent, suppress
from tests.ops.bank import Cast, approve, approved_campaign, customer_id
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db


class Phone:
    """An outer port: keeps what it was given."""

    terms = Terms(guarantee="answers", settling=timedelta(seconds=1), longest_call=timedelta(seconds=1))

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.sent.append(message)
        return Accepted(message.key)

    def ask(self, key: str) -> Answer:
        return Accepted(key)


@pytest.fixture
def phone() -> Phone:
    phone = Phone()
    delivery.register("sms", phone)
    yield phone  # type: ignore[misc]
    delivery.unregister("sms")


@pytest.fixture
@remembered
def launched(definitions: None, cast: Cast) -> Campaign:
    campaign = approved_campaign(cast)
    services.freeze_campaign(cast["zhaomin"], campaign.pk)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    campaign.refresh_from_db()
    return campaign


def test_the_control_group_is_never_touched(launched: Campaign, phone: Phone, cast: Cast) -> None:
    delivery.dispatch_once()
    rows = audience_table(launched.audience.key).to_pylist()
    control = {customer_id(r["ordinal"]) for r in rows if r["arm"] != "treated"}
    assert phone.sent
    assert not control & {m.customer_ref for m in phone.sent}
    funnel = queries.funnel_for(cast["zhaomin"], launched.pk)
    assert funnel is not None
    assert funnel.touches == {"accepted": 432}
    assert {m.to[:3] for m in phone.sent} == {"139"}


def test_a_consent_withdrawn_after_the_launch_stops_the_message(launched: Campaign, phone: Phone, cast: Cast) -> None:
    touch = Touch.objects.filter(channel="sms").first()
    assert touch is not None
    record_consent(cast["wangfang"], touch.customer_id, channel="sms", granted=False, source="hotline")
    delivery.dispatch_once()
    assert touch.customer_id not in {m.customer_ref for m in phone.sent}
    outcome = Outcome.objects.get(touch=touch)
    assert (outcome.state, outcome.reason) == ("suppressed", "OPTED_OUT")
    funnel = queries.funnel_for(cast["zhaomin"], launched.pk)
    assert funnel is not None
    assert funnel.blocked_later == {"OPTED_OUT": 1}
    assert funnel.treated == 432, "who is blocked later stays in her arm"


def test_a_number_that_turned_out_to_be_somebody_elses_gets_no_message(
    launched: Campaign, phone: Phone, cast: Cast
) -> None:
    touch = Touch.objects.filter(channel="sms").first()
    assert touch is not None
    mark_phone(cast["wangfang"], touch.customer_id, is_wrong=True)
    delivery.dispatch_once()
    assert touch.customer_id not in {m.customer_ref for m in phone.sent}
    outcome = Outcome.objects.get(touch=touch)
    assert (outcome.state, outcome.reason) == ("suppressed", "NO_ADDRESS")


def test_a_branch_in_which_the_campaign_pauses_gets_nothing_until_it_is_lifted(
    launched: Campaign, phone: Phone, cast: Cast
) -> None:
    services.pause_branch(cast["zhaomin"], launched.pk, "0001", reason="网点停电")
    services.pause_branch(cast["zhaomin"], launched.pk, "0001", reason="网点停电")
    delivery.dispatch_once()
    branches = branches_of(m.customer_ref for m in phone.sent)
    assert phone.sent
    assert "0001" not in branches.values()
    waiting = Ready.objects.count()
    assert waiting > 0
    assert services.resume_branch(cast["zhaomin"], launched.pk, "0001")
    assert not services.resume_branch(cast["zhaomin"], launched.pk, "0001")
    Ready.objects.update(not_before=NOW)
    delivery.dispatch_once()
    assert Ready.objects.count() == 0
    assert Outcome.objects.filter(state="accepted").count() == 432


def test_a_branch_head_pauses_her_own_branch_alone(launched: Campaign, cast: Cast) -> None:
    with pytest.raises(NotAllowed, match="not one of yours"):
        services.pause_branch(cast["liqiang"], launched.pk, "0002", reason="x")
    with pytest.raises(Conflict, match="why"):
        services.pause_branch(cast["liqiang"], launched.pk, "0001", reason=" ")
    assert services.pause_branch(cast["liqiang"], launched.pk, "0001", reason="人手不足").by


def test_a_suppression_stops_everything_of_a_customer(launched: Campaign, phone: Phone, cast: Cast) -> None:
    touch = Touch.objects.filter(channel="sms").first()
    assert touch is not None
    suppress(cast["zhoulv"], touch.customer_id, reason="legal")
    delivery.dispatch_once()
    assert Outcome.objects.get(touch=touch).reason == "SUPPRESSED"


def test_at_night_messages_wait_for_the_morning(
    launched: Campaign, phone: Phone, bank_runtime: runtime.Runtime
) -> None:
    bank_runtime.clock = lambda: NOW + timedelta(hours=12)
    delivery.dispatch_once()
    assert phone.sent == []
    assert not Outcome.objects.filter(touch__channel="sms").exists()


def test_a_template_retired_after_the_launch_is_not_sent(launched: Campaign, phone: Phone, cast: Cast) -> None:
    catalog.retire_definition(cast["zhaomin"], DefinitionVersion.objects.get(name="fund_sms").pk)
    delivery.dispatch_once()
    assert phone.sent == []
    assert set(Outcome.objects.filter(touch__channel="sms").values_list("reason", flat=True)) == {
        "CONTENT_NOT_APPROVED"
    }


def test_without_a_policy_nothing_leaves(launched: Campaign, phone: Phone, cast: Cast) -> None:
    catalog.retire_definition(cast["zhaomin"], DefinitionVersion.objects.get(name="house").pk)
    delivery.dispatch_once()
    assert phone.sent == []


def test_a_stopped_campaign_sends_nothing_and_goes_on_afterwards(launched: Campaign, phone: Phone, cast: Cast) -> None:
    services.stop_campaign(cast["admin"], launched.pk, reason="内容有误")
    delivery.dispatch_once()
    assert phone.sent == []
    assert Ready.objects.count() == 432
    services.resume_campaign(cast["zhoulv"], launched.pk)
    delivery.dispatch_once()
    assert len(phone.sent) == launched.audience.by_channel["sms"]


def test_touches_of_no_campaign_are_not_sent(definitions: None, phone: Phone, cast: Cast) -> None:
    touch = delivery.NewTouch(
        customer_id=customer_id(11),
        channel="sms",
        campaign="unknown",
        template="t",
        body="x",
        expires_at=NOW + timedelta(days=1),
    )
    delivery.create_touches(cast["zhaomin"], "w", [touch])
    delivery.dispatch_once()
    assert phone.sent == []
    assert Outcome.objects.get().reason == "NO_CAMPAIGN"


def test_a_second_campaign_respects_the_caps_of_the_first(launched: Campaign, phone: Phone, cast: Cast) -> None:
    from tests.ops.bank import POLICY
    from tests.ops.test_campaigns import but

    delivery.dispatch_once()
    strict = type(POLICY).model_validate(POLICY.model_dump() | {"caps": ({"days": 30, "times": 1},)})
    version = catalog.save_definition(cast["zhaomin"], strict)
    catalog.submit_definition(cast["zhaomin"], version.pk)
    approve(cast, "house")
    second = approved_campaign(cast, but(name="second", holdout={"rate": 0.2, "salt": "second"}))
    services.freeze_campaign(cast["zhaomin"], second.pk)
    second.refresh_from_db()
    assert second.audience.passed == 540 - 432
    assert second.audience.blocks["sms"]["FREQUENCY"] >= 432
