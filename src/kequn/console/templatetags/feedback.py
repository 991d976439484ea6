"""The front line's word on a list, wherever the list or a task of it is shown."""

from __future__ import annotations

import secrets
from typing import Any

from django import template

from kequn.ops.feedback import queries
from kequn.ops.feedback.states import REASONS

register = template.Library()


@register.inclusion_tag("feedback/wrong.html", takes_context=True)
def wrong_entry(context: template.Context, task: Any) -> dict[str, Any]:
    """Return what the two taps need: the reasons on a task of a list, or the mark that it has already."""
    actor = context["actor"]
    may = actor.may("feedback.write") and actor.may("task.work")
    return {
        "csrf_token": context.get("csrf_token"), "task": task, "key": secrets.token_hex(12), "reasons": list(REASONS),
        "may": may and task.state == "open" and bool(task.campaign), "may_ask": actor.may("feedback.write"),
        "mark": queries.wrong_entries_for(actor, task_id=task.pk).first() if task.state == "cancelled" else None,
        "mine": may, "refused": context.get("wrong"),
    }  # fmt: skip


@register.inclusion_tag("feedback/figures.html", takes_context=True)
def list_feedback(context: template.Context, campaign: str) -> dict[str, Any]:
    """Return what the front line says of a campaign's list."""
    actor = context["actor"]
    found = queries.list_figures(actor, campaign)
    most = max((n for _, n in found.reasons), default=1)
    asked = queries.feedback_for(actor).filter(campaign=campaign)[:5] if actor.may("feedback.answer") else []
    return {"figures": found, "most": most, "actor": actor, "asked": asked}
