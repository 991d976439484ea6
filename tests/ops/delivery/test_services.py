"""What callers of delivery are promised: each touch once, in order, and stopped when it has to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kequn.channels.base import Accepted, Message, Refused, TransportError, TryLater, Unclear
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.contracts import Allow, Block, Hold, Pending, Verdict
from kequn.ops.delivery.models import Account, Contact, InFlight, Outcome, Ready, Sending, Stop, Touch, Unknown
from kequn.ops.delivery.outbox import RETRIES
from kequn.ops.delivery.sealing import text_hash
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor, system_actor
from tests.ops.delivery.conftest import START, Gateway, touches

Clock = list[datetime]
CAMPAIGN = "near_gold_q3"


def states(marketer: Actor) -> dict[str, int]:
    return queries.outcomes_by_state(marketer, CAMPAIGN)


def test_a_touch_is_sent_once_however_often_it_is_created_and_dispatched(marketer: Actor, gateway: Gateway) -> None:
    assert services.create_touches(marketer, "w1", touches(120)) == 120
    assert services.create_touches(marketer, "w1", touches(120)) == 0
    assert services.dispatch_once().accepted == 120
    assert services.dispatch_once().claimed == 0
    assert len(gateway.keys) == len(set(gateway.keys)) == 120
    assert states(marketer) == {"accepted": 120}
    assert queries.is_finished(CAMPAIGN)


def test_the_same_customer_twice_in_one_call_is_one_touch(marketer: Actor, gateway: Gateway) -> None:
    assert services.create_touches(marketer, "w1", [*touches(3), *touches(3)]) == 3


def test_a_wave_belongs_to_one_campaign(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(1))
    with pytest.raises(Conflict, match="belongs to campaign"):
        services.create_touches(marketer, "w1", touches(2, campaign="other"))
    assert Touch.objects.count() == 1


def test_only_who_may_launch_creates_touches(cast: dict[str, Actor], gateway: Gateway) -> None:
    with pytest.raises(NotAllowed):
        services.create_touches(cast["wangfang"], "w1", touches(1))


def test_the_text_is_rendered_once_and_lies_sealed(marketer: Actor, gateway: Gateway) -> None:
    rows = touches(1, body="尊敬的{{ family_name|trim }}先生/女士", values={"family_name": "欧阳{{ x }}\n"})
    services.create_touches(marketer, "w1", rows)
    touch = Touch.objects.get()
    said = "尊敬的欧阳 x先生/女士"
    assert touch.text_hash == text_hash("", said)
    assert "欧阳".encode() not in bytes(touch.text)
    services.dispatch_once()
    assert gateway.messages[0].body == said
    assert queries.text_of(system_actor(), touch.pk) == ("", said)


def test_a_merge_field_without_a_value_creates_nothing(marketer: Actor, gateway: Gateway) -> None:
    with pytest.raises(InvalidSpec, match="rm_nam"):
        services.create_touches(marketer, "w1", touches(3, body="{{ rm_nam }}", values={"rm_name": "王芳"}))
    assert not Touch.objects.exists()
    assert not Sending.objects.exists()


def test_without_a_gate_nothing_is_sent(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(1))
    services._installed.pop("gate")
    with pytest.raises(services.NoGate):
        services.dispatch_once()
    assert gateway.keys == []


def test_a_channel_without_transport_waits(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(2, channel="wecom"))
    services.dispatch_once()
    assert states(marketer) == {"ready": 2}


def test_higher_priority_goes_first_and_the_future_waits(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    rows = touches(4)
    order = [replace(rows[0], priority=40), replace(rows[1], priority=80), rows[2]]
    later = replace(rows[3], priority=99, not_before=START + timedelta(hours=1))
    services.create_touches(marketer, "w1", [*order, later])
    services.dispatch_once()
    assert [m.customer_ref for m in gateway.messages] == ["c0001", "c0002", "c0000"]
    clock[0] += timedelta(hours=1)
    services.dispatch_once()
    assert gateway.messages[-1].customer_ref == "c0003"


def test_a_touch_beyond_its_expiry_is_cancelled_and_not_sent(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    services.create_touches(marketer, "w1", touches(2))
    clock[0] += timedelta(days=7)
    assert services.dispatch_once().cancelled == 2
    assert gateway.keys == []
    assert queries.suppressed_by_reason(marketer, CAMPAIGN) == {"cancelled: expired": 2}


def test_the_gate_is_asked_again_at_the_moment_of_sending(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    night = START + timedelta(hours=9)

    def gate(pending: Sequence[Pending], now: datetime) -> list[Verdict]:
        by_customer: dict[str, Verdict] = {"c0000": Block("NO_CONSENT"), "c0001": Hold(night, "QUIET_HOURS")}
        return [by_customer.get(p.customer_id, Allow()) for p in pending]

    services.install_gate(gate)
    services.create_touches(marketer, "w1", touches(3))
    report = services.dispatch_once()
    assert (report.accepted, report.suppressed, report.held) == (1, 1, 1)
    assert states(marketer) == {"accepted": 1, "suppressed": 1, "ready": 1}
    assert Ready.objects.get().not_before == night
    assert Contact.objects.count() == 1


def test_a_hold_beyond_the_expiry_is_an_end(marketer: Actor, gateway: Gateway) -> None:
    services.install_gate(lambda pending, now: [Hold(START + timedelta(days=8), "QUIET_HOURS") for _ in pending])
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert states(marketer) == {"suppressed": 1}


def test_a_customer_without_an_address_is_suppressed_and_not_counted(marketer: Actor, gateway: Gateway) -> None:
    services.install_addresses(lambda customer_ids, channel: {})
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert queries.suppressed_by_reason(marketer, CAMPAIGN) == {"suppressed: UNREACHABLE": 1}
    assert not Contact.objects.exists()


def test_a_final_no_is_a_failure_and_gives_the_contact_back(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: Refused("bad_number")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert states(marketer) == {"failed": 1}
    assert not Contact.objects.exists()


def test_a_certain_no_is_tried_again_later_and_six_times_at_most(
    marketer: Actor, gateway: Gateway, clock: Clock
) -> None:
    gateway.script = lambda message: TryLater("http_429", after_seconds=30.0)
    services.create_touches(marketer, "w1", touches(1, expires_at=START + timedelta(days=90)))
    for n in range(1, RETRIES + 1):
        services.dispatch_once()
        assert len(gateway.keys) == n
        if n < RETRIES:
            assert Ready.objects.get().not_before >= clock[0] + timedelta(seconds=30)
            assert not Contact.objects.exists()
        clock[0] += timedelta(hours=1)
        Account.objects.all().delete()
    assert states(marketer) == {"dead": 1}


def test_unclear_is_unknown_counts_and_is_not_sent_again(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    gateway.guarantee = "receipts_only"
    gateway.script = lambda message: Unclear("timeout")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    clock[0] += timedelta(days=1)
    services.settle_unknown()
    services.dispatch_once()
    assert states(marketer) == {"unknown": 1}
    assert len(gateway.keys) == 1
    assert Contact.objects.count() == 1


def test_a_channel_that_answers_is_asked(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: Unclear("timeout")
    services.create_touches(marketer, "w1", touches(2))
    services.dispatch_once()
    del gateway.messages[1]  # of the second the gateway never heard
    report = services.settle_unknown()
    assert (report.accepted, report.requeued) == (1, 1)
    assert states(marketer) == {"accepted": 1, "ready": 1}


def test_nobody_is_asked_before_the_settling_time(marketer: Actor, gateway: Gateway) -> None:
    gateway.settling = timedelta(minutes=5)
    gateway.script = lambda message: Unclear("timeout")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert services.settle_unknown().moved == 0


def test_a_channel_that_keeps_keys_is_sent_the_same_key_again(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    gateway.guarantee = "keeps_keys"
    gateway.script = lambda message: Unclear("timeout") if len(gateway.messages) == 1 else Accepted()
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert services.settle_unknown().requeued == 1
    clock[0] += timedelta(minutes=1)
    services.dispatch_once()
    assert len(gateway.keys) == 2
    assert len(set(gateway.keys)) == 1
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(("must_arrive", "copies"), [(False, 1), (True, 2)])
def test_an_opaque_channel_repeats_only_what_must_arrive(
    marketer: Actor, gateway: Gateway, clock: Clock, must_arrive: bool, copies: int
) -> None:
    gateway.guarantee = "opaque"
    gateway.script = lambda message: Unclear("timeout") if len(gateway.messages) == 1 else Accepted()
    services.create_touches(marketer, "w1", touches(1, must_arrive=must_arrive))
    services.dispatch_once()
    services.settle_unknown()
    clock[0] += timedelta(minutes=1)
    services.dispatch_once()
    assert len(gateway.keys) == copies


def test_after_72_hours_an_unknown_is_presumed_sent(marketer: Actor, gateway: Gateway) -> None:
    gateway.guarantee = "opaque"
    gateway.script = lambda message: Unclear("timeout")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    row = Unknown.objects.get()
    Unknown.objects.update(since=row.since - timedelta(hours=72), ask_after=row.ask_after - timedelta(hours=72))
    assert services.settle_unknown().presumed_sent == 1
    assert states(marketer) == {"presumed_sent": 1}
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (TransportError("no", permanent=True), "failed"),
        (TransportError("no", permanent=False), "ready"),
        (RuntimeError("bug"), "unknown"),
    ],
)
def test_whatever_a_transport_raises_every_touch_has_a_place(
    marketer: Actor, gateway: Gateway, raised: Exception, state: str
) -> None:
    def fails(message: Message) -> Accepted:
        raise raised

    gateway.script = fails
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert states(marketer) == {state: 1}


# stops


@pytest.mark.parametrize(("scope", "key"), [("all", ""), ("channel", "sms"), ("campaign", CAMPAIGN), ("wave", "w1")])
def test_a_stop_holds_everything_in_its_scope_until_a_checker_lifts_it(
    cast: dict[str, Actor], gateway: Gateway, scope: str, key: str
) -> None:
    services.create_touches(cast["zhaomin"], "w1", touches(3))
    services.stop(cast["liqiang"], scope, key, reason="错误内容")
    assert services.dispatch_once().claimed == 0
    with pytest.raises(NotAllowed):
        services.resume(cast["zhaomin"], scope, key)
    assert services.resume(cast["zhoulv"], scope, key)
    assert not services.resume(cast["zhoulv"], scope, key)
    assert services.dispatch_once().accepted == 3
    acts = AuditEntry.objects.filter(act__startswith="delivery.").values_list("act", flat=True)
    assert sorted(acts) == ["delivery.resumed", "delivery.stopped"]


def test_a_stop_of_one_campaign_leaves_the_others_alone(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(3))
    services.create_touches(marketer, "w2", touches(3, campaign="other"))
    services.stop(marketer, "campaign", CAMPAIGN)
    assert services.dispatch_once().accepted == 3
    assert states(marketer) == {"ready": 3}


@pytest.mark.parametrize(("scope", "key"), [("all", "x"), ("channel", ""), ("galaxy", "x")])
def test_there_are_no_other_stops(marketer: Actor, gateway: Gateway, scope: str, key: str) -> None:
    with pytest.raises(NotAllowed):
        services.stop(marketer, scope, key)


def test_what_is_claimed_when_the_stop_comes_goes_back_into_line(
    marketer: Actor, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.ops.delivery.dispatch.WATCH_SECONDS", 0.0)

    def stops_after_three(message: Message) -> Accepted:
        if len(gateway.messages) == 3:
            services.stop(marketer, "all")
        return Accepted()

    gateway.script = stops_after_three
    services.create_touches(marketer, "w1", touches(40))
    report = services.dispatch_once()
    assert (report.accepted, report.given_back) == (3, 37)
    assert states(marketer) == {"accepted": 3, "ready": 37}
    assert Contact.objects.count() == 3
    assert set(Ready.objects.values_list("attempt", flat=True)) == {0}


def test_a_refusal_takes_the_customer_s_marketing_out_of_the_line_at_once(
    cast: dict[str, Actor], gateway: Gateway
) -> None:
    services.create_touches(cast["zhaomin"], "w1", touches(2))
    services.create_touches(cast["zhaomin"], "w2", touches(2, purpose="service"))
    services.create_touches(cast["zhaomin"], "w3", touches(2, channel="wecom"))
    assert services.cancel_for_customer(cast["wangfang"], "c0000", "sms") == 1
    services.dispatch_once()
    sent = sorted((m.customer_ref, m.wave) for m in gateway.messages)
    assert sent == [("c0000", "w2"), ("c0001", "w1"), ("c0001", "w2")]
    assert services.cancel_for_customer(cast["wangfang"], "c0000") == 1
    with pytest.raises(NotAllowed):
        services.cancel_for_customer(cast["sunli"], "c0001")


def test_a_refusal_between_claim_and_call_is_still_in_time(
    marketer: Actor, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kequn.ops.delivery.dispatch.WATCH_SECONDS", 0.0)

    def refuses_meanwhile(message: Message) -> Accepted:
        services.cancel_for_customer(system_actor(), "c0003")
        return Accepted()

    gateway.script = refuses_meanwhile
    services.create_touches(marketer, "w1", touches(5))
    assert services.dispatch_once().cancelled == 1
    assert "c0003" not in {m.customer_ref for m in gateway.messages}
    assert Contact.objects.count() == 4


def test_cancelling_a_campaign_ends_what_waits(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(3))
    assert services.cancel(marketer, "campaign", CAMPAIGN, reason="改期") == 3
    services.dispatch_once()
    assert states(marketer) == {"cancelled": 3}
    assert gateway.keys == []


# the account and the brakes


def test_the_account_s_rate_is_shared_and_kept(marketer: Actor, gateway: Gateway) -> None:
    services.register("sms", gateway, rate=10.0)
    services.create_touches(marketer, "w1", touches(40))
    sent = sum(services.dispatch_once().accepted for _ in range(3))
    assert 10 <= sent <= 20  # one second's worth, and what the bucket gained meanwhile


def test_a_gateway_that_fails_is_left_alone_and_then_probed_with_one(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: TryLater("http_503")
    services.create_touches(marketer, "w1", touches(100))
    services.dispatch_once()
    assert len(gateway.keys) == 50
    services.dispatch_once()
    assert len(gateway.keys) == 50
    Account.objects.update(open_until=START - timedelta(days=400))
    gateway.script = None
    services.dispatch_once(1)
    assert len(gateway.keys) == 51
    assert Account.objects.get(pk="sms").open_until is None
    services.dispatch_once()
    assert len(gateway.keys) == 100


def test_a_probe_that_fails_opens_the_breaker_again(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: TryLater("http_503")
    services.create_touches(marketer, "w1", touches(100))
    services.dispatch_once()
    Account.objects.update(open_until=START - timedelta(days=400))
    services.dispatch_once()
    assert len(gateway.keys) == 51
    assert not Account.objects.get(pk="sms").is_probing
    services.dispatch_once()
    assert len(gateway.keys) == 51


def test_a_wave_with_too_many_failures_stops_itself_and_says_why(cast: dict[str, Actor], gateway: Gateway) -> None:
    gateway.script = lambda message: Refused("bad_number") if int(message.customer_ref[1:]) % 10 == 0 else Accepted()
    services.create_touches(cast["zhaomin"], "w1", touches(1_000))
    services.dispatch_once(1_000)
    assert len(gateway.keys) == 200
    stop = Stop.objects.get(scope="wave", key="w1")
    assert "10.0% failed" in stop.reason
    services.resume(cast["zhoulv"], "wave", "w1")
    services.dispatch_once(100)
    assert len(gateway.keys) == 300


# who sees what


def test_an_rm_sees_no_touches_of_customers_outside_her_book(cast: dict[str, Actor], gateway: Gateway) -> None:
    services.create_touches(cast["zhaomin"], "w1", touches(2))
    services.dispatch_once()
    assert [t.state for t in queries.touches_for(cast["zhaomin"], campaign=CAMPAIGN)] == ["accepted", "accepted"]
    for name in ("wangfang", "liqiang", "chenjing"):
        assert not queries.touches_for(cast[name]).exists()
        assert queries.text_of(cast[name], Touch.objects.first().pk) is None  # type: ignore[union-attr]


def test_every_touch_is_counted_in_one_state(marketer: Actor, gateway: Gateway) -> None:
    answers = [Accepted(), Refused("x"), TryLater("y"), Unclear("z")]
    gateway.script = lambda message: answers[int(message.customer_ref[1:]) % 4]
    services.create_touches(marketer, "w1", touches(40))
    services.create_touches(marketer, "w2", touches(5, channel="wecom"))
    services.dispatch_once()
    services.cancel_for_customer(system_actor(), "c0002")
    assert states(marketer) == {"accepted": 10, "failed": 10, "ready": 13, "unknown": 10, "cancelled": 2}
    assert sorted(t.state for t in queries.touches_for(marketer)) == sorted(
        state for state, n in states(marketer).items() for _ in range(n)
    )


def test_contacts_are_counted_by_the_bank_s_day(marketer: Actor, gateway: Gateway, clock: Clock) -> None:
    clock[0] = datetime.fromisoformat("2026-07-01T16:30:00+00:00")  # half past midnight in Shanghai
    services.create_touches(marketer, "w1", touches(2))
    services.dispatch_once()
    (day,) = {c.on.isoformat() for c in queries.contacts_since(None, START.date())}
    assert day == "2026-07-02"
    own = Touch.objects.get(customer_id="c0000").key
    assert [c.customer_id for c in queries.contacts_since(["c0000", "c0001"], START.date(), without=[own])] == ["c0001"]


def test_a_call_by_the_rm_counts_once(cast: dict[str, Actor], gateway: Gateway) -> None:
    assert services.record_contact(cast["wangfang"], "c0001", "call", ref="follow_up/1")
    assert not services.record_contact(cast["wangfang"], "c0001", "call", ref="follow_up/1")
    assert Contact.objects.count() == 1


def test_one_claim_contacts_a_customer_once_though_two_campaigns_want_her(marketer: Actor, gateway: Gateway) -> None:
    def cap_of_one(pending: Sequence[Pending], now: datetime) -> list[Verdict]:
        made = {c.customer_id for c in queries.contacts_since([p.customer_id for p in pending], START.date())}
        return [Block("FREQUENCY") if p.customer_id in made else Allow() for p in pending]

    services.install_gate(cap_of_one)
    services.create_touches(marketer, "w1", touches(10))
    services.create_touches(marketer, "w2", touches(10, campaign="other", priority=90))
    services.dispatch_once()
    assert {m.campaign for m in gateway.messages} == {"other"}
    assert states(marketer) == {"suppressed": 10}


def test_what_a_dead_worker_left_becomes_unknown_and_is_asked_about(marketer: Actor, gateway: Gateway) -> None:
    from kequn.ops.delivery.contracts import Allow as Allowed
    from kequn.ops.delivery.outbox import Outbox

    services.create_touches(marketer, "w1", touches(3))
    outbox = Outbox()
    candidates = outbox.peek("sms", 3)
    outbox.claim("sms", candidates, {c.pending.touch_id: Allowed() for c in candidates}, gateway.terms)
    assert services.settle_unknown().moved == 0
    InFlight.objects.update(lease_until=START - timedelta(days=400))
    report = services.settle_unknown()
    assert (report.swept, report.requeued) == (3, 3)
    assert not Outcome.objects.exists()
