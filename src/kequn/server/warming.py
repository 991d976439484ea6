"""What a web process reads before its first question: compiled loops, the newest index, a profile of one segment."""

from __future__ import annotations

import logging
import threading

from django.db import connections

from kequn.core.errors import KequnError
from kequn.core.insight import profile
from kequn.ops.audiences.queries import bank_for, latest_date, members_of, segment_specs
from kequn.ops.orgs.actor import system_actor
from kequn.ops.tags.queries import catalogue

log = logging.getLogger(__name__)


def begin() -> threading.Thread:
    """Warm the process beside its work: whoever asks meanwhile is answered as without it."""
    thread = threading.Thread(target=_warm, name="warming", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    try:
        warm()
    except Exception:
        log.exception("warming ended early")  # the next question does what was left
    finally:
        connections.close_all()


def warm() -> bool:
    """Ask one segment's profile; say whether there was one to ask."""
    actor = system_actor()
    for spec in segment_specs().values():
        try:
            day = latest_date()
            members = members_of(actor, spec, as_of=day)
            profile(bank_for(actor), members, tags=catalogue(), as_of=day)
        except KequnError:  # no data yet, or a rule that needs what was not loaded
            continue
        return True
    return False
