"""Which jobs an actor may see."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.jobs.models import Job
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import user_ids_for


def jobs_for(actor: Actor) -> QuerySet[Job]:
    """Return one's own jobs; with the right ``job.view`` those of everybody in one's branches."""
    own = Q(owner_id=actor.user_id)
    if not actor.may("job.view"):
        return Job.objects.filter(own)
    if actor.sees_all_branches:
        return Job.objects.all()
    return Job.objects.filter(own | Q(owner_id__in=user_ids_for(actor)))


def job_for(actor: Actor, job_id: int) -> Job:
    """Return one job.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    job = jobs_for(actor).filter(pk=job_id).first()
    if job is None:
        raise NotAllowed("There is no such job.", job=job_id)
    return job
