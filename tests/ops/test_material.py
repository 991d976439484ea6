"""Material that an RM sends by her own hand: approved words only, through the gate, once, and told as a contact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from kequn.channels.base import Accepted, Answer, Message, Terms
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, UnknownDefinition
from kequn.core.spec.offer import TemplateSpec
from kequn.ops import runtime
from kequn.ops.catalog import services as catalog
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.models import Contact, Outcome, Ready, Touch
from kequn.ops.governance.models import AuditEntry
from kequn.ops.governance.services import record_consent
from kequn.ops.workbench import services
from kequn.ops.workbench.services import Blocked
from tests.ops.bank import Cast, customer_id
from tests.ops.bank import approve as decided

pytestmark = pytest.mark.django_db
WHO = customer_id(12)
LEAFLET = TemplateSpec(
    name="leaflet", title="网点活动", channel="sms", body="【客群银行】{{ family_name }}先生/女士,{{ rm_name }}邀您到店。",
    opt_out="拒收请回复R",
)  # fmt: skip


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


def approve(cast: Cast, template: TemplateSpec) -> None:
    row = catalog.save_definition(cast["zhaomin"], template)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    decided(cast, template.name)


@pytest.fixture
def phone(definitions: None, cast: Cast) -> Iterator[Phone]:
    approve(cast, LEAFLET)
    phone = Phone()
    delivery.register("sms", phone)
    yield phone
    delivery.unregister("sms")


def send(cast: Cast, name: str = "leaflet", key: str = "k", who: str = WHO) -> Touch:
    shown = services.preview_material(cast["wangfang"], who, name)
    return services.send_material(cast["wangfang"], who, name, key=key, fingerprint=shown.material.fingerprint)


def test_the_customer_gets_what_was_shown_and_it_counts_as_a_contact(phone: Phone, cast: Cast) -> None:
    shown = services.preview_material(cast["wangfang"], WHO, "leaflet")
    assert shown.body == "【客群银行】张先生/女士,王芳邀您到店。拒收请回复R"
    assert shown.codes == ()
    touch = send(cast)
    delivery.dispatch_once()
    assert [m.body for m in phone.sent] == [shown.body]
    assert Outcome.objects.get(touch=touch).state == "accepted"
    assert Contact.objects.filter(customer_id=WHO, channel="sms", ref=touch.key).count() == 1
    line = services.past_for(cast["wangfang"], WHO).contacts[0]
    assert (line.channel, line.who, line.post, line.result) == ("sms", "王芳", "rm", "accepted")
    assert AuditEntry.objects.filter(act="material.sent", object_id=WHO).count() == 1


def test_a_double_tap_and_a_second_page_send_once(phone: Phone, cast: Cast) -> None:
    assert send(cast) == send(cast)
    with pytest.raises(Conflict, match="a moment ago"):
        send(cast, key="another page")
    delivery.dispatch_once()
    assert len(phone.sent) == 1


def test_nothing_unreviewed_leaves(phone: Phone, cast: Cast) -> None:
    catalog.save_definition(cast["zhaomin"], LEAFLET.model_copy(update={"name": "draft_leaflet"}))
    with pytest.raises(UnknownDefinition):
        services.preview_material(cast["wangfang"], WHO, "draft_leaflet")
    assert "draft_leaflet" not in {m.name for m in services.materials_for(cast["wangfang"], WHO)}
    with pytest.raises(Conflict, match="changed since"):
        services.send_material(cast["wangfang"], WHO, "leaflet", key="k", fingerprint="another00000")
    assert not Touch.objects.exists()


def test_a_text_whose_offer_only_a_campaign_names_is_not_offered_to_send_by_hand(phone: Phone, cast: Cast) -> None:
    about = "【客群银行】{{ product_name }}可在手机银行了解。"
    approve(cast, LEAFLET.model_copy(update={"name": "of_a_campaign", "body": about, "product": None}))
    assert "of_a_campaign" not in {m.name for m in services.materials_for(cast["wangfang"], WHO)}


def test_material_past_its_last_day_and_material_replaced_while_it_waits_are_not_sent(phone: Phone, cast: Cast) -> None:
    approve(cast, LEAFLET.model_copy(update={"name": "old", "valid_until": date(2026, 6, 30)}))
    assert "old" not in {m.name for m in services.materials_for(cast["wangfang"], WHO)}
    with pytest.raises(UnknownDefinition, match="last day"):
        services.preview_material(cast["wangfang"], WHO, "old")
    touch = send(cast)
    approve(cast, LEAFLET.model_copy(update={"body": "【客群银行】新的一版。"}))
    delivery.dispatch_once()
    assert phone.sent == []
    assert Outcome.objects.get(touch=touch).reason == "CONTENT_NOT_APPROVED"


def test_a_refusal_blocks_now_and_between_the_tap_and_the_sending(phone: Phone, cast: Cast) -> None:
    touch = send(cast)
    record_consent(cast["wangfang"], WHO, channel="sms", granted=False, source="rm")
    with pytest.raises(Blocked, match="opted out"):
        send(cast, key="k2", who=WHO)
    delivery.dispatch_once()
    assert phone.sent == []
    assert "OPTED_OUT" in Outcome.objects.get(touch=touch).reason


def test_an_offer_above_the_customers_risk_is_not_sent_to_her(phone: Phone, cast: Cast) -> None:
    approve(cast, LEAFLET.model_copy(update={"name": "fund_leaflet", "product": "fund_offer"}))
    shown = services.preview_material(cast["wangfang"], customer_id(4), "fund_leaflet")
    assert shown.codes
    with pytest.raises(Blocked):
        send(cast, "fund_leaflet", who=customer_id(4))


def test_at_night_it_says_until_when(phone: Phone, cast: Cast, bank_runtime: runtime.Runtime) -> None:
    bank_runtime.clock = lambda: datetime(2026, 7, 1, 15, 0, tzinfo=UTC)
    shown = services.preview_material(cast["wangfang"], WHO, "leaflet")
    assert shown.hold_until == datetime(2026, 7, 2, 0, 0, tzinfo=UTC)
    with pytest.raises(Blocked) as refused:
        send(cast)
    assert "07-02 08:00" in refused.value.hint


def test_the_caps_of_the_policy_are_the_rms_too(phone: Phone, cast: Cast) -> None:
    for name in ("one", "two", "three"):
        approve(cast, LEAFLET.model_copy(update={"name": name, "body": f"【客群银行】{name}。"}))
    for name in ("one", "two"):
        send(cast, name, key=name)
        delivery.dispatch_once()
    with pytest.raises(Blocked) as refused:
        send(cast, "three", key="three")
    assert "FREQUENCY" in refused.value.facts["codes"]
    assert len(phone.sent) == 2


def test_only_to_her_own_customers_with_the_right_and_on_a_connected_channel(phone: Phone, cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        services.materials_for(cast["chenjing"], WHO)
    with pytest.raises(NotAllowed):
        services.materials_for(cast["liqiang"], WHO)
    with pytest.raises(NotAllowed):
        services.send_material(cast["chenjing"], WHO, "leaflet", key="k", fingerprint="x")
    delivery.unregister("sms")
    with pytest.raises(Conflict, match="not connected"):
        send(cast)
    assert not Ready.objects.exists()


def test_a_field_that_she_has_no_value_for_is_said_and_not_left_empty(phone: Phone, cast: Cast) -> None:
    approve(cast, LEAFLET.model_copy(update={"name": "until", "body": "【客群银行】有效期至{{ valid_until }}。"}))
    with pytest.raises(InvalidSpec):
        services.preview_material(cast["wangfang"], WHO, "until")
