"""The condition tree as a form: nothing is lost on the way from spec to form and back."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from kequn.console.segments.pinyin import initials
from kequn.console.segments.tree import Node, ValueTest, apply, document_of, tree_from, tree_of
from kequn.core.spec.segment import SegmentSpec

TYPES = {
    "age": "integer",
    "aum": "money",
    "vip": "boolean",
    "city": "text",
    "transaction.amount": "money",
    "event.kind": "text",
}


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    number = st.integers(-1_000, 1_000_000)
    return st.one_of(
        st.builds(lambda op, v: {"tag": "age", "op": op, "value": v}, st.sampled_from(["=", "<", ">="]), number),
        st.builds(lambda a, b: {"tag": "aum", "op": "between", "value": [a, b]}, number, number),
        st.builds(lambda v: {"tag": "city", "op": "in", "value": v}, st.lists(st.sampled_from("abc"), min_size=1, unique=True)),
        st.builds(lambda v: {"tag": "vip", "op": "=", "value": v}, st.booleans()),
        st.builds(lambda op: {"tag": "city", "op": op}, st.sampled_from(["known", "unknown"])),
        st.builds(lambda n: {"segment": n}, st.sampled_from(["rich", "women"])),
        st.builds(lambda n: {"list": n}, st.sampled_from(["a", "b"])),
        st.builds(
            lambda d, t, v: {
                "did": {
                    "table": "transaction", "within_days": d, "at_least": t, "where": [{"column": "amount", "op": ">=", "value": v}],
                    "not_since": {"table": "event"},
                }
            },
            st.integers(1, 300), st.integers(1, 9), number,
        ),
    )  # fmt: skip


TREES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.builds(lambda k, c: {k: c}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda c: {"not": c}, inner),
    ),
    max_leaves=8,
)


def spec(where: dict[str, Any]) -> SegmentSpec:
    return SegmentSpec.model_validate({"name": "x", "title": "x", "where": where})


def form_of(root: Node) -> QueryDict:
    """Return what a browser sends of a tree: as the templates name their fields."""
    form = QueryDict(mutable=True)
    for node in root.walk():
        p = node.path
        form[f"kind:{p}"] = node.kind
        if node.kind == "tag":
            form[f"tag:{p}"], form[f"cmp:{p}"] = f"标题 · {node.test.name}", node.test.op
            form.setlist(f"val:{p}", node.test.values)
        elif node.kind == "did":
            form[f"table:{p}"], form[f"days:{p}"], form[f"times:{p}"] = node.table, node.days, node.at_least
            form[f"nott:{p}"] = node.not_table
            for n, test in enumerate(node.tests):
                form[f"col:{p}.{n}"], form[f"cmp:{p}.{n}"] = test.name, test.op
                form.setlist(f"val:{p}.{n}", test.values)
        elif not node.is_group:
            form[f"ref:{p}"] = node.ref
    return form


@given(TREES)
def test_a_rule_survives_the_form(where: dict[str, Any]) -> None:
    tree = tree_of(spec(where).where)
    again = tree_from(form_of(tree))
    assert document_of(again, TYPES, whole=True) == document_of(tree, TYPES, whole=True)
    assert (
        spec(document_of(again, TYPES, whole=True)).fingerprint()
        == spec(document_of(tree, TYPES, whole=True)).fingerprint()
    )


@given(TREES, st.data())
def test_deleting_a_node_leaves_all_others_as_they_were(where: dict[str, Any], data: st.DataObject) -> None:
    tree = tree_of(spec(where).where)
    before = [(n.kind, n.test, n.ref, n.days) for n in tree.walk()]
    inner = [n for n in tree.walk() if n.path != "0"]
    gone = data.draw(st.sampled_from(inner))
    lost = [(n.kind, n.test, n.ref, n.days) for n in gone.walk()]
    assert apply(tree, f"del:{gone.path}")
    after = [(n.kind, n.test, n.ref, n.days) for n in tree.walk()]
    assert len(after) == len(before) - len(lost)
    assert all(n in before for n in after)


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
