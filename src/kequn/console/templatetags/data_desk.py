"""What templates say about loads."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def failed_checks(status: Any) -> str:
    """Return how many quality checks of a source's last load did not hold, a dash where none were asked."""
    if status.last is None or not status.last.checks:
        return "–"
    return str(sum(check["passed"] is False for check in status.last.checks))
