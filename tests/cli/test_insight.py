"""`kequn insight`: text for people, JSON for programs."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Kequn

pytestmark = pytest.mark.django_db


def test_the_bank_is_told_by_branch_within_a_scope(definitions: None, kequn: Kequn) -> None:
    found = kequn("insight", "bank", "--by", "branch", "--kpi", "cust_total", "--as", "liqiang", "--json").json
    assert [(r["key"], r["figures"][0]["value"]) for r in found["rows"]] == [("0001", 300.0), ("", 300.0)]
    assert "cust_total" in kequn("insight", "bank", "--by", "tier", "--kpi", "cust_total").out
    refused = kequn("insight", "bank", "--branch", "0002", "--as", "liqiang")
    assert (refused.code, refused.out) == (1, "")


def test_a_note_is_told_in_sentences(definitions: None, kequn: Kequn) -> None:
    said = kequn("insight", "segment", "rich").out
    for title in ("他们是谁", "有什么不同", "持有与缺口", "资金节奏", "渠道与时段", "价值与走势", "过往响应"):
        assert title in said
    (block,) = kequn("insight", "segment", "rich", "--block", "products", "--json").json["blocks"]
    assert block["data"]["holdings"]["bank"] == 600
    assert "aum_eod" in kequn("insight", "kpis").out
