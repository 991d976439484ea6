"""Queue, claim, run and cancel work for the machine."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.jobs.lease import LEASE, held
from kequn.ops.jobs.models import Job
from kequn.ops.jobs.queries import jobs_for
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import actor_of
from kequn.ops.runtime import now

MAX_ATTEMPTS = 3
log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The owner asked for the end: an outcome, not a fault."""


@dataclass(slots=True)
class Running:
    """What a handler is given: its parameters, and a way to report and to notice a cancel."""

    job_id: int
    token: str
    params: dict[str, Any]
    actor: Actor

    def progress(self, done: int, total: int | None = None, message: str = "") -> None:
        """Store how far the work is, and renew the lease; stop when it was cancelled or taken over.

        Raises:
            Cancelled: the owner asked for the end, or another worker has the job.
        """
        mine = Job.objects.filter(pk=self.job_id, token=self.token, state=Job.State.RUNNING, cancel_requested=False)
        if not mine.update(done=done, total=total, message=message[:300], lease_until=now() + LEASE):
            raise Cancelled

    def cancelled(self) -> bool:
        """Whether the work should end."""
        return not Job.objects.filter(pk=self.job_id, token=self.token, cancel_requested=False).exists()


Handler = Callable[[Running], dict[str, Any]]
_handlers: dict[str, Handler] = {}


def register(kind: str, handler: Handler) -> None:
    """Say who does the jobs of a kind; called by an app when it is ready."""
    _handlers[kind] = handler


def enqueue(actor: Actor, kind: str, params: dict[str, Any], *, key: str = "") -> Job:
    """Queue work; an unfinished job of the same kind and key is returned instead of a second one."""
    if kind not in _handlers:
        raise NotAllowed(f"There is no work of the kind {kind!r}.")
    fields = {"params": params, "owner_id": actor.user_id, "owner_name": actor.display_name, "created_at": now()}
    try:
        with transaction.atomic():
            return Job.objects.create(kind=kind, key=key, **fields)
    except IntegrityError:
        return Job.objects.get(kind=kind, key=key, state__in=[Job.State.QUEUED, Job.State.RUNNING])


def cancel_job(actor: Actor, job_id: int) -> Job:
    """Ask for the end of a job: one's own, or anybody's with the right ``job.cancel``."""
    job = jobs_for(actor).filter(pk=job_id).first()
    if job is None or (job.owner_id != actor.user_id and not actor.may("job.cancel")):
        raise NotAllowed("There is no such job of yours.", job=job_id)
    Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(state=Job.State.CANCELLED, finished_at=now())
    Job.objects.filter(pk=job_id, state=Job.State.RUNNING).update(cancel_requested=True)
    return Job.objects.get(pk=job_id)


def run_next() -> Job | None:
    """Claim the oldest waiting job (or one whose worker died) and run it to its end; ``None`` when nothing waits."""
    claimed = _claim()
    if claimed is None:
        return None
    job, token = claimed
    try:
        with held(job.pk, token):
            result = _handlers[job.kind](Running(job.pk, token, job.params, _owner(job)))
    except Cancelled:
        _finish(job, token, state=Job.State.CANCELLED)
    except KequnError as error:
        _finish(job, token, state=Job.State.FAILED, error=as_facts(error))
    except Exception as error:
        log.exception("job %s (%s) crashed", job.pk, job.kind)
        # the words of a strange error may quote a row, and everybody with the right sees jobs: they stay in the log
        message = f"{type(error).__name__}: see the worker's log at job {job.pk}."
        _finish(job, token, state=Job.State.FAILED, error={"code": "crash", "message": message})
    else:
        _finish(job, token, state=Job.State.DONE, result=result)
    return Job.objects.get(pk=job.pk)


def run_waiting() -> int:
    """Run jobs until none waits; return how many ran (tests, the demo, a worker started by hand)."""
    ran = 0
    while run_next() is not None:
        ran += 1
    return ran


def as_facts(error: KequnError) -> dict[str, Any]:
    """Return an error as JSON."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "where": str(error.where),
        "facts": {k: str(v) for k, v in error.facts.items()},
    }


def _claim() -> tuple[Job, str] | None:
    moment = now()
    waiting = Q(state=Job.State.QUEUED) | Q(state=Job.State.RUNNING, lease_until__lt=moment)
    for job in Job.objects.filter(waiting, kind__in=_handlers).order_by("id")[:5]:
        token = secrets.token_hex(16)
        if job.attempts >= MAX_ATTEMPTS:
            stale = Job.objects.filter(pk=job.pk, token=job.token, state=job.state, lease_until=job.lease_until)
            error = {"code": "gave_up", "message": f"The worker died {job.attempts} times at this job."}
            stale.update(state=Job.State.FAILED, error=error, finished_at=moment)
            continue
        mine = Job.objects.filter(
            pk=job.pk, token=job.token, state=job.state, attempts=job.attempts, lease_until=job.lease_until
        )
        if mine.update(
            state=Job.State.RUNNING,
            token=token,
            lease_until=moment + LEASE,
            started_at=moment,
            attempts=F("attempts") + 1,
        ):
            job.refresh_from_db()
            return job, token
    return None


def _finish(job: Job, token: str, **fields: Any) -> None:
    Job.objects.filter(pk=job.pk, token=token).update(finished_at=now(), **fields)


def _owner(job: Job) -> Actor:
    return actor_of(job.owner_id) if job.owner_id else system_actor()
