"""Material that an RM sends by WeCom: the real transport, a gateway over HTTP and the real dispatcher, when things go wrong too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from kequn.channels.loopback import Faults, SmsGateway
from kequn.channels.sms.transport import SmsTransport
from kequn.core.spec.campaign import Cap, ContactPolicySpec
from kequn.core.spec.offer import TemplateSpec
from kequn.core.tags import catalogue
from kequn.ops import runtime
from kequn.ops.catalog import services as catalog
from kequn.ops.customers.services import store_people
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.models import Account, Contact, Outcome, Ready, Touch, Unknown
from kequn.ops.governance.services import record_consent
from kequn.ops.orgs.actor import system_actor
from kequn.ops.workbench import services
from kequn.ops.workbench.contracts import Contacted
from kequn.ops.workbench.services import Blocked
from tests.core.small_bank import SmallBank
from tests.ops.bank import Cast, approve, customer_id

pytestmark = pytest.mark.django_db
AS_OF, START = date(2026, 6, 30), datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
SECRET = "wecom"
WHO, NOT_THERE = customer_id(0), customer_id(1)
POLICY = ContactPolicySpec(name="house", title="触达策略", caps=(Cap(channel="wecom", days=30, times=2),))
Connect = Callable[..., SmsGateway]
MOMENTS = ("one", "two", "three")


@pytest.fixture
def hand(bank_runtime: runtime.Runtime) -> list[datetime]:
    """The time, in a list so that a test can set it."""
    clock = [START]
    bank_runtime.clock = lambda: clock[0]
    return clock


@pytest.fixture
def bank(cast: Cast, hand: list[datetime], bank_runtime: runtime.Runtime) -> None:
    """Two customers of 王芳's who allow marketing by WeCom; the second one is no contact of hers there."""
    made = SmallBank(bank_runtime.store.root.parent)
    for i in range(2):
        made.customer(
            birth_on=date(1985, 3, 1), gender="F", branch_code="0001", rm_no="R001", risk_level=3, is_deceased=False,
            risk_expires_on=date(2027, 1, 1), is_staff=False, is_suppressed=False, is_vulnerable=False, personalisation_off=False,
        )  # fmt: skip
        made.add("consent", i, purpose="marketing", channel="wecom", granted=True, given_on=date(2025, 1, 1))
        made.hold(i, AS_OF, "demand", 1_000_000)
    made.add("account", 0, account_no=1, kind="wecom", status="active", opened_on=date(2025, 1, 1))
    made.refresh(catalogue(), AS_OF, only=("demo_gender",))
    store_people(
        system_actor(),
        [
            {"customer_id": customer_id(i), "customer_no": f"C{i}", "branch_code": "0001", "rm_no": "R001", "name": f"张{i}",
             "phone": f"1390000000{i}"}
            for i in range(2)
        ],
        load_id="t",
    )  # fmt: skip
    texts = [
        TemplateSpec(name=name, title="活动", channel="wecom", body=f"{{{{ family_name }}}}女士，{{{{ rm_name }}}}邀您到店（{name}）。")
        for name in MOMENTS
    ]  # fmt: skip
    for spec in (POLICY, *texts):
        row = catalog.save_definition(cast["zhaomin"], spec)
        catalog.submit_definition(cast["zhaomin"], row.pk)
        approve(cast, spec.name)


@pytest.fixture
def connect(bank: None) -> Iterator[Connect]:
    """Return what puts a gateway into service as the channel WeCom; ``is_down``: at an address where nobody listens."""
    gateways: list[SmsGateway] = []
    transports: list[SmsTransport] = []

    def by(gateway: SmsGateway, *, is_down: bool = False) -> SmsGateway:
        if gateway not in gateways:
            gateways.append(gateway.start())
        with SmsGateway(SECRET) as gone:
            nowhere = gone.url
        transports.append(
            SmsTransport(nowhere if is_down else gateway.url, SECRET, settling=timedelta(0), patience_seconds=0.3)
        )
        delivery.register("wecom", transports[-1])
        Account.objects.all().delete()  # the pause of a channel that was down runs by the database's own clock
        return gateway

    yield by
    delivery.unregister("wecom")
    for transport in transports:
        transport.close()
    for gateway in gateways:
        gateway.stop()


def send(cast: Cast, name: str = "one", who: str = WHO) -> Touch:
    shown = services.preview_material(cast["wangfang"], who, name)
    sent = services.send_material(cast["wangfang"], who, name, key=name, fingerprint=shown.material.fingerprint)
    assert isinstance(sent, Touch)
    return sent


def last_contact(cast: Cast) -> Contacted:
    return services.past_for(cast["wangfang"], WHO).contacts[0]


def test_the_gateway_gets_what_was_shown_for_the_customers_id_and_never_her_phone(connect: Connect, cast: Cast) -> None:
    gateway = connect(SmsGateway(SECRET))
    touch = send(cast)
    delivery.dispatch_once()
    taken = gateway.messages[touch.key]
    assert (taken.to, taken.text) == (WHO, "张女士，王芳邀您到店（one）。")
    assert gateway.duplicates == 0
    assert Contact.objects.get(ref=touch.key).channel == "wecom"
    assert (last_contact(cast).channel, last_contact(cast).who, last_contact(cast).result) == (
        "wecom",
        "王芳",
        "accepted",
    )


def test_who_is_no_contact_there_is_not_written_to(connect: Connect, cast: Cast) -> None:
    connect(SmsGateway(SECRET))
    with pytest.raises(Blocked) as refused:
        send(cast, who=NOT_THERE)
    assert "NO_ADDRESS" in refused.value.facts["codes"]


def test_the_banks_own_quota_for_wecom_stops_the_third_message(connect: Connect, cast: Cast) -> None:
    gateway = connect(SmsGateway(SECRET))
    for name in ("one", "two"):
        send(cast, name)
        delivery.dispatch_once()
    with pytest.raises(Blocked) as refused:
        send(cast, "three")
    assert "FREQUENCY" in refused.value.facts["codes"]
    assert len(gateway.messages) == 2


def test_the_quota_that_wecom_keeps_itself_is_told_to_the_rm_and_counts_no_contact(
    connect: Connect, cast: Cast
) -> None:
    gateway = connect(SmsGateway(SECRET, quota=1))
    send(cast, "one")
    delivery.dispatch_once()
    touch = send(cast, "two")
    delivery.dispatch_once()
    outcome = Outcome.objects.get(touch=touch)
    assert (outcome.state, outcome.reason) == ("failed", "quota")
    assert len(gateway.messages) == 1
    line = last_contact(cast)
    assert line.result == "failed"
    assert line.why is not None
    assert (line.why.zh, line.why.en) == ("这位客户的接收条数已用完", "The customer's quota of messages is used up")
    assert Contact.objects.filter(customer_id=WHO).count() == 1


def test_while_the_gateway_is_down_the_message_waits_and_then_leaves_once(
    connect: Connect, cast: Cast, hand: list[datetime]
) -> None:
    gateway = connect(SmsGateway(SECRET), is_down=True)
    touch = send(cast)
    report = delivery.dispatch_once()
    assert (report.accepted, report.retried) == (0, 1)
    assert last_contact(cast).result == "ready"
    assert not Contact.objects.exists(), "what did not leave is no contact"
    connect(gateway)
    hand[0] += timedelta(minutes=20)
    delivery.dispatch_once()
    delivery.dispatch_once()
    assert gateway.count(touch.key) == 1
    assert last_contact(cast).result == "accepted"


def test_a_gateway_that_stays_down_is_given_up_within_the_day_and_the_rm_is_told(
    connect: Connect, cast: Cast, hand: list[datetime]
) -> None:
    connect(SmsGateway(SECRET), is_down=True)
    touch = send(cast)
    delivery.dispatch_once()
    hand[0] += timedelta(hours=13)
    Account.objects.all().delete()
    delivery.dispatch_once()
    outcome = Outcome.objects.get(touch=touch)
    assert (outcome.state, outcome.reason) == ("cancelled", "expired")
    why = last_contact(cast).why
    assert why is not None
    assert why.zh == "超过发送时限仍未发出"


def test_a_customer_who_refuses_while_it_waits_for_the_gateway_gets_nothing(
    connect: Connect, cast: Cast, hand: list[datetime]
) -> None:
    gateway = connect(SmsGateway(SECRET), is_down=True)
    touch = send(cast)
    delivery.dispatch_once()
    assert Ready.objects.filter(touch=touch).exists()
    record_consent(cast["wangfang"], WHO, channel="wecom", granted=False, source="rm")
    connect(gateway)
    hand[0] += timedelta(minutes=20)
    delivery.dispatch_once()
    assert gateway.calls == 0
    assert Outcome.objects.get(touch=touch).state in ("suppressed", "cancelled")
    line = last_contact(cast)
    assert line.why is not None
    assert line.why.en


@pytest.mark.parametrize("fault", ["error_500_after", "reset_after", "garbage_after", "timeout_after"])
def test_an_answer_that_got_lost_is_asked_for_and_the_customer_gets_one_message(
    fault: str, connect: Connect, cast: Cast, hand: list[datetime]
) -> None:
    gateway = connect(SmsGateway(SECRET, faults=Faults(**{fault: 1.0}, hang_seconds=0.6)))  # type: ignore[arg-type]
    touch = send(cast)
    delivery.dispatch_once()
    assert Unknown.objects.filter(touch=touch).exists()
    gateway.faults = Faults()
    Unknown.objects.update(ask_after=START - timedelta(days=900))
    delivery.settle_unknown()
    hand[0] += timedelta(minutes=20)
    delivery.dispatch_once()
    assert gateway.count(touch.key) == 1
    assert last_contact(cast).result == "accepted"
