"""Coaching notes between a branch head and one RM."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, back, done, page, refused
from kequn.core.errors import KequnError
from kequn.ops.board import queries, services
from kequn.ops.board.figures import FIGURES
from kequn.ops.board.quality import KINDS
from kequn.ops.board.states import ABOUT
from kequn.ops.orgs.queries import staff_for

SHOWN = 50


@page("coaching.write", "task.work")
def coaching(request: Request) -> HttpResponse:
    """List the notes one may read; a branch head writes a new one here."""
    return render(request, "board/coaching.html", _context(request, request.GET))


@page("coaching.write")
@require_POST
def coaching_new(request: Request) -> HttpResponse:
    """Write to one RM."""
    form = request.POST
    try:
        services.write_note(
            request.actor, form.get("staff", ""), form.get("text", ""), key=form.get("key", ""), about=form.get("about", "work"),
            subject=form.get("subject", ""),
        )  # fmt: skip
    except KequnError as error:
        return refused(request, "board/coaching.html", _context(request, form), error)
    return done(request, back(request, "coaching"), _("已发给客户经理"))


@page("coaching.write", "task.work")
@require_POST
def coaching_answer(request: Request, note_id: int) -> HttpResponse:
    """Answer a note, or say that one has read it."""
    form = request.POST
    try:
        if form.get("do") == "read":
            services.acknowledge_note(request.actor, note_id)
        else:
            services.answer_note(request.actor, note_id, form.get("text", ""), key=form.get("key", ""))
    except KequnError as error:
        return refused(request, "board/coaching.html", _context(request, request.GET), error)
    return done(request, "coaching", _("已确认") if form.get("do") == "read" else _("已回复"))


def _context(request: Request, given: Any) -> dict[str, Any]:
    actor = request.actor
    rms = list(staff_for(actor, role="rm")) if actor.may("coaching.write") else []
    subject = given.get("subject", "")
    about = FIGURES[subject].title if subject in FIGURES else KINDS[subject].title if subject in KINDS else None
    of_task = given.get("about") == "task" and subject.isdecimal()
    return {
        "offered": {code: words for code, words in ABOUT.items() if code != "task" or of_task}, "of_task": of_task,
        "notes": list(queries.notes_for(actor)[:SHOWN]), "rms": rms, "names": {r.staff_no: r.display_name for r in rms},
        "about": given.get("about", "work"),
        "kinds": ABOUT, "staff": given.get("staff", ""), "subject": subject, "subject_words": about, "text": given.get("text", ""),
        "key": given.get("key") or secrets.token_hex(12), "next": given.get("next", ""), "tab": "coaching",
        "titles": {c: f.title for c, f in FIGURES.items()} | {c: k.title for c, k in KINDS.items()},
    }  # fmt: skip
