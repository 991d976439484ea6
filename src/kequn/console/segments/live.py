"""Beside the builder: who the customers of the draft are, and which saved segments hold the same people."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_POST

from kequn.console.access import Request, page
from kequn.console.segments import builder, shown
from kequn.console.segments.tree import tree_from
from kequn.console.waiting import has_gone, turn
from kequn.core.errors import KequnError
from kequn.ops.audiences.drafts import look_at_draft

MOST_SHARED = 8


@page("segment.edit")
@require_POST
def look(request: Request) -> HttpResponse:
    """Show the profile of a draft and its overlap with saved segments; the form is the builder's.

    Where another such answer is being computed, a fragment that asks again in a moment: eight panels never hold up a count.
    """
    with turn() as entered:
        if not entered:
            return render(request, "segments/live_waiting.html", {"again": True})
        return HttpResponse(status=204) if has_gone(request) else _looked(request)


def _looked(request: Request) -> HttpResponse:
    form, context = request.POST, {}
    try:
        spec = builder.spec_of(
            tree_from(form), {"name": form.get("name") or builder.NAMELESS, "title": "-"}, whole=False
        )
        found = look_at_draft(request.actor, spec)
    except KequnError as error:
        context["fault"] = error
    else:
        context |= shown.of_profile(found.profile, get_language() or "zh-hans", "", form.get("facets", ""))
        context |= {"shared": found.shared[:MOST_SHARED], "more": len(found.shared) - MOST_SHARED, "look": found}
    return render(request, "segments/live.html", context)
