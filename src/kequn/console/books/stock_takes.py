"""Stock-taking: rounds with their figures, one customer after another with what the data say, corrections for the bank."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused, status_of
from kequn.console.books import shown
from kequn.console.words import word_for
from kequn.core.errors import InvalidSpec, KequnError, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.books import queries, services, states
from kequn.ops.books.services import Proposal
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import clean
from kequn.ops.orgs.queries import staff_for
from kequn.ops.tags.queries import catalogue

USUAL = timedelta(days=30)
PER_PAGE = 50


@page("stocktake.run")
def stock_takes(request: Request) -> HttpResponse:
    """List the rounds in sight with how far each is."""
    found = Paginator(queries.stock_takes_for(request.actor), PER_PAGE).get_page(request.GET.get("page"))
    progress = queries.progress_of(request.actor, list(found))
    rms = {r.staff_no: r.display_name for r in staff_for(request.actor, role="rm")}
    rows = [(s, progress[s.pk]) for s in found]
    return render(request, "books/stock_takes.html", {"found": found, "rows": rows, "rms": rms, "today": bank_today()})


@page("stocktake.run")
def new(request: Request) -> HttpResponse:
    """Ask for title, deadline and whose book; a POST opens a round for each RM chosen."""
    actor, form = request.actor, request.POST
    query = (form if request.method == "POST" else request.GET).get("query", "")
    chips = shown.chips(services.filter_of(query), catalogue(), {})
    context = {
        "query": query, "chips": [words for words, _url in chips], "rms": staff_for(actor, role="rm").exclude(staff_no=""),
        "until": bank_today() + USUAL, "key": secrets.token_hex(8), "given": form,
    }  # fmt: skip
    if request.method != "POST":
        return render(request, "books/stock_take_new.html", context)
    try:
        staff = form.getlist("staff") or [""]
        made = [
            services.open_stock_take(
                actor, key=form.get("key", ""), title=form.get("title", ""), query=query, staff_no=staff_no,
                deadline=_day(form.get("deadline", "")),
            )
            for staff_no in staff
        ]  # fmt: skip
    except KequnError as error:
        return refused(request, "books/stock_take_new.html", context, error)
    if len(made) == 1:
        return done(request, "stock_take", _("已发起盘点"), stock_take_id=made[0].pk)
    return done(request, "stock_takes", _("已发起盘点"))


@page("stocktake.run")
def stock_take(request: Request, stock_take_id: int) -> HttpResponse:
    """Show one round: its figures by result and reason, and its lines."""
    actor = request.actor
    row = queries.stock_take_for(actor, stock_take_id)
    state = request.GET.get("state", "")
    lines = queries.lines_of(actor, row, state=state if state in states.LINE else None)
    found = Paginator(lines, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "round": row, "progress": queries.progress_of(actor, [row])[row.pk], "found": found, "state": state, "states": list(states.LINE),
        "people": people_by_id(actor, [line.customer_id for line in found]), "reasons": states.REASONS, "today": bank_today(),
        "mine": row.staff_no == actor.staff_no, "steers": actor.role != "rm" or row.opened_by == actor.username,
        "chips": [words for words, _url in shown.chips(services.filter_of(row.query), catalogue(), {})],
    }  # fmt: skip
    return render(request, "books/stock_take.html", context)


@page("stocktake.run")
def work(request: Request, stock_take_id: int) -> HttpResponse:
    """Show the next customer of a round with what the data say beside her; the round when there is none left."""
    row = queries.stock_take_for(request.actor, stock_take_id)
    after = request.GET.get("after", "")
    line = queries.next_line(request.actor, row, after=int(after) if after.isdigit() and len(after) < 6 else 0)
    if line is None or row.state != states.OPEN:
        return redirect("stock_take", stock_take_id=row.pk)
    return render(request, "books/stock_take_work.html", _of_line(request, line))


@page("stocktake.run")
@require_POST
def decide(request: Request, line_id: int) -> HttpResponse:
    """Record what the RM decided of one customer, and go on to the next."""
    form, actor = request.POST, request.actor
    line, circle = queries.line_for(actor, line_id), None
    try:
        result, wanted = form.get("result", ""), form.get("circle", "")
        if result == states.GROUPED:
            named = form.get("name", "").strip()
            circle = services.create_circle(actor, named).pk if named else int(wanted) if wanted.isdigit() else None
        fields = zip(form.getlist("field"), form.getlist("value"), strict=False)
        line = services.decide_line(
            actor, line_id, key=form.get("key", ""), result=result, reason=form.get("reason", ""), note=form.get("note", ""),
            circle=circle, corrections=[Proposal(f, v, form.get("note", "")) for f, v in fields if f],
        )  # fmt: skip
    except KequnError as error:
        if error.code == "not_allowed":
            raise
        context = _of_line(request, line) | {"error": error, "given": form}
        return render(request, "books/stock_take_work.html", context, status=status_of(error))
    messages.success(request, word_for("line", line.state))
    if flags := clean(form.get("note", ""), longest=500).flags:
        messages.warning(request, _("；").join(word_for("text_flag", f) for f in flags))
    target = reverse("stock_take_work", args=[line.stock_take_id])
    return redirect(f"{target}?after={line.position}&back={line.pk}")


@page("stocktake.run")
@require_POST
def take_back(request: Request, line_id: int) -> HttpResponse:
    """Put a customer back among those to look at, and show her again."""
    line = services.take_back_line(request.actor, line_id)
    target = reverse("stock_take_work", args=[line.stock_take_id])
    return redirect(f"{target}?after={line.position - 1}")


@page("stocktake.run")
@require_POST
def act(request: Request, stock_take_id: int) -> HttpResponse:
    """End a round, or give it another deadline."""
    if request.POST.get("act") == "close":
        services.close_stock_take(request.actor, stock_take_id)
        return done(request, "stock_take", _("已关闭盘点"), stock_take_id=stock_take_id)
    services.move_deadline(request.actor, stock_take_id, _day(request.POST.get("deadline", "")))
    return done(request, "stock_take", _("已调整期限"), stock_take_id=stock_take_id)


@page("stocktake.run")
def corrections(request: Request) -> HttpResponse:
    """List what is to be corrected in the bank's own records; a POST puts one aside."""
    actor, form = request.actor, request.POST
    if request.method == "POST":
        services.dismiss_correction(actor, int(form.get("id", "0") or 0))
        return done(request, "corrections", _("已搁置"))
    state = request.GET.get("state", states.PROPOSED)
    rows = queries.corrections_for(actor, state=state if state in states.CORRECTION else states.PROPOSED)
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "found": found, "people": people_by_id(actor, [c.customer_id for c in found]), "state": state,
        "states": list(states.CORRECTION), "fields": states.FIELDS,
    }  # fmt: skip
    return render(request, "books/corrections.html", context)


def _of_line(request: Request, line: Any) -> dict[str, Any]:
    actor, specs = request.actor, catalogue()
    row = line.stock_take
    facts = queries.facts_of_line(actor, line)
    columns = ("tier", "stage", "aum", "change", "contact", "due", "matures", "products", "silent", "circles")
    texts = specs["acct_status"].values
    status = texts.get(facts.status or "") if facts else None
    return {
        "status": status, "line": line, "round": row, "facts": facts, "progress": queries.progress_of(actor, [row])[row.pk],
        "cells": shown.cells(facts.row, columns, specs) if facts else [], "circles": list(queries.circles_in_sight(actor)),
        "reasons": states.REASONS, "fields": states.FIELDS, "key": secrets.token_hex(8), "back": request.GET.get("back", ""),
        "mine": row.staff_no == actor.staff_no, "given": {},
    }  # fmt: skip


def _day(text: str) -> Any:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise InvalidSpec(f"{text[:40]!r} is not a date.", hint="Choose a day.", where=Where(field="deadline"))
    return day
