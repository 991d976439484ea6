"""Who has whom over REST: the same services as the pages, and nobody of the neighbouring branch."""

from __future__ import annotations

from typing import Any

import pytest

from kequn.core.spec.offer import TemplateSpec
from kequn.ops.catalog.services import save_definition, submit_definition
from kequn.ops.customers.models import Person
from kequn.ops.jobs.services import run_waiting
from kequn.ops.ownership.services import reassign_customers
from tests.api.test_matrix import ROUTES, filled
from tests.ops.bank import approve, customer_id
from tests.ops.conftest import CAST

MINE = [(verb, path) for verb, path in ROUTES if path.split("/")[2] in ("owners", "pools", "remote")]


@pytest.mark.parametrize("who", sorted(CAST))
def test_no_route_breaks_or_finds_what_is_not_there(call: Any, bank: object, who: str) -> None:
    assert len(MINE) > 25
    for verb, path in MINE:
        answer = call(who, verb, filled(path), {} if verb in ("post", "put") else None)
        assert answer.status_code < 500, (verb, path, answer.content[:300])
        if "{" in path and verb != "get":
            assert answer.status_code in (403, 404, 409, 422), (verb, path, answer.status_code)


def test_a_plan_over_rest_is_of_its_branch_alone(call: Any, bank: object) -> None:
    free = customer_id(598)
    Person.objects.filter(pk=free).update(rm_no="", bank_rm_no="")
    assert [c["customer_id"] for c in call("wangfang", "get", "/v1/owners/unclaimed").json()] == [free]
    assert call("chenjing", "get", "/v1/owners/unclaimed").json() == []
    assert call("chenjing", "post", f"/v1/owners/unclaimed/{free}/claim", {}).status_code == 404
    plan = call("liqiang", "post", "/v1/owners/plans", {}).json()
    assert plan["summary"]["placed"] == 1
    assert call("wangfang", "get", f"/v1/owners/plans/{plan['id']}").status_code == 403
    assert call("liqiang", "post", f"/v1/owners/plans/{plan['id']}/apply", {}).status_code == 200
    run_waiting()
    assert call("liqiang", "get", f"/v1/owners/plans/{plan['id']}").json()["state"] == "applied"
    assert Person.objects.get(pk=free).rm_no == "R001"
    assert len(call("wangfang", "get", f"/v1/owners/customers/{free}").json()) == 2
    assert call("chenjing", "get", f"/v1/owners/customers/{free}").status_code == 404
    moved = call(
        "liqiang", "post", "/v1/owners/reassign", {"customer_ids": [customer_id(1)], "to_staff": "R001", "reason": "x"}
    )
    assert moved.status_code == 404  # she is of the neighbouring branch


def test_loads_and_leave_are_of_ones_branches(call: Any, bank: object) -> None:
    assert [row["staff_no"] for row in call("liqiang", "get", "/v1/owners/loads").json()] == ["R001"]
    days = {"staff_no": "R002", "first_day": "2026-07-06", "last_day": "2026-07-08"}
    assert call("liqiang", "post", "/v1/owners/absences", days).status_code == 404
    made = call("liqiang", "post", "/v1/owners/absences", days | {"staff_no": "R001"}).json()
    assert call("liqiang", "delete", f"/v1/owners/absences/{made['id']}").json()["cancelled_at"]


def test_a_notice_is_shown_and_refused_over_rest_with_its_reason(call: Any, bank: object, cast: Any) -> None:
    words = TemplateSpec(
        name="new_manager", title="换管户告知", channel="sms", serves="owner_notice",
        body="【客群银行】您的客户经理是{{ rm_name }},电话{{ rm_phone }}。",
    )  # fmt: skip
    row = save_definition(cast["zhaomin"], words)
    submit_definition(cast["zhaomin"], row.pk)
    approve(cast, words.name)
    who = customer_id(598)
    Person.objects.filter(pk=who).update(rm_no="R009", bank_rm_no="R009")
    reassign_customers(cast["liqiang"], [who], "R001", reason="调整")
    (owed,) = call("wangfang", "get", "/v1/owners/notices").json()
    assert [t["name"] for t in call("wangfang", "get", "/v1/owners/notices/texts").json()] == ["new_manager"]
    given = {"notice_ids": [owed["id"]], "text": "new_manager"}
    (shown,) = call("wangfang", "post", "/v1/owners/notices/preview", given).json()
    assert shown["trouble"]["code"] == "invalid_spec"  # she has no telephone at work
    assert call("chenjing", "post", "/v1/owners/notices/preview", given).status_code == 404
    sent = call("wangfang", "post", "/v1/owners/notices/send", given | {"fingerprint": row.fingerprint})
    assert sent.status_code == 409  # nobody sends SMS here
    assert call("wangfang", "get", "/v1/owners/notices").json() == [owed]
