"""The cast behind bearer keys, on the bank with a campaign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.services import issue_token
from tests.ops.bank import *  # noqa: F403 - fixtures
from tests.ops.conftest import bank_runtime, cast, delivery_wiring  # noqa: F401 - fixtures

Call = Callable[..., Any]


@pytest.fixture
def call(cast: dict[str, Actor]) -> Call:  # noqa: F811
    """Return a function that calls REST as a member of the cast: call("zhaomin", "get", "/v1/segments")."""
    keys = {name: issue_token(system_actor(), name, label="test") for name in cast}
    client = Client(raise_request_exception=False)

    def send(who: str, verb: str, path: str, data: Any = None, **headers: str) -> Any:
        bearer = {"Authorization": f"Bearer {keys[who]}"} if who else {}
        send_it = getattr(client, verb)
        if data is None:
            return send_it(f"/api{path}", headers=bearer | headers)
        return send_it(f"/api{path}", data, content_type="application/json", headers=bearer | headers)

    return send
