"""Today: where the loop stands, and the one thing that waits; it differs by role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from kequn.console.access import Request, page
from kequn.console.reviews.views import headlines
from kequn.console.segments.pinyin import initials
from kequn.console.work.today import today
from kequn.core.errors import KequnError
from kequn.core.spec.base import Text
from kequn.ops.audiences.queries import latest_segments
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.catalog.queries import latest_definitions
from kequn.ops.customers.queries import find
from kequn.ops.governance.queries import approvals_for
from kequn.ops.jobs.queries import jobs_for
from kequn.ops.runtime import now
from kequn.ops.sources.queries import data_date, loads_for, statuses_for
from kequn.ops.tags.queries import refreshes_for, tag_rows_for
from kequn.ops.workbench.queries import task_counts, tasks_for, with_names

LATE_DAYS = 3
MOST = 8


@page("home.view")
def home(request: Request) -> HttpResponse:
    """Show the page of the actor's role."""
    actor = request.actor
    if actor.may("task.work"):
        return today(request)
    context: dict[str, Any] = {"today": now(), "data_date": data_date()}
    context["data_age"] = (now().date() - context["data_date"]).days if context["data_date"] else None
    if actor.may("task.view"):
        context |= {"counts": task_counts(actor), "urgent": list(with_names(tasks_for(actor, held=False))[:3])}
    if actor.may("source.view"):
        context |= _data(request)
    if actor.may("segment.view"):
        context["n_segments"] = len(latest_segments(actor))
    if actor.may("campaign.view"):
        rows = list(campaigns_for(actor))
        context["by_state"] = sorted(Counter(c.state for c in rows).items())
        context["campaigns"] = [
            c for c in rows if c.state in ("running", "frozen", "approved", "submitted", "stopped")
        ][:MOST] or rows[:MOST]
        context["n_campaigns"], context["n_live"] = len(rows), sum(c.state == "running" for c in rows)
    if actor.may("approval.decide"):
        context["waiting"] = list(approvals_for(actor, state="waiting").order_by("submitted_at")[:MOST])
    if actor.may("review.view"):
        context["reviews"] = _reviews(request)
    context["failed"] = list(jobs_for(actor).filter(state="failed")[:3])
    return render(request, "home/home.html", context)


@page()
def alive(request: Request) -> HttpResponse:
    """Say that the person is still there: asked by a page that is about to be signed out."""
    del request
    return HttpResponse("ok")


@page()
def search(request: Request) -> HttpResponse:
    """Find segments, tags, campaigns and contents by word; customers by their exact number, phone or name, in one's own scope.

    Customers are looked up by POST only: addresses stand in histories and logs, where no phone and no name belongs.
    """
    actor = request.actor
    q = (request.POST if request.method == "POST" else request.GET).get("q", "").strip()
    word, language = q.lower(), get_language() or "zh"
    found: dict[str, Any] = {"q": q, "find": q}
    if q:
        if request.method == "POST" and actor.may("customer.view"):
            found["customers"] = find(actor, q)
        if actor.may("segment.view"):
            found["segments"] = _met(((s.name, s.spec, "") for s in latest_segments(actor)), word)
        if actor.may("tag.view"):
            found["tags"] = _met(((r.spec.name, r.spec, "") for r in tag_rows_for(actor)), word)
        if actor.may("campaign.view"):
            found["campaigns"] = _met(((c.name, c.spec, "") for c in campaigns_for(actor)), word)
        if actor.may("catalog.view"):
            found["contents"] = _met(((d.pk, d.spec, d.kind) for d in latest_definitions(actor)), word)
    found["nothing"] = bool(q) and not any(
        found.get(k) for k in ("customers", "segments", "tags", "campaigns", "contents")
    )
    return render(request, "home/search.html", found | {"language": language})


def _met(named: Iterable[tuple[Any, Any, str]], word: str) -> list[tuple[Any, Text, str]]:
    """Return (key, title, kind) of the first specs whose name, title or its initials hold the word."""
    met = (
        (key, spec.title, kind)
        for key, spec, kind in named
        if word in f"{spec.name} {spec.title.zh} {spec.title.en} {initials(spec.title.zh)}".lower()
    )
    return list(islice(met, MOST))


def _data(request: Request) -> dict[str, Any]:
    actor = request.actor
    statuses = statuses_for(actor)
    lights = Counter(s.light for s in statuses)
    light = next((level for level in ("failed", "late", "empty") if lights[level]), "ok" if statuses else "empty")
    rows = tag_rows_for(actor)
    return {
        "light": light, "lights": sorted(lights.items()), "n_sources": len(statuses), "n_rows": sum(s.rows for s in statuses),
        "n_tags": sum(r.state is not None for r in rows), "n_all_tags": len(rows), "refresh": refreshes_for(actor).first(),
        "loads": list(loads_for(actor)[:5]),
    }  # fmt: skip


def _reviews(request: Request) -> list[Any]:
    try:
        return headlines(request.actor)[:4]
    except KequnError:
        return []
