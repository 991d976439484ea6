"""Clusters as rules (规则): a small tree that repeats them, its thresholds rounded, each cluster a segment's condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.tree import DecisionTreeClassifier

from kequn.core.insight.features import Feature, Floats, Space, plain, plain_columns
from kequn.core.insight.thresholds import roundest
from kequn.core.spec.segment import AllOf, AnyOf, Condition, Not, TagTest
from kequn.core.spec.tag import TagSpec

FAITHFUL = 0.85
"""From this share of customers on whom rules and clusters agree, the rules may stand for the clusters."""
HALF = 0.5
"""Rules that find less than half of a cluster have lost it."""
DEPTHS = (3, 4, 5)
CRITERIA = ("gini", "entropy")
"""Both are tried: greedy growth ends in a long chain by the one or the other."""
LEAF = 0.005
FEWEST_IN_LEAF = 20
HELD_OUT = 0.3
SLACK = 0.01
"""A threshold is rounded as long as it moves no more than this share of the customers at its node."""
NOBODY = 255

Labels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leaf:
    """An end of the tree: the cluster, and the share of the training rows here that are of it."""

    label: int
    purity: float
    n: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A test of one column of `features.plain`: below the threshold to the one side, from it on to the other."""

    column: int
    threshold: float
    unknown_below: bool | None
    """Where an unknown value goes; ``None``: nowhere, it belongs to no cluster by these rules."""
    below: Tree
    above: Tree


Tree = Leaf | Fork


@dataclass(frozen=True, slots=True)
class RuleQuality:
    """How well one cluster's rule repeats the cluster, on rows the tree was not fitted on."""

    precision: float | None
    """Of those the rule takes, the share that are of the cluster; ``None`` where it takes nobody."""
    recall: float | None
    """Of the cluster, the share that the rule takes."""


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The rules of a clustering, and how faithful they are."""

    tree: Tree
    depth: int
    fidelity: float
    """Share of held-out customers whom rules and clusters put into the same group."""
    rules: tuple[Condition, ...]
    """One a cluster, in the order of their numbers."""
    quality: tuple[RuleQuality, ...]

    @property
    def is_faithful(self) -> bool:
        """Whether the rules may be the definition in force: they agree with the clusters, and lose none of them."""
        return self.fidelity >= FAITHFUL and all((q.recall or 0) >= HALF for q in self.quality)


def explained(
    sample: pa.Table, space: Space, labels: Labels, *, tags: Mapping[str, TagSpec], k: int, seed: int
) -> Surrogate:
    """Return the smallest tree whose rounded rules are faithful (`FAITHFUL`), or the most faithful one of depth ≤ 5.

    Fidelity, precision and recall are of the rounded rules, on rows held out of the fit.
    """
    rows = plain(space, sample)
    held = np.random.default_rng(seed).random(len(rows)) < HELD_OUT
    best: tuple[float, int, Tree] | None = None
    for depth in DEPTHS:
        for criterion in CRITERIA:
            tree = _grown(rows[~held], labels[~held], space, tags, criterion, depth, seed)
            fidelity = float((grouped(tree, rows[held])[0] == labels[held]).mean())
            if best is None or fidelity > best[0]:
                best = (fidelity, depth, tree)
        if best is not None and best[0] >= FAITHFUL:
            break
    assert best is not None
    fidelity, depth, tree = best
    said = grouped(tree, rows[held])[0]
    quality = tuple(_quality(said, labels[held], label) for label in range(k))
    rules = tuple(rule_of(tree, space, label) for label in range(k))
    return Surrogate(tree, depth, fidelity, rules, quality)


def grouped(tree: Tree, rows: Floats) -> tuple[Labels, npt.NDArray[np.float32]]:
    """Return the cluster of each row of `features.plain` by the rules, and the purity of its leaf; `NOBODY` and NaN where
    a value is unknown that a rule needs."""
    labels = np.full(len(rows), NOBODY, dtype=np.uint8)
    purity = np.full(len(rows), np.nan, dtype=np.float32)
    _fall(tree, rows, np.arange(len(rows)), labels, purity)
    return labels, purity


def rule_of(tree: Tree, space: Space, label: int) -> Condition:
    """Return the condition that a customer meets who falls to a leaf of one cluster; nobody meets that of none."""
    columns = plain_columns(space)
    ways = sorted(_ways(tree, ()), key=lambda way: -way[0].n)
    parts = [_all(_tests(path, columns)) for leaf, path in ways if leaf.label == label]
    return parts[0] if len(parts) == 1 else AnyOf(any=tuple(parts))


def tree_json(tree: Tree) -> dict[str, Any]:
    """Return plain values for JSON."""
    if isinstance(tree, Leaf):
        return {"label": tree.label, "purity": tree.purity, "n": tree.n}
    return {
        "column": tree.column,
        "threshold": tree.threshold,
        "unknown_below": tree.unknown_below,
        "below": tree_json(tree.below),
        "above": tree_json(tree.above),
    }


def tree_from(kept: Mapping[str, Any]) -> Tree:
    """Return what `tree_json` gave."""
    if "label" in kept:
        return Leaf(**kept)
    return Fork(**{**kept, "below": tree_from(kept["below"]), "above": tree_from(kept["above"])})


def _grown(
    rows: Floats, labels: Labels, space: Space, tags: Mapping[str, TagSpec], criterion: str, depth: int, seed: int
) -> Tree:
    fewest = max(FEWEST_IN_LEAF, int(LEAF * len(rows)))
    fitted = DecisionTreeClassifier(criterion=criterion, max_depth=depth, min_samples_leaf=fewest, random_state=seed)
    fitted.fit(rows, labels)
    columns = plain_columns(space)
    return _read(fitted, 0, rows, labels, np.arange(len(rows)), columns, tags)


def _read(
    fitted: DecisionTreeClassifier,
    node: int,
    rows: Floats,
    labels: Labels,
    here: Rows,
    columns: Sequence[tuple[Feature, str]],
    tags: Mapping[str, TagSpec],
) -> Tree:
    """One node and all below it, thresholds rounded; rows fall by the rounded test, and leaves that agree become one."""
    tree = fitted.tree_
    if tree.children_left[node] < 0 or not len(here):
        return _leaf(labels[here], int(fitted.classes_[tree.value[node][0].argmax()]))
    column = int(tree.feature[node])
    feature = columns[column][0]
    values = rows[here, column]
    is_number = feature.kind == "number"
    threshold = roundest(values, float(tree.threshold[node]), tags[feature.tag].type, SLACK) if is_number else 0.5
    unknown_below = bool(tree.missing_go_to_left[node]) if feature.has_gap and feature.kind != "code" else None
    below, above = _sides(values, threshold, unknown_below)
    children = (int(tree.children_left[node]), int(tree.children_right[node]))
    left, right = (
        _read(fitted, child, rows, labels, here[side], columns, tags)
        for child, side in zip(children, (below, above), strict=True)
    )
    if isinstance(left, Leaf) and isinstance(right, Leaf) and left.label == right.label:
        return _leaf(labels[here], left.label)
    return Fork(column, threshold, unknown_below, left, right)


def _leaf(labels: Labels, fallback: int) -> Leaf:
    if not len(labels):
        return Leaf(fallback, 0.0, 0)
    counts = np.bincount(labels)
    return Leaf(int(counts.argmax()), float(counts.max() / len(labels)), len(labels))


def _sides(
    values: Floats, threshold: float, unknown_below: bool | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    unknown = np.isnan(values)
    below, above = values < threshold, values >= threshold
    return below | (unknown & (unknown_below is True)), above | (unknown & (unknown_below is False))


def _fall(tree: Tree, rows: Floats, here: Rows, labels: Labels, purity: npt.NDArray[np.float32]) -> None:
    if isinstance(tree, Leaf):
        labels[here], purity[here] = tree.label, tree.purity
        return
    below, above = _sides(rows[here, tree.column], tree.threshold, tree.unknown_below)
    _fall(tree.below, rows, here[below], labels, purity)
    _fall(tree.above, rows, here[above], labels, purity)


def _quality(said: Labels, labels: Labels, label: int) -> RuleQuality:
    taken, own = said == label, labels == label
    both = int((taken & own).sum())
    return RuleQuality(both / int(taken.sum()) if taken.any() else None, both / int(own.sum()) if own.any() else None)


Step = tuple[Fork, bool]
"""A fork on the way to a leaf, and whether the way goes on above its threshold."""


def _ways(tree: Tree, path: tuple[Step, ...]) -> list[tuple[Leaf, tuple[Step, ...]]]:
    if isinstance(tree, Leaf):
        return [(tree, path)]
    return _ways(tree.below, (*path, (tree, False))) + _ways(tree.above, (*path, (tree, True)))


def _tests(path: Sequence[Step], columns: Sequence[tuple[Feature, str]]) -> list[Condition]:
    """The tests of one way, those of one tag taken together, in the order in which the tags come up."""
    found: list[Condition] = []
    for tag in dict.fromkeys(columns[fork.column][0].tag for fork, _ in path):
        steps = [(fork, above) for fork, above in path if columns[fork.column][0].tag == tag]
        feature = columns[steps[0][0].column][0]
        if feature.kind == "number":
            found.append(_range(feature, steps))
        elif feature.kind == "flag":
            fork, above = steps[-1]
            found.append(_or_unknown(feature, TagTest(tag=tag, value=above), fork.unknown_below is not above))
        else:
            found += _of_codes(feature, [(columns[fork.column][1], above) for fork, above in steps])
    return found


def _range(feature: Feature, steps: Sequence[Step]) -> Condition:
    low = max((fork.threshold for fork, above in steps if above), default=None)
    high = min((fork.threshold for fork, above in steps if not above), default=None)
    limits = ((">=", low), ("<", high))
    tests = [TagTest(tag=feature.tag, op=op, value=_exact(limit)) for op, limit in limits if limit is not None]
    takes_unknown = all(fork.unknown_below is not above for fork, above in steps)
    return _or_unknown(feature, _all(tests), takes_unknown)


def _or_unknown(feature: Feature, test: Condition, takes_unknown: bool) -> Condition:
    if not (feature.has_gap and takes_unknown):
        return test
    return AnyOf(any=(test, TagTest(tag=feature.tag, op="unknown")))


def _of_codes(feature: Feature, steps: Sequence[tuple[str, bool]]) -> list[Condition]:
    op: Any = "contains" if feature.kind == "codes" else "="
    taken = [value for value, above in steps if above]
    refused = [value for value, above in steps if not above]
    if taken and feature.kind == "code":
        return [TagTest(tag=feature.tag, op=op, value=taken[-1])]
    found: list[Condition] = [TagTest(tag=feature.tag, op=op, value=value) for value in taken]
    if refused and feature.kind == "code" and len(refused) > 1:
        return [Not(negated=TagTest(tag=feature.tag, op="in", value=tuple(refused)))]
    return found + [Not(negated=TagTest(tag=feature.tag, op=op, value=value)) for value in refused]


def _all(tests: Sequence[Condition]) -> Condition:
    return tests[0] if len(tests) == 1 else AllOf(all=tuple(tests))


def _exact(value: float) -> int | Decimal:
    return int(value) if value == int(value) else Decimal(f"{value:.12g}")
