"""Drivers: what is left of a difference among equals, by hand and by planted effects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kequn.core.insight.drivers as drivers_module
from kequn.core.engine.duck import Engine
from kequn.core.insight import find_drivers
from kequn.core.insight.drivers import Driver, Drivers
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.intervals import difference_interval
from tests.core.insight.bank import AS_OF, open_store, tag

SIZE = 12_000
TAGS: dict[str, TagSpec] = {
    t.name: t
    for t in (
        tag("demo_age", "integer"),
        tag("asset_tier", "text"),
        tag("acct_by_age", "boolean"),
        tag("txn_own", "boolean"),
        tag("asset_aum", "money"),
        tag("demo_city", "text"),
        tag("acct_class", "list"),
        tag("risk_hidden", "boolean", sensitivity="X"),
        tag("chan_noise", "boolean"),
    )
}


def a_bank(root: Path, size: int = SIZE) -> tuple[Engine, np.ndarray]:
    """Members are older than the others. One tag goes with age alone, others with membership itself."""
    rng = np.random.default_rng(12)
    age = rng.integers(20, 80, size)
    member = rng.random(size) < np.where(age > 55, 0.4, 0.05)
    columns: dict[str, Any] = {
        "demo_age": age.tolist(),
        "asset_tier": rng.choice(["a", "b", None], size).tolist(),
        "acct_by_age": (rng.random(size) < np.where(age > 55, 0.8, 0.1)).tolist(),
        "txn_own": (rng.random(size) < np.where(member, 0.5, 0.3)).tolist(),
        "asset_aum": (10 ** (rng.normal(5, 1, size) + 0.5 * member)).astype(np.int64).tolist(),
        "demo_city": np.where(rng.random(size) < np.where(member, 0.3, 0.15), "杭州", "宁波").tolist(),
        "acct_class": [["I"] if r < 0.5 else ["I", "II"] for r in rng.random(size)],
        "risk_hidden": member.tolist(),
        "chan_noise": (rng.random(size) < 0.4).tolist(),
    }
    return open_store(root, TAGS, columns), np.flatnonzero(member).astype(np.uint32)


def found_in(engine: Engine, members: Any, **how: Any) -> Drivers:
    return find_drivers(engine, members, tags=TAGS, as_of=AS_OF, seed=3, **how)


def by_tag(found: Drivers) -> dict[str, Driver]:
    return {driver.tag: driver for driver in found.drivers}


def test_what_age_explains_is_not_told_and_what_it_does_not_is(tmp_path):
    engine, members = a_bank(tmp_path)
    adjusted, raw = by_tag(found_in(engine, members)), by_tag(found_in(engine, members, adjust=()))
    assert "acct_by_age" in raw
    assert "acct_by_age" not in adjusted
    assert {"txn_own", "asset_aum", "demo_city"} <= set(adjusted)
    assert not {"chan_noise", "risk_hidden", "demo_age", "asset_tier"} & set(adjusted)
    own = adjusted["txn_own"]
    assert own.difference.low <= 20 <= own.difference.high
    assert own.inside == pytest.approx(50, abs=4)
    assert own.comparable == pytest.approx(30, abs=4)


def test_without_anything_to_adjust_for_it_is_the_plain_difference(tmp_path):
    engine, members = a_bank(tmp_path)
    inside = np.zeros(SIZE, dtype=bool)
    inside[members] = True
    own = engine.columns(engine.tags_query(AS_OF, ["txn_own"]))["txn_own"].astype(bool)
    by_hand = difference_interval(own[inside].sum(), inside.sum(), own[~inside].sum(), (~inside).sum()).scaled(100)
    driver = by_tag(found_in(engine, members, adjust=()))["txn_own"]
    assert (driver.difference.point, driver.difference.low, driver.difference.high) == pytest.approx(
        (by_hand.point, by_hand.low, by_hand.high)
    )
    assert driver.comparable == pytest.approx(driver.others)


def test_strata_are_weighted_as_the_members_are_spread(tmp_path):
    tags = {"demo_age": tag("demo_age", "integer"), "txn_own": tag("txn_own", "boolean")}
    age = [30] * 300 + [60] * 100 + [30] * 1000 + [60] * 1000
    own = [True] * 150 + [False] * 150 + [True] * 50 + [False] * 50 + [True] * 200 + [False] * 800
    own += [True] * 400 + [False] * 600
    engine = open_store(tmp_path, tags, {"demo_age": age, "txn_own": own})
    found = find_drivers(engine, np.arange(400), tags=tags, as_of=AS_OF, seed=1, adjust=["demo_age"])
    driver = found.drivers[0]
    assert driver.inside == pytest.approx(50)
    assert driver.comparable == pytest.approx(100 * (0.75 * 0.2 + 0.25 * 0.4))
    assert driver.others == pytest.approx(30)
    assert driver.effective == pytest.approx(1 / (0.75**2 / 1000 + 0.25**2 / 1000))
    assert found.adjusted_for == ("demo_age",)


def test_members_without_equals_are_left_out_and_counted(tmp_path):
    tags = {"demo_age": tag("demo_age", "integer"), "txn_own": tag("txn_own", "boolean")}
    age = [30] * 150 + [90] * 50 + [30] * 1000
    own = [True] * 120 + [False] * 30 + [True] * 50 + [True] * 500 + [False] * 500
    engine = open_store(tmp_path, tags, {"demo_age": age, "txn_own": own})
    found = find_drivers(engine, np.arange(200), tags=tags, as_of=AS_OF, seed=1, adjust=["demo_age"])
    assert found.compared == 0.75
    assert found.drivers[0].members == 150
    assert found.drivers[0].inside == pytest.approx(80)


def test_an_amount_is_compared_by_rank_so_that_no_single_account_moves_it(tmp_path):
    engine, members = a_bank(tmp_path / "a")
    driver = by_tag(found_in(engine, members))["asset_aum"]
    assert driver.measure == "rank"
    assert 10 < driver.difference.point < 20
    assert driver.difference.low > 0


def test_a_text_of_too_many_values_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr("kequn.core.engine.index.layout.MOST_CODES", 50)
    rng = np.random.default_rng(4)
    tags = {t.name: t for t in (tag("demo_age", "integer"), tag("demo_city", "text"))}
    cities = [f"city{n}" for n in rng.integers(0, 500, SIZE)]
    engine = open_store(tmp_path, tags, {"demo_age": rng.integers(20, 80, SIZE).tolist(), "demo_city": cities})
    assert find_drivers(engine, np.arange(1000), tags=tags, as_of=AS_OF, seed=3).drivers == ()


def test_noise_is_not_told(tmp_path):
    engine, _ = a_bank(tmp_path)
    at_random = np.random.default_rng(5).choice(SIZE, 3000, replace=False)
    found = found_in(engine, at_random)
    assert found.drivers == ()
    assert found.considered > 5


def test_too_few_are_not_compared(tmp_path):
    engine, members = a_bank(tmp_path)
    few = found_in(engine, members[:99])
    assert few.too_few
    assert few.drivers == ()
    assert found_in(engine, np.arange(SIZE - 50)).too_few, "nor is nearly everybody"


def test_a_sample_is_enough_and_the_same_for_the_same_seed(tmp_path, monkeypatch):
    engine, members = a_bank(tmp_path)
    monkeypatch.setattr(drivers_module, "SAMPLE", 1500)
    assert found_in(engine, members) == found_in(engine, members)
    assert found_in(engine, members).members == 1500
    assert "asset_aum" in by_tag(found_in(engine, members))


def test_the_tags_of_the_rule_are_no_news(tmp_path):
    engine, members = a_bank(tmp_path)
    assert "txn_own" not in by_tag(found_in(engine, members, defining=["txn_own"]))
    assert set(by_tag(found_in(engine, members, only=["txn_own"]))) == {"txn_own"}


def test_the_interval_covers_the_truth_as_often_as_it_says(tmp_path):
    """Membership leans on age, the tag on age only: the adjusted difference is nothing, 19 times of 20."""
    rng = np.random.default_rng(8)
    tags = {"demo_age": tag("demo_age", "integer"), "txn_own": tag("txn_own", "boolean")}
    covered, rounds = 0, 60
    for i in range(rounds):
        age = rng.choice([30, 50, 70], 3000)
        member = rng.random(3000) < age / 200
        own = rng.random(3000) < age / 100
        engine = open_store(tmp_path / str(i), tags, {"demo_age": age.tolist(), "txn_own": own.tolist()})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drivers_module, "_most", lambda found, *_: tuple(found))
            found = find_drivers(
                engine, np.flatnonzero(member), tags=tags, as_of=AS_OF, seed=i, adjust=["demo_age"], only=["txn_own"]
            )
        engine.close()
        covered += found.drivers[0].difference.low <= 0 <= found.drivers[0].difference.high
    assert covered >= 0.88 * rounds
