"""Rules for clusters: faithful, rounded, and the very condition that a segment tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from kequn.core.insight.features import fitted, plain
from kequn.core.insight.surrogate import FAITHFUL, NOBODY, Fork, Leaf, Tree, explained, grouped, tree_from, tree_json
from kequn.core.insight.thresholds import roundest
from kequn.core.segments import members
from kequn.core.spec.segment import AllOf, AnyOf, Condition, Not, TagTest
from tests.core.insight.bank import AS_OF, open_store, tag
from tests.core.insight.planted import planted


def all_tests(condition: Condition) -> list[TagTest]:
    match condition:
        case AllOf(all=parts) | AnyOf(any=parts):
            return [t for part in parts for t in all_tests(part)]
        case Not(negated=part):
            return all_tests(part)
        case _:
            return [condition]


def depth_of(tree: Tree) -> int:
    return 0 if isinstance(tree, Leaf) else 1 + max(depth_of(tree.below), depth_of(tree.above))


@pytest.mark.parametrize("unknown", [0.0, 0.03, 0.15])
def test_each_rule_selects_just_the_customers_that_fall_to_its_leaves(tmp_path, unknown):
    bank = planted(1_500, 1, groups=4, unknown=unknown)
    engine = open_store(tmp_path, bank.tags, bank.columns)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    found = explained(bank.table(), space, bank.groups.astype(np.uint8), tags=bank.tags, k=4, seed=1)
    fallen, purity = grouped(found.tree, plain(space, bank.table()))
    for label, rule in enumerate(found.rules):
        chosen = members(engine, rule, tags=bank.tags, segments={}, as_of=AS_OF)
        np.testing.assert_array_equal(chosen, np.flatnonzero(fallen == label))
    assert np.isnan(purity[fallen == NOBODY]).all()
    assert found.fidelity == pytest.approx((fallen == bank.groups).mean(), abs=0.06)
    assert depth_of(found.tree) <= 5
    assert tree_from(tree_json(found.tree)) == found.tree


def test_rules_of_groups_that_are_apart_are_faithful_and_say_so_cluster_by_cluster():
    bank = planted(3_000, 2, groups=4, unknown=0.0)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    found = explained(bank.table(), space, bank.groups.astype(np.uint8), tags=bank.tags, k=4, seed=1)
    assert found.fidelity >= FAITHFUL
    assert found.is_faithful
    assert all((q.precision or 0) > 0.7 and (q.recall or 0) > 0.7 for q in found.quality)


def test_thresholds_have_few_figures():
    bank = planted(3_000, 2, groups=4, unknown=0.0)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    found = explained(bank.table(), space, bank.groups.astype(np.uint8), tags=bank.tags, k=4, seed=1)
    amounts = [t.value for rule in found.rules for t in all_tests(rule) if t.tag.startswith("asset_")]
    figures = [len(str(a).replace(".", "").strip("0")) for a in amounts]
    assert max(figures) <= 2


def test_labels_that_no_tag_tells_have_rules_that_are_not_faithful():
    bank = planted(2_000, 3)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    labels = np.random.default_rng(1).integers(0, 5, 2_000).astype(np.uint8)
    found = explained(bank.table(), space, labels, tags=bank.tags, k=5, seed=1)
    assert not found.is_faithful


def test_flags_lists_and_whole_numbers_become_tests_of_their_kind(tmp_path):
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], 300).astype(np.uint8)
    tags = {
        "acct_flag": tag("acct_flag", "boolean"),
        "chan_list": tag("chan_list", "list"),
        "demo_years": tag("demo_years", "integer"),
    }
    columns = {
        "acct_flag": (labels == 0).tolist(),
        "chan_list": [["a", "b"] if v == 1 else ["b"] for v in labels],
        "demo_years": (20 + 30 * (labels == 2) + rng.integers(0, 9, 900)).tolist(),
    }
    engine = open_store(tmp_path, tags, columns)
    rows = engine.arrow(engine.tags_query(AS_OF, list(tags)) + " ORDER BY ordinal")
    found = explained(rows, fitted(rows, tags, list(tags)), labels, tags=tags, k=3, seed=1)
    assert found.fidelity == 1.0
    for label, rule in enumerate(found.rules):
        chosen = members(engine, rule, tags=tags, segments={}, as_of=AS_OF)
        np.testing.assert_array_equal(chosen, np.flatnonzero(labels == label))


def test_a_way_that_comes_twice_by_a_tag_is_said_once():
    bank = planted(1_500, 1, groups=4, unknown=0.0)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    found = explained(bank.table(), space, bank.groups.astype(np.uint8), tags=bank.tags, k=4, seed=1)
    assert isinstance(found.tree, Fork)
    for rule in found.rules:
        for way in rule.any if isinstance(rule, AnyOf) else (rule,):
            limits = [(t.tag, t.op) for t in all_tests(way) if t.op in (">=", "<")]
            assert len(limits) == len(set(limits))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e7, 1e9, allow_nan=False).map(lambda v: round(v, 2)), min_size=2, max_size=60),
    at=st.integers(0, 58),
    type=st.sampled_from(["money", "number", "integer"]),
)
def test_rounding_moves_almost_nobody(values, at, type):
    known = np.unique(np.round(values) if type == "integer" else values)
    if len(known) < 2:
        return
    i = at % (len(known) - 1)
    threshold = float((known[i] + known[i + 1]) / 2)
    rounded = roundest(known, threshold, type, 0.0)
    np.testing.assert_array_equal(known < rounded, known <= threshold)


def test_a_person_would_choose_such_thresholds():
    amounts = np.array([100.0, 900.0, 48_732.0, 51_020.0, 70_000.0])
    assert roundest(amounts, 49_876.0, "money", 0.0) == 50_000
    assert roundest(np.array([18.0, 29.0, 31.0, 60.0]), 30.0, "integer", 0.0) == 30
    assert roundest(np.array([0.0] * 50 + [300.0] * 50), 150.0, "money", 0.0) in (100, 200)


@pytest.mark.parametrize(("greatest", "above"), [(48_732.0, 100_000), (100.0, 1000), (0.3, 1), (0.0, 1), (-3.0, 0)])
def test_a_split_of_the_known_from_the_missing_has_a_threshold_above_all_that_is_known(greatest, above):
    values = np.array([np.nan, greatest - 1, greatest, np.nan])
    assert roundest(values, np.inf, "number", 0.01) == above
    assert roundest(np.array([np.nan]), np.inf, "number", 0.01) == 0


def test_a_tree_may_split_by_what_is_missing():
    rng = np.random.default_rng(6)
    rows = rng.normal(5, 1, (400, 1))
    labels = (np.arange(400) < 150).astype(np.int64)
    rows[labels == 1] = np.nan
    fitted = DecisionTreeClassifier(max_depth=2, random_state=1).fit(rows, labels)
    assert np.isinf(fitted.tree_.threshold[0])
    cut = roundest(rows[:, 0], float(fitted.tree_.threshold[0]), "number", 0.01)
    assert np.array_equal(rows[:, 0] < cut, labels == 0)
