"""Who calls: a bearer key of another system, or the session of the console (with its CSRF token)."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer

from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.services import actor_of_token


class Request(HttpRequest):
    """A request that passed authentication."""

    actor: Actor


class _Bearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        actor = actor_of_token(token)
        request.actor = actor  # type: ignore[attr-defined]
        return actor


class _Session(APIKeyCookie):
    param_name = "kequn"

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        return getattr(request, "actor", None)


by_key = _Bearer()
by_session = _Session()
