"""What callers of delivery are promised: each touch once, in order, and stopped when it has to be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.models import Touch
from kequn.ops.orgs.actor import Actor
from tests.ops.delivery.conftest import START, Gateway, touches


def test_a_touch_is_sent_once_however_often_it_is_created_and_dispatched(marketer: Actor, gateway: Gateway) -> None:
    assert services.create_touches(marketer, "w1", touches(120)) == 120
    assert services.create_touches(marketer, "w1", touches(120)) == 0
    assert services.dispatch_once().accepted == 120
    assert services.dispatch_once().claimed == 0
    assert len(gateway.keys) == len(set(gateway.keys)) == 120
    assert queries.outcomes_by_state(marketer, "near_gold_q3") == {"accepted": 120}
