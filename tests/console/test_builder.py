"""The builder says the whole language: forms by kind, words as they change, YAML and SQL of each engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.console.conftest import Things

Desk = Callable[[str], Client]
HTMX = {"HX-Request": "true"}
RANK = {
    "kind:0": "all", "kind:0.0": "rank", "tag:0.0": "asset_aum_eod", "by:0.0": "top_percent", "amt:0.0": "10",
    "kind:0.0.0": "all", "kind:0.0.0.0": "tag", "tag:0.0.0.0": "demo_gender", "cmp:0.0.0.0": "=", "val:0.0.0.0": "F",
}  # fmt: skip


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_rank_among_some_is_counted_and_said(things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").post("/segments/new", RANK | {"do": "preview"}, headers=HTMX)
    assert answer.status_code == 200
    assert int(re.search(r'id="size">([\d,]+)<', text(answer))[1].replace(",", "")) > 0  # type: ignore[index]
    assert "排在前 10%" in text(answer)


@pytest.mark.parametrize(
    ("shows", "words"),
    [
        ("yaml", "top_percent: 10"),
        ("duckdb", "RANK() OVER"),
        ("hive", "LEFT JOIN"),
        ("starrocks", "未在该引擎上执行过"),
    ],
)
def test_the_text_that_is_asked_for_stands_beside_the_tree(things: Things, desk: Desk, shows: str, words: str) -> None:
    answer = desk("zhaomin").post("/segments/new", RANK | {"do": "preview", "text": shows}, headers=HTMX)
    assert words in text(answer)


@pytest.mark.parametrize(
    "kind", ["sequence", "trend", "change", "rank", "cluster", "union", "did", "segment", "list", "tag"]
)
def test_each_kind_of_condition_can_be_added(things: Things, desk: Desk, kind: str) -> None:
    answer = desk("zhaomin").post("/segments/new", {"kind:0": "all", "do": f"add-{kind}:0"}, headers=HTMX)
    assert answer.status_code == 200
    assert 'name="kind:0.0"' in text(answer)


def test_what_is_wrong_with_an_amount_stands_at_its_condition(things: Things, desk: Desk) -> None:
    form = {"kind:0": "all", "kind:0.0": "change", "tag:0.0": "asset_aum_eod", "dw:0.0~as_of": "ago", "dn:0.0~as_of": "30",
            "du:0.0~as_of": "day", "how:0.0": "ratio", "amt:0.0": "1.555", "cmp:0.0": ">="}  # fmt: skip
    answer = desk("zhaomin").post("/segments/new", form | {"do": "preview"}, headers=HTMX)
    assert "kq-cond-error" in text(answer)
