"""A bank small enough to write by hand, and the short way to load it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from kequn.core.data.load import LoadReport, load_source
from kequn.core.data.rejects import Reject, rejects
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.spec.reading import parse_spec
from kequn.core.spec.source import SourceSpec

KEY = b"a secret of thirty-two bytes ...."
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
TODAY = date(2026, 6, 30)

CUSTOMERS = """
kind: source
name: customers
title: 客户
table: customer
input: {format: csv, path: customers.csv}
columns:
  customer_no: 客户号
  opened_on: 开户日
  gender: {from: 性别, codes: {1: M, 2: F}}
  city: 城市
  name: 姓名
  phone: 手机
"""
TRANSACTIONS = """
kind: source
name: transactions
title: 交易
table: transaction
input: {format: csv, path: txn.csv}
columns:
  transaction_no: no
  customer_no: cust
  booked_on: day
  direction: {from: dc, codes: {C: in, D: out}}
  amount: amt
  category: {sql: "'other'"}
control_totals: [amount]
"""


class Bank:
    """A data folder and a store."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "data"
        self.folder.mkdir()
        self.store = Store(root / "store")
        self.loads = 0
        self.last = ""

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def spec(self, text: str, **changes: Any) -> SourceSpec:
        (spec,) = parse_spec(text)
        assert isinstance(spec, SourceSpec)
        return SourceSpec.model_validate({**spec.model_dump(by_alias=True), **changes})

    def load(
        self, text: str, *, people: Any = None, dsn: Any = None, cancelled: Any = None, **changes: Any
    ) -> LoadReport:
        self.loads += 1
        self.last = f"load{self.loads}"
        return load_source(
            self.store, self.spec(text, **changes), folder=self.folder, key=KEY, now=NOW, load_id=self.last,
            people=people, dsn=dsn, **({"cancelled": cancelled} if cancelled else {}),
        )  # fmt: skip

    def customers(self, *numbers: str) -> None:
        """Load customers of whom nothing matters but their numbers."""
        lines = [f"{n},2020-01-01,1,上海,某人,1" for n in numbers]
        self.write("customers.csv", "\n".join(["客户号,开户日,性别,城市,姓名,手机", *lines]) + "\n")
        self.load(CUSTOMERS)

    def rejects(self) -> list[Reject]:
        return rejects(self.store, self.last, limit=10_000)

    def reasons(self) -> list[tuple[int, str, str]]:
        return [(r.line, r.column, r.reason) for r in self.rejects()]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        engine = Engine(self.store)
        try:
            return engine.rows(query)
        finally:
            engine.close()


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


@pytest.fixture
def make_bank(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Bank]:
    return lambda: Bank(tmp_path_factory.mktemp("bank"))
