"""Surrogate ids are found whatever they look like, and strangers never."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.engine.index.surrogates import _read, find_ordinals
from kequn.core.engine.store import Store

IDS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=32), unique=True, max_size=40)
ASKED = st.lists(st.one_of(st.text("0123456789abcdef", max_size=40), st.text(max_size=5)), max_size=10)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=IDS, strangers=ASKED)
def test_each_id_has_its_ordinal_and_strangers_have_none(tmp_path: Path, ids: list[str], strangers: list[str]) -> None:
    name = f"dictionary-{abs(hash(tuple(ids)))}.parquet"
    table = pa.table({"ordinal": pa.array(range(len(ids)), pa.uint32()), "customer_id": pa.array(ids, pa.string())})
    pq.write_table(table, tmp_path / name)
    store, asked = Store(tmp_path), [*reversed(ids), *strangers]
    expected = [{c: i for i, c in enumerate(ids)}.get(a, -1) for a in asked]
    assert find_ordinals(store, name, asked).tolist() == expected
    _read.cache_clear()
    assert find_ordinals(store, name, asked).tolist() == expected  # from the files that were kept


def test_a_store_without_space_is_answered_from_memory(tmp_path: Path) -> None:
    pq.write_table(pa.table({"ordinal": np.array([0], np.uint32), "customer_id": ["a"]}), tmp_path / "d.parquet")
    (tmp_path / "index").write_text("not a folder")
    _read.cache_clear()
    assert find_ordinals(Store(tmp_path), "d.parquet", ["a", "b"]).tolist() == [0, -1]
