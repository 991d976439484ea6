"""A store with given tag columns, for profiles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState, Store, TagState
from kequn.core.spec.tag import TagSpec

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
TYPES = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "money": pa.int64(),
    "date": pa.date32(),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
}


def tag(name: str, type: str, **more: Any) -> TagSpec:
    """A tag as the catalogue would have it."""
    family, _, rest = name.partition("_")
    plain = {"name": name, "type": type, "title": {"zh": rest, "en": rest}, "family": family, "owner": "数据部"}
    return TagSpec.model_validate(plain | {"over": "customer", "expression": "1"} | more)


def open_store(
    root: Path, tags: Mapping[str, TagSpec], columns: Mapping[str, Any], present: list[bool] | None = None
) -> Engine:
    """Write the columns as tags of ``AS_OF`` and open the store."""
    store = Store(root)
    size = len(next(iter(columns.values())))
    here = present or [True] * size
    with store.writing(now=NOW) as draft:
        path, relative = draft.new_file("tag", "population")
        pq.write_table(pa.table({"value": pa.array(here)}), path)
        day = DateState(population=relative, customers=sum(here))
        for name, values in columns.items():
            path, relative = draft.new_file("tag", name)
            column = pa.array(values, type=TYPES[tags[name].type])
            pq.write_table(pa.table({"value": column}), path)
            known = len(column) - column.null_count
            day.tags[name] = TagState(file=relative, fingerprint="0" * 12, known=known, computed_at=NOW)
        draft.manifest.ordinals = size
        draft.manifest.dates[AS_OF.isoformat()] = day
    return Engine(store)
