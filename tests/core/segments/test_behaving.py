"""Behaviours counted from postings: the same customers as by SQL, compiled or not, whatever the blocks and parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import behaviour as behaviour_module
from kequn.core.engine.index import counting, counting_plain, postings
from kequn.core.engine.index.bits import unpacked
from kequn.core.segments import behaving, understand
from kequn.core.segments.behaving import build_postings, did_plane
from kequn.core.segments.query import leaf_sql
from kequn.core.segments.rule import DidRule
from kequn.core.segments.settle import settled
from tests.core.segments.bank import AS_OF, TAGS, make_bank, open_bank
from tests.core.segments.trees import BEHAVIOURS, segment

ALWAYS: dict[str, Any] = {"table": "event", "within_days": 4}


@pytest.fixture(scope="module", params=["compiled", "plain"])
def bank(request, tmp_path_factory) -> Any:
    """A bank whose postings lie in several parts, and whose customers are looked at in several blocks."""
    loops = counting if request.param == "compiled" else counting_plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "PART_ROWS", 60)
        patch.setattr(loops, "ROWS_BLOCK", 64)
        patch.setattr(behaviour_module, "ROWS_A_RUN", 0)
        patch.setattr(behaviour_module, "counter", lambda: loops)
        yield open_bank(make_bank(5, size=200), tmp_path_factory.mktemp("bank"))


def both_ways(engine: Engine, did: dict[str, Any]) -> tuple[list[int] | None, list[int]]:
    """The customers by postings and by SQL; customers of the date only."""
    rule = settled(understand(segment({"did": did}), tags=TAGS, segments={}), AS_OF)
    assert isinstance(rule, DidRule)
    size = engine.manifest.ordinals
    plane = did_plane(engine, rule, as_of=AS_OF, size=size)
    everybody = engine.columns(engine.tags_query(AS_OF, []))["ordinal"]
    by_sql = sorted(engine.columns(leaf_sql(engine, rule, AS_OF))["ordinal"].tolist())
    if plane is None:
        return None, by_sql
    return np.intersect1d(np.flatnonzero(unpacked(plane, size)), everybody).tolist(), by_sql


@given(BEHAVIOURS)
@settings(max_examples=150, deadline=None)
def test_random_behaviours_find_the_same_customers_as_sql(bank, tree):
    by_postings, by_sql = both_ways(bank, tree["did"])
    if by_postings is not None:
        assert by_postings == by_sql


@pytest.mark.parametrize(
    "did",
    [
        {"at_least": 3},
        {"where": [{"column": "kind", "op": "contains", "value": "o"}, {"column": "channel", "op": "unknown"}]},
        {"where": [{"column": "amount", "op": ">=", "value": 2.5}], "at_least": 2},
        {"where": [{"column": "amount", "op": "unknown"}]},
        {"where": [{"column": "happened_on", "op": "in", "value": [AS_OF.isoformat(), "2026-06-28"]}]},
        {"sum_of": "amount", "sum_at_least": 0},
        {"sum_of": "amount", "sum_at_least": "3.5", "at_least": 2},
        {"not_since": {"table": "transaction", "where": [{"column": "direction", "value": "out"}]}},
        {"where": [{"column": "amount", "op": "<", "value": 2}], "not_since": {"table": "event"}},
        {"where": [{"column": "channel", "value": "app"}], "not_since": {"table": "event", "where": [
            {"column": "amount", "op": "!=", "value": 1}]}},
    ],
    ids=str,
)  # fmt: skip
def test_each_form_is_answered_by_postings_as_by_sql(bank, did):
    by_postings, by_sql = both_ways(bank, ALWAYS | did)
    assert by_postings == by_sql
    assert 0 < len(by_sql) < 200


def test_a_time_is_left_to_sql(bank):
    did = {"table": "transaction", "within_days": 3, "where": [{"column": "at", "op": "known"}]}
    assert both_ways(bank, did)[0] is None


def test_postings_are_built_once_and_beside(tmp_path):
    engine = open_bank(make_bank(1), tmp_path)
    build_postings(engine.store, engine.manifest)
    made = sorted(path.name for path in (tmp_path / "index" / postings.ROWS).iterdir())
    assert len(made) == 2
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    build_postings(engine.store, engine.manifest)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}


def test_a_large_table_waits_for_the_next_refresh(tmp_path, monkeypatch):
    engine = open_bank(make_bank(1), tmp_path)
    monkeypatch.setattr(postings, "QUICK_TO_BUILD", 10)
    assert both_ways(engine, {"table": "event", "within_days": 3})[0] is None
    build_postings(engine.store, engine.manifest)
    by_postings, by_sql = both_ways(engine, {"table": "event", "within_days": 3})
    assert by_postings == by_sql


def test_customers_who_came_after_the_date_are_left_out(bank):
    rule = settled(understand(segment({"did": ALWAYS}), tags=TAGS, segments={}), AS_OF)
    plane = did_plane(bank, rule, as_of=AS_OF, size=70)
    assert plane is not None
    assert len(plane) == 2
    assert not unpacked(plane, 128)[70:].any()


def test_a_sum_that_might_leave_64_bits_is_left_to_sql(bank, monkeypatch):
    monkeypatch.setattr(behaviour_module, "BIGGEST_SUM", 1000)
    assert both_ways(bank, ALWAYS | {"sum_of": "amount", "sum_at_least": 1})[0] is None


def test_tables_without_postings_are_left_to_sql(bank: Engine):
    assert behaving._parts(bank, "holding") is None
    assert behaving._parts(bank, "service") is None


def test_a_killed_build_leaves_nothing_that_counts(tmp_path: Path, monkeypatch):
    engine = open_bank(make_bank(1), tmp_path)
    monkeypatch.setattr(postings.json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_postings(engine.store, engine.manifest)
    assert list((tmp_path / "index" / postings.ROWS).iterdir()) == []
