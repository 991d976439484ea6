"""What is refused, with which error, at which place and with which cure."""

from __future__ import annotations

from typing import Any

import pytest

from kequn.core.errors import (
    InvalidSpec,
    KequnError,
    NoData,
    SegmentCycle,
    SeveralErrors,
    TagNotSelectable,
    UnknownList,
    UnknownSegment,
    UnknownTag,
)
from kequn.core.segments import (
    check,
    count,
    key_of,
    lists_in,
    members,
    members_sql,
    preview,
    segments_in,
    sensitive_tags,
    settled,
    tables_in,
    tags_in,
    understand,
)
from kequn.core.spec.segment import AllOf, AnyOf, Condition, MemberOf, Not, SegmentSpec, TagTest
from tests.core.segments.bank import AS_OF, TAGS, Bank, open_bank
from tests.core.segments.trees import SEGMENTS, segment


def fault(where: dict[str, Any], **more: Any) -> KequnError:
    given = {"tags": TAGS, "segments": SEGMENTS, "lists": ["vip"], **more}
    with pytest.raises(KequnError) as caught:
        check(segment(where), **given)
    return caught.value


def test_an_unknown_tag_gets_the_nearest_name_and_its_place():
    found = fault({"all": [{"tag": "demo_age", "op": "known"}, {"tag": "asset_amu", "op": ">=", "value": 1}]})
    assert isinstance(found, UnknownTag)
    assert found.where.field == "where.all.1.tag"
    assert found.hint == "Did you mean 'asset_aum' (月日均资产)?"


def test_a_title_written_in_place_of_a_name_is_recognised():
    test = TagTest.model_construct(tag="代发户", op="=", value=True)
    with pytest.raises(UnknownTag, match="Did you mean 'acct_payroll'"):
        check(test, tags=TAGS, segments={})


def test_every_fault_of_a_document_is_told_at_once():
    found = fault(
        {
            "any": [
                {"tag": "nope", "op": "known"},
                {"not": {"segment": "yong"}},
                {"list": "vipp"},
                {"tag": "risk_suppress"} | {"value": True},
            ]
        }
    )
    assert isinstance(found, SeveralErrors)
    assert [(type(e), e.where.field) for e in found.errors] == [
        (UnknownTag, "where.any.0.tag"),
        (UnknownSegment, "where.any.1.not.segment"),
        (UnknownList, "where.any.2.list"),
        (TagNotSelectable, "where.any.3.tag"),
    ]
    assert "'young'" in found.errors[1].hint
    assert "'vip'" in found.errors[2].hint
    assert "gate" in found.errors[3].hint


@pytest.mark.parametrize(
    ("test", "place", "words"),
    [
        ({"tag": "acct_payroll", "op": ">", "value": 1}, "op", "no test '>'"),
        ({"tag": "acct_payroll", "value": 1}, "value", "not true or false"),
        ({"tag": "acct_payroll", "value": "是"}, "value", "not true or false"),
        ({"tag": "demo_age", "op": ">=", "value": 55.5}, "value", "whole number"),
        ({"tag": "demo_age", "op": ">=", "value": True}, "value", "not a number"),
        ({"tag": "demo_age", "op": "in", "value": [20, "x"]}, "value.1", "not a number"),
        ({"tag": "demo_age", "op": "=", "value": "1e3"}, "value", "not a number"),
        ({"tag": "demo_age", "op": "=", "value": 10**30}, "value", "too large"),
        ({"tag": "txn_online", "op": "<", "value": 10**400}, "value", "too large"),
        ({"tag": "asset_aum", "op": "<", "value": f"1.{'0' * 40}1"}, "value", "too long"),
        ({"tag": "demo_age", "op": "between", "value": [30, 20]}, "value", "above the upper end"),
        ({"tag": "asset_aum", "op": ">=", "value": 1.005}, "value", "more than two decimals"),
        ({"tag": "asset_aum", "op": ">=", "value": "1,000"}, "value", "not a number"),
        ({"tag": "asset_aum", "op": ">=", "value": 10**17}, "value", "too large"),
        ({"tag": "asset_matures", "op": "<", "value": "2026-02-30"}, "value", "not a date"),
        ({"tag": "asset_matures", "op": "<", "value": "9999-99-99"}, "value", "not a date"),
        ({"tag": "asset_matures", "op": "<", "value": "20260630"}, "value", "not a date"),
        ({"tag": "asset_matures", "op": "<", "value": 20260630}, "value", "not a date"),
        ({"tag": "demo_city", "op": "<", "value": "北京"}, "op", "no test '<'"),
        ({"tag": "demo_city", "value": 1}, "value", "not text"),
        ({"tag": "demo_city", "value": "a\x00b"}, "value", "cannot be stored"),
        ({"tag": "demo_city", "value": "\ud800"}, "value", "cannot be stored"),
        ({"tag": "demo_city", "op": "contains", "value": ""}, "value", "Use `known`"),
        ({"tag": "demo_city", "op": "in", "value": ["x"] * 1001}, "value", "1000 values"),
        ({"tag": "demo_child_stage", "value": "0–5"}, "value", "Did you mean '0-5'"),
        ({"tag": "demo_child_stage", "op": "in", "value": ["0-5", "小学"]}, "value.1", "Did you mean '6-11'"),
        ({"tag": "acct_class", "value": "I"}, "op", "no test '='"),
        ({"tag": "acct_class", "op": "contains", "value": "IV"}, "value", "not one of the values"),
    ],
)
def test_a_value_that_does_not_go_with_the_tag_is_refused_at_its_place(test: dict[str, Any], place: str, words: str):
    found = fault(test)
    assert isinstance(found, InvalidSpec)
    assert found.where.field == f"where.{place}"
    assert words in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("did", "place", "words"),
    [
        ({"where": [{"column": "ammount", "value": 1}]}, "where.0.column", "Did you mean 'amount'"),
        ({"where": [{"column": "customer_no", "value": "1"}]}, "where.0.column", "no column 'customer_no'"),
        ({"where": [{"column": "account_no", "value": "622"}]}, "where.0.op", "no test '='"),
        ({"where": [{"column": "category", "value": "payrol"}]}, "where.0.value", "Did you mean 'payroll'"),
        ({"where": [{"column": "amount", "op": ">", "value": 0.001}]}, "where.0.value", "two decimals"),
        ({"where": [{"column": "at", "op": ">", "value": "noon"}]}, "where.0.value", "not a time"),
        (
            {"where": [{"column": "at", "op": "between", "value": ["2026-06-01", "2026-06-02T10:00"]}]},
            "where.0.value",
            "others times",
        ),
        ({"sum_of": "category", "sum_at_least": 1}, "sum_of", "has no sum"),
        ({"sum_of": "amount", "sum_at_least": "1E+9999"}, "sum_at_least", "too large"),
        ({"sum_of": "amount", "sum_at_least": "0.001"}, "sum_at_least", "two decimals"),
        ({"not_since": {"table": "event", "where": [{"column": "x", "value": 1}]}}, "not_since.where.0.column", "'x'"),
    ],
)
def test_a_behaviour_is_typed_by_the_tables(did: dict[str, Any], place: str, words: str):
    found = fault({"did": {"table": "transaction", "within_days": 30, **did}})
    assert isinstance(found, InvalidSpec)
    assert found.where.field == f"where.did.{place}"
    assert words in f"{found.message} {found.hint}"


def test_a_ring_of_segments_is_named():
    ring = {name: segment({"all": [{"segment": to}]}, name) for name, to in (("a", "b"), ("b", "c"), ("c", "a"))}
    with pytest.raises(SegmentCycle, match="a → b → c → a"):
        check(ring["a"], tags=TAGS, segments=ring)
    with pytest.raises(SegmentCycle, match="a → a"):
        check(segment({"segment": "a"}, "a"), tags=TAGS, segments={})


def test_a_fault_inside_another_segment_is_told_where_that_one_is_named():
    inner = segment({"not": {"tag": "risk_suppress", "value": True}}, "inner")
    found = fault({"all": [{"segment": "inner"}]}, segments={"inner": inner})
    assert isinstance(found, TagNotSelectable)
    assert found.where.field == "where.all.0.segment"
    assert "In segment 'inner', where.not.tag" in found.message


def test_sixty_levels_are_enough_and_sixty_one_too_many(tmp_path):
    def nested(levels: int) -> Condition:
        condition: Condition = TagTest(tag="demo_age", op=">=", value=20)
        for i in range(levels - 1):
            other = TagTest(tag="demo_age", op="!=", value=i)
            condition = (AllOf(all=(other, condition)), AnyOf(any=(other, condition)), Not(negated=condition))[i % 3]
        return condition

    engine = open_bank(Bank([True] * 3, {"demo_age": [20, 3, None]}, {}), tmp_path)
    given = {"tags": TAGS, "segments": {}, "as_of": AS_OF}
    size = count(engine, nested(60), **given)
    assert preview(engine, nested(60), **given).size == size == len(members(engine, nested(60), **given))
    assert members_sql(nested(60), dialect="postgres", **given).startswith("SELECT")
    with pytest.raises(InvalidSpec, match="more than 60 deep"):
        check(nested(61), tags=TAGS, segments={})


def test_five_hundred_conditions_are_enough_and_one_more_too_many(tmp_path):
    engine = open_bank(Bank([True] * 600, {"demo_age": list(range(600))}, {}), tmp_path)
    given = {"tags": TAGS, "segments": {}, "as_of": AS_OF}
    one_of = [{"tag": "demo_age", "value": i} for i in range(501)]
    assert count(engine, segment({"any": one_of[:500]}), **given) == 500
    assert preview(engine, segment({"all": [{"not": test} for test in one_of[:500]]}), **given).size == 100
    with pytest.raises(InvalidSpec, match="More than 500"):
        check(segment({"any": one_of}), tags=TAGS, segments={})


def test_segments_that_double_at_each_reference_are_refused_quickly():
    doubling = {"s0": segment({"tag": "demo_age", "op": "known"}, "s0")}
    for i in range(1, 25):
        doubling[f"s{i}"] = segment({"any": [{"segment": f"s{i - 1}"}] * 2}, f"s{i}")
    with pytest.raises(InvalidSpec, match="More than 500") as caught:
        check(doubling["s24"], tags=TAGS, segments=doubling)
    assert caught.value.where.field == "where.any.0.segment"


def test_what_a_segment_uses_is_known_through_those_it_refers_to():
    inner = segment({"all": [{"tag": "demo_child_stage", "value": "0-5"}, {"list": "vip"}]}, "inner")
    did = {"did": {"table": "transaction", "within_days": 9, "not_since": {"table": "event"}}}
    spec = segment({"any": [{"not": {"segment": "inner"}}, did, {"tag": "demo_age", "op": "known"}]})
    segments = {"inner": inner}
    rule = understand(spec, tags=TAGS, segments=segments)
    assert tags_in(rule) == ("demo_child_stage", "demo_age")
    assert tables_in(rule) == ("transaction", "event")
    assert lists_in(rule) == ("vip",)
    assert segments_in(rule) == ("inner",)
    assert sensitive_tags(spec, tags=TAGS, segments=segments) == ("demo_child_stage",)


def test_numbers_may_be_written_as_text_since_forms_send_text():
    spec = {"all": [{"tag": "demo_age", "value": "20"}, {"tag": "acct_payroll", "value": "true"}]}
    same = {"all": [{"tag": "demo_age", "value": 20}, {"tag": "acct_payroll", "value": True}]}
    given = {"tags": TAGS, "segments": {}, "as_of": AS_OF}
    assert members_sql(segment(spec), **given) == members_sql(segment(same), **given)


@pytest.mark.parametrize(
    ("where", "place", "words"),
    [
        ({"tag": "asset_matures", "op": "during", "value": "next 30 dys"}, "value", "Did you mean 'next 30 days'"),
        ({"tag": "asset_matures", "op": "<", "value": "30 day agoo"}, "value", "Did you mean '30 day ago'"),
        ({"tag": "demo_city", "op": "during", "value": "this month"}, "op", "no test 'during'"),
        ({"tag": "demo_city", "op": "anniversary", "value": "this month"}, "op", "no test 'anniversary'"),
        ({"change": {"tag": "demo_city", "since": "30 days ago", "ratio": 2}}, "change.tag", "no ratio or difference"),
        ({"change": {"tag": "asset_aun", "since": "30 days ago", "ratio": 2}}, "change.tag", "'asset_aum'"),
        ({"change": {"tag": "asset_aum", "since": "today", "difference": "0.001"}}, "change.difference", "two decimals"),
        ({"rank": {"tag": "demo_city", "top": 5}}, "rank.tag", "puts nobody first"),
        ({"rank": {"tag": "risk_suppress", "top": 5}}, "rank.tag", "class X"),
        ({"rank": {"tag": "demo_age", "top": 5, "among": {"segment": "yong"}}}, "rank.among.segment", "'young'"),
        ({"cluster": {"set": "sprin", "in": ["a"]}}, "cluster.set", "Did you mean 'spring'"),
        ({"cluster": {"set": "spring", "in": ["z"]}}, "cluster.in.0", "not one of the values"),
        ({"union": ["young", "yung"]}, "union.1.segment", "'young'"),
        ({"except": ["young", {"list": "vipp"}]}, "except.1.list", "'vip'"),
        ({"trend": {"table": "event", "sum_of": "kind", "during": "today", "ratio": 1}}, "trend.sum_of", "has no sum"),
        (
            {"sequence": {"first": {"table": "event", "where": [{"column": "knd", "value": "x"}]}, "then": {"table": "event"},
                          "gap_days": 1, "within_days": 9}},
            "sequence.first.where.0.column", "'kind'",
        ),
        (
            {"did": {"table": "event", "within_days": 9, "where": [{"column": "happened_on", "op": "anniversary", "value": "today"}]}},
            "did.where.0.op", "no test 'anniversary'",
        ),
    ],
)  # fmt: skip
def test_the_newer_conditions_name_the_place_and_the_cure(where: dict[str, Any], place: str, words: str):
    found = fault(where)
    assert found.where.field == f"where.{place}"
    assert words in f"{found.message} {found.hint}"


def test_a_ring_through_an_earlier_membership_or_a_rank_is_named():
    ring = {
        "a": segment({"segment": "b", "as_of": "30 days ago"}, "a"),
        "b": segment({"rank": {"tag": "demo_age", "top": 3, "among": {"segment": "a"}}}, "b"),
    }
    with pytest.raises(SegmentCycle, match="a → b → a"):
        check(ring["a"], tags=TAGS, segments=ring)


def test_ranks_within_ranks_count_their_levels():
    where: dict[str, Any] = {"tag": "demo_age", "op": "known"}
    for _ in range(60):
        where = {"rank": {"tag": "demo_age", "top": 3, "among": where}}
    with pytest.raises(InvalidSpec, match="more than 60 deep"):
        check(segment(where), tags=TAGS, segments={})


def test_contains_is_literal_so_that_a_pattern_that_explodes_is_only_text(tmp_path):
    bomb = "(a+)+$" * 20
    engine = open_bank(Bank([True] * 2, {"demo_city": ["a" * 5000, f"x{bomb}y"]}, {}), tmp_path)
    spec = segment({"tag": "demo_city", "op": "contains", "value": bomb})
    assert members(engine, spec, tags=TAGS, segments={}, as_of=AS_OF).tolist() == [1]


def test_an_earlier_day_before_all_tags_is_refused_with_the_earliest_there_is(tmp_path):
    engine = open_bank(Bank([True], {"demo_age": [20]}, {}), tmp_path)
    for where in (
        {"tag": "demo_age", "op": "known", "as_of": "9 years ago"},
        {"segment": "young", "as_of": "1 year ago"},
    ):
        with pytest.raises(NoData, match="or before") as caught:
            count(engine, segment(where), tags=TAGS, segments=SEGMENTS, as_of=AS_OF)
        assert AS_OF.isoformat() in caught.value.hint


def test_the_same_question_has_one_key_whatever_its_place_and_title():
    rules = [understand(segment(w), tags=TAGS, segments=SEGMENTS) for w in (
        {"all": [{"rank": {"tag": "demo_age", "top": 3}}]}, {"all": [{"rank": {"tag": "demo_age", "top": 3}}]},
        {"all": [{"rank": {"tag": "demo_age", "top": 4}}]}, {"all": [{"rank": {"tag": "demo_age", "bottom": 3}}]},
    )]  # fmt: skip
    keys = [key_of(settled(rule, AS_OF)) for rule in rules]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_condition_alone_can_be_checked():
    check(MemberOf(segment="young"), tags=TAGS, segments=SEGMENTS)
    assert isinstance(SEGMENTS["young"], SegmentSpec)
