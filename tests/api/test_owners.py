"""Who has whom over REST: the same services as the pages, and nobody of the neighbouring branch."""

from __future__ import annotations

from typing import Any

import pytest

from kequn.ops.customers.models import Person
from kequn.ops.jobs.services import run_waiting
from tests.api.test_matrix import ROUTES, filled
from tests.ops.bank import customer_id
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
