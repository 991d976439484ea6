"""What a web process reads before its first question of each version of the data: compiled loops, the newest index, a profile
of one segment, one customer's tags, and who is in each saved segment, with which drafts are compared."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

from django.db import connections

from kequn.core.errors import KequnError
from kequn.core.insight import profile
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.drafts import look_at_draft
from kequn.ops.audiences.queries import bank_for, latest_date, members_of, ordinals, segment_specs, tags_of_one
from kequn.ops.orgs.actor import system_actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

LOOKS_AGAIN = 5.0
"""Seconds between looks whether the data have a new version."""
MOST_LOOKS = 50
log = logging.getLogger(__name__)


def begin() -> threading.Thread:
    """Warm the process beside its work: whoever asks meanwhile is answered as without it."""
    thread = threading.Thread(target=_stay_warm, name="warming", daemon=True)
    thread.start()
    return thread


def _stay_warm() -> None:
    warmed = None
    while True:
        try:
            if (version := engine().manifest.version) != warmed:
                warm()
                warmed = version
        except Exception:
            log.exception("warming ended early")  # the next question does what was left
        finally:
            connections.close_all()
        time.sleep(LOOKS_AGAIN)


def warm() -> bool:
    """Ask one segment's profile, and for all segments who is in them; say whether there was one to ask."""
    actor = system_actor()
    with suppress(KequnError):  # no data yet
        ordinals(["nobody"])
        tags_of_one(0, latest_date())
    for spec in segment_specs().values():
        try:
            day = latest_date()
            members = members_of(actor, spec, as_of=day)
            profile(bank_for(actor), members, tags=catalogue(), as_of=day)
        except KequnError:  # no data yet, or a rule that needs what was not loaded
            continue
        everybody = SegmentSpec.model_validate({"name": "everybody", "title": "-", "where": {"all": []}})
        looks = (look_at_draft(actor, everybody) for _ in range(MOST_LOOKS))
        return any(not look.waiting for look in looks)
    return False
