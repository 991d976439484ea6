"""Which jobs an actor may see."""

from __future__ import annotations

from django.db.models import QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.jobs.models import Job
from kequn.ops.orgs.actor import Actor


def jobs_for(actor: Actor) -> QuerySet[Job]:
    """Return one's own jobs, or all of them with the right ``job.view``."""
    return Job.objects.all() if actor.may("job.view") else Job.objects.filter(owner_id=actor.user_id)


def job_for(actor: Actor, job_id: int) -> Job:
    """Return one job.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    job = jobs_for(actor).filter(pk=job_id).first()
    if job is None:
        raise NotAllowed("There is no such job.", job=job_id)
    return job
