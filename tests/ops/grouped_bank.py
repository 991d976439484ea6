"""A bank of 1,500 customers in three planted groups: savers, investors, spenders. Its tags are written as columns."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kequn.core.engine.store import TagState
from kequn.core.tags import catalogue
from kequn.ops import runtime
from tests.core.small_bank import NOW, SmallBank

AS_OF = date(2026, 6, 30)
N = 1500
GROUPS = 3
TAGS = ("asset_time", "asset_fund", "asset_demand", "txn_outflow_30d", "chan_login_days_30d")
LEVELS = {  # savers, investors, spenders
    "asset_time": (11.5, 6.0, 5.0),
    "asset_fund": (5.0, 11.0, 4.0),
    "asset_demand": (8.0, 9.0, 6.0),
    "txn_outflow_30d": (6.0, 7.5, 10.0),
    "chan_login_days_30d": (0.7, 2.2, 3.0),
}
FLAT = ("asset_wmp", "asset_gold", "asset_bond")
"""Tags in which no groups are."""
OTHERS = ("loan_overdue", "demo_gender", "acct_branch")


def groups() -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).integers(0, GROUPS, N)


def build(root: Path) -> None:
    bank = SmallBank(root)
    for i in range(N):
        bank.customer(
            gender="M" if i % 3 else "F", branch_code="0001" if i % 2 == 0 else "0002",
            rm_no="R001" if i % 2 == 0 else "R002",
        )  # fmt: skip
    bank.refresh(catalogue(), AS_OF, only=OTHERS)
    rng, group, specs = np.random.default_rng(6), groups(), catalogue()
    with bank.store.writing(now=NOW) as draft:
        for name in (*LEVELS, *FLAT):
            level = np.array(LEVELS[name])[group] if name in LEVELS else np.full(N, 8.0)
            amounts = np.expm1(level + rng.normal(0, 0.45 if name.startswith("chan") else 0.8, N))
            is_money = specs[name].type == "money"
            column = pa.array(np.maximum(0, np.round(amounts * (100 if is_money else 1))).astype(np.int64))
            path, relative = draft.new_file("tags", name)
            pq.write_table(pa.table({"value": column}), path)
            draft.manifest.dates[AS_OF.isoformat()].tags[name] = TagState(
                file=relative, fingerprint=specs[name].fingerprint(), known=N, computed_at=NOW
            )


@pytest.fixture(scope="session")
def grouped_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the store once."""
    root = tmp_path_factory.mktemp("grouped")
    build(root)
    return root / "store"


@pytest.fixture
def grouped_bank(grouped_store: Path, bank_runtime: runtime.Runtime, db: None) -> tuple[runtime.Runtime, Any]:
    """Put a copy of the store into the runtime; return it with the group of each customer."""
    shutil.copytree(grouped_store, bank_runtime.store.root, dirs_exist_ok=True)
    return bank_runtime, groups()
