"""Discovery: searches for clusters and look-alikes, what they found, what becomes of it, and experts' notes."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from kequn.console.access import Request, back, done, page, refused
from kequn.console.discovery import shown
from kequn.console.discovery.forms import ClusterForm, ExpansionForm, LookAlikeForm
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.tables import Column, Table
from kequn.core.errors import InvalidSpec, KequnError, Where
from kequn.core.spec.base import Text
from kequn.core.spec.discovery import ClusterSearch, LookAlikeSearch
from kequn.ops.audiences.queries import bank_today, dates, latest_date, latest_segments, lists_for
from kequn.ops.insights import queries, services
from kequn.ops.jobs.queries import job_for

COLUMNS = (
    Column(lazy("名称"), "title", "title"),
    Column(lazy("标识"), "name", "name"),
    Column(lazy("方法"), "kind"),
    Column(lazy("结果"), "state", "state"),
    Column(lazy("业务日期"), "as_of", "as_of"),
    Column(lazy("经办"), "owner_name", "owner_name"),
    Column(lazy("发起时间"), "created_at", "created_at"),
    Column(lazy("发布"), "published_at", "published_at"),
)


@page("discovery.view")
def discoveries(request: Request) -> HttpResponse:
    """List the discoveries in sight."""
    rows = queries.discoveries_for(request.actor)
    table = Table(request, rows, COLUMNS, name="discoveries", default="-created_at")
    return listing(request, "discovery/list.html", table, _("客群发现"))


@page("discovery.run")
def new(request: Request, kind: str) -> HttpResponse:
    """Ask for a search: which tags, how many clusters or which seeds."""
    make = LookAlikeForm if kind == "lookalike" else ClusterForm
    form = make(request.POST or None, seeds=_seeds(request) if make is LookAlikeForm else None, days=_days())
    picked = request.POST.getlist("tags")
    context = {"form": form, "kind": kind, "picked": picked, "families": []}
    try:
        context["families"] = shown.families(queries.choices_for(request.actor, latest_date()), picked)
        if request.method != "POST":
            return render(request, "discovery/new.html", context)
        if not form.is_valid():
            return render(request, "discovery/new.html", context, status=422)
        given = form.cleaned_data
        search = _search(kind, given, picked)
        row = services.request_discovery(
            request.actor, search, name=given["name"], title=given["title"], as_of=given["as_of"]
        )
    except KequnError as error:
        if request.method != "POST":
            return render(request, "discovery/new.html", context | {"error": error})
        return refused(request, "discovery/new.html", context, error)
    return to_job(request, job_for(request.actor, row.job_id), reverse("discovery", args=[row.pk]))


@page("discovery.view")
def discovery(request: Request, discovery_id: int) -> HttpResponse:
    """Show one discovery: how it goes, or what it came to."""
    row = queries.discovery_for(request.actor, discovery_id)
    return _page(request, row)


@page("discovery.run", "discovery.publish")
@require_POST
def act(request: Request, discovery_id: int) -> HttpResponse:
    """Rename a cluster, save its rule as a draft, publish the clusters, or keep an expansion."""
    row = queries.discovery_for(request.actor, discovery_id)
    form, verb, code = request.POST, request.POST.get("do", ""), request.POST.get("code", "")
    here = reverse("discovery", args=[row.pk])
    try:
        if verb == "rename":
            zh = form.get("zh", "").strip()
            if not zh:
                raise InvalidSpec("A cluster needs a name.", hint="Write what these customers are called.")
            services.rename_cluster(request.actor, row.pk, code, Text(zh=zh, en=form.get("en", "").strip()))
            return done(request, f"{here}#{code}", _("已改名"))
        if verb == "draft":
            version = services.save_rule(request.actor, row.pk, code, name=form.get("name", "").strip())
            return done(request, "segment_edit", _("已存为草稿，可以继续编辑"), name=version.name)
        if verb == "publish":
            job = services.request_publication(request.actor, row.pk, basis=form.get("basis", ""))
            return to_job(request, job, here)
        if verb == "expand":
            return _expand(request, row)
    except KequnError as error:
        return _page(request, row, error=error)
    return done(request, here)


@page("note.write")
@require_POST
def write_note(request: Request) -> HttpResponse:
    """Write a note on a segment, a cluster or a discovery."""
    form = request.POST
    services.add_note(request.actor, form.get("subject_kind", ""), form.get("subject", ""), form.get("text", ""))
    return done(request, back(request, reverse("discoveries")), _("已记下"))


@page("note.write")
@require_POST
def change_note(request: Request, note_id: int) -> HttpResponse:
    """Change or take away one's own note."""
    if request.POST.get("do") == "remove":
        services.remove_note(request.actor, note_id)
        return done(request, back(request, reverse("discoveries")), _("已删除"))
    services.edit_note(request.actor, note_id, request.POST.get("text", ""))
    return done(request, back(request, reverse("discoveries")), _("已修改，原文仍可查看"))


def _page(request: Request, row: Any, *, error: KequnError | None = None) -> HttpResponse:
    context: dict[str, Any] = {"row": row, "error": error, "then": request.path}
    if row.state == "queued" and row.job_id:
        context["job"] = job_for(request.actor, row.job_id)
    if row.result:
        about = shown.of_clusters if row.kind == "clusters" else shown.of_alike
        context |= about(request.actor, row)
    if row.kind == "lookalike" and row.state == "found":
        context.setdefault("form", ExpansionForm(initial=shown.usual_expansion(row, bank_today())))
    context["notes"] = shown.notes(request.actor, "discovery", str(row.pk))
    template = "discovery/clusters.html" if row.kind == "clusters" else "discovery/alike.html"
    status = None if error is None else 403 if error.code == "not_allowed" else 422
    return render(request, template, context, status=status)


def _expand(request: Request, row: Any) -> HttpResponse:
    form = ExpansionForm(request.POST)
    if not form.is_valid():
        faults = "; ".join(str(m) for messages in form.errors.values() for m in messages)
        raise InvalidSpec(faults, where=Where(field=next(iter(form.errors))))
    job = services.request_expansion(request.actor, row.pk, **form.cleaned_data)
    return to_job(request, job, reverse("segment", args=[form.cleaned_data["name"]]))


def _search(kind: str, given: dict[str, Any], tags: list[str]) -> ClusterSearch | LookAlikeSearch:
    try:
        if kind == "lookalike":
            source, _sep, name = given["seeds"].partition(":")
            return LookAlikeSearch(tags=tuple(tags), seed=given["seed"], **{source: name})
        return ClusterSearch(
            tags=tuple(tags), fewest=given["fewest"], most=given["most"], rows=given["rows"], seed=given["seed"]
        )
    except ValidationError as fault:
        first = fault.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "tags"
        if field == "tags":
            raise InvalidSpec(
                "Choose at least two tags." if kind == "clusters" else "Choose at least one tag.",
                hint="Five to twenty that say how customers differ are a good start.",
                where=Where(field="tags"),
            ) from None
        raise InvalidSpec(first["msg"], where=Where(field=field)) from None


def _days() -> list[Any]:
    return dates()[:24]


def _seeds(request: Request) -> list[tuple[str, str]]:
    segments = [
        (f"segment:{v.name}", f"{_('客群')} · {shown.said(v.spec.title)}") for v in latest_segments(request.actor)
    ]
    return segments + [(f"list:{r.name}", f"{_('名单')} · {r.title}") for r in lists_for(request.actor)]
