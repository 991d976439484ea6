"""Who may open which page: the right stands on the view, so that the menu and the tests read it there too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from kequn.core.errors import KequnError
from kequn.ops.orgs.actor import Actor

P = ParamSpec("P")


class Request(HttpRequest):
    """A request of a person who is signed in."""

    actor: Actor
    htmx: Any


View = Callable[Concatenate[Request, P], HttpResponse]


def page(*rights: str, post: str = "") -> Callable[[View[P]], View[P]]:
    """Make a view ask for a signed-in person with at least one of ``rights``; a POST needs ``post`` too where given.

    The services check again what they do; this decides early, and what the menu shows.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def inner(request: Request, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if rights and not any(request.actor.may(right) for right in rights):
                request.actor.must(rights[0])
            if post and request.method == "POST":
                request.actor.must(post)
            return view(request, *args, **kwargs)

        shown = login_required(inner)
        shown.rights = rights  # type: ignore[attr-defined]
        return shown  # type: ignore[return-value]

    return decorate


def done(request: HttpRequest, target: Any, message: str = "", /, **kwargs: Any) -> HttpResponse:
    """Answer a change that succeeded: go on to a page (an object with a URL, a view's name) and say so there."""
    if message:
        messages.success(request, message)
    return redirect(target, **kwargs)


def refused(request: HttpRequest, template: str, context: dict[str, Any], error: KequnError) -> HttpResponse:
    """Show a form again with what was wrong with it; nothing that was typed is lost."""
    return render(request, template, {**context, "error": error}, status=status_of(error))


def back(request: HttpRequest, fallback: str) -> str:
    """Return the page to go back to: ``next`` of the form where it is ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else fallback


def status_of(error: KequnError) -> int:
    """Return the status of a form that was refused: 409 when the object has moved on, 403 without the right, else 422."""
    if error.code == "not_allowed":
        return 403 if "right" in error.facts else 404
    return 409 if error.code in ("conflict", "store_busy") else 422
