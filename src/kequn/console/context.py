"""What every page's template may read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the actor and the bank's name."""
    return {"actor": getattr(request, "actor", None), "bank_name": settings.BANK_NAME}
