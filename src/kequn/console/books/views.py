"""Her customers: the list with filters and views, what is done with several at once, one customer on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, back, done, page, status_of
from kequn.console.books import shown
from kequn.console.books.words import COLUMNS
from kequn.console.exports import mark_of
from kequn.core.errors import InvalidSpec, KequnError
from kequn.ops.books import queries, services
from kequn.ops.books.contracts import BookFilter, BookPage
from kequn.ops.books.queries import book_page, filter_pairs, filter_query, read_filter, views_for
from kequn.ops.customers.queries import find
from kequn.ops.orgs.queries import branches_for, staff_for
from kequn.ops.tags.queries import catalogue

PER_PAGE = 50
OTHERS = ("rm", "remote_agent")
"""Roles that see nobody's book but their own."""


@page("customer.view")
def customers(request: Request) -> HttpResponse:
    """List one's customers; a POST finds one by exact number, phone, document or name, which stand in no address."""
    q = request.POST.get("q", "").strip()
    if q:
        people = find(request.actor, q)
        found = Paginator(people, PER_PAGE).get_page(1)
        return render(request, "books/found.html", {"people": people, "found": found, "q": q, "find": q})
    view, given = _asked(request)
    error: KequnError | None = None
    try:
        wanted = read_filter({name: given.getlist(name) for name in given})
    except InvalidSpec as wrong:
        wanted, error = BookFilter(), wrong
    if request.GET.get("export") == "xlsx":
        return redirect(_asking(wanted))
    try:
        listed = book_page(request.actor, wanted, page=_number(request.GET.get("page")), size=PER_PAGE)
    except KequnError as wrong:
        if wrong.code == "not_allowed":
            raise
        listed, error = None, wrong
    context = _list(request, wanted, listed) | {"view": view, "error": error}
    return render(request, "books/customers.html", context, status=status_of(error) if error else 200)


@page("customer.view")
def more(request: Request) -> HttpResponse:
    """Render the rest of the filter's form: segments in use and tags; asked for when the form is opened."""
    wanted = read_filter({name: request.GET.getlist(name) for name in request.GET})
    families: dict[str, list[Any]] = {}
    for spec in sorted(catalogue().values(), key=lambda s: s.title.zh):
        if spec.sensitivity in queries.SHOWN:
            families.setdefault(spec.family, []).append(spec)
    context = {
        "segments": queries.segments_to_filter_by(request.actor), "families": families, "wanted": wanted, "ops": queries.OPS,
    }  # fmt: skip
    return render(request, "books/more.html", context)


@page("customer.view")
def whose(request: Request) -> HttpResponse:
    """Render whose customers are listed: the colleagues and branches to choose from; asked for when the form is opened."""
    actor = request.actor
    wanted = read_filter({name: request.GET.getlist(name) for name in request.GET})
    others = actor.role not in OTHERS
    context = {
        "wanted": wanted, "rms": staff_for(actor, role="rm").order_by("staff_no") if others else (),
        "branches": branches_for(actor) if others else (),
    }  # fmt: skip
    return render(request, "books/whose.html", context)


@page("customer.view")
@require_POST
def save_view(request: Request) -> HttpResponse:
    """Keep the filter under a name."""
    form = request.POST
    view = services.save_view(
        request.actor, form.get("name", ""), form.get("query", ""), is_default=form.get("default") == "1"
    )
    done(request, "customers", _("已保存视图：%s") % view.name)
    return redirect(f"{reverse('customers')}?view={view.pk}")


@page("customer.view")
@require_POST
def remove_view(request: Request, view_id: int) -> HttpResponse:
    """Take one of one's own views away."""
    services.remove_view(request.actor, view_id)
    return done(request, "customers", _("已删除视图"))


@page("stocktake.run")
@require_POST
def several(request: Request) -> HttpResponse:
    """Do something with the customers that were ticked, or with all whom the filter finds: a circle, a day of visits."""
    form, actor = request.POST, request.actor
    ids = form.getlist("id")
    if form.get("all") == "1":
        ids = queries.chosen(actor, services.filter_of(form.get("query", "")))
    if not ids:
        return done(request, back(request, reverse("customers")), _("请先勾选客户。"))
    if form.get("act") == "visit":
        request.session["visit_ids"] = ids[:200]
        return redirect("visit_new")
    circle = form.get("circle", "")
    if circle == "new" or not circle.isdigit():
        made = services.create_circle(actor, form.get("name", ""))
    else:
        made = queries.circle_for(actor, int(circle))
    n = services.add_to_circle(actor, made.pk, ids)
    return done(request, "circle", _("已加入 %(n)s 位：%(name)s") % {"n": n, "name": made.name}, circle_id=made.pk)


@page("customer.view")
def sheet(request: Request, customer_id: str) -> HttpResponse:
    """Show one customer on one page of paper: masked, marked with who prints it and when."""
    found = services.customer_sheet(request.actor, customer_id)
    english = (get_language() or "").startswith("en")
    return render(request, "books/sheet.html", {"s": found, "mark": mark_of(request.actor), "english": english})


def _asked(request: Request) -> tuple[Any, QueryDict]:
    """The view that is open, and the filter that is asked for: of the address, of the view, or of one's default view."""
    given = request.GET
    views = list(views_for(request.actor))
    wanted = next((v for v in views if str(v.pk) == given.get("view")), None)
    if wanted is None and not set(given) - {"page", "export"}:
        wanted = next((v for v in views if v.is_default), None)
    request.views = views  # type: ignore[attr-defined]
    return (wanted, QueryDict(wanted.query)) if wanted else (None, given)


def _list(request: Request, wanted: BookFilter, listed: BookPage | None) -> dict[str, Any]:
    actor, specs = request.actor, catalogue()
    others = actor.role not in OTHERS
    columns = shown.columns_of(wanted, others=others)
    titles = {f"circle:{pk}": name for pk, name in (listed.circles if listed else {}).items()}
    if wanted.segment:
        segments = queries.segments_to_filter_by(actor)
        titles |= {f"segment:{name}": shown.said(spec.title) for name, spec in segments.items()}
    context: dict[str, Any] = {
        "wanted": wanted, "page": listed, "columns": columns, "heads": shown.heads(wanted, columns), "others": others,
        "chips": shown.chips(wanted, specs, titles), "query": filter_query(wanted), "views": request.views,  # type: ignore[attr-defined]
        "pairs": filter_pairs(replace(wanted, sort="-aum", show=())), "choices": shown.form_choices(specs, others=others),
        "most": queries.MOST_LISTED, "names": dict(COLUMNS),
    }  # fmt: skip
    if listed is None:
        return context
    context["quick"] = shown.quick(listed.today)
    context["rows"] = [(r, shown.cells(r, columns, specs)) for r in listed.rows]
    context["sums"] = shown.sums(listed, columns)
    pages = -(-listed.listed // listed.size)
    context["pages"] = pages
    address = filter_query(wanted) or "all=1"
    context["before"] = f"?{address}&page={listed.page - 1}" if listed.page > 1 else ""
    context["after"] = f"?{address}&page={listed.page + 1}" if listed.page < pages else ""
    context["asking"] = _asking(wanted) if actor.may("export.ask") and listed.total else ""
    return context


def _asking(wanted: BookFilter) -> str:
    """Where a file of the list is asked for."""
    return f"{reverse('desk_exports')}?{urlencode({'what': 'customers', 'query': filter_query(wanted)})}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 6 else 1
