"""Long work: its list, its progress, and a way to end it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect

from kequn.console.access import Request, back, done, page
from kequn.console.errors import said_of_job
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.ops.jobs.queries import job_for, jobs_for
from kequn.ops.jobs.services import cancel_job

STATES = ("queued", "running", "done", "failed", "cancelled")
COLUMNS = (
    Column(lazy("编号"), "pk", "id", number=True),
    Column(lazy("作业"), "kind", "kind"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("进度"), "percent", number=True),
    Column(lazy("发起人"), "owner_name", "owner_name"),
    Column(lazy("提交时间"), "created_at", "created_at"),
    Column(lazy("完成时间"), "finished_at", "finished_at"),
)


@page()
def jobs(request: Request) -> HttpResponse:
    """List the jobs one may see."""
    rows = jobs_for(request.actor)
    state = request.GET.get("state", "")
    if state:
        rows = rows.filter(state=state)
    table = Table(request, rows, COLUMNS, name="jobs", default="-id")
    return listing(request, "jobs/list.html", table, _("作业"), {"state": state, "states": STATES})


@page()
def job(request: Request, job_id: int) -> HttpResponse:
    """Show one job; a page that waits for it is sent on when it is done."""
    row = job_for(request.actor, job_id)
    then = back(request, "")
    if row.state == "done" and then:
        return HttpResponseClientRedirect(then) if request.htmx else redirect(then)
    fault = said_of_job(row.error) if row.error else None
    return render(request, "jobs/job.html", {"job": row, "then": then, "fault": fault})


@page()
@require_POST
def cancel(request: Request, job_id: int) -> HttpResponse:
    """Ask for the end of a job."""
    cancel_job(request.actor, job_id)
    return done(request, "job", _("已请求取消"), job_id=job_id)


def to_job(_request: Request, row: Any, then: str) -> HttpResponse:
    """Go and watch a job; ``then`` is where to go when it is done."""
    return redirect(f"{reverse('job', args=[row.pk])}?{urlencode({'next': then})}")
