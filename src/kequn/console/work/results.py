"""Results in bulk: a grid of one's open tasks, and a file from who worked on paper."""

from __future__ import annotations

import base64
import csv
import io
import secrets
from typing import Any

from django.contrib import messages
from django.core import signing
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from kequn.console.access import Request, page, status_of
from kequn.console.work.customer import NOT_REACHED, REACHED, moment_in, number_in, tell_flags
from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, Where
from kequn.ops.customers.queries import people_by_id
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.importing import CURES, NEEDED, TITLES, flags_of
from kequn.ops.workbench.queries import last_words, tasks_for
from kequn.ops.workbench.services import import_results, preview_results, record_results
from kequn.ops.workbench.talks import products_named

ROWS = 20
SALT = "kequn.results"
LASTS = 900
"""Seconds for which a file that was looked at can be taken in."""
BIGGEST = 1 << 20
OUTCOMES = (*REACHED, *NOT_REACHED)


@page("task.work")
def grid(request: Request) -> HttpResponse:
    """Record several results on one page; what was typed stays where a row is wrong."""
    rows = tasks_for(request.actor, held=False)
    found = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "found": found,
        "outcomes": OUTCOMES,
        "key": secrets.token_hex(12),
        "given": {},
        "errors": {},
        "products": products_named(),
        "english": (get_language() or "").startswith("en"),
    }
    status = 200
    if request.method == "POST":
        form = request.POST
        try:
            entries = _entries(form)
            made = record_results(request.actor, entries, key=form.get("key", ""))
        except SeveralErrors as error:
            context |= {"errors": {e.where.line: e for e in error.errors}, "key": form.get("key", "")}
            status = 422
        except KequnError as error:
            context |= {"error": error, "key": form.get("key", "")}
            status = status_of(error)
        else:
            n = len(made)
            messages.success(request, ngettext("已登记 %d 条", "已登记 %d 条", n) % n)
            tell_flags(request, [f.detail.flags for f in made])
            return redirect("results_grid")
        context["given"] = {int(t): _typed(form, t) for t in form.getlist("task")}
    context["people"] = people_by_id(request.actor, [t.customer_id for t in found])
    context["last"] = last_words([t.pk for t in found])
    return render(request, "work/grid.html", context, status=status)


@page("task.work")
def upload(request: Request) -> HttpResponse:
    """Look at a result file line by line, then take it in."""
    context: dict[str, Any] = {"titles": TITLES, "needed": NEEDED, "states": states}
    if request.method != "POST":
        return render(request, "work/results.html", context)
    try:
        content, name = _content(request)
        if "take" in request.POST:
            done = import_results(request.actor, content, name)
            n = done.recorded
            messages.success(request, ngettext("已登记 %d 条", "已登记 %d 条", n) % n)
            tell_flags(request, flags_of(done))
            return redirect("tasks")
        found = preview_results(request.actor, content, name)
    except KequnError as error:
        return render(request, "work/results.html", context | {"error": error}, status=status_of(error))
    if "faults" in request.POST:
        return _faults_file(found.faults)
    packed = signing.dumps([name, base64.b64encode(content).decode()], salt=_salt(request), compress=True)
    return render(request, "work/results.html", context | {"shown": found, "packed": packed})


@page("task.work")
def template(request: Request) -> HttpResponse:
    """Give the empty file with its titles and one line as an example."""
    del request
    stream = io.StringIO()
    out = csv.writer(stream)
    out.writerow([words.zh for words in TITLES.values()])
    day = timezone.localtime(now())
    example = {
        "customer_no": "(客户号或任务号)",
        "contact": "接通",
        "intent": "有意向",
        "at": f"{day:%Y-%m-%d} 10:30",
        "note": "示例，请删去本行",
    }
    out.writerow([example.get(name, "") for name in TITLES])
    return _csv(stream.getvalue(), "kequn-results.csv")


def _entries(form: Any) -> list[dict[str, Any]]:
    """Return the rows that somebody filled in.

    Raises:
        SeveralErrors: a time that is none.
        InvalidSpec: no row was filled in.
    """
    entries, errors = [], list[KequnError]()
    for task_id in form.getlist("task"):
        typed = _typed(form, task_id)
        contact, _colon, intent = typed["outcome"].partition(":")
        if not contact:
            continue
        try:
            next_at = moment_in(typed["next_at"])
        except InvalidSpec as error:
            error.where = Where(line=int(task_id), field=error.where.field)
            errors.append(error)
            continue
        entries.append(
            {
                "task_id": int(task_id), "contact": contact, "intent": intent, "amount_cny": typed["amount"], "next_at": next_at,
                "note": typed["note"], "product": typed["product"], "seen": number_in(form.get(f"seen-{task_id}")),
            }
        )  # fmt: skip
    if errors:
        raise SeveralErrors(errors)
    if not entries:
        raise InvalidSpec("No result was chosen.", hint="Choose a result in at least one row.")
    return entries


def _typed(form: Any, task_id: str) -> dict[str, str]:
    return {name: form.get(f"{name}-{task_id}", "") for name in ("outcome", "next_at", "amount", "product", "note")}


def _content(request: Request) -> tuple[bytes, str]:
    """Return the file that was chosen, or the one that was looked at before."""
    if packed := request.POST.get("packed"):
        try:
            name, content = signing.loads(packed, salt=_salt(request), max_age=LASTS)
        except signing.BadSignature:
            raise InvalidSpec("The file is not at hand any more.", hint="Choose it again.") from None
        return base64.b64decode(content), name
    file = request.FILES.get("file")
    if file is None:
        raise InvalidSpec("No file was chosen.", hint="Choose a file.", where=Where(field="file"))
    if (file.size or 0) > BIGGEST:
        raise InvalidSpec("The file is larger than 1 MiB.", hint="Split it.", where=Where(field="file"))
    return file.read(), file.name or "file"


def _salt(request: Request) -> str:
    return f"{SALT}:{request.actor.username}"


def _faults_file(faults: Any) -> HttpResponse:
    stream = io.StringIO()
    out = csv.writer(stream)
    out.writerow([_("行"), _("客户号"), _("怎么改")])
    for fault in faults:
        customer = f"'{fault.customer}" if fault.customer[:1] in "=+-@" else fault.customer
        out.writerow([fault.line, customer, CURES[fault.code].to(get_language() or "zh")])
    return _csv(stream.getvalue(), "kequn-result-faults.csv")


def _csv(text: str, name: str) -> HttpResponse:
    response = HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
