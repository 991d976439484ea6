"""Receipts: any order, any number, wherever the touch stands; and none that was forged."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.channels.base import Accepted, Receipt, Refused, TryLater, Unclear
from kequn.channels.signature import sign
from kequn.core.errors import NotAllowed
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.models import Contact, Outcome, Ready, ReceiptEntry, Touch
from kequn.ops.governance.models import AuditEntry
from kequn.ops.orgs.actor import Actor, system_actor
from tests.ops.delivery.conftest import START, Gateway, touches

CAMPAIGN = "near_gold_q3"


def receipt(status: str = "delivered", minutes: int = 0, key: str = "") -> Receipt:
    return Receipt("sms", key or Touch.objects.get().key, status, START + timedelta(minutes=minutes))  # type: ignore[arg-type]


def booked() -> list[tuple[int, str, datetime]]:
    return list(Outcome.objects.order_by("stage").values_list("stage", "state", "at"))


def test_every_order_and_every_copy_ends_in_the_same_state(marketer: Actor, gateway: Gateway) -> None:
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    story = [receipt("undelivered", 1), receipt("delivered", 2), receipt("undelivered", 3)]
    ends = set()
    for order in itertools.permutations([*story, story[1]]):
        ReceiptEntry.objects.all().delete()
        Outcome.objects.filter(stage=2).delete()
        for one in order:
            services.record_receipts(system_actor(), [one])
        ends.add(tuple(booked()))
        assert ReceiptEntry.objects.count() == 3
    (end,) = ends
    assert end[1] == (2, "delivered", START + timedelta(minutes=2))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_batches_however_cut_end_in_the_same_state(marketer: Actor, gateway: Gateway, data: st.DataObject) -> None:
    if not Touch.objects.exists():
        services.create_touches(marketer, "w1", touches(4))
        services.dispatch_once()
    keys = list(Touch.objects.order_by("pk").values_list("key", flat=True))
    story = [receipt(s, m, k) for k in keys for s, m in (("undelivered", 1), ("delivered", 5))][:-1]
    stream = data.draw(st.permutations(story + data.draw(st.lists(st.sampled_from(story), max_size=10))))
    ReceiptEntry.objects.all().delete()
    Outcome.objects.filter(stage=2).delete()
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        services.record_receipts(system_actor(), stream[:cut])
        stream = stream[cut:]
    found = [state for _, state, _ in booked() if state in ("delivered", "undelivered")]
    assert sorted(found) == ["delivered"] * 3 + ["undelivered"]


def test_a_receipt_settles_what_is_unknown(marketer: Actor, gateway: Gateway) -> None:
    gateway.guarantee = "receipts_only"
    gateway.script = lambda message: Unclear("timeout")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    services.record_receipts(system_actor(), [receipt()])
    assert queries.outcomes_by_state(marketer, CAMPAIGN) == {"delivered": 1}
    assert [state for _, state, _ in booked()] == ["accepted", "delivered"]


def test_a_receipt_for_what_waits_again_takes_it_out_of_the_line(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: TryLater("http_429")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    services.record_receipts(system_actor(), [receipt()])
    assert not Ready.objects.exists()
    assert Contact.objects.count() == 1
    assert queries.outcomes_by_state(marketer, CAMPAIGN) == {"delivered": 1}


def test_a_receipt_that_comes_before_the_answer_is_not_lost(marketer: Actor, gateway: Gateway) -> None:
    def fast(message: object) -> Accepted:
        services.record_receipts(system_actor(), [receipt()])
        return Accepted()

    gateway.script = fast
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    assert [state for _, state, _ in booked()] == ["accepted", "delivered"]
    assert Contact.objects.count() == 1


def test_a_receipt_is_believed_even_where_a_failure_was_booked(marketer: Actor, gateway: Gateway) -> None:
    gateway.script = lambda message: Refused("bad_number")
    services.create_touches(marketer, "w1", touches(1))
    services.dispatch_once()
    services.record_receipts(system_actor(), [receipt()])
    assert queries.outcomes_by_state(marketer, CAMPAIGN) == {"delivered": 1}
    assert Contact.objects.count() == 1


def test_a_receipt_for_a_key_we_never_sent_is_an_alarm_and_no_row(marketer: Actor, gateway: Gateway) -> None:
    report = services.record_receipts(system_actor(), [receipt(key="00" * 16)])
    assert report.strange == ["00" * 16]
    assert not ReceiptEntry.objects.exists()
    assert AuditEntry.objects.filter(act="receipt.strange").count() == 1


def test_people_do_not_write_receipts(marketer: Actor, gateway: Gateway) -> None:
    with pytest.raises(NotAllowed):
        services.record_receipts(marketer, [])


def test_only_signed_calls_are_believed() -> None:
    at = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
    time = str(int(at.timestamp()))
    services.install_receipt_secrets(["new" * 10, "old" * 10, ""])
    try:
        for secret, believed in (("new" * 10, True), ("old" * 10, True), ("", False), ("forged", False)):
            signature = sign(secret, time, b"{}")
            assert services.is_signed(time=time, signature=signature, body=b"{}", at=at) is believed
        late = at + timedelta(seconds=301)
        assert not services.is_signed(time=time, signature=sign("new" * 10, time, b"{}"), body=b"{}", at=late)
    finally:
        services.install_receipt_secrets([])
    assert not services.is_signed(time=time, signature=sign("", time, b"{}"), body=b"{}", at=at)
