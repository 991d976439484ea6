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
from kequn.core.engine.store import DateState, Draft, ListState, Store, TableState, TagState
from kequn.core.spec.tag import TagSpec

AS_OF = date(2026, 6, 30)
EARLIER = date(2026, 6, 24)
"""A business date before, with tags of its own."""
NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
CITIES = ["上海", "北京", "50%_off", "' OR 1=1 --", "O'Brien", 'quo"te', "a\\b", "", "!x", "!%", "x!_", "x_", "xy"]
STAGES = ["0-5", "6-11", "18-25"]
KINDS = ["view", "buy", "login"]
DAYS_AWAY = [-40, -20, -12, -8, *range(-6, 3)]
MATURES = [
    *(AS_OF + timedelta(days=n) for n in range(-2, 3)), date(2024, 2, 29), date(2026, 2, 28), date(2025, 6, 30),
    date(2026, 5, 31), date(2026, 7, 31), date(2026, 12, 31),
]  # fmt: skip
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
        tag("demo_birthday_md", "text", "生日(月日)"),
        tag("model_cluster_spring", "text", "春季聚类", values={"a": "甲群", "b": "乙群", "c": "丙群"}),
        tag("risk_suppress", "boolean", "不可营销", sensitivity="X"),
    )
}


@dataclass
class Bank:
    """Tag values by customer (``None``: unknown), rows by table, lists by name; ``present`` says who is a customer.

    ``earlier`` has who was a customer, and the tag values, on business dates before.
    """

    present: list[bool]
    tags: dict[str, list[Any]]
    rows: dict[str, list[dict[str, Any]]]
    lists: dict[str, set[int]] = field(default_factory=dict)
    earlier: dict[date, tuple[list[bool], dict[str, list[Any]]]] = field(default_factory=dict)

    def customers(self, on: date = AS_OF) -> set[int]:
        """Ordinals of the customers on the date."""
        return {i for i, here in enumerate(self.on(on)[0]) if here}

    def on(self, day: date) -> tuple[list[bool], dict[str, list[Any]]]:
        """Who was a customer on a business date, and the tags of it."""
        return self.earlier.get(day, (self.present, self.tags))


def make_bank(seed: int, size: int = 60) -> Bank:
    """A bank in which every sort of hole and coincidence is common."""
    rng = random.Random(seed)
    tags, then = make_tags(rng, size), make_tags(rng, size)
    for name, values in tags.items():
        kept = [rng.random() < 0.5 for _ in range(size)]
        then[name] = [value if keep else other for value, other, keep in zip(values, then[name], kept, strict=True)]
    present, before = ([rng.random() < 0.9 for _ in range(size)] for _ in range(2))
    lists = {"vip": {i for i in range(size) if rng.random() < 0.4}, "empty": set()}
    return Bank(present, tags, make_rows(rng, size), lists, {EARLIER: (before, then)})


def make_tags(rng: random.Random, size: int) -> dict[str, list[Any]]:
    """The tags of one date."""

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.3 else value

    return {
        "acct_payroll": [maybe(rng.random() < 0.5) for _ in range(size)],
        "demo_age": [maybe(rng.randint(18, 24)) for _ in range(size)],
        "txn_online": [maybe(rng.choice([0.0, 0.1, 0.25, 0.5, 0.3, 1.0])) for _ in range(size)],
        "asset_aum": [maybe(rng.choice([-100, 0, 1, 99, 100, 5_000_000, 5_000_001])) for _ in range(size)],
        "asset_matures": [maybe(rng.choice(MATURES)) for _ in range(size)],
        "demo_city": [maybe(rng.choice(CITIES)) for _ in range(size)],
        "demo_child_stage": [maybe(rng.choice(STAGES)) for _ in range(size)],
        "acct_class": [maybe(rng.sample(["I", "II", "III"], rng.randint(0, 3))) for _ in range(size)],
        "demo_birthday_md": [maybe(rng.choice(["06-30", "07-01", "06-01", "02-29", "12-31"])) for _ in range(size)],
        "model_cluster_spring": [maybe(rng.choice("abc")) for _ in range(size)],
        "risk_suppress": [maybe(rng.random() < 0.5) for _ in range(size)],
    }


def make_rows(rng: random.Random, size: int) -> dict[str, list[dict[str, Any]]]:
    """Rows of customers, some of whom are gone; rows twice, and rows of days to come."""

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.3 else value

    rows: dict[str, list[dict[str, Any]]] = {"transaction": [], "event": []}
    for ordinal in range(size):
        for _ in range(rng.choice([0, 0, 1, 3, 6])):
            day = AS_OF + timedelta(days=rng.choice(DAYS_AWAY))
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
                    "happened_on": AS_OF + timedelta(days=rng.choice(DAYS_AWAY)),
                    "kind": rng.choice(KINDS),
                    "channel": maybe(rng.choice(["app", "web"])),
                    "amount": maybe(rng.choice([100, 250])),
                }
            )
    for kind in rows.values():
        kind += [dict(row) for row in rng.sample(kind, len(kind) // 10)]
    return rows


def _date(
    draft: Draft, as_of: date, present: list[bool], columns: dict[str, list[Any]], tags: dict[str, TagSpec]
) -> DateState:
    population, relative = draft.new_file("tag", "population")
    pq.write_table(pa.table({"value": pa.array(present)}), population)
    day = DateState(population=relative, customers=sum(present))
    for name, values in columns.items():
        path, relative = draft.new_file("tag", name, as_of.isoformat())
        pq.write_table(pa.table({"value": pa.array(values, type=TAG_TYPES[tags[name].type])}), path)
        known = sum(v is not None for v in values)
        day.tags[name] = TagState(file=relative, fingerprint="0" * 12, known=known, computed_at=NOW)
    return day


def open_bank(bank: Bank, root: Path, tags: dict[str, TagSpec] = TAGS) -> Engine:
    """Write the bank into a store and open it."""
    store = Store(root)
    with store.writing(now=NOW) as draft:
        manifest = draft.manifest
        manifest.ordinals = len(bank.present)
        for as_of in (*bank.earlier, AS_OF):
            manifest.dates[as_of.isoformat()] = _date(draft, as_of, *bank.on(as_of), tags)
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
