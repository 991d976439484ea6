"""A restored backup: noticed, quarantined, and nobody gets a message twice for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kequn.channels.base import Accepted
from kequn.core.errors import NotAllowed
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.models import Contact, Heartbeat, Outcome, Ready, Touch, Unknown
from kequn.ops.delivery.quarantine import RestoredPast
from kequn.ops.orgs.actor import Actor
from tests.ops.delivery.conftest import Gateway, touches

CAMPAIGN = "near_gold_q3"


def sent_and_restored(actor: Actor) -> None:
    """Send 30 of 40, then put the books back to before."""
    services.create_touches(actor, "w1", touches(40))
    services.dispatch_once(30)
    Outcome.objects.all().delete()
    Contact.objects.all().delete()
    waiting = set(Ready.objects.values_list("pk", flat=True))
    gone = Touch.objects.exclude(pk__in=waiting)
    Ready.objects.bulk_create(
        Ready(touch=t, sending_id=t.sending_id, channel=t.channel, priority=t.priority, not_before=t.created_at)
        for t in gone
    )


def test_a_database_that_went_back_in_time_is_noticed(tmp_path: Path, cast: dict[str, Actor]) -> None:
    file = tmp_path / "heartbeat"
    for _ in range(3):
        services.beat(file)
    services.check_heartbeat(file)
    Heartbeat.objects.update(beat=2)
    with pytest.raises(RestoredPast):
        services.check_heartbeat(file)
    with pytest.raises(RestoredPast):
        services.beat(file)
    services.quarantine_restored(cast["admin"], file)
    services.check_heartbeat(file)
    assert services.beat(file) > 3


def test_after_the_quarantine_a_channel_that_answers_sends_nothing_twice(
    tmp_path: Path, cast: dict[str, Actor], gateway: Gateway
) -> None:
    sent_and_restored(cast["zhaomin"])
    assert services.quarantine_restored(cast["admin"], tmp_path / "heartbeat") == 40
    assert services.dispatch_once().claimed == 0
    report = services.settle_unknown()
    assert (report.accepted, report.requeued) == (30, 10)
    Ready.objects.update(not_before=Touch.objects.first().created_at)  # type: ignore[union-attr]
    services.dispatch_once()
    assert len(gateway.keys) == len(set(gateway.keys)) == 40
    assert queries.outcomes_by_state(cast["zhaomin"], CAMPAIGN) == {"accepted": 40}
    assert Contact.objects.count() == 40


@pytest.mark.parametrize(("send", "copies"), [(True, 70), (False, 30)])
def test_where_nobody_can_be_asked_a_checker_decides(
    tmp_path: Path, cast: dict[str, Actor], gateway: Gateway, send: bool, copies: int
) -> None:
    gateway.guarantee = "opaque"
    gateway.script = lambda message: Accepted()
    sent_and_restored(cast["zhaomin"])
    services.quarantine_restored(cast["admin"], tmp_path / "heartbeat")
    services.settle_unknown()
    services.dispatch_once()
    assert Unknown.objects.count() == 40
    with pytest.raises(NotAllowed):
        services.release_quarantined(cast["zhaomin"], CAMPAIGN, send=send)
    assert services.release_quarantined(cast["zhoulv"], CAMPAIGN, send=send) == 40
    services.dispatch_once()
    assert len(gateway.keys) == copies
    assert queries.is_finished(CAMPAIGN)
