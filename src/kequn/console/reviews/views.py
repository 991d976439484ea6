"""What was learnt: one plain sentence first, then the interval, the money, and how it was computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.tables import Column, Table
from kequn.console.words import word_for
from kequn.core.errors import NotAllowed
from kequn.core.spec.base import Text
from kequn.ops.audiences.services import request_export
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.jobs.queries import job_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.reviews.contracts import CampaignReview, MetricResult
from kequn.ops.reviews.queries import latest_review, result_of, reviews_for
from kequn.ops.reviews.services import request_review

SCALE = {"points": 100.0, "cny": 0.01, "number": 1.0}
"""Stored unit to shown unit: shares as percentage points, fen as yuan."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One review in a line."""

    name: str
    title: Text
    kind: str
    as_of: Any
    reviewed_at: Any
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One metric with its numbers in the unit that is shown."""

    result: MetricResult
    title: str
    sentence: str
    unit: str
    point: float | None = None
    low: float | None = None
    high: float | None = None
    treated: float | None = None
    control: float | None = None


COLUMNS = (
    Column(lazy("活动"), "title.zh", "title"),
    Column(lazy("类别"), "kind", "kind"),
    Column(lazy("数据日期"), "as_of", "as_of"),
    Column(lazy("结论"), "sentence"),
    Column(lazy("回检时间"), "reviewed_at", "reviewed_at"),
)


@page("review.view")
def reviews(request: Request) -> HttpResponse:
    """List the latest review of each campaign and experiment, and what could be reviewed but was not."""
    found = headlines(request.actor)
    known = {h.name for h in found}
    waiting = []
    if request.actor.may("campaign.view"):
        waiting = [
            c
            for c in campaigns_for(request.actor)
            if c.state in ("running", "stopped", "finished") and c.name not in known
        ]
    table = Table(request, found, COLUMNS, name="reviews", default="-reviewed_at")
    return listing(request, "reviews/list.html", table, _("后评估"), {"waiting": waiting})


@page("review.view")
def review(request: Request, name: str) -> HttpResponse:
    """Show the latest review of one campaign or experiment."""
    row = latest_review(request.actor, name)
    campaign = campaigns_for(request.actor).filter(name=name).first() if request.actor.may("campaign.view") else None
    if row is None and campaign is None:
        raise NotAllowed("There is no such review in your scope.", review=name)
    context: dict[str, Any] = {
        "row": row,
        "name": name,
        "campaign": campaign,
        "title": campaign.spec.title if campaign else Text(zh=name),
    }
    if row is not None:
        result = result_of(row)
        context |= {"result": result, "history": reviews_for(request.actor, name=name)}
        context |= _of_campaign(result) if isinstance(result, CampaignReview) else _of_experiment(result)
    return render(request, "reviews/review.html", context)


@page("review.run")
@require_POST
def run(request: Request, name: str) -> HttpResponse:
    """Queue a review."""
    campaign = campaigns_for(request.actor).filter(name=name).first()
    if campaign is None:
        raise NotAllowed("There is no such campaign in your scope.", campaign=name)
    return to_job(request, request_review(request.actor, campaign.pk), reverse("review", args=[name]))


@page("export.run")
@require_POST
def export(request: Request, name: str) -> HttpResponse:
    """Queue the review as a file."""
    row = latest_review(request.actor, name)
    if row is None:
        raise NotAllowed("There is no such review in your scope.", review=name)
    params = {"subject": name, "review": row.pk, "language": get_language() or "zh"}
    made = request_export(request.actor, "review", params, purpose=request.POST.get("purpose", "") or _("后评估报告"))
    return to_job(request, job_for(request.actor, made.job_id), reverse("exports"))


def headlines(actor: Actor) -> list[Headline]:
    """Return the latest review of each name in one sentence, the latest first."""
    newest: dict[str, Any] = {}
    for row in reviews_for(actor):
        newest.setdefault(row.name, row)
    return [_headline(row) for row in newest.values()]


def _headline(row: Any) -> Headline:
    result = result_of(row)
    goal = result.goal if isinstance(result, CampaignReview) else result.results[0]
    title = Text(zh=result.title_zh, en=result.title_en) if isinstance(result, CampaignReview) else Text(zh=row.name)
    sentence = goal.conclusion.text.to(get_language() or "zh")
    return Headline(row.name, title, row.kind, row.as_of, row.reviewed_at, goal.conclusion.code, sentence)


def _of_campaign(result: CampaignReview) -> dict[str, Any]:
    goal = _shown(result.goal)
    english = _english()
    parts = [
        (_("渠道"), [(word_for("channel", p.name), p) for p in result.by_channel]),
        (_("网点"), [(p.name, p) for p in result.by_branch]),
    ]
    scale, unit = SCALE[result.goal.unit], goal.unit
    return {
        "goal": goal, "guardrails": [_shown(g) for g in result.guardrails],
        "plot": _plot([result.goal, *result.guardrails], result.goal.unit),
        "parts": [(name, [(n, p, _times(p.treated, scale), _times(p.control, scale)) for n, p in rows]) for name, rows in parts],
        "part_unit": unit, "method": result.method_en if english else result.method_zh, "worth": result.goal.worth,
        "sentence": result.sentence_en if english else result.sentence_zh,
    }  # fmt: skip


def _of_experiment(result: Any) -> dict[str, Any]:
    rows = [_shown(r) for r in result.results]
    units = list(dict.fromkeys(r.result.unit for r in rows))
    plots = [
        (rows_of[0].unit, _plot([r.result for r in rows_of], unit))
        for unit in units
        if (rows_of := [r for r in rows if r.result.unit == unit])
    ]
    return {"rows": rows, "plots": plots, "sentence": rows[0].sentence if rows else "", "experiment": result}


def _shown(result: MetricResult) -> Shown:
    english, scale = _english(), SCALE[result.unit]
    title = result.title_en if english and result.title_en else result.title_zh
    sentence = result.conclusion.text.to(get_language() or "zh")
    unit = {"points": _("个百分点"), "cny": _("元"), "number": ""}[result.unit]
    found = result.lift
    if found is None:
        return Shown(result, title, sentence, unit)
    return Shown(
        result, title, sentence, unit, found.point * scale, found.low * scale, found.high * scale,
        found.treated.total / found.treated.n * scale if found.treated.n else None,
        found.control.total / found.control.n * scale if found.control.n else None,
    )  # fmt: skip


def _plot(results: list[MetricResult], unit: str) -> str:
    scale = SCALE[unit]
    items = []
    for r in results:
        if r.lift is not None and r.unit == unit:
            name = _shown(r).title + (f" · {r.arm}" if r.arm not in ("treated", "") else "")
            items.append((name, r.lift.point * scale, r.lift.low * scale, r.lift.high * scale))
    return charts.intervals(_("提升与 95% 区间；跨过零线就还不能下结论"), items) if items else ""


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _english() -> bool:
    return (get_language() or "").startswith("en")
