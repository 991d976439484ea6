"""Groups against groups: refits matched one to one, and segments that have most in common."""

from __future__ import annotations

import numpy as np

from kequn.core.insight.matching import NOBODY, in_common, match_groups, renamed


def test_a_refit_with_its_labels_shuffled_is_the_same_grouping():
    old = np.repeat([0, 1, 2], [50, 30, 20]).astype(np.uint8)
    new = np.array([2, 0, 1], dtype=np.uint8)[old]
    found = match_groups(old, new, n_old=3, n_new=3)
    assert [(p.new, p.old, p.jaccard) for p in found.pairs] == [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)]
    assert found.agreement == 1.0
    assert renamed(("c1", "c2", "c3"), ("c1", "c2", "c3"), found) == ("c2", "c3", "c1")


def test_two_new_groups_never_continue_the_same_old_one():
    old = np.array([0] * 100 + [1] * 10, dtype=np.uint8)
    new = np.array([0] * 60 + [1] * 40 + [1] * 5 + [2] * 5, dtype=np.uint8)
    found = match_groups(old, new, n_old=2, n_new=3)
    partners = [p.old for p in found.pairs if p.old is not None]
    assert sorted(partners) == sorted(set(partners))
    assert found.migration == ((60, 40, 0), (0, 5, 5))
    assert found.agreement == 65 / 110
    assert renamed(("c1", "c2", "c3"), ("c1", "c2"), found) == ("c1", "c2", "c3")


def test_who_is_in_one_grouping_only_does_not_count():
    old = np.array([0, 0, NOBODY, 1], dtype=np.uint8)
    new = np.array([0, NOBODY, 0, 1], dtype=np.uint8)
    found = match_groups(old, new, n_old=2, n_new=2)
    assert found.migration == ((1, 0), (0, 1))


def test_segments_are_ranked_by_what_they_share():
    labels = np.array([0] * 6 + [1] * 4, dtype=np.uint8)
    segments = {
        "same": np.arange(6),
        "half": np.arange(3),
        "other": np.arange(6, 10),
        "nobody": np.array([], dtype=int),
    }
    found = in_common(labels, segments, k=2)
    assert [(c.segment, c.jaccard) for c in found[0]] == [("same", 1.0), ("half", 0.5)]
    assert [(c.segment, c.both) for c in found[1]] == [("other", 4)]
