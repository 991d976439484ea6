"""Feedback upward: a wrong entry in two taps, a question or an insight, and head office's answer."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, back, done, page, refused, status_of
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.console.words import word_for
from kequn.console.work.customer import of_task
from kequn.core.errors import InvalidSpec, KequnError
from kequn.ops.audiences.queries import latest_segments
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.catalog.queries import latest_definitions
from kequn.ops.feedback import queries, services
from kequn.ops.feedback.contracts import ListFigures
from kequn.ops.workbench.queries import task_for

SHOWN = 30
STATES = ("new", "answered", "adopted", "declined")
LISTS = (
    Column(lazy("名单"), "title", "title"),
    Column(lazy("下发任务"), "figures.given", "given", number=True),
    Column(lazy("已核实"), "figures.looked_at", "looked_at", number=True),
    Column(lazy("标记不准"), "figures.wrong", "wrong", number=True),
    Column(lazy("不准率"), "share", "share", number=True),
    Column(lazy("最多的原因"), "reason"),
)
ENTRIES = (
    Column(lazy("时间"), "at", "at"),
    Column(lazy("原因"), lambda e: word_for("wrong_reason", e.reason), "reason"),
    Column(lazy("说明"), "text"),
    Column(lazy("客户经理"), "author_name", "author_name"),
    Column(lazy("网点"), "branch_code", "branch_code"),
)


# -- questions and insights ---------------------------------------------------------------------------------------------


@page("feedback.write", "feedback.answer")
def feedback(request: Request) -> HttpResponse:
    """List one's own questions and insights; for who answers, the inbox."""
    actor, state = request.actor, request.GET.get("state", "")
    rows = queries.feedback_for(actor, state=state if state in STATES else None)
    found = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    context = {
        "found": found,
        "state": state,
        "states": STATES,
        "waiting": queries.feedback_for(actor, state="new").count(),
    }
    return render(request, "feedback/list.html", context)


@page("feedback.write")
def new(request: Request) -> HttpResponse:
    """Write a question or an insight."""
    form = request.POST if request.method == "POST" else request.GET
    context = _of_form(request, form)
    if request.method != "POST":
        return render(request, "feedback/new.html", context)
    try:
        row = services.send_feedback(
            request.actor, form.get("kind", ""), form.get("text", ""), key=form.get("key", ""), campaign=form.get("campaign", ""),
            segment=form.get("segment", ""), about=form.get("about", ""),
        )  # fmt: skip
    except KequnError as error:
        return refused(request, "feedback/new.html", context, error)
    return done(request, "feedback_one", _("已送达总行，回复会显示在今日页"), feedback_id=row.pk)


@page("feedback.write", "feedback.answer")
def one(request: Request, feedback_id: int) -> HttpResponse:
    """Show one question or insight with its answer; its author has seen it with that."""
    row = queries.feedback_one(request.actor, feedback_id)
    services.mark_seen(request.actor, row)
    return render(request, "feedback/one.html", _of_one(request, row))


@page("feedback.answer")
@require_POST
def answer(request: Request, feedback_id: int) -> HttpResponse:
    """Answer, adopt or decline."""
    actor, form = request.actor, request.POST
    row = queries.feedback_one(actor, feedback_id)
    words, expected, wanted = form.get("answer", ""), form.get("expected", ""), form.get("do", "answered")
    try:
        if wanted == "adopted":
            segment = form.get("segment", "")
            services.adopt_insight(actor, feedback_id, segment=segment, answer=words, expected=expected)
        else:
            services.answer_feedback(actor, feedback_id, words, state=wanted, expected=expected)
    except KequnError as error:
        row.refresh_from_db()
        return refused(request, "feedback/one.html", _of_one(request, row) | {"given": form}, error)
    return done(request, "feedback_one", _("已回复"), feedback_id=feedback_id)


@page("feedback.answer")
@require_POST
def draft(request: Request, feedback_id: int) -> HttpResponse:
    """Make a segment or a playbook version of an adopted insight."""
    actor, form = request.actor, request.POST
    row = queries.feedback_one(actor, feedback_id)
    try:
        if form.get("do") == "playbook":
            saved = services.draft_playbook(actor, feedback_id, playbook=form.get("playbook", ""))
            return done(request, "definition", _("已写成策略卡新版本草稿"), version_id=saved.playbook_version)
        saved = services.draft_segment(actor, feedback_id, name=form.get("name", ""), title=form.get("title", ""))
    except KequnError as error:
        return refused(request, "feedback/one.html", _of_one(request, row) | {"given": form}, error)
    return done(request, "segment_edit", _("已起草客群，请补充条件"), name=saved.segment_draft)


# -- wrong entries ------------------------------------------------------------------------------------------------------


@page("feedback.write")
@require_POST
def wrong(request: Request, task_id: int) -> HttpResponse:
    """Mark the entry behind a task as wrong."""
    form = request.POST
    reason = form.get("reason", "")
    try:
        services.mark_wrong(request.actor, task_id, reason, key=form.get("key", ""), text=form.get("text", ""))
    except InvalidSpec as error:
        context = of_task(request, task_for(request.actor, task_id)) | {"wrong": {"error": error, "given": form}}
        return render(request, "work/task.html", context, status=status_of(error))
    return done(request, back(request, reverse("task", args=[task_id])), _("已标记名单不准，任务已关闭"))


@page("feedback.write")
@require_POST
def unmark(request: Request, entry_id: int) -> HttpResponse:
    """Take a mark back."""
    entry = services.unmark_wrong(request.actor, entry_id)
    return done(request, back(request, reverse("task", args=[entry.task_id])), _("已撤销，任务重新打开"))


@page("feedback.answer", "campaign.view")
def lists(request: Request) -> HttpResponse:
    """Show which lists the front line doubts, and why."""
    titles = _titles(request)
    rows = [_Row(f, titles.get(f.campaign, f.campaign)) for f in queries.lists_in_doubt(request.actor)]
    table = Table(request, rows, LISTS, name="lists", default="-wrong")
    return listing(request, "feedback/lists.html", table, _("名单不准"))


@page("feedback.answer", "campaign.view")
def entries(request: Request, name: str) -> HttpResponse:
    """Show what the front line says of one list, entry by entry and without the customers."""
    rows = queries.wrong_entries_for(request.actor, campaign=name)
    table = Table(request, rows, ENTRIES, name="entries", default="-at")
    context = {"name": name, "title": _titles(request).get(name, name)}
    return listing(request, "feedback/entries.html", table, _("名单不准"), context)


class _Row:
    """One list of the table."""

    def __init__(self, figures: ListFigures, title: str) -> None:
        self.figures, self.title = figures, title
        self.given, self.looked_at, self.wrong = figures.given, figures.looked_at, figures.wrong
        self.share = figures.share.point if figures.share else None
        self.reason = word_for("wrong_reason", figures.reasons[0][0]) if figures.reasons else ""


# -- what the pages show ------------------------------------------------------------------------------------------------


def _of_form(request: Request, form: Any) -> dict[str, Any]:
    return {
        "given": form, "key": form.get("key") or secrets.token_hex(12), "kind": form.get("kind") or "insight",
        "campaigns": queries.campaigns_to_write_on(request.actor), "segments": queries.segments_to_write_on(request.actor),
    }  # fmt: skip


def _of_one(request: Request, row: Any) -> dict[str, Any]:
    actor = request.actor
    context: dict[str, Any] = {
        "row": row,
        "given": {},
        "campaign_title": _titles(request).get(row.campaign, row.campaign),
    }
    if actor.may("feedback.answer"):
        context["segments"] = latest_segments(actor)
        if row.state == "adopted" and actor.may("catalog.edit"):
            context["playbooks"] = latest_definitions(actor, kind="playbook")
    return context


def _titles(request: Request) -> dict[str, str]:
    language = request.LANGUAGE_CODE  # type: ignore[attr-defined]
    if request.actor.may("campaign.view"):
        return {c.name: c.spec.title.to(language) for c in campaigns_for(request.actor)}
    return {s.name: s.title.to(language) for s in queries.campaigns_to_write_on(request.actor)}
