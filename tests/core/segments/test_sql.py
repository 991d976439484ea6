"""The SQL that people read and other engines run: the same text each time, per dialect."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from kequn.core.segments import members_sql
from tests.core.segments.bank import AS_OF, TAGS
from tests.core.segments.trees import SEGMENTS, segment

GOLDEN = Path(__file__).parent / "golden"
RULES: dict[str, dict[str, Any]] = {
    "tests_on_tags": {
        "all": [
            {"tag": "acct_payroll", "value": True},
            {"tag": "asset_aum", "op": "between", "value": [40000, 49999.99]},
            {"tag": "txn_online", "op": ">=", "value": 0.6},
            {"tag": "asset_matures", "op": "<=", "value": "2026-07-30"},
            {
                "any": [
                    {"tag": "demo_city", "op": "in", "value": ["上海", "O'Brien"]},
                    {"tag": "demo_age", "op": "<", "value": -1},
                ]
            },
            {"not": {"tag": "demo_city", "op": "contains", "value": "50%_"}},
            {"not": {"any": [{"tag": "demo_age", "op": "unknown"}, {"tag": "demo_city", "op": "known"}]}},
            {"tag": "acct_class", "op": "in", "value": ["I", "III"]},
        ]
    },
    "behaviour": {
        "did": {
            "table": "transaction",
            "where": [
                {"column": "category", "value": "payroll"},
                {"column": "at", "op": ">", "value": "2026-06-01T09:30"},
            ],
            "within_days": 30,
            "at_least": 2,
            "sum_of": "amount",
            "sum_at_least": "8000.50",
        }
    },
    "behaviour_and_not_since": {
        "all": [
            {
                "did": {
                    "table": "event",
                    "where": [{"column": "kind", "value": "view"}],
                    "within_days": 7,
                    "at_least": 3,
                    "not_since": {"table": "event", "where": [{"column": "kind", "value": "buy"}]},
                }
            },
            {"did": {"table": "event", "within_days": 7, "not_since": {"table": "contact"}}},
        ]
    },
    "members_and_lists": {"all": [{"segment": "young"}, {"not": {"list": "vip"}}, {"all": []}, {"not": {"any": []}}]},
}


def sql(rule: str, dialect: str) -> str:
    return members_sql(segment(RULES[rule]), tags=TAGS, segments=SEGMENTS, as_of=AS_OF, dialect=dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
@pytest.mark.parametrize("rule", list(RULES))
def test_the_text_is_as_agreed(rule: str, dialect: str):
    assert sql(rule, dialect) + "\n" == (GOLDEN / f"{rule}.{dialect}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", ["spark", "doris", "starrocks", "hive"])
@pytest.mark.parametrize("rule", list(RULES))
def test_other_dialects_are_emitted_without_complaint(rule: str, dialect: str, caplog: pytest.LogCaptureFixture):
    assert sql(rule, dialect).startswith("SELECT")
    assert not caplog.records


def test_text_of_the_spec_reaches_the_sql_only_as_a_literal():
    evil = "'; DROP TABLE customer_tags; --"
    text = members_sql(segment({"tag": "demo_city", "value": evil}), tags=TAGS, segments={}, as_of=AS_OF)
    assert "demo_city = '''; DROP TABLE customer_tags; --'" in text


def test_the_text_does_not_depend_on_how_deep_the_caller_is():
    where: dict[str, Any] = {"tag": "demo_age", "op": "known"}
    for i in range(29):
        where = {"all" if i % 2 else "any": [{"tag": "demo_age", "value": i}, {"not": where}]}
    spec = segment(where)
    texts = []

    def at_depth(frames: int) -> None:
        if frames:
            at_depth(frames - 1)
        else:
            texts.append(members_sql(spec, tags=TAGS, segments={}, as_of=AS_OF))

    for frames in (1, 600):
        thread = threading.Thread(target=at_depth, args=(frames,))
        thread.start()
        thread.join()
    assert len(texts) == 2
    assert texts[0] == texts[1]
