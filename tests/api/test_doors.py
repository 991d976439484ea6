"""REST does what the pages do, through the same services."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from kequn.ops.delivery.services import install_receipt_secrets
from tests.ops.bank import CAMPAIGN, RICH, Cast, approved_definitions


def body(answer: Any) -> Any:
    return json.loads(answer.content)


def test_a_segment_is_counted_while_it_is_written_and_saved_once(call: Any, bank: object) -> None:
    spec = RICH.model_dump(mode="json", by_alias=True)
    counted = body(call("zhaomin", "post", "/v1/segments/preview", spec))
    assert counted["size"] == 590
    assert counted["bank"] == 600
    first = body(call("zhaomin", "put", "/v1/segments/rich", spec))
    assert body(call("zhaomin", "put", "/v1/segments/rich", spec)) == first
    assert "asset_aum_eod" in body(call("zhaomin", "get", "/v1/segments/rich/sql"))["sql"]
    assert body(call("zhaomin", "get", "/v1/segments/rich"))["where"]["value"] == 11000


def test_a_draft_is_said_in_words_and_as_sql_of_each_engine(call: Any, bank: object) -> None:
    spec = RICH.model_dump(mode="json", by_alias=True)
    spec["where"] = {"rank": {"tag": "asset_aum_eod", "top_percent": 10}}
    assert body(call("zhaomin", "post", "/v1/segments/preview", spec))["size"] >= 60
    words = body(call("zhaomin", "post", "/v1/segments/preview/words", spec))
    assert "前 10%" in words["zh"]
    assert "10% highest" in words["en"]
    for dialect, executed in (("postgres", True), ("hive", False)):
        shown = body(call("zhaomin", "post", f"/v1/segments/preview/sql?dialect={dialect}", spec))
        assert "RANK() OVER" in shown["sql"]
        assert shown["is_executed"] is executed
    assert call("zhaomin", "post", "/v1/segments/preview/sql?dialect=oracle", spec).status_code == 422


def test_a_branch_head_counts_her_branch_alone(call: Any, bank: object) -> None:
    spec = RICH.model_dump(mode="json", by_alias=True)
    call("zhaomin", "put", "/v1/segments/rich", spec)
    counted = body(call("liqiang", "get", "/v1/segments/rich/count"))
    assert (counted["bank"], counted["is_scoped"]) == (300, True)


def test_an_unknown_tag_is_answered_with_the_near_one(call: Any, bank: object) -> None:
    spec = {"name": "x", "title": "x", "where": {"tag": "asset_aum_eodd", "op": ">=", "value": 1}}
    answer = call("zhaomin", "post", "/v1/segments/preview", spec)
    assert answer.status_code == 422
    assert "asset_aum_eod" in body(answer)["hint"]


def test_an_unknown_key_is_refused(call: Any, bank: object) -> None:
    answer = call("zhaomin", "post", "/v1/segments/preview", {"name": "x", "title": "x", "wher": {}})
    assert answer.status_code == 422


def test_a_campaign_goes_from_draft_to_frozen_by_two_people(call: Any, bank: object, cast: Cast) -> None:
    approved_definitions(cast)
    spec = CAMPAIGN.model_dump(mode="json", by_alias=True)
    assert call("zhaomin", "put", "/v1/campaigns/fund_july", spec).status_code == 200
    design = body(call("zhaomin", "get", "/v1/campaigns/fund_july/design"))
    assert design["n_treated"] > design["n_control"] > 0
    assert body(call("zhaomin", "post", "/v1/campaigns/fund_july/submission", {}))["state"] == "submitted"
    waiting = body(call("zhoulv", "get", "/v1/approvals?state=waiting"))
    number = next(a["id"] for a in waiting if a["kind"] == "campaign")
    assert call("zhaomin", "put", f"/v1/approvals/{number}/decision", {"approve": True}).status_code == 403
    assert body(call("zhoulv", "put", f"/v1/approvals/{number}/decision", {"approve": True}))["state"] == "approved"
    queued = call("zhaomin", "put", "/v1/campaigns/fund_july/audience", {})
    assert queued.status_code == 202
    from kequn.ops.jobs.services import run_waiting

    run_waiting()
    assert body(call("zhaomin", "get", f"/v1/jobs/{body(queued)['job']}"))["state"] == "done"
    funnel = body(call("zhaomin", "get", "/v1/campaigns/fund_july/funnel"))
    assert funnel["treated"] + funnel["control"] == funnel["passed"]


def test_a_session_needs_its_csrf_token(cast: Cast, django_user_model: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(
        django_user_model.objects.get(username="zhaomin"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert client.get("/api/v1/people/me").status_code == 200
    assert client.put("/api/v1/segments/rich", {}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("forged", [False, True])
def test_receipts_are_taken_from_the_gateway_alone(db: None, forged: bool) -> None:
    install_receipt_secrets(["s3cret"])
    content = json.dumps(
        {"receipts": [{"id": "a" * 32, "status": "delivered", "at": "2026-07-01T10:00:00+08:00"}]}
    ).encode()
    moment = str(int(time.time()))
    seal = hmac.new(b"other" if forged else b"s3cret", moment.encode() + b"." + content, hashlib.sha256).hexdigest()
    answer = Client().post(
        "/api/v1/receipts/sms", content, content_type="application/json",
        headers={"X-Kequn-Time": moment, "X-Kequn-Signature": f"v1={seal}"},
    )  # fmt: skip
    assert answer.status_code == (401 if forged else 200)


def test_the_description_is_served_without_the_outside(call: Any, cast: Cast) -> None:
    page = Client().get("/api/docs").content.decode()
    assert "//cdn" not in page
    assert "https://" not in page


def test_what_a_branch_is_can_be_said_of_any_branch_in_ones_scope(call: Any, bank: object) -> None:
    floor = body(call("zhaomin", "put", "/v1/targets/branches/0002", {"floor_m2": "240"}))
    assert (floor["branch"], float(floor["floor_m2"]), floor["escalate_above_cny"]) == ("0002", 240, None)
    both = body(call("zhaomin", "put", "/v1/targets/branches/0002", {"escalate_above_cny": 300000}))
    assert (float(both["floor_m2"]), float(both["escalate_above_cny"])) == (240, 300_000)
    assert call("liqiang", "put", "/v1/targets/branches/0002", {"floor_m2": 1}).status_code == 404
    assert call("wangfang", "put", "/v1/targets/branches/0001", {"floor_m2": 1}).status_code == 403
