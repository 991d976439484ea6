"""What every page's template may read."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from kequn.console.lateness import faults_behind
from kequn.console.navigation import menu_for, tabs_for
from kequn.ops.feedback.queries import unseen_answers, waiting_feedback
from kequn.ops.governance.queries import approvals_for, decides_any
from kequn.ops.jobs.queries import jobs_for


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the actor, the menu and the bank's name."""
    actor = getattr(request, "actor", None)
    other = next(name for code, name in settings.LANGUAGES if code != get_language())
    context: dict[str, Any] = {
        "actor": actor,
        "bank_name": settings.BANK_NAME,
        "idle": settings.SESSION_COOKIE_AGE,
        "other_language": other,
    }
    if actor is not None:
        current = request.resolver_match.url_name if request.resolver_match else ""
        context["menu"] = menu_for(actor, current or "")
        context["tabs"] = tabs_for(actor, current or "")
        context["data_faults"] = lambda: faults_behind(actor, request.resolver_match)
        context["n_waiting"] = cache(
            lambda: (
                approvals_for(actor, state="waiting").exclude(maker_id=actor.user_id).count()
                if decides_any(actor)
                else 0
            )
        )
        context["n_feedback"] = cache(
            lambda: waiting_feedback(actor) if actor.may("feedback.answer") else unseen_answers(actor)
        )
        context["n_running"] = cache(
            lambda: jobs_for(actor).filter(owner_id=actor.user_id, state__in=["queued", "running"]).count()
        )
    return context
