"""What every page's template may read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Value
from django.http import HttpRequest
from django.utils.translation import get_language

from kequn.console.lateness import faults_behind
from kequn.console.navigation import menu_for, tabs_for
from kequn.ops.feedback.queries import unseen_answers, waiting_feedback
from kequn.ops.governance.queries import approvals_for, decides_any
from kequn.ops.jobs.queries import jobs_for
from kequn.ops.orgs.actor import Actor


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
        numbers = cache(lambda: _numbers(actor))
        context |= {name: partial(_number, numbers, name) for name in ("n_waiting", "n_feedback", "n_running")}
    return context


def _number(numbers: Callable[[], Mapping[str, int]], name: str) -> int:
    return numbers().get(name, 0)


def _numbers(actor: Actor) -> dict[str, int]:
    """Return what waits for the actor, her feedback and her jobs at work: all the numbers of a page's frame in one question."""
    asked: dict[str, QuerySet[Any]] = {
        "n_feedback": waiting_feedback(actor) if actor.may("feedback.answer") else unseen_answers(actor),
        "n_running": jobs_for(actor).filter(owner_id=actor.user_id, state__in=["queued", "running"]),
    }
    if decides_any(actor):
        asked["n_waiting"] = approvals_for(actor, state="waiting").exclude(maker_id=actor.user_id)
    first, *others = (rows.order_by().values_list(Value(name)).annotate(n=Count("pk")) for name, rows in asked.items())
    return dict(first.union(*others, all=True))
