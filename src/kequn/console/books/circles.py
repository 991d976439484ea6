"""Circles: customers whom an RM keeps together, to filter by and to visit."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused
from kequn.core.errors import KequnError
from kequn.ops.books import queries, services
from kequn.ops.customers.queries import people_by_id


@page("stocktake.run")
def circles(request: Request) -> HttpResponse:
    """List the circles in sight; a POST makes one."""
    context = {"circles": list(queries.circles_in_sight(request.actor)), "sizes": queries.circle_sizes(request.actor)}
    if request.method != "POST":
        return render(request, "books/circles.html", context)
    form = request.POST
    try:
        made = services.create_circle(
            request.actor, form.get("name", ""), place=form.get("place", ""), note=form.get("note", "")
        )
    except KequnError as error:
        return refused(request, "books/circles.html", context | {"given": form}, error)
    return done(request, "circle", _("已建立商圈"), circle_id=made.pk)


@page("stocktake.run")
def circle(request: Request, circle_id: int) -> HttpResponse:
    """Show one circle with its customers, masked."""
    row = queries.circle_for(request.actor, circle_id)
    ids = queries.members_of_circle(request.actor, row)
    people = people_by_id(request.actor, ids)
    context = {"circle": row, "people": list(people.values()), "mine": row.staff_no == request.actor.staff_no}
    return render(request, "books/circle.html", context)


@page("stocktake.run")
@require_POST
def act(request: Request, circle_id: int) -> HttpResponse:
    """Change a circle, take customers out of it, or take it away."""
    form, actor = request.POST, request.actor
    match form.get("act"):
        case "remove":
            services.remove_circle(actor, circle_id)
            return done(request, "circles", _("已删除商圈"))
        case "take":
            n = services.take_from_circle(actor, circle_id, form.getlist("id"))
            return done(request, "circle", _("已移出 %s 位") % n, circle_id=circle_id)
    fields = {name: form.get(name, "") for name in ("name", "place", "note")}
    services.change_circle(actor, circle_id, **fields)
    return done(request, "circle", _("已保存"), circle_id=circle_id)
