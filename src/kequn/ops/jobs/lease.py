"""The lease of a running job, renewed beside its handler for as long as the worker lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, connection

from kequn.ops.jobs.models import Job
from kequn.ops.runtime import now

LEASE = timedelta(seconds=60)
BEAT = timedelta(seconds=15)
"""Several beats fit into a lease, so that one that finds the database busy loses nothing."""
log = logging.getLogger(__name__)


@contextmanager
def held(job_id: int, token: str) -> Iterator[None]:
    """Renew a lease while the body runs: a step that takes minutes and reports nothing is no dead worker.

    The beats end when another worker has the job; the handler learns of that at its next report.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_beats, args=(job_id, token, ended), name=f"lease {job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _beats(job_id: int, token: str, ended: threading.Event) -> None:
    try:
        while not ended.wait(BEAT.total_seconds()):
            try:
                if not _renew(job_id, token):
                    return
            except DatabaseError:
                log.warning("job %s: the lease could not be renewed; trying again", job_id)
    finally:
        connection.close()


def _renew(job_id: int, token: str) -> bool:
    mine = Job.objects.filter(pk=job_id, token=token, state=Job.State.RUNNING)
    return bool(mine.update(lease_until=now() + LEASE))
