"""Definitions are read strictly, and every fault is told with its place."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import InvalidSpec, SeveralErrors
from kequn.core.spec.campaign import CampaignSpec, ContactPolicySpec
from kequn.core.spec.reading import KINDS, dump_spec, parse_spec, read_spec, read_specs, spec_of
from kequn.core.spec.segment import AllOf, SegmentSpec, TagTest
from kequn.core.spec.source import CsvInput, SourceSpec

SOURCE = """\
kind: source
name: customers
title: {zh: 客户, en: Customers}
table: customer
input: {format: csv, path: customers.csv}
columns:
  customer_no: 客户号
  opened_on: {from: 开户日, date_format: "%Y%m%d"}
  gender: {from: 性别, codes: {1: M, 2: F, "*": null}}
"""


def only_fault(text: str) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as caught:
        parse_spec(text, file="a.yaml")
    assert not isinstance(caught.value, SeveralErrors), caught.value
    return caught.value


def test_a_definition_is_read_by_its_kind():
    (spec,) = parse_spec(SOURCE)
    assert isinstance(spec, SourceSpec)
    assert spec.title.en == "Customers"
    assert spec.columns["gender"].codes == {"1": "M", "2": "F", "*": None}


def test_all_kinds_can_be_read():
    assert set(KINDS) == {
        "source", "tag", "segment", "metric", "offer", "template", "talk_track", "playbook", "campaign",
        "contact_policy", "group", "desk_policy", "ownership_policy", "assignment", "pool",
    }  # fmt: skip


def test_an_unknown_key_is_told_with_line_column_field_and_the_word_meant():
    fault = only_fault(SOURCE.replace("path: customers.csv", "path: customers.csv, encodng: gbk"))
    assert (fault.where.file, fault.where.line, fault.where.column) == ("a.yaml", 5, 43)
    assert fault.where.field == "input.encodng"
    assert fault.hint == "Did you mean 'encoding'?"


def test_an_unknown_key_without_a_near_one_lists_what_there_is():
    assert "customer_no" not in only_fault(SOURCE + "zzz: 1\n").hint
    assert "freshness_days" in only_fault(SOURCE + "zzz: 1\n").hint


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    fault = only_fault(SOURCE + "  customer_no: x\n")
    assert fault.where.line == 10
    assert "line 7" in fault.message


def test_all_faults_of_a_file_come_at_once_in_its_order():
    text = SOURCE.replace("table: customer", "tabel: customer").replace("format: csv", "format: cvs")
    with pytest.raises(SeveralErrors) as caught:
        parse_spec(text + "max_reject_rate: many\n", file="a.yaml")
    fields = {e.where.field: e.where.line for e in caught.value.errors}
    assert fields == {"table": 1, "tabel": 4, "input": 5, "max_reject_rate": 10}


def test_faults_of_several_documents_are_gathered():
    with pytest.raises(SeveralErrors) as caught:
        parse_spec("kind: segmen\n---\nkind: tga\n", file="a.yaml")
    assert [(e.where.line, e.hint) for e in caught.value.errors] == [
        (1, "Did you mean 'segment'?"),
        (3, "Did you mean 'tag'?"),
    ]


@pytest.mark.parametrize(
    "word", ["yes", "no", "on", "off", "y", "0012", "0x1f", "1_000", "21:00", "2026-06-30", "True", "1."]
)
def test_words_that_yaml_would_change_stay_words(word: str):
    (spec,) = parse_spec(f"kind: segment\nname: a\ntitle: t\nwhere: {{tag: x, value: {word}}}\n")
    assert spec.where.value == word


@pytest.mark.parametrize(
    ("written", "value"),
    [("true", True), ("false", False), ("12", 12), ("-3", -3), ("0.1", Decimal("0.1")),
    ("1234567890123.45", Decimal("1234567890123.45"))],
)  # fmt: skip
def test_numbers_and_true_and_false_are_exact(written: str, value: object):
    (spec,) = parse_spec(f"kind: segment\nname: a\ntitle: t\nwhere: {{tag: x, value: {written}}}\n")
    assert spec.where.value == value
    assert type(spec.where.value) is type(value)


def test_a_number_too_long_to_be_exact_is_refused():
    fault = only_fault("kind: segment\nname: a\ntitle: t\nwhere: {tag: x, value: 12345678901234.5678}\n")
    assert "15 digits" in fault.message
    assert fault.where.line == 4


def test_a_number_is_not_a_date_and_not_a_time():
    policy = "kind: contact_policy\nname: a\ntitle: t\ncaps: []\nquiet_until: {}\n"
    (spec,) = parse_spec(policy.format("07:30"))
    assert isinstance(spec, ContactPolicySpec)
    assert spec.quiet_until == time(7, 30)
    assert only_fault(policy.format("7")).where.field == "quiet_until"


def test_yes_is_not_true():
    fault = only_fault(SOURCE.replace("path: customers.csv", "path: customers.csv, header: yes"))
    assert fault.message == "Write true or false, not 'yes'."


def test_a_number_where_text_belongs_is_asked_to_be_quoted():
    assert only_fault(SOURCE.replace("客户号", "12")).hint == "Put it into quotes if it is a name."
    assert only_fault(SOURCE.replace("from: 性别", "from: 12")).hint == "Put it into quotes."


@pytest.mark.parametrize(
    "text",
    [
        "kind: [1,",
        "kind: {a",
        "\tkind: x",
        "kind: a: b",
        "[" * 5000,
        "{a: " * 5000,
        "- " * 5000,
        "kind: \x00",
        "kind: !!python/object/apply:os.system ['true']",
        "kind: *nobody",
        "a: &a [*a]",
        "<<: {kind: tag}",
        "? [a, b]\n: c",
        "just words",
        "- kind: tag",
        "kind: 3",
        "title: x",
        "x" * 2_000_000,
    ],
)
def test_what_is_no_definition_is_refused_with_its_place(text: str):
    fault = only_fault(text)
    assert fault.where.file == "a.yaml"


def test_aliases_cannot_make_a_small_file_large():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    assert "values in one file" in only_fault(bomb).message


def test_aliases_cannot_make_a_flat_file_deep():
    lines = ["a0: &a0 " + "[" * 40 + "x" + "]" * 40]
    lines += [f"a{i}: &a{i} " + "[" * 40 + f"*a{i - 1}" + "]" * 40 for i in range(1, 40)]
    assert "levels deep" in only_fault("\n".join(lines)).message


def test_an_alias_repeats_what_it_names():
    text = "kind: segment\nname: a\ntitle: &t 金卡\ndescription: *t\nwhere: {all: []}\n"
    assert str(parse_spec(text)[0].description) == "金卡"


def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes("kind: segment\ntitle: 客群\n".encode("gbk"))
    with pytest.raises(InvalidSpec) as caught:
        read_spec(path)
    assert caught.value.where.line == 2


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SOURCE.replace("\n", "\r\n").encode())
    assert read_spec(path).name == "customers"


def test_a_folder_is_read_in_order_and_its_faults_together(tmp_path: Path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.yaml").write_text(SOURCE)
    (tmp_path / "a.yaml").write_text(SOURCE.replace("name: customers", "name: first") + "---\n" + SOURCE)
    found = read_specs(tmp_path)
    assert [(p.name, s.name) for p, s in found] == [
        ("a.yaml", "first"),
        ("a.yaml", "customers"),
        ("two.yaml", "customers"),
    ]
    (tmp_path / "c.yaml").write_text("kind: x\n")
    (tmp_path / "d.yaml").write_text("kind: y\n")
    with pytest.raises(SeveralErrors) as caught:
        read_specs(tmp_path)
    assert [Path(e.where.file).name for e in caught.value.errors] == ["c.yaml", "d.yaml"]


def test_one_file_holds_one_definition_where_one_is_asked_for(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(SOURCE + "---\n" + SOURCE)
    with pytest.raises(InvalidSpec, match="not 2"):
        read_spec(tmp_path / "a.yaml")


values = st.one_of(
    st.booleans(),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30),
    st.sampled_from(
        ["yes", "on", "0012", "1e5", "null", "~", "", "true", "2026-01-01", "a: b", "- a", "# x", " a ", "'", '"', "*x", "&x",
         "<<", "1\n2", "a \nb\n\n"]
    ),
)  # fmt: skip


@given(
    st.lists(values, min_size=1, max_size=5),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1),
)
def test_a_definition_written_and_read_is_the_same(items: list[object], title: str):
    tests = tuple(TagTest(tag="x", op="in", value=(item,)) for item in items)
    spec = SegmentSpec(name="a", title=title, where=AllOf(all=tests))
    (again,) = parse_spec(dump_spec(spec))
    assert again == spec
    assert again.fingerprint() == spec.fingerprint()


def test_every_kind_of_field_survives_writing_and_reading():
    campaign = CampaignSpec(
        name="q3", title={"zh": "提升", "en": "Growth"}, segment="gold", offer="gift", goal="aum",
        plays=({"channel": "sms", "template": "t", "unit_cost_cny": "0.05"},), budget_cny=Decimal("200000"),
        start_on=date(2026, 7, 1), end_on=date(2026, 9, 30), holdout={"rate": 0.1, "salt": "0012"},
    )  # fmt: skip
    source = SourceSpec(
        name="s", title="t", table="customer", where="a > 1\nand b", columns={"x": "0012", "y": {"sql": "1"}},
        input=CsvInput(path="a", separator="\t", quote="", nulls=("", "NULL", "no")), max_reject_rate=0.25,
    )  # fmt: skip
    for spec in (campaign, source):
        (again,) = parse_spec(dump_spec(spec))
        assert again == spec
        assert again.fingerprint() == spec.fingerprint()


@given(st.text(alphabet=st.sampled_from(list("kind:segmt xyz\n -{}[]&*!|>'\"#,?%@`~<01.\t")), max_size=120))
def test_any_text_ends_in_definitions_or_in_a_told_fault(text: str):
    try:
        parse_spec(text)
    except InvalidSpec:
        return


@pytest.mark.parametrize(
    "where",
    [
        {"tag": "a", "op": ">=", "value": 3},
        {"all": [{"not": {"list": "vip"}}, {"tag": "a", "op": "between", "value": [1, 2.5]}]},
        {"tag": "a", "op": ">=", "value": float("nan")},
        {"tag": "a", "op": "at least", "value": 3},
        {"all": [{"tag": "a"}, {"tagg": "b"}]},
        7,
    ],
)
def test_plain_values_read_as_the_same_text_does(where: object):
    document = {"kind": "segment", "name": "s", "title": "甲", "where": where}

    def told(read):
        try:
            return read()
        except InvalidSpec as error:
            return [(e.message, e.where.field) for e in getattr(error, "errors", None) or [error]]

    assert told(lambda: spec_of(document)) == told(lambda: parse_spec(json.dumps(document, ensure_ascii=False))[0])
