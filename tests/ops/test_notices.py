"""The word owed to a customer whose manager changed, sent as a message: a service text, through the gate, once, with proof."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kequn.channels.base import Accepted, Message, Receipt
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, UnknownDefinition
from kequn.core.spec.offer import TemplateSpec
from kequn.ops import runtime
from kequn.ops.catalog import services as catalog
from kequn.ops.catalog.content import marks
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.models import Contact, Outcome, Touch
from kequn.ops.governance.models import AuditEntry
from kequn.ops.governance.services import record_consent
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.orgs.services import save_user
from kequn.ops.ownership.models import Notice
from kequn.ops.ownership.services import mark_told, reassign_customers
from kequn.ops.workbench import services
from kequn.ops.workbench.notices import NoticeSent
from tests.ops.bank import Cast, customer_id
from tests.ops.bank import approve as decided
from tests.ops.test_material import Phone

pytestmark = pytest.mark.django_db
WHO, OTHER = customer_id(12), customer_id(14)
WORDS = TemplateSpec(
    name="new_manager", title="换管户告知", channel="sms", serves="owner_notice",
    body="【客群银行】{{ family_name }}先生/女士,您的客户经理已更换为{{ branch_name }}{{ rm_name }},电话{{ rm_phone }}。",
)  # fmt: skip
READ = "【客群银行】张先生/女士,您的客户经理已更换为网点0001何杰,电话0999-00100103。"


@pytest.fixture
def phone(definitions: None, cast: Cast) -> Iterator[Phone]:
    """Have the text approved, a colleague with a telephone, and two customers who became hers."""
    user = User.objects.create(
        username="hejie", display_name="何杰", role="rm", branch=Branch.objects.get(code="0001"), staff_no="R003",
        password="!", phone="0999-00100103",
    )  # fmt: skip
    cast["hejie"] = user.actor()
    row = catalog.save_definition(cast["zhaomin"], WORDS)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    decided(cast, WORDS.name)
    reassign_customers(cast["liqiang"], [WHO, OTHER], "R003", reason="调整")
    phone = Phone()
    delivery.register("sms", phone)
    yield phone
    delivery.unregister("sms")


def owed(who: str = WHO) -> Notice:
    return Notice.objects.get(customer_id=who)


def send(cast: Cast, *who: str, by: str = "hejie") -> list[NoticeSent]:
    ids = [owed(w).pk for w in who or (WHO,)]
    return services.send_notices(cast[by], ids, WORDS.name, fingerprint=WORDS.fingerprint())


def test_the_customer_reads_who_her_manager_is_and_the_message_is_the_proof(phone: Phone, cast: Cast) -> None:
    (shown,) = services.preview_notices(cast["hejie"], [owed().pk], WORDS.name)
    assert (shown.body, shown.may_leave) == (READ, True)
    (sent,) = send(cast)
    assert owed().state == "owed"  # until it was handed over
    assert services.settle_notices(system_actor()) == 0
    delivery.dispatch_once()
    assert services.settle_notices(system_actor()) == 1
    assert [m.body for m in phone.sent] == [READ]
    told = owed()
    assert (told.state, told.how, told.by, told.message) == ("told", "sms", "hejie", sent.message)
    touch = Touch.objects.get(key=told.message)
    assert (touch.purpose, touch.customer_id) == ("service", WHO)
    assert Contact.objects.filter(ref=touch.key, purpose="service").count() == 1
    assert set(AuditEntry.objects.filter(object_id=WHO).values_list("act", flat=True)) >= {"notice.sent", "notice.told"}
    line = services.past_for(cast["hejie"], WHO).contacts[0]
    assert (line.channel, line.who, line.what.zh) == ("sms", "何杰", "换管户告知")
    assert services.settle_notices(system_actor()) == 0


def test_twice_and_by_two_people_gives_one_message(phone: Phone, cast: Cast) -> None:
    first, again, boss = send(cast)[0], send(cast)[0], send(cast, by="liqiang")[0]
    assert first.message == again.message == boss.message
    delivery.dispatch_once()
    services.settle_notices(system_actor())
    assert send(cast)[0].message == first.message
    delivery.dispatch_once()
    assert len(phone.sent) == 1
    assert Touch.objects.count() == 1


def test_a_branch_head_tells_it_in_the_new_managers_name(phone: Phone, cast: Cast) -> None:
    sent = send(cast, WHO, OTHER, by="liqiang")
    assert [s.trouble for s in sent] == [None, None]
    delivery.dispatch_once()
    services.settle_notices(system_actor())
    assert [m.body for m in phone.sent] == [READ, READ]
    assert {owed(WHO).by, owed(OTHER).by} == {"liqiang"}


def test_a_refusal_of_marketing_does_not_withhold_the_service_message(phone: Phone, cast: Cast) -> None:
    record_consent(cast["hejie"], WHO, channel="sms", granted=False, source="rm")
    send(cast)
    delivery.dispatch_once()
    assert len(phone.sent) == 1


def test_what_the_gate_refuses_stays_owed_with_the_reason_and_until_when(
    phone: Phone, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    bank_runtime.clock = lambda: datetime(2026, 7, 1, 15, 0, tzinfo=UTC)  # 23:00 at the bank
    (shown,) = services.preview_notices(cast["hejie"], [owed().pk], WORDS.name)
    assert shown.codes == ("QUIET_HOURS",)
    assert shown.hold_until == datetime(2026, 7, 2, 0, 0, tzinfo=UTC)
    (sent,) = send(cast)
    assert isinstance(sent.trouble, services.Blocked)
    assert "07-02 08:00" in sent.trouble.hint
    assert (owed().state, owed().message) == ("owed", "")
    assert not Touch.objects.exists()


def test_what_is_refused_between_the_tap_and_the_sending_is_owed_again_and_may_be_sent_anew(
    phone: Phone, cast: Cast
) -> None:
    (first,) = send(cast)
    row = catalog.save_definition(cast["zhaomin"], WORDS.model_copy(update={"body": WORDS.body + "谢谢。"}))
    catalog.submit_definition(cast["zhaomin"], row.pk)
    decided(cast, WORDS.name)
    delivery.dispatch_once()
    assert services.settle_notices(system_actor()) == 1
    again = owed()
    assert (again.state, again.message, again.refused) == ("owed", "", "CONTENT_NOT_APPROVED")
    (second,) = services.send_notices(cast["hejie"], [again.pk], WORDS.name, fingerprint=row.fingerprint)
    assert second.message not in ("", first.message)
    delivery.dispatch_once()
    services.settle_notices(system_actor())
    assert owed().state == "told"
    assert len(phone.sent) == 1


def test_a_message_that_did_not_arrive_leaves_the_word_owed(phone: Phone, cast: Cast) -> None:
    send(cast)
    delivery.dispatch_once()
    services.settle_notices(system_actor())
    key = owed().message
    delivery.record_receipts(
        system_actor(), [Receipt(provider="x", key=key, status="undelivered", at=runtime.now(), message_id="")]
    )
    assert services.reopen_notices(system_actor()) == 1
    assert services.reopen_notices(system_actor()) == 0
    assert (owed().state, owed().message, owed().how, owed().refused) == ("owed", "", "", "undelivered")


def test_who_was_told_by_word_of_mouth_or_has_another_manager_meanwhile_gets_no_message(
    phone: Phone, cast: Cast
) -> None:
    send(cast, WHO, OTHER)
    mark_told(cast["hejie"], [owed(WHO).pk], how="call")
    reassign_customers(cast["liqiang"], [OTHER], "R001", reason="再调整")
    delivery.dispatch_once()
    assert phone.sent == []
    assert set(Outcome.objects.values_list("reason", flat=True)) == {"NOTICE_OVER"}
    services.settle_notices(system_actor())
    assert (owed(WHO).state, owed(WHO).how) == ("told", "call")
    (late,) = send(cast)
    assert isinstance(late.trouble, Conflict)


def test_a_manager_without_a_telephone_is_said_so_and_nothing_is_sent(phone: Phone, cast: Cast) -> None:
    save_user(cast["admin"], "hejie", display_name="何杰", role="rm", branch_code="0001", staff_no="R003", phone="")
    (shown,) = services.preview_notices(cast["hejie"], [owed().pk], WORDS.name)
    assert isinstance(shown.trouble, InvalidSpec)
    assert shown.trouble.where.field == "rm_phone"
    assert isinstance(send(cast)[0].trouble, InvalidSpec)
    with pytest.raises(InvalidSpec, match="no telephone"):
        save_user(cast["admin"], "hejie", display_name="何杰", role="rm", branch_code="0001", phone="call me")


def test_nobody_sends_for_another_branch_nor_without_the_right(phone: Phone, cast: Cast) -> None:
    for who in ("wangfang", "chenjing"):
        with pytest.raises(NotAllowed):
            send(cast, by=who)
    with pytest.raises(NotAllowed):
        send(cast, by="zhaomin")
    with pytest.raises(InvalidSpec):
        services.preview_notices(cast["hejie"], [], WORDS.name)


def test_only_a_text_approved_as_a_notice_goes_without_consent_and_it_goes_as_nothing_else(
    phone: Phone, cast: Cast
) -> None:
    advert = TemplateSpec(name="advert", title="活动", channel="sms", body="【客群银行】活动。", opt_out="拒收请回复R")
    row = catalog.save_definition(cast["zhaomin"], advert)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    decided(cast, "advert")
    with pytest.raises(UnknownDefinition):
        services.preview_notices(cast["hejie"], [owed().pk], "advert")
    assert [t.name for t in services.notice_texts(cast["hejie"])] == [WORDS.name]
    assert WORDS.name not in {m.name for m in services.materials_for(cast["hejie"], WHO)}
    with pytest.raises(UnknownDefinition):
        services.preview_material(cast["hejie"], WHO, WORDS.name)
    with pytest.raises(Conflict, match="changed since"):
        services.send_notices(cast["hejie"], [owed().pk], WORDS.name, fingerprint="another00000")


def test_the_content_check_keeps_offers_out_of_notices_and_the_managers_number_out_of_marketing() -> None:
    def codes(**change: str) -> set[str]:
        return {m.code for m in marks(WORDS.model_copy(update=change)) if m.grade == "fault"}

    assert codes() == set()
    assert codes(body="【客群银行】{{ rm_name }}") == {"notice_without_manager"}
    assert codes(body=WORDS.body + "{{ product_name }}") == {"offer_in_service"}
    assert codes(channel="call") == {"notice_channel"}
    assert codes(serves="") == {"phone_outside_notice"}
    assert "notice_in_campaign" in {m.code for m in marks(WORDS, purpose="service")}


class Silent(Phone):
    """A gateway that must not be asked."""

    def send(self, message: Message) -> Accepted:
        raise AssertionError(message)


def test_a_message_nobody_fetched_within_a_day_is_owed_again(
    phone: Phone, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    delivery.register("sms", Silent())
    send(cast)
    later = runtime.now() + timedelta(hours=25)
    bank_runtime.clock = lambda: later
    delivery.dispatch_once()
    services.settle_notices(system_actor())
    assert (owed().state, owed().message) == ("owed", "")
