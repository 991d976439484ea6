"""The condition tree as a form: nothing is lost on the way from spec to page and back."""

from __future__ import annotations

from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.console.segments import builder
from kequn.console.segments.builder import BEHAVIOURS
from kequn.console.segments.pinyin import initials
from kequn.console.segments.tree import GROUPS, LEAVES, Node, ValueTest, apply, parted, tree_from
from kequn.console.segments.written import document_of, tree_of
from kequn.core.data.tables import TABLES
from kequn.core.segments import understand
from kequn.core.spec.segment import AllOf, AnyOf, Not, SegmentSpec
from tests.core.segments.bank import TAGS
from tests.core.segments.cases import CASES
from tests.core.segments.trees import DICE, SEGMENTS
from tests.core.segments.trees import tree as random_tree

TYPES = {
    "age": "integer",
    "aum": "money",
    "vip": "boolean",
    "city": "text",
    "transaction.amount": "money",
    "event.kind": "text",
}
OF_BANK = {name: tag.type for name, tag in TAGS.items()} | {
    f"{t}.{c.name}": c.type for t in BEHAVIOURS for c in TABLES[t].columns
}


def spec(where: dict[str, Any]) -> SegmentSpec:
    return SegmentSpec.model_validate({"name": "x", "title": "x", "where": where})


class FormFields(HTMLParser):
    """Collects what a browser sends of a form: its inputs and selects."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.form = QueryDict(mutable=True)
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((given.get("value") or "", "selected" in given))
        elif tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.form.appendlist(name, given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            chosen = [value for value, selected in self._options if selected] or [self._options[0][0]]
            self.form.appendlist(self._select, chosen[0])
            self._select = None


def each_once(where: Any) -> Any:
    """Return a rule with the values of a list each once, in one order: a box is ticked or not."""
    if isinstance(where, dict):
        parts = {key: each_once(part) for key, part in where.items()}
        for key in ("value",) if parts.get("op") in ("in", "contains_all") else ("in",) if "in" in parts else ():
            parts[key] = sorted(set(parts[key]), key=str)
        return parts
    return [each_once(part) for part in where] if isinstance(where, list) else where


@pytest.fixture
def catalogue_of_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "catalogue", lambda: TAGS)


def form_of(root: Node) -> QueryDict:
    """Return what a browser sends of a tree as the templates show it."""
    known = {"segments": [("young", "y"), ("recent", "r")], "lists": [("vip", "v"), ("empty", "e")]}
    return FormFields(render_to_string("segments/node.html", {"node": builder.dressed(root), **known})).form


@pytest.mark.usefixtures("catalogue_of_bank")
@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("name", list(CASES))
def test_a_rule_survives_the_form(name: str, language: str) -> None:
    with translation.override(language):
        tree = tree_of(spec(CASES[name]).where)
        written = document_of(tree, OF_BANK, whole=True)
        again = tree_from(form_of(tree))
    assert document_of(again, OF_BANK, whole=True) == written
    shown = spec(written).where
    assert understand(shown, tags=TAGS, segments=SEGMENTS)
    if isinstance(spec(CASES[name]).where, AllOf | AnyOf | Not):
        assert spec(written).fingerprint() == spec(CASES[name]).fingerprint()


@pytest.mark.usefixtures("catalogue_of_bank")
@settings(max_examples=25, deadline=None)
@given(rng=DICE)
def test_random_rules_survive_the_form(rng: Random) -> None:
    tree = tree_of(spec({"all": [each_once(random_tree(rng))]}).where)
    written = document_of(tree, OF_BANK, whole=True)
    assert each_once(document_of(tree_from(form_of(tree)), OF_BANK, whole=True)) == each_once(written)


WRITTEN = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(lambda text: text == text.strip())


@given(values=st.lists(WRITTEN | st.sampled_from(["2 days ago", 'Smith, "Jo"', "东大街、西", '"', '""'])))
def test_values_in_one_field_are_read_as_they_were(values: list[str]) -> None:
    assert parted(ValueTest("x", "in", values).listed) == values


def test_values_are_parted_by_commas_and_not_by_blanks() -> None:
    assert parted(' 2 days ago，today、"Smith, Jo";x\ny,, ') == ["2 days ago", "today", "Smith, Jo", "x", "y"]
    assert parted('"open, b') == ['"open', "b"]


@given(rng=DICE, data=st.data())
def test_deleting_a_node_leaves_all_others_as_they_were(rng: Random, data: st.DataObject) -> None:
    tree = tree_of(spec({"all": [random_tree(rng), {"list": "vip"}]}).where)
    before = [(n.kind, n.test, n.ref, n.window) for n in tree.walk()]
    inner = [n for n in tree.walk() if n.path != "0"]
    gone = data.draw(st.sampled_from(inner))
    lost = [(n.kind, n.test, n.ref, n.window) for n in gone.walk()]
    assert apply(tree, f"del:{gone.path}")
    after = [(n.kind, n.test, n.ref, n.window) for n in tree.walk()]
    assert len(after) == len(before) - len(lost)
    assert all(n in before for n in after)


@pytest.mark.usefixtures("catalogue_of_bank")
@pytest.mark.parametrize("kind", [*GROUPS, *LEAVES])
def test_a_new_condition_of_each_kind_is_shown_and_read_back(kind: str) -> None:
    root = Node("all").numbered()
    assert apply(root, f"add-{kind}:0")
    again = tree_from(form_of(root))
    assert [n.kind for n in again.walk()] == [n.kind for n in root.walk()]
    assert document_of(again, OF_BANK, whole=True) == document_of(root, OF_BANK, whole=True)


@pytest.mark.usefixtures("catalogue_of_bank")
def test_tests_on_rows_and_a_base_for_a_rank_are_added_and_taken_away() -> None:
    root = Node("all").numbered()
    for act in ("add-sequence:0", "add-test:0.0", "add-test:0.0~then", "add-rank:0", "add-among:0.1"):
        assert apply(root, act)
    assert (len(root.children[0].rows.tests), len(root.children[0].then.tests)) == (1, 1)
    assert root.children[1].children[0].kind == "all"
    again = tree_from(form_of(root))
    assert [n.path for n in again.walk()] == [n.path for n in root.walk()]
    for act in ("del-test:0.0~then.0", "del:0.1.0"):
        assert apply(again, act)
    assert not again.children[0].then.tests
    assert not again.children[1].children


def test_an_unfilled_condition_does_not_count_until_it_is_saved() -> None:
    root = Node("all", children=[Node("tag", test=ValueTest("age", ">=", ["3"])), Node("tag")]).numbered()
    assert document_of(root, TYPES) == {"all": [{"tag": "age", "op": ">=", "value": 3}]}
    assert len(document_of(root, TYPES, whole=True)["all"]) == 2


def test_an_empty_not_group_shuts_nobody_out_while_it_is_being_written() -> None:
    root = Node("all", children=[Node("not", children=[Node("tag")])]).numbered()
    assert document_of(root, TYPES) == {"all": []}


def test_an_unknown_button_changes_nothing() -> None:
    root = tree_of(spec({"tag": "age", "op": "=", "value": 1}).where)
    assert not apply(root, "save")
    assert not apply(root, "add-nonsense:0")


def test_pinyin_initials_are_found_for_common_words() -> None:
    assert initials("金融资产") == "jrzc"
    assert initials("近30日AUM") == "j30raum"
