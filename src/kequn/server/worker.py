"""The worker: runs jobs, sends what is due, and finds out about what is unknown, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import close_old_connections, connections

from kequn.core.errors import KequnError
from kequn.ops.delivery import services as delivery
from kequn.ops.jobs.services import run_next
from kequn.ops.orgs.actor import system_actor
from kequn.ops.workbench.services import settle_notices
from kequn.server.housekeeping import Housekeeping

IDLE_SECONDS = 0.5
SETTLE_SECONDS = 1.0
NOTICES_SECONDS = 5.0
BEAT_SECONDS = 60.0
CHORES_SECONDS = 60.0
TROUBLE_SECONDS = 5.0
CLAIMS_A_ROUND = 50
log = logging.getLogger(__name__)

Step = Callable[[], bool]
"""Does one piece of work; returns whether there was any."""


class Worker:
    """Loops in threads of their own, so that a long job delays no message and a slow channel no other."""

    def __init__(self, *, jobs: bool = True, sending: bool = True) -> None:
        self._ending = threading.Event()
        self._loops: list[tuple[str, Step, float]] = []
        if jobs:
            self._loops.append(("jobs", lambda: run_next() is not None, IDLE_SECONDS))
            self._loops.append(("housekeeping", Housekeeping(), CHORES_SECONDS))
        if sending:
            self._loops.append(("settle", _settle, SETTLE_SECONDS))
            self._loops.append(("notices", _notices, NOTICES_SECONDS))
            self._loops.append(("beat", _beat, BEAT_SECONDS))
            self._loops += [(f"send {channel}", _sender(channel), IDLE_SECONDS) for channel in delivery.channels()]
        self._threads = [threading.Thread(target=self._loop, args=loop, name=loop[0]) for loop in self._loops]

    def start(self) -> None:
        """Begin; refuse in a restored past.

        Raises:
            RestoredPast: a backup was restored and not yet quarantined.
        """
        delivery.check_heartbeat(_beat_file())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every loop finish the piece of work it is at, and return when all have."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait(self) -> None:
        """Return when ``end`` was called."""
        while not self._ending.wait(1.0):
            pass

    def end(self) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._ending.set()

    def _loop(self, name: str, step: Step, idle: float) -> None:
        while not self._ending.is_set():
            close_old_connections()
            try:
                pause = 0.0 if step() else idle
            except KequnError as error:
                log.error("%s: %s", name, error)
                pause = TROUBLE_SECONDS
            except Exception:
                log.exception("%s: trouble; trying again", name)
                pause = TROUBLE_SECONDS
            self._ending.wait(pause)
        connections.close_all()


def run(*, jobs: bool = True, sending: bool = True) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way."""
    worker = Worker(jobs=jobs, sending=sending)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.end())
    worker.start()
    worker.wait()
    worker.stop()


def run_until_idle(*, seconds: float = 60.0) -> None:
    """Run jobs, send and settle in the caller's thread until nothing is left to do (the demo, tests)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ran = run_next() is not None
        sent = delivery.dispatch_once(CLAIMS_A_ROUND).moved
        settled = delivery.settle_unknown().moved
        told = settle_notices(system_actor())
        if not (ran or sent or settled or told):
            return


def _sender(channel: str) -> Step:
    return lambda: delivery.dispatch_once(CLAIMS_A_ROUND, only=[channel]).moved > 0


def _settle() -> bool:
    return delivery.settle_unknown().moved > 0


def _notices() -> bool:
    settle_notices(system_actor())
    return False


def _beat() -> bool:
    delivery.beat(_beat_file())
    return False


def _beat_file() -> Path:
    return Path(settings.HOME) / "heartbeat"
