"""Insight by REST: the same scopes as on the pages."""

from __future__ import annotations

import pytest

from tests.api.conftest import Call

pytestmark = pytest.mark.django_db


def test_the_bank_and_a_branch_add_up_and_others_are_refused(definitions: None, call: Call) -> None:
    whole = call("sunli", "get", "/v1/insight/bank?by=branch&branch=C1&kpi=cust_total,aum_eod").json()
    figures = {row["key"]: {f["kpi"]: f["value"] for f in row["figures"]} for row in whole["rows"]}
    assert figures["0001"]["cust_total"] + figures["0002"]["cust_total"] == figures[""]["cust_total"] == 600
    assert [d["name"] for d in whole["definitions"]] == ["cust_total", "aum_eod"]
    own = call("liqiang", "get", "/v1/insight/bank?kpi=cust_total").json()
    assert own["rows"][-1]["figures"][0]["value"] == 300
    assert own["is_scoped"]
    assert call("liqiang", "get", "/v1/insight/bank?branch=0002").status_code == 404
    assert call("sunli", "get", "/v1/insight/bank?month=1999-01").status_code in (409, 422)


def test_a_note_has_its_sentences_and_an_rm_none(definitions: None, call: Call) -> None:
    note = call("sunli", "get", "/v1/insight/segments/rich?blocks=who,products").json()
    assert [b["name"] for b in note["blocks"]] == ["who", "products"]
    assert all(b["sentence"]["zh"] and b["sentence"]["en"] for b in note["blocks"])
    assert call("wangfang", "get", "/v1/insight/segments/rich").status_code == 403
    assert call("wangfang", "get", "/v1/insight/kpis").status_code == 200
