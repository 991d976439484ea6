"""A tiny bank in a store of its own, written row by row: what a test needs and no more.

    bank = SmallBank(tmp_path)
    anna = bank.customer(opened_on=date(2020, 1, 1))
    bank.add("transaction", anna, booked_on=date(2026, 6, 30), direction="in", amount=100, category="payroll")
    engine = bank.refresh(catalogue(), date(2026, 6, 30))
    bank.value("txn_payroll_avg", anna)

Every canonical table is there with all its columns, empty unless rows were added: every shipped tag can be computed.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store, TableState
from kequn.core.engine.tagfiles import column_of
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import RefreshReport, refresh

NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
ARROW = {
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}
PRODUCTS = (
    ("DD001", "demand", 1, False, 0.01),
    ("TD012", "time", 1, False, 0.01),
    ("WM203", "wmp", 2, False, 0.006),
    ("FD201", "fund", 2, False, 0.006),
    ("FD401", "fund", 4, True, 0.01),
    ("IN201", "insurance", 2, False, 0.02),
    ("LM001", "mortgage", 1, False, 0.008),
    ("CC001", "credit_card", 1, False, 0.03),
)


class SmallBank:
    """Rows in memory, then a store on disk."""

    def __init__(self, root: Path, *, customers: int = 0, opened_on: date = date(2020, 1, 1)) -> None:
        self.store = Store(root / "store")
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.mapped: dict[str, list[str]] = {}
        """Columns that the sources of a table map; all of them where a table is not named."""
        self.absent: set[str] = set()
        """Tables that were never loaded."""
        self.as_of: date | None = None
        for code, family, risk, equity, margin in PRODUCTS:
            self.rows["product"].append({
                "product_code": code, "name": code, "family": family, "risk_level": risk, "is_equity": equity,
                "yearly_margin": margin,
            })  # fmt: skip
        for _ in range(customers):
            self.customer(opened_on=opened_on)

    def customer(self, **columns: Any) -> int:
        """Add a customer and return the ordinal."""
        ordinal = len(self.rows["customer"])
        self.rows["customer"].append({"ordinal": ordinal, "opened_on": date(2020, 1, 1), "status": "active"} | columns)
        return ordinal

    def add(self, table: str, ordinal: int, **columns: Any) -> None:
        """Add one row of a customer."""
        unknown = set(columns) - set(TABLES[table].stored_columns())
        assert not unknown, f"{table} has no {unknown}"
        self.rows[table].append({"ordinal": ordinal} | columns)

    def hold(self, ordinal: int, on: date, family: str, balance: int, **columns: Any) -> None:
        """Add a position; its month average is its balance unless given."""
        code = columns.pop("product_code", next(c for c, f, *_ in PRODUCTS if f == family))
        self.add("holding", ordinal, **{"as_of": on, "family": family, "product_code": code, "position_no": "1",
                                        "balance": balance, "month_average": balance} | columns)  # fmt: skip

    def save(self) -> Store:
        """Write all tables and the dictionary, and publish them."""
        with self.store.writing(now=NOW) as draft:
            for name, table in TABLES.items():
                if name in self.absent:
                    continue
                columns = table.stored_columns()
                schema = pa.schema([(n, ARROW[t]) for n, t in columns.items()])
                rows = [{n: row.get(n) for n in columns} for row in self.rows[name]]
                path, relative = draft.new_file("tables", name, "rows")
                pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
                draft.manifest.tables[name] = TableState(
                    files=[relative], rows=len(rows), columns=self.mapped.get(name, []), loaded_at=NOW
                )
            ordinals = len(self.rows["customer"])
            ids = [uuid.UUID(int=i + 1).hex for i in range(ordinals)]
            keys = pa.array([i.to_bytes(16, "big") for i in range(ordinals)], pa.binary())
            path, relative = draft.new_file("dictionary", "customers")
            pq.write_table(
                pa.table({"ordinal": pa.array(range(ordinals), pa.uint32()), "customer_id": ids, "key": keys}), path
            )
            draft.manifest.dictionary, draft.manifest.ordinals = relative, ordinals
        return self.store

    def refresh(
        self, specs: Mapping[str, TagSpec], as_of: date, *, only: Collection[str] | None = None
    ) -> RefreshReport:
        """Save and compute; ``value`` then reads that date."""
        self.save()
        self.as_of = as_of
        return refresh(self.store, specs, as_of=as_of, now=NOW, only=only)

    def engine(self) -> Engine:
        """Return an engine over what is published."""
        return Engine(self.store, memory_limit="1GB", threads=1)

    def column(self, tag: str, as_of: date | None = None) -> list[Any]:
        """Return the values of a tag, one an ordinal."""
        on = as_of or self.as_of
        assert on is not None
        state = self.store.manifest().dates[on.isoformat()]
        rows = pq.read_metadata(self.store.path(state.population)).num_rows
        values: list[Any] = column_of(self.store, tag, state.tags[tag], size=rows).to_pylist()
        return values

    def value(self, tag: str, ordinal: int, as_of: date | None = None) -> Any:
        """Return one customer's value of a tag."""
        return self.column(tag, as_of)[ordinal]
