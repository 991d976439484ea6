"""Every route × every role: generated from the interface's own description, so that a new route cannot be forgotten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kequn.api.main import api
from tests.ops.conftest import CAST

VALUES = {
    "reassignment_id": "999999", "target_id": "999999", "span": "day",
    "name": "nothing_such", "offer": "nothing_such", "load_id": "f" * 32,
    "job_id": "999999", "approval_id": "999999", "version_id": "999999",
    "export_id": "999999", "as_of": "2026-06-30", "customer_id": "f" * 32, "task_id": "999999", "review_id": "999999",
    "follow_up_id": "999999", "discovery_id": "999999", "code": "c1", "note_id": "999999", "feedback_id": "999999",
    "contact": "wm_nobody", "entry_id": "999999", "branch": "0001", "branch_code": "9999",
    "staff_no": "R999", "absence_id": "999999", "assignment_id": "999999", "move_id": "999999", "conflict_id": "999999",
    "case_id": "999999",
    "view_id": "999999", "circle_id": "999999", "stock_take_id": "999999", "line_id": "999999",
    "correction_id": "999999", "plan_id": "999999",
}  # fmt: skip


def routes() -> list[tuple[str, str]]:
    """Return (verb, path) of every operation."""
    paths = api.get_openapi_schema(path_prefix="/").get("paths", {})
    return sorted((verb, "/" + path.lstrip("/")) for path, verbs in paths.items() for verb in verbs)


ROUTES = routes()


def filled(path: str) -> str:
    for key, value in VALUES.items():
        path = path.replace("{" + key + "}", value)
    assert "{" not in path, f"{path}: add a value for its parameter"
    return path


def test_the_description_names_every_router() -> None:
    nouns = {path.split("/")[2] for _, path in ROUTES}
    assert {
        "sources",
        "tags",
        "segments",
        "catalog",
        "campaigns",
        "approvals",
        "jobs",
        "people",
        "reviews",
        "tasks",
    } <= nouns


def test_nobody_enters_without_a_key(call: Any) -> None:
    open_doors = [(verb, path) for verb, path in ROUTES if call("", verb, filled(path)).status_code not in (401, 413)]
    assert open_doors == []


@pytest.mark.parametrize("who", sorted(CAST))
def test_no_route_breaks_or_leaks_for_any_role(call: Any, bank: object, who: str) -> None:
    """Objects that are not there answer 404 (or 403, 422) as those of others do; a server error is a fault of ours."""
    for verb, path in ROUTES:
        if "receipts" in path:
            continue
        answer = call(who, verb, filled(path), {} if verb in ("post", "put") else None)
        assert answer.status_code < 500, (who, verb, path, answer.content[:500])
        if "{" in path and verb != "get":
            assert answer.status_code in (400, 403, 404, 409, 422), (who, verb, path, answer.status_code)


@pytest.mark.parametrize(
    ("who", "verb", "path"),
    [
        ("wangfang", "get", "/v1/segments"),
        ("wangfang", "get", "/v1/sources"),
        ("chenjing", "get", "/v1/campaigns"),
        ("zhaomin", "post", "/v1/tags/refreshes"),
        ("liqiang", "get", "/v1/tags"),
    ],
)
def test_a_role_without_the_right_is_told_which(call: Any, bank: object, who: str, verb: str, path: str) -> None:
    answer = call(who, verb, path, {} if verb == "post" else None)
    assert answer.status_code == 403
    assert json.loads(answer.content)["facts"]["right"]
