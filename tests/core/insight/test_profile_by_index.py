"""A profile counted in the index is the profile counted in columns, for any members and any bank."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import facets, layout
from kequn.core.engine.index.bits import from_ordinals
from kequn.core.engine.index.counter import counter, plain_counter
from kequn.core.insight import draft_profile, profile
from kequn.core.spec.tag import TagSpec
from tests.core.insight.bank import AS_OF, open_store, tag

SIZE = 3000
WORDS = {"values": {"b": {"zh": "乙", "en": "B"}, "a": {"zh": "甲", "en": "A"}}}
TAGS: dict[str, TagSpec] = {
    t.name: t
    for t in (
        tag("acct_flag", "boolean"),
        tag("demo_code", "text", **WORDS),
        tag("demo_city", "text"),
        tag("acct_class", "list"),
        tag("demo_children", "integer", unit={"zh": "个", "en": "children"}),
        tag("txn_count", "integer"),
        tag("asset_aum", "money", bins=[10000, 50000, 200000]),
        tag("asset_heap", "money"),
        tag("model_score", "number"),
        tag("life_opened", "date"),
        tag("life_nobody", "integer"),
    )
}


def columns(rng: np.random.Generator) -> dict[str, list[Any]]:
    """Values of every type, some missing; fractions are of a kind that adds up without rounding."""

    def holed(values: Any, share: float = 0.2) -> list[Any]:
        return [None if hole else v for v, hole in zip(list(values), rng.random(SIZE) < share, strict=True)]

    money = (10 ** rng.uniform(3, 10, SIZE)).astype(np.int64)
    return {
        "acct_flag": holed((rng.random(SIZE) < 0.3).tolist()),
        "demo_code": holed(rng.choice(["a", "b", "c"], SIZE).tolist()),
        "demo_city": [f"城{int(i)}" for i in rng.exponential(20, SIZE)],
        "acct_class": holed([rng.choice(["I", "II", "III"], int(n)).tolist() for n in rng.integers(0, 4, SIZE)]),
        "demo_children": holed(rng.integers(0, 5, SIZE).tolist()),
        "txn_count": holed(rng.integers(-40, 4000, SIZE).tolist()),
        "asset_aum": holed(money.tolist()),
        "asset_heap": np.where(rng.random(SIZE) < 0.6, 0, money).tolist(),
        "model_score": holed((rng.integers(-512, 512, SIZE) / 64).tolist()),
        "life_opened": holed([AS_OF - timedelta(days=int(d)) for d in rng.integers(0, 9000, SIZE)]),
        "life_nobody": [None] * SIZE,
    }


@pytest.fixture(scope="module", params=["compiled", "plain"])
def engine(request, tmp_path_factory) -> Any:
    """A bank with every type of tag; a tenth of its ordinals are not customers on the date."""
    rng = np.random.default_rng(4)
    loops = counter() if request.param == "compiled" else plain_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facets, "counter", lambda: loops)
        present = (rng.random(SIZE) < 0.9).tolist()
        yield open_store(tmp_path_factory.mktemp("bank"), TAGS, columns(rng), present)


def both(engine: Engine, members: Any) -> tuple[Any, Any]:
    given = {"tags": TAGS, "as_of": AS_OF, "defining": ["acct_flag"]}
    return profile(engine, members, **given), profile(engine, members, indexed=False, **given)


@given(share=st.sampled_from([0, 0.002, 0.03, 0.4, 0.7, 1]), seed=st.integers(0, 1000))
@settings(max_examples=12, deadline=None)
def test_both_ways_give_the_same_profile(engine, share, seed):
    members = np.flatnonzero(np.random.default_rng(seed).random(SIZE + 50) < share).astype(np.uint32)
    by_index, by_columns = both(engine, members)
    assert by_index == by_columns


def test_of_a_part_of_the_bank_too(engine):
    part = engine.within("SELECT CAST(range AS UINTEGER) FROM range(500, 1900)")
    by_index, by_columns = both(part, np.arange(0, SIZE, 3))
    assert by_index == by_columns
    assert by_index.customers < 1400


def test_a_draft_has_the_same_cells_without_means_and_quantiles(engine):
    members = np.flatnonzero(np.random.default_rng(8).random(SIZE) < 0.25)
    full, _ = both(engine, members)
    plane = from_ordinals(members, engine.index(AS_OF).size)
    draft = draft_profile(engine, plane, tags=TAGS, as_of=AS_OF, defining=["acct_flag"])
    bare = tuple(replace(t, numbers=None, bank_numbers=None) for t in full.tags)
    assert draft == replace(full, tags=bare)


def test_a_text_of_too_many_values_is_counted_alike_and_read_once(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(layout, "MOST_CODES", 5)
    present = (np.random.default_rng(3).random(SIZE) < 0.9).tolist()
    engine = open_store(tmp_path, TAGS, columns(np.random.default_rng(2)), present)
    assert engine.index(AS_OF).columns["demo_city"].kind == "text"
    for bank in (engine, engine.within("SELECT CAST(range AS UINTEGER) FROM range(500, 1900)")):
        for members in (np.arange(400), np.arange(0, SIZE, 3), np.arange(0)):
            by_index, by_columns = both(bank, members)
            assert by_index == by_columns
            assert [t.tag for t in by_index.tags] == list(TAGS)
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "arrow", None)
        assert profile(engine, np.arange(400), tags=TAGS, as_of=AS_OF).tags


def test_bins_follow_the_tag_when_its_definition_changes(tmp_path: Path):
    engine = open_store(tmp_path, TAGS, columns(np.random.default_rng(2)))
    before, _ = both(engine, np.arange(400))
    changed = TAGS | {"asset_aum": tag("asset_aum", "money", bins=[12345, 77777.77])}
    given = {"tags": changed, "as_of": AS_OF, "only": ["asset_aum"]}
    after = profile(engine, np.arange(400), **given)
    assert after == profile(engine, np.arange(400), indexed=False, **given)
    assert len(after.tags[0].cells) == 3
    assert len(before.tags[list(TAGS).index("asset_aum")].cells) == 4


def test_means_of_fractions_agree_but_for_the_last_digits(tmp_path: Path):
    rng = np.random.default_rng(6)
    tags = {"model_score": tag("model_score", "number")}
    engine = open_store(tmp_path, tags, {"model_score": rng.normal(size=5000).tolist()})
    one, other = (profile(engine, np.arange(3000), tags=tags, as_of=AS_OF, indexed=i).tags[0] for i in (True, False))
    assert one.numbers is not None
    assert other.numbers is not None
    assert one.numbers.mean == pytest.approx(other.numbers.mean, rel=1e-12)
    assert replace(one, numbers=None, bank_numbers=None) == replace(other, numbers=None, bank_numbers=None)
