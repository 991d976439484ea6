"""Merge fields: compiled once against an allow-list, and what is merged is never read again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import InvalidSpec
from kequn.core.spec.merge import compile_text, plain

ALLOWED = {"family_name", "branch_name", "amount"}


def rendered(text: str, **values: str) -> str:
    return compile_text(text, allowed=ALLOWED).render(values)


def test_fields_are_put_in_with_their_filters() -> None:
    text = "尊敬的{{family_name|initial}}先生，{{ branch_name }}为您保留 {{ amount | thousands }} 元"
    said = rendered(text, family_name="欧阳", branch_name=" 朝阳支行 ", amount="1234567")
    assert said == "尊敬的欧先生，朝阳支行为您保留 1,234,567 元"


def test_the_fields_of_a_text_are_known() -> None:
    assert compile_text("{{amount}}{{family_name}}{{amount}}", allowed=ALLOWED).fields == ("amount", "family_name")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ famly_name }}", "family_name"),
        ("{{ amount|thousand }}", "thousands"),
        ("{{ family_name.__class__ }}", "Write"),
        ("{{ family_name|upper|upper }}", "Write"),
        ("{{ 7*7 }}", "Write"),
        ("{{ }}", "Write"),
        ("{{ {{ family_name }} }}", "Write"),
        ("{{ family_name", "Write"),
        ("family_name }}", "Write"),
        ("{% for x in y %}", "Write"),
        ("{{ ''.join(x) }}", "Write"),
        ("{{ self }}", "Known are"),
    ],
)
def test_anything_but_a_known_field_is_refused(text: str, hint: str) -> None:
    with pytest.raises(InvalidSpec) as error:
        compile_text(text, allowed=ALLOWED)
    assert hint in error.value.hint


def test_a_fault_is_named_with_line_and_column() -> None:
    with pytest.raises(InvalidSpec) as error:
        compile_text("您好\n  {{ nobody }}", allowed=ALLOWED)
    assert (error.value.where.line, error.value.where.column) == (2, 3)


def test_a_field_without_a_value_sends_nothing() -> None:
    with pytest.raises(InvalidSpec, match="amount"):
        rendered("{{ amount }}")


@given(st.text(), st.text())
def test_whatever_the_value_no_brace_line_or_control_character_comes_of_it(name: str, amount: str) -> None:
    said = rendered("<{{ family_name }}|{{ amount }}>", family_name=name, amount=amount)
    assert said == f"<{plain(name)}|{plain(amount)}>"
    assert not set(said) & set("{}\r\n\t\x00\u202e\u200b")


@given(st.text(alphabet="{}%| a\n", max_size=30))
def test_a_text_without_fields_compiles_to_itself_or_is_refused(text: str) -> None:
    with suppress(InvalidSpec):
        assert rendered(text) == text


def test_values_are_cut() -> None:
    assert len(rendered("{{ family_name }}", family_name="王" * 5_000)) == 200
