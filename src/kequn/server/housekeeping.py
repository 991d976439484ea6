"""What has to be done once a day: campaigns that are over, leave that begins or ends, who is long unworked, what is past its day."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date

from kequn.core.errors import KequnError
from kequn.ops.audiences.queries import bank_today
from kequn.ops.audiences.services import remove_expired_exports, remove_expired_lists
from kequn.ops.board.services import queue_missing_days
from kequn.ops.campaigns.services import finish_due_campaigns
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.ownership.services import settle_absences, watch_owners
from kequn.ops.workbench.services import expire_tasks, reopen_notices

CHORES: tuple[Callable[[Actor], int], ...] = (
    finish_due_campaigns,
    settle_absences,
    watch_owners,
    expire_tasks,
    reopen_notices,
    queue_missing_days,
    remove_expired_lists,
    remove_expired_exports,
)
log = logging.getLogger(__name__)


class Housekeeping:
    """Does the chores once a business day. Each may be done again at any time, so several workers do no harm."""

    def __init__(self) -> None:
        self._done_on: date | None = None

    def __call__(self) -> bool:
        """Do today's chores where they are not done; what fails is tried again at the next call."""
        today = bank_today()
        if self._done_on == today:
            return False
        done = [_done(chore) for chore in CHORES]
        if all(done):
            self._done_on = today
        return False


def _done(chore: Callable[[Actor], int]) -> bool:
    try:
        n = chore(system_actor())
    except KequnError as error:
        log.warning("%s: %s; trying again", chore.__name__, error)
        return False
    if n:
        log.info("%s: %s", chore.__name__, n)
    return True
