"""The starter bank loads by its specs: exactly the wrong rows are refused, and its groups can be recognised."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kequn.core.data.identity import ordinals_for
from kequn.core.data.load import load_source
from kequn.core.data.starter import FILES, Contacted, respond
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.segments import members, shipped_segments
from kequn.core.spec.reading import read_specs
from kequn.core.tags import catalogue, refresh

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "starter_bank"
KEY = b"k" * 32
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
AS_OF = date(2026, 6, 30)


def load_all(store, folder):
    specs = {spec.name: spec for _, spec in read_specs(EXAMPLE / "sources")}
    return {
        name: load_source(store, specs[name], folder=folder, key=KEY, now=NOW, load_id=f"{folder.name}_{name}")
        for name, file in FILES.items()
        if (folder / file).exists()
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def loads(store, bank):
    return load_all(store, bank.folder)


@pytest.mark.parametrize("source", list(FILES))
def test_each_source_loads_with_exactly_the_expected_rejects(loads, bank, source):
    report = loads[source]
    assert (report.read, report.rejected) == (bank.rows[source], bank.rejects[source])
    assert report.loaded == report.read - report.rejected
    assert sum(report.reasons.values()) == bank.rejects[source]


def test_loading_the_bank_again_changes_nothing(loads, store, bank):
    assert all(report.unchanged for report in load_all(store, bank.folder).values())


def test_what_happened_in_a_window_loads_by_the_same_specs(loads, bank, tmp_path):
    numbers = pq.read_table(bank.labels)["customer_no"].to_pylist()[:500]
    made = [Contacted(no, "sms", "WM206", datetime(2026, 7, 3, 10, tzinfo=UTC), campaign="x") for no in numbers]
    respond(bank.folder, made, seed=1, start_on=date(2026, 7, 1), days=30, out=tmp_path)
    other = Store(tmp_path / "store")
    load_all(other, bank.folder)
    reports = load_all(other, tmp_path)
    assert set(reports) == {"holdings", "transactions", "events", "contacts", "service", "consents"}
    assert all(report.rejected == 0 for report in reports.values())
    assert reports["contacts"].loaded == 500
    assert reports["holdings"].as_of == date(2026, 7, 30)


@pytest.fixture(scope="module")
def tagged(loads, store):
    specs = catalogue()
    refresh(store, specs, as_of=AS_OF, now=NOW)
    return specs


def test_at_least_a_hundred_tags_are_known_for_somebody(tagged, store):
    tags = store.manifest().dates[AS_OF.isoformat()].tags
    assert sum(state.known > 0 for state in tags.values()) >= 100


@pytest.mark.parametrize(
    ("segment", "group", "likeness"),
    [
        ("seg_payroll", "payroll", 0.95), ("seg_senior", "senior", 0.95), ("seg_merchant", "merchant", 0.6),
        ("seg_owner", "owner", 0.4), ("seg_family", "family", 0.6), ("seg_genz", "genz", 0.45),
        ("seg_midclass", "midclass", 0.8), ("seg_public", "public", 0.95), ("seg_county", "county", 0.95),
        ("seg_car", "car", 0.85), ("seg_card", "card", 0.95), ("seg_private", "private", 0.6),
        ("seg_mortgage", "mortgage", 0.95), ("seg_newcitizen", "newcitizen", 0.95), ("seg_windfall", "windfall", 0.4),
        ("seg_maturity", "maturity", 0.8), ("seg_churn", "churn", 0.25),
    ],
)  # fmt: skip
def test_groups_are_recognised_by_their_tags(tagged, store, bank, segment, group, likeness):
    segments = shipped_segments() | {spec.name: spec for _, spec in read_specs(EXAMPLE / "segments")}
    found = members(Engine(store), segments[segment], tags=tagged, segments=segments, as_of=AS_OF)
    labels = pq.read_table(bank.labels)
    numbers = np.array(labels["customer_no"].to_pylist())[np.array(labels[f"is_{group}"])]
    true = ordinals_for(store, KEY, numbers.tolist())
    both, either = len(np.intersect1d(found, true)), len(np.union1d(found, true))
    assert both / either >= likeness, f"{both} of {either}"


def test_the_july_campaign_finds_enough_customers(tagged, store, bank):
    segments = shipped_segments() | {spec.name: spec for _, spec in read_specs(EXAMPLE / "segments")}
    found = members(Engine(store), segments["wealth_ready"], tags=tagged, segments=segments, as_of=AS_OF)
    assert 0.12 < len(found) / bank.customers < 0.30
