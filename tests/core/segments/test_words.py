"""A rule as a sentence that a banker reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kequn.core.data.tables import TABLES
from kequn.core.segments import in_words
from kequn.core.segments.columns import CODE_WORDS, COLUMN_WORDS, TABLE_WORDS
from kequn.core.spec.segment import AllOf, Not, Rows, TagTest
from tests.core.segments.bank import TAGS
from tests.core.segments.trees import CONDITIONS, SEGMENTS, segment

BEHAVIOURS = Rows.model_fields["table"].annotation.__args__  # type: ignore[union-attr]


def zh(where: dict[str, Any]) -> str:
    return in_words(segment(where).where, tags=TAGS, segments=SEGMENTS, language="zh")


def en(where: dict[str, Any]) -> str:
    return in_words(segment(where).where, tags=TAGS, segments=SEGMENTS, language="en")


def test_a_segment_is_one_sentence_in_each_language():
    spec = segment(
        {
            "all": [
                {"tag": "acct_payroll", "value": True},
                {"tag": "asset_aum", "op": "between", "value": [40000, 49999.99]},
                {"any": [{"tag": "demo_age", "op": "<", "value": 30}, {"segment": "young"}]},
                {"not": {"list": "vip"}},
            ]
        }
    )
    assert in_words(spec, tags=TAGS, segments=SEGMENTS, language="zh") == (
        "满足以下条件的客户：代发户为是，且月日均资产在 4 万元到 49,999.99 元之间（含两端），"
        "且（年龄低于 30 岁，或属于客群“年轻客群”），且不满足（在名单“vip”中）。"
    )
    assert in_words(spec, tags=TAGS, segments=SEGMENTS, language="en-GB") == (
        "Customers for whom the following holds: payroll customer is yes, and AUM (month average) is between CNY 40,000 and "
        "CNY 49,999.99 (both included), and (age is below 30 years, or member of the segment “the young”), "
        "and not (on the list “vip”)."
    )


def test_values_are_said_by_their_words():
    assert zh({"tag": "demo_child_stage", "op": "in", "value": ["0-5", "6-11"]}) == "子女阶段为学龄前、小学之一"
    assert en({"tag": "demo_child_stage", "op": "!=", "value": "6-11"}) == "子女阶段 is known and is not primary school"
    assert zh({"tag": "acct_class", "op": "in", "value": ["II", "III"]}) == "账户类别包含二类、三类中的任一项"
    assert zh({"tag": "demo_city", "value": "上海"}) == "城市为“上海”"
    assert zh({"tag": "asset_matures", "op": "<=", "value": "2026-07-30"}) == "最近到期日不晚于 2026-07-30"
    assert zh({"tag": "demo_age", "op": "unknown"}) == "年龄无值（未知）"


def test_a_behaviour_is_said_with_its_window_sum_and_what_did_not_follow():
    where = {
        "did": {
            "table": "transaction",
            "where": [{"column": "category", "value": "payroll"}],
            "within_days": 30,
            "at_least": 2,
            "sum_of": "amount",
            "sum_at_least": 10000,
            "not_since": {"table": "event", "where": [{"column": "kind", "value": "login"}]},
        }
    }
    assert zh(where) == (
        "近 30 天内有至少 2 条交易（类别为代发工资），金额合计不低于 1 万元，且此后没有行为事件（种类为“login”）"
    )
    assert en(where) == (
        "at least 2 × transaction (category is payroll) within the last 30 days, with amount of at least CNY 10,000 in all, "
        "and no event (kind is “login”) since"
    )


def test_a_long_list_of_values_is_cut_and_counted():
    said = zh({"tag": "demo_age", "op": "in", "value": list(range(20, 40))})
    assert "27 岁等 20 项" in said
    assert "28" not in said


def test_everybody_and_nobody_have_words():
    assert in_words(AllOf(all=()), tags=TAGS, segments={}, language="zh") == "全部客户"
    assert en({"any": []}) == "no customers"


def test_not_over_a_group_keeps_its_brackets_once():
    both = AllOf(all=(TagTest(tag="demo_age", op="known"), TagTest(tag="demo_city", op="known")))
    assert in_words(Not(negated=both), tags=TAGS, segments={}, language="zh") == "不满足（年龄有值，且城市有值）"
    assert in_words(Not(negated=both), tags=TAGS, segments={}, language="en") == "not (age is known, and 城市 is known)"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=CONDITIONS)
def test_every_rule_can_be_said_and_its_brackets_close(where: dict[str, Any]):
    assert zh(where)
    assert en(where).count("(") - en(where).count(")") == 0


@pytest.mark.parametrize("table", BEHAVIOURS)
def test_every_table_column_and_code_that_can_be_written_has_words_in_both_languages(table: str):
    assert TABLE_WORDS[table].en
    for column in TABLES[table].columns:
        if column.type not in ("customer", "person"):
            assert COLUMN_WORDS[column.name].zh
            assert COLUMN_WORDS[column.name].en
        if column.codes:
            words = CODE_WORDS[table, column.name]
            assert set(words) == set(column.codes)
            assert all(word.en for word in words.values())


@pytest.mark.parametrize(
    ("where", "chinese", "english"),
    [
        (
            {"tag": "asset_matures", "op": "during", "value": "next 30 days"},
            "最近到期日在未来 30 天内",
            "最近到期日 falls into the next 30 days",
        ),
        (
            {"tag": "asset_matures", "op": "anniversary", "value": "this month"},
            "最近到期日的月日在本月内",
            "month and day of 最近到期日 fall into this month",
        ),
        (
            {"tag": "asset_matures", "op": "<", "value": "30 days ago"},
            "最近到期日早于 30 天前",
            "最近到期日 is before 30 days ago",
        ),
        (
            {"tag": "asset_matures", "op": "<=", "value": "end of last month"},
            "最近到期日不晚于上月末",
            "最近到期日 is on or before the end of last month",
        ),
        (
            {"tag": "acct_class", "op": "contains_all", "value": ["I", "II"]},
            "账户类别同时包含一类、二类",
            "账户类别 has all of 一类, 二类",
        ),
        (
            {"tag": "acct_payroll", "value": True, "as_of": "end of last month"},
            "其上月末的代发户为是",
            "payroll customer is yes (as of the end of last month)",
        ),
        (
            {"segment": "young", "as_of": "90 days ago"},
            "在 90 天前属于客群“年轻客群”",
            "member of the segment “the young” as of 90 days ago",
        ),
        (
            {"change": {"tag": "asset_aum", "since": "90 days ago", "op": "<=", "difference": -10000}},
            "月日均资产较 90 天前的变化不超过 -1 万元",
            "the change of AUM (month average) since 90 days ago is at most CNY -10,000",
        ),
        (
            {"change": {"tag": "asset_aum", "since": "end of last year", "ratio": 1.5}},
            "月日均资产不低于去年年末的 1.5 倍",
            "AUM (month average) is at least 1.5 × its value as of the end of last year",
        ),
        (
            {"trend": {"table": "transaction", "sum_of": "amount", "during": "last 30 days", "ratio": 1.5}},
            "近 30 天交易的金额合计不低于再往前 30 天的 1.5 倍",
            "the sum of amount of transaction within the last 30 days is at least 1.5 × that of the 30 days before",
        ),
        (
            {"trend": {"table": "event", "during": "this month", "against": "year before", "op": ">", "difference": 2}},
            "本月行为事件的条数较上年同期的变化高于 2",
            "the number of event in this month minus that of the same period a year before is above 2",
        ),
        (
            {"rank": {"tag": "asset_aum", "top_percent": 10, "among": {"segment": "young"}}},
            "月日均资产在满足（属于客群“年轻客群”）的客户中从高到低排在前 10%",
            "among the 10% highest by AUM (month average) of customers for whom (member of the segment “the young”)",
        ),
        (
            {"rank": {"tag": "demo_age", "percentile": [50, 80]}},
            "年龄在全行位于第 50 到 80 百分位之间",
            "between percentiles 50 and 80 by age among all customers",
        ),
        (
            {
                "sequence": {
                    "first": {"table": "event", "where": [{"column": "kind", "value": "view"}]},
                    "then": {"table": "transaction"},
                    "gap_days": 7,
                    "within_days": 90,
                    "without": {"table": "service"},
                }
            },
            "近 90 天内先有行为事件（种类为“view”），7 天内又有交易，其间没有服务或投诉记录",
            "within the last 90 days first event (kind is “view”), then within 7 days transaction, "
            "with no service call or complaint in between",
        ),
        ({"cluster": {"set": "spring", "in": ["a", "b"]}}, "春季聚类为甲群、乙群之一", "春季聚类 is one of 甲群, 乙群"),
        (
            {"except": ["young", {"list": "vip"}]},
            "属于客群“年轻客群”，且不满足（在名单“vip”中）",
            "member of the segment “the young”, and not (on the list “vip”)",
        ),
        (
            {"did": {"table": "event", "during": "last month"}},
            "上月内有至少 1 条行为事件",
            "at least 1 × event in last month",
        ),
    ],
)
def test_each_construct_is_one_clause_in_each_language(where: dict[str, Any], chinese: str, english: str):
    assert zh(where) == chinese
    assert en(where) == english
