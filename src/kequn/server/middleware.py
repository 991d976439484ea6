"""Puts the actor on the request, and turns errors a user can act on into answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from kequn.core.errors import KequnError

STATUS = {
    "not_allowed": 404,
    "conflict": 409,
    "store_busy": 409,
    "no_data": 409,
    "not_measurable": 409,
    "not_approved": 409,
}
"""Error code -> HTTP status; 422 for what a person wrote. Not there and not yours look the same: 404."""

RENEWED_AFTER = 30
"""Seconds: by so much earlier than the settings say may a session end."""

Handler = Callable[[HttpRequest], HttpResponse]


def status_of(error: KequnError) -> int:
    """Return the HTTP status of an error; a missing right on a known page is 403."""
    if error.code == "not_allowed" and "right" in error.facts:
        return 403
    return STATUS.get(error.code, 422)


class SessionLifeMiddleware:
    """Keeps a session alive while its owner works: written once in `RENEWED_AFTER`, since a write a request makes them queue."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        moment = int(time.time())
        if request.user.is_authenticated and not 0 <= moment - request.session.get("seen", 0) < RENEWED_AFTER:
            request.session["seen"] = moment
        return self.get_response(request)


class FormMiddleware:
    """Tells the console's script where a form that it sent leads, instead of letting its request follow there.

    The page itself then goes on: with its messages, in the browser's history, and without losing the form when the line is cut.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "X-Kq-Form" in request.headers and response.status_code in (301, 302, 303):
            response.status_code = 204
            response.headers["X-Kq-Location"] = response.headers["Location"]
            del response.headers["Location"]
        return response


class ActorMiddleware:
    """``request.actor``: the member of staff behind the session, or ``None``."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        request.actor = user.actor() if user.is_authenticated else None  # type: ignore[attr-defined]
        response = self.get_response(request)
        if user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ErrorMiddleware:
    """Answers a KequnError in the form the caller reads: JSON for REST, a fragment or a page for people."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, KequnError):
            return None
        status = status_of(error)
        if request.path.startswith("/api/"):
            return JsonResponse(error_body(error), status=status)
        template = "parts/error.html" if getattr(request, "htmx", False) else "error.html"
        return render(request, template, {"error": error, "status": status}, status=status)


def error_body(error: KequnError) -> dict[str, object]:
    """Return the JSON of an error."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "where": str(error.where),
        "facts": {k: str(v) for k, v in error.facts.items()},
    }
