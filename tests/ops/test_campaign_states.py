"""No path leads to a running campaign but by another person's approval of the very spec that runs."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.errors import KequnError
from kequn.ops.campaigns import services, states
from kequn.ops.campaigns.models import Audience, Campaign
from kequn.ops.governance import services as governance
from kequn.ops.governance.models import Approval
from kequn.ops.orgs.actor import system_actor
from tests.ops.bank import Cast
from tests.ops.test_campaigns import but

pytestmark = pytest.mark.django_db
ACTORS = ("zhaomin", "zhoulv", "sunli", "liqiang", "wangfang", "admin")
STEPS = ("save", "edit", "submit", "approve", "refuse", "freeze", "launch", "stop", "resume", "finish")


def reachable(start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for state in states.TRANSITIONS[waiting.pop()]:
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


def test_every_state_is_reached_and_every_name_is_a_state() -> None:
    assert reachable(states.DRAFT) == set(states.TRANSITIONS)
    assert set().union(*states.TRANSITIONS.values()) <= set(states.TRANSITIONS)
    assert not states.TRANSITIONS[states.FINISHED]


def test_without_the_approved_state_nothing_is_frozen_or_run() -> None:
    found, waiting = {states.DRAFT}, [states.DRAFT]
    while waiting:
        for state in states.TRANSITIONS[waiting.pop()] - {states.APPROVED}:
            if state not in found:
                found.add(state)
                waiting.append(state)
    assert not found & states.AFTER_FREEZE


def test_the_database_itself_refuses_to_run_what_was_not_approved(definitions: None, cast: Cast) -> None:
    campaign = services.save_campaign(cast["zhaomin"], but())
    with pytest.raises(IntegrityError), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(state=states.RUNNING)


def act(cast: Cast, step: str, who: str, edit: int, monkeypatch: Any) -> None:
    actor, campaign = cast[who], Campaign.objects.first()
    if step in ("save", "edit") or campaign is None:
        services.save_campaign(actor, but(window_days=30 + (edit if step == "edit" else 0)))
        return
    match step:
        case "submit":
            services.submit_campaign(actor, campaign.pk)
        case "approve" | "refuse":
            waiting = Approval.objects.filter(state="waiting").first()
            if waiting:
                governance.decide(actor, waiting.pk, approve=step == "approve", reason="原因")
        case "freeze":
            services.freeze_campaign(actor, campaign.pk)
        case "launch":
            services.launch_campaign(actor, campaign.pk)
        case "stop":
            services.stop_campaign(actor, campaign.pk, reason="原因")
        case "resume":
            services.resume_campaign(actor, campaign.pk)
        case "finish":
            services.finish_campaign(actor, campaign.pk)


WAY = [
    ("save", "zhaomin", 0), ("submit", "zhaomin", 0), ("approve", "zhoulv", 0), ("freeze", "zhaomin", 0),
    ("launch", "zhaomin", 0), ("stop", "liqiang", 0), ("resume", "zhoulv", 0), ("finish", "zhaomin", 0),
]  # fmt: skip
ANYTHING = st.one_of(
    st.sampled_from(WAY), st.tuples(st.sampled_from(STEPS), st.sampled_from(ACTORS), st.integers(1, 2))
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.tuples(st.integers(1, len(WAY)), st.lists(ANYTHING, min_size=2, max_size=10)).map(
        lambda drawn: [*WAY[: drawn[0]], *drawn[1]]
    )
)
def test_whatever_anybody_tries_only_what_another_person_approved_runs(
    definitions: None, cast: Cast, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, str, int]]
) -> None:
    monkeypatch.setattr(services, "create_touches", lambda *_: 0)  # the outbox is another's test
    try:
        with transaction.atomic():
            for step, who, edit in steps:
                try:
                    with transaction.atomic():
                        act(cast, step, who, edit, monkeypatch)
                except KequnError:
                    continue
                campaign = Campaign.objects.get()
                if campaign.state in states.AFTER_FREEZE:
                    approval = Approval.objects.get(kind="campaign", fingerprint=campaign.fingerprint, state="approved")
                    assert campaign.spec.fingerprint() == approval.fingerprint
                    assert approval.checker_id not in (None, approval.maker_id)
                    assert Audience.objects.filter(campaign=campaign).count() == 1
            raise _Enough
    except _Enough:
        pass


def test_the_whole_way_can_be_walked(definitions: None, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for step, who, _ in WAY:
        act(cast, step, who, 0, monkeypatch)
        seen.append(Campaign.objects.get().state)
    assert seen == ["draft", "submitted", "approved", "frozen", "running", "stopped", "running", "finished"]
    assert services.finish_due_campaigns(system_actor()) == 0


class _Enough(Exception):
    """Rolls the example back."""
