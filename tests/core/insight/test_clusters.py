"""Clusters: planted groups come back, a bank without any is refused, and the same seed gives the same answer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from kequn.core.errors import InvalidSpec, NoData, UnknownTag
from kequn.core.insight.clusters import NOBODY, Clusters, Effort, Search, assign_all, assigned, discover, find_clusters
from kequn.core.insight.features import blocks, fitted, matrix, unusable
from kequn.core.insight.reference import one_cloud
from tests.core.insight.bank import AS_OF, open_store, tag
from tests.core.insight.planted import NOTHINGS, Bank, nothing, planted

LITTLE = Effort(rows=1_000, silhouette_rows=800, bootstraps=4, references=3, starts=10, refit_starts=4)


def searched(bank: Bank, ks: range, seed: int = 1) -> Search:
    return find_clusters(bank.table(), bank.tags, list(bank.tags), ks=ks, seed=seed, effort=LITTLE)


def test_planted_groups_come_back():
    bank = planted(3_000, 1)
    found = searched(bank, range(7, 10))
    assert found.finding == "found"
    assert found.clusters is not None
    labels, confidence = assigned(found.clusters, matrix(found.space, bank.table()))
    assert adjusted_rand_score(bank.groups, labels) >= 0.9
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert found.point is not None
    assert found.point.is_shortlisted


def test_a_bank_without_groups_is_refused_even_where_cutting_it_is_stable():
    found = searched(nothing("one_factor", 2_000, 1), range(2, 4))
    assert found.finding == "no_structure"
    assert found.clusters is None
    assert found.curve[0].stability > 0.8, "a long cloud is cut in two very stably; that alone says nothing"


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOTHINGS)
@pytest.mark.parametrize("seed", range(4))
def test_no_disguise_of_nothing_passes_for_groups(kind, seed):
    bank = nothing(kind, 6_000, seed)
    found = find_clusters(bank.table(), bank.tags, list(bank.tags), ks=range(2, 13), seed=seed)
    assert found.finding == "no_structure"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_planted_groups_come_back_over_the_whole_range(seed):
    bank = planted(20_000, seed)
    found = find_clusters(bank.table(), bank.tags, list(bank.tags), ks=range(2, 13), seed=seed)
    assert found.clusters is not None
    labels, _ = assigned(found.clusters, matrix(found.space, bank.table()))
    assert adjusted_rand_score(bank.groups, labels) >= 0.9


def test_the_same_seed_gives_the_same_clusters_and_survives_json():
    bank = planted(1_500, 3, groups=4)
    one, other = searched(bank, range(4, 5)), searched(bank, range(4, 5))
    assert one == other
    assert one.clusters is not None
    assert Clusters.from_json(one.clusters.as_json()) == one.clusters


def test_everybody_is_assigned_in_one_pass_as_the_sample_was(tmp_path):
    bank = planted(2_500, 4, groups=4)
    present = [i % 10 != 0 for i in range(2_500)]
    engine = open_store(tmp_path, bank.tags, bank.columns, present)
    found, sample = discover(
        engine, bank.tags, list(bank.tags), as_of=AS_OF, ks=range(3, 5), rows=1_500, seed=1, effort=LITTLE
    )
    assert sample.num_rows == 1_500
    assert found.clusters is not None
    whole = assign_all(engine, found.clusters, as_of=AS_OF)
    assert (whole.labels[::10] == NOBODY).all()
    assert sum(whole.sizes) == sum(present)
    assert list(whole.sizes) == sorted(whole.sizes, reverse=True)
    here = sample.column("ordinal").to_numpy()
    np.testing.assert_array_equal(whole.labels[here], assigned(found.clusters, matrix(found.space, sample))[0])
    assert adjusted_rand_score(bank.groups[present], whole.labels[present]) >= 0.9


def test_the_reference_keeps_every_tag_and_breaks_the_groups():
    bank = planted(2_000, 5, unknown=0.1)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    rows = matrix(space, bank.table())
    made = one_cloud(rows, blocks(space), np.random.default_rng(1))
    for block in blocks(space):
        real, drawn = (x[:, block][np.lexsort(x[:, block].T)] for x in (rows, made))
        np.testing.assert_array_equal(real, drawn)
    real, drawn = np.corrcoef(rows[:, :20:2].T), np.corrcoef(made[:, :20:2].T)
    assert np.abs(real - drawn).max() < 0.2
    assert not np.array_equal(rows, made)


def test_unknown_values_stand_at_the_mean_and_are_told_where_they_are_many():
    bank = planted(1_000, 6, unknown=0.2)
    space = fitted(bank.table(), bank.tags, list(bank.tags))
    assert all(f.has_gap for f in space.features)
    rows = matrix(space, bank.table())
    assert np.isfinite(rows).all()
    unknown = np.asarray(bank.table().column("asset_n0").is_null())
    assert (rows[unknown, 0] == 0).all()
    assert (rows[unknown, 1] > 0).all()


@pytest.mark.parametrize(
    ("name", "type", "more"),
    [
        ("demo_gender", "text", {}),
        ("txn_spend_medical", "money", {}),
        ("acct_branch", "text", {}),
        ("loan_overdue", "boolean", {"sensitivity": "X"}),
        ("acct_opened", "date", {}),
        ("asset_gap", "money", {"purpose": "risk"}),
        ("model_churn", "number", {}),
    ],
)
def test_some_tags_choose_no_customers(name, type, more):
    assert unusable(tag(name, type, **more)) is not None


def test_tags_that_say_nothing_are_left_out_with_the_reason(tmp_path):
    tags = {
        n: tag(n, t) for n, t in (("asset_a", "money"), ("asset_b", "money"), ("asset_c", "money"), ("acct_d", "text"))
    }
    columns = {
        "asset_a": list(range(400)),
        "asset_b": [5] * 400,
        "asset_c": [1] + [None] * 399,
        "acct_d": [f"v{i}" for i in range(400)],
    }
    engine = open_store(tmp_path, tags, columns)
    sample = engine.arrow(engine.tags_query(AS_OF, list(tags)))
    space = fitted(sample, tags, list(tags))
    assert space.tags == ("asset_a",)
    assert space.left_out == {"asset_b": "constant", "asset_c": "hardly_known", "acct_d": "many_values"}
    with pytest.raises(InvalidSpec, match="Fewer than two"):
        discover(engine, tags, list(tags), as_of=AS_OF, ks=[2])


def test_what_cannot_be_searched_is_refused(tmp_path):
    bank = planted(100, 7)
    engine = open_store(tmp_path, bank.tags, bank.columns)
    with pytest.raises(UnknownTag):
        discover(engine, bank.tags, ["no_tag"], as_of=AS_OF, ks=[2])
    with pytest.raises(InvalidSpec, match="too few"):
        discover(engine, bank.tags, list(bank.tags), as_of=AS_OF, ks=[2])
    with pytest.raises(NoData):
        discover(engine, bank.tags, list(bank.tags), as_of=AS_OF.replace(year=2020), ks=[2])
