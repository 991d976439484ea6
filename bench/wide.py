"""A synthetic bank of many customers and 200 tags: tag column files of a real store, and the same values in a native DuckDB table.

    python bench/wide.py --customers 1000000 --folder /tmp/wide

60 truth values, 40 small codes, 20 texts, 10 larger codes, 40 amounts in fen (many of them 0), 15 counts, 10 dates and 5 scores, a
part of them with holes; a customer's wealth and age stand behind all of them, so that tags have to do with one another. Values
depend on the seed alone. Customers are made in chunks, so that memory stays bounded; a folder that is there already is used as it
is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import DateState, Draft, Store, TagState
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ROW_GROUP

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
SEED = 20260630
CHUNK = 250_000
TABLE = "wide"
Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class WideTag:
    """One tag of the bank and how its values are drawn."""

    name: str
    type: str
    native: str
    """Type of the column in the native table: the narrowest a careful author would choose."""
    number: int
    holes: float = 0.0

    def spec(self) -> TagSpec:
        """The tag as the catalogue would have it."""
        family = self.name.split("_", maxsplit=1)[0]
        return TagSpec.model_validate(
            {"name": self.name, "title": self.name, "family": family, "type": self.type, "over": "customer"}
            | {"expression": "1", "owner": "bench"}
        )


@dataclass(frozen=True, slots=True)
class Wide:
    """The bank, ready to be asked."""

    store: Store
    native: Path
    tags: dict[str, TagSpec]
    customers: int


def wide_tags() -> list[WideTag]:
    """The 200 tags, always the same."""
    made = [WideTag(f"acct_flag_{i:02}", "boolean", "BOOLEAN", i) for i in range(60)]
    made += [WideTag(f"demo_code_{i:02}", "integer", "UTINYINT", i) for i in range(40)]
    made += [WideTag(f"demo_text_{i:02}", "text", "VARCHAR", i, 0.03 * (i % 2)) for i in range(20)]
    made += [WideTag(f"chan_code_{i:02}", "integer", "USMALLINT", i) for i in range(10)]
    made += [WideTag(f"asset_amount_{i:02}", "money", "BIGINT", i, 0.1 * (i % 4 == 0)) for i in range(40)]
    made += [WideTag(f"txn_count_{i:02}", "integer", "USMALLINT", i) for i in range(15)]
    made += [WideTag(f"life_date_{i:02}", "date", "DATE", i, 0.2) for i in range(10)]
    made += [WideTag(f"model_score_{i:02}", "number", "FLOAT", i) for i in range(5)]
    return made


def wide_bank(folder: Path, *, customers: int, say: bool = True) -> Wide:
    """Return the bank below a folder, made if it is not there."""
    home = folder / f"wide-{customers}"
    tags = wide_tags()
    wide = Wide(Store(home / "store"), home / "native.duckdb", {tag.name: tag.spec() for tag in tags}, customers)
    if not (home / "complete.json").exists():
        home.mkdir(parents=True, exist_ok=True)
        wide.native.unlink(missing_ok=True)
        _make(wide, tags, say=say)
        (home / "complete.json").write_text(json.dumps({"customers": customers, "seed": SEED}))
    return wide


def chunks(tags: list[WideTag], customers: int, *, seed: int = SEED) -> Iterator[pa.Table]:
    """The values of the bank's customers, some at a time, in order of ordinal."""
    for first in range(0, customers, CHUNK):
        rows = min(CHUNK, customers - first)
        rng = np.random.default_rng([seed, first])
        wealth, age = rng.standard_normal(rows), rng.standard_normal(rows)
        yield pa.table({tag.name: _column(tag, rng, wealth, age) for tag in tags})


def _make(wide: Wide, tags: list[WideTag], *, say: bool) -> None:
    base = duckdb.connect(str(wide.native))
    base.execute(f"CREATE TABLE {TABLE} (ordinal UINTEGER, " + ", ".join(f"{t.name} {t.native}" for t in tags) + ")")
    with wide.store.writing(now=NOW) as draft:
        draft.manifest.ordinals = wide.customers
        files = _Files(draft, tags)
        done = 0
        for chunk in chunks(tags, wide.customers):
            files.add(chunk)
            ordinals = pa.array(np.arange(done, done + len(chunk), dtype=np.uint32))
            base.register("chunk", chunk.add_column(0, "ordinal", ordinals))
            base.execute(f"INSERT INTO {TABLE} SELECT * FROM chunk")
            done += len(chunk)
            if say:
                print(f"{done:,} customers of {wide.customers:,}", flush=True)
        draft.manifest.dates[AS_OF.isoformat()] = files.close(wide.customers)
    base.execute("CHECKPOINT")
    base.close()


class _Files:
    """One column file a tag, and the population."""

    def __init__(self, draft: Draft, tags: list[WideTag]) -> None:
        self.names: dict[str, str] = {}
        self.known = dict.fromkeys((tag.name for tag in tags), 0)
        self.writers: dict[str, pq.ParquetWriter] = {}
        path, self.population = draft.new_file("population", "present")
        self.present = pq.ParquetWriter(path, pa.schema([("value", pa.bool_())]))
        for tag in tags:
            path, self.names[tag.name] = draft.new_file("tags", tag.name.split("_")[0], tag.name)
            schema = pa.schema([("value", ARROW_OF_TYPE[tag.type])])
            self.writers[tag.name] = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)

    def add(self, chunk: pa.Table) -> None:
        self.present.write_table(pa.table({"value": pa.array(np.ones(len(chunk), dtype=bool))}))
        for name, writer in self.writers.items():
            column = chunk.column(name)
            self.known[name] += len(column) - column.null_count
            writer.write_table(pa.table({"value": column}).cast(writer.schema), row_group_size=ROW_GROUP)

    def close(self, customers: int) -> DateState:
        self.present.close()
        state = DateState(population=self.population, customers=customers)
        for name, writer in self.writers.items():
            writer.close()
            known = self.known[name]
            state.tags[name] = TagState(file=self.names[name], fingerprint="0" * 12, known=known, computed_at=NOW)
        return state


def _column(tag: WideTag, rng: np.random.Generator, wealth: Values, age: Values) -> pa.Array:
    holes = rng.random(len(wealth)) < tag.holes if tag.holes else None
    return pa.array(_values(tag, rng, wealth, age), type=ARROW_OF_TYPE[tag.type], mask=holes)


def _values(tag: WideTag, rng: np.random.Generator, wealth: Values, age: Values) -> Values:
    """Each kind leans on wealth or on age; the tag's number sets how much, how many values and how common they are."""
    i, rows = tag.number, len(wealth)
    leaning = (wealth if i % 2 else age) * (0.2 + 0.15 * (i % 4)) + rng.standard_normal(rows)
    kind = tag.name.rsplit("_", 1)[0]
    match kind:
        case "acct_flag":
            return leaning < -2.5 + 3.4 * i / 59
        case "demo_code":
            return _graded(leaning, 3 + (i * 47) // 39)
        case "chan_code":
            return _graded(leaning, 300 + i * 300)
        case "demo_text":
            words = np.array([f"value {w:02} of {tag.name}" for w in range(5 + (i * 29) // 19)], dtype=object)
            return words[_graded(leaning, len(words))]
        case "asset_amount":
            amount = np.exp(9.0 + 0.1 * i + (1.1 + 0.02 * i) * leaning).astype(np.int64)
            return np.where(rng.random(rows) < 0.2 + 0.015 * i, 0, amount)
        case "txn_count":
            return np.minimum(rng.poisson(np.exp(0.2 * i + 0.4 * leaning)), 60_000)
        case "life_date":
            last = np.datetime64(AS_OF, "D").astype(np.int64)
            return (last - np.abs(leaning * (60 + 300 * i)).astype(np.int64)).astype("datetime64[D]")
        case _:
            return (1 / (1 + np.exp(-leaning))).astype(np.float32).astype(np.float64)


def _graded(leaning: Values, values: int) -> Values:
    """Whole numbers 0 … values-1, the middle ones the commonest."""
    return np.clip(((leaning + 3) / 6 * values).astype(np.int64), 0, values - 1)


def main() -> None:
    """Make the bank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    wide = wide_bank(given.folder, customers=given.customers)
    print(f"{wide.store.root}: {wide.customers:,} customers, {len(wide.tags)} tags")


if __name__ == "__main__":
    main()
