"""Look-alikes: curves that tell the truth about who is found, refusals, and a fair draw."""

from __future__ import annotations

import numpy as np
import pytest

from kequn.core.errors import InvalidSpec, NotMeasurable
from kequn.core.insight.lookalike import Likeness, look_alike, most_alike, scores_of_all
from tests.core.insight.bank import AS_OF, open_store
from tests.core.insight.planted import planted

BANK = planted(5_000, 3)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("alike"), BANK.tags, BANK.columns)


def of_group(group: int, n: int, seed: int = 0) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(BANK.groups == group))[:n])


def test_the_seeds_group_is_found_and_the_curve_foretells_it(engine):
    seeds = of_group(2, 250)
    found = look_alike(engine, BANK.tags, list(BANK.tags), seeds, as_of=AS_OF, seed=1)
    assert found.auc > 0.9
    assert 0.8 <= found.observed_to_predicted <= 1.25
    sizes = [e.n for e in found.curve]
    assert sizes == sorted(sizes)
    assert all(e.recall_low <= e.recall <= e.recall_high for e in found.curve)
    assert all(e.precision <= 1 for e in found.curve)
    scores = scores_of_all(engine, found.likeness, as_of=AS_OF)
    n = int((BANK.groups == 2).sum()) - len(seeds)
    chosen = most_alike(scores, n, without=seeds, seed=1)
    assert len(chosen) == n
    assert not set(chosen) & set(seeds)
    assert (BANK.groups[chosen] == 2).mean() > 0.9


def test_seeds_drawn_by_lot_are_like_nobody_and_the_curve_says_so(engine):
    seeds = np.random.default_rng(2).choice(5_000, 400, replace=False)
    found = look_alike(engine, BANK.tags, list(BANK.tags), seeds, as_of=AS_OF, seed=1)
    assert 0.4 < found.auc < 0.6
    inside = [e.lift_low <= 1 <= e.lift_high for e in found.curve]
    assert np.mean(inside) > 0.7


def test_the_interval_holds_the_recall_on_seeds_nobody_used(engine):
    """The held-out seeds stand for all of the kind: the curve's recall is that of customers it has never seen."""
    seeds = of_group(1, 300, seed=3)
    found = look_alike(engine, BANK.tags, list(BANK.tags), seeds, as_of=AS_OF, seed=1)
    scores = scores_of_all(engine, found.likeness, as_of=AS_OF)
    no_seeds = np.setdiff1d(np.arange(5_000), seeds)
    unseen = np.setdiff1d(np.flatnonzero(BANK.groups == 1), seeds)
    ranked = np.sort(scores[no_seeds])[::-1]
    for e in found.curve:
        recall = float((scores[unseen] >= ranked[e.n - e.found - 1]).mean())
        assert e.recall_low - 0.1 <= recall <= e.recall_high + 0.1


def test_a_tag_that_tells_the_seeds_alone_is_reported(engine):
    amounts = np.array(BANK.columns["asset_n0"].fill_null(0))
    seeds = np.flatnonzero(amounts > np.quantile(amounts, 0.9))
    found = look_alike(engine, BANK.tags, list(BANK.tags), seeds, as_of=AS_OF, seed=1)
    assert "asset_n0" in found.telltales
    without = look_alike(engine, BANK.tags, [t for t in BANK.tags if t != "asset_n0"], seeds, as_of=AS_OF, seed=1)
    assert without.auc < found.auc


def test_too_few_seeds_and_nobody_else_are_refused(engine):
    with pytest.raises(NotMeasurable, match="too few"):
        look_alike(engine, BANK.tags, list(BANK.tags), np.arange(99), as_of=AS_OF)
    with pytest.raises(NotMeasurable, match="Nearly everybody"):
        look_alike(engine, BANK.tags, list(BANK.tags), np.arange(4_950), as_of=AS_OF)
    with pytest.raises(InvalidSpec, match="None of the tags"):
        look_alike(engine, BANK.tags, [], np.arange(200), as_of=AS_OF)


def test_the_same_seed_gives_the_same_model_and_survives_json(engine):
    seeds = of_group(2, 200)
    one, other = (look_alike(engine, BANK.tags, list(BANK.tags), seeds, as_of=AS_OF, seed=5) for _ in range(2))
    assert one == other
    assert Likeness.from_json(one.likeness.as_json()) == one.likeness


def test_equal_scores_are_drawn_by_lot_not_by_the_order_of_customers():
    chosen = most_alike(np.full(1_000, 0.5, dtype=np.float32), 100, without=np.array([], dtype=int), seed=1)
    assert 350 < chosen.mean() < 650
    assert len(np.unique(chosen)) == 100
