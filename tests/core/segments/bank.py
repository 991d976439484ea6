"""A small bank with holes in it, as rows of plain Python and as a store."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState, ListState, Store, TableState, TagState
from kequn.core.spec.tag import TagSpec

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
CITIES = ["上海", "北京", "50%_off", "' OR 1=1 --", "O'Brien", 'quo"te', "a\\b", "", "!x", "!%", "x!_", "x_", "xy"]
STAGES = ["0-5", "6-11", "18-25"]
KINDS = ["view", "buy", "login"]
TAG_TYPES = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "number": pa.float64(),
    "money": pa.int64(),
    "date": pa.date32(),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
}
SQL_TO_ARROW = {
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}


def tag(name: str, type: str, zh: str, **more: Any) -> TagSpec:
    """A tag as the catalogue would have it."""
    family = name.split("_", maxsplit=1)[0]
    return TagSpec.model_validate(
        {
            "name": name,
            "type": type,
            "title": zh,
            "family": family,
            "over": "customer",
            "expression": "1",
            "owner": "数据部",
        }
        | more
    )


TAGS = {
    t.name: t
    for t in (
        tag("acct_payroll", "boolean", "代发户", title={"zh": "代发户", "en": "payroll customer"}),
        tag("demo_age", "integer", "年龄", title={"zh": "年龄", "en": "age"}, unit={"zh": "岁", "en": "years"}),
        tag("txn_online", "number", "线上消费占比"),
        tag("asset_aum", "money", "资产", title={"zh": "月日均资产", "en": "AUM (month average)"}),
        tag("asset_matures", "date", "最近到期日"),
        tag("demo_city", "text", "城市"),
        tag(
            "demo_child_stage",
            "text",
            "子女阶段",
            values={"0-5": "学龄前", "6-11": {"zh": "小学", "en": "primary school"}, "18-25": "大学"},
            sensitivity="S",
            consent="child_data",
        ),
        tag("acct_class", "list", "账户类别", values={"I": "一类", "II": "二类", "III": "三类"}),
        tag("risk_suppress", "boolean", "不可营销", sensitivity="X"),
    )
}


@dataclass
class Bank:
    """Tag values by customer (``None``: unknown), rows by table, lists by name; ``present`` says who is a customer."""

    present: list[bool]
    tags: dict[str, list[Any]]
    rows: dict[str, list[dict[str, Any]]]
    lists: dict[str, set[int]] = field(default_factory=dict)

    def customers(self) -> set[int]:
        """Ordinals of the customers on the date."""
        return {i for i, here in enumerate(self.present) if here}


def make_bank(seed: int, size: int = 60) -> Bank:
    """A bank in which every sort of hole and coincidence is common."""
    rng = random.Random(seed)

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.3 else value

    tags = {
        "acct_payroll": [maybe(rng.random() < 0.5) for _ in range(size)],
        "demo_age": [maybe(rng.randint(18, 24)) for _ in range(size)],
        "txn_online": [maybe(rng.choice([0.0, 0.1, 0.25, 0.5, 0.3, 1.0])) for _ in range(size)],
        "asset_aum": [maybe(rng.choice([-100, 0, 1, 99, 100, 5_000_000, 5_000_001])) for _ in range(size)],
        "asset_matures": [maybe(AS_OF + timedelta(days=rng.randint(-2, 2))) for _ in range(size)],
        "demo_city": [maybe(rng.choice(CITIES)) for _ in range(size)],
        "demo_child_stage": [maybe(rng.choice(STAGES)) for _ in range(size)],
        "acct_class": [maybe(rng.sample(["I", "II", "III"], rng.randint(0, 3))) for _ in range(size)],
        "risk_suppress": [maybe(rng.random() < 0.5) for _ in range(size)],
    }
    rows: dict[str, list[dict[str, Any]]] = {"transaction": [], "event": []}
    for ordinal in range(size):
        for _ in range(rng.choice([0, 0, 1, 3, 6])):
            day = AS_OF + timedelta(days=rng.randint(-6, 2))
            rows["transaction"].append(
                {
                    "ordinal": ordinal,
                    "booked_on": day,
                    "at": maybe(datetime(day.year, day.month, day.day, rng.choice([0, 9, 12]), 30)),  # noqa: DTZ001
                    "direction": rng.choice(["in", "out"]),
                    "amount": rng.choice([0, 50, 100, 250]),
                    "category": rng.choice(["payroll", "cash", "consumption"]),
                    "channel": maybe(rng.choice(["app", "atm"])),
                    "is_online": maybe(rng.random() < 0.5),
                }
            )
        for _ in range(rng.choice([0, 1, 2, 5])):
            rows["event"].append(
                {
                    "ordinal": ordinal,
                    "happened_on": AS_OF + timedelta(days=rng.randint(-6, 2)),
                    "kind": rng.choice(KINDS),
                    "channel": maybe(rng.choice(["app", "web"])),
                    "amount": maybe(rng.choice([100, 250])),
                }
            )
    lists = {"vip": {i for i in range(size) if rng.random() < 0.4}}
    return Bank([rng.random() < 0.9 for _ in range(size)], tags, rows, lists)


def open_bank(bank: Bank, root: Path, tags: dict[str, TagSpec] = TAGS) -> Engine:
    """Write the bank into a store and open it."""
    store = Store(root)
    with store.writing(now=NOW) as draft:
        manifest = draft.manifest
        manifest.ordinals = len(bank.present)
        population, relative = draft.new_file("tag", "population")
        pq.write_table(pa.table({"value": pa.array(bank.present)}), population)
        day = DateState(population=relative, customers=len(bank.customers()))
        for name, values in bank.tags.items():
            path, relative = draft.new_file("tag", name, AS_OF.isoformat())
            column = pa.array(values, type=TAG_TYPES[tags[name].type])
            pq.write_table(pa.table({"value": column}), path)
            known = sum(v is not None for v in values)
            day.tags[name] = TagState(file=relative, fingerprint="0" * 12, known=known, computed_at=NOW)
        manifest.dates[AS_OF.isoformat()] = day
        for table, rows in bank.rows.items():
            path, relative = draft.new_file(table, "rows")
            types = {name: SQL_TO_ARROW[sql] for name, sql in TABLES[table].stored_columns().items()}
            pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), path)
            manifest.tables[table] = TableState(files=[relative], rows=len(rows))
        for name, ordinals in bank.lists.items():
            path, relative = draft.new_file("list", name)
            pq.write_table(pa.table({"ordinal": pa.array(sorted(ordinals), type=pa.uint32())}), path)
            manifest.lists[name] = ListState(file=relative, matched=len(ordinals), unmatched=0)
    return Engine(store)
