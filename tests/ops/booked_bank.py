"""A bank of 90 customers with much to filter by: 王芳 has the first 40, 陈静 the next 40, ten have nobody."""

from __future__ import annotations

import shutil
import uuid
from datetime import date, timedelta
from pathlib import Path

import pytest

from kequn.core.tags import catalogue
from kequn.ops import runtime
from kequn.ops.catalog import services as catalog
from kequn.ops.customers.services import store_people
from kequn.ops.orgs.actor import system_actor
from tests.core.small_bank import SmallBank
from tests.ops.bank import POLICY, Cast, approve
from tests.ops.remembering import remembered

AS_OF = date(2026, 6, 30)
MINE, HERS, N = 40, 80, 90
TAGS = (
    "asset_aum_eod", "asset_aum_chg_30d", "asset_tier", "life_stage", "asset_maturity_next", "asset_fund", "asset_wmp", "asset_time",
    "asset_product_cnt", "acct_credit_card", "acct_mortgage", "demo_birthday_md", "demo_age", "demo_gender", "demo_city",
    "mkt_last_contact", "txn_recency", "acct_status", "acct_merchant", "txn_merchant_days", "risk_c_expire",
)  # fmt: skip


def customer_id(ordinal: int) -> str:
    return uuid.UUID(int=ordinal + 1).hex


def owner(ordinal: int) -> tuple[str, str]:
    """Return RM and branch of a customer."""
    return ("R001", "0001") if ordinal < MINE else ("R002", "0002") if ordinal < HERS else ("", "0001")


def build(root: Path) -> None:
    bank = SmallBank(root)
    for i in range(N):
        rm, branch = owner(i)
        bank.customer(
            opened_on=AS_OF - timedelta(days=10 + 37 * i), birth_on=date(1950 + i % 50, 1 + i % 12, 1 + i % 28),
            gender="M" if i % 3 else "F", branch_code=branch, rm_no=rm, city="甲市" if i % 4 else "乙市", risk_level=2,
            risk_tested_on=date(2025, 7, 1), risk_expires_on=AS_OF + timedelta(days=i - 20), is_deceased=i == 7, is_staff=False,
            is_suppressed=False, is_vulnerable=False, personalisation_off=False,
        )  # fmt: skip
        bank.add("consent", i, purpose="marketing", channel="call", granted=i % 5 != 0, given_on=date(2025, 1, 1))
        if i % 9 == 8:
            continue  # she has nothing
        for day in (date(2026, 4, 30), date(2026, 5, 31), AS_OF):
            grown = 1 if day < AS_OF else 1 + (i % 3 - 1) / 4
            bank.hold(i, day, "demand", int(grown * 30_000 * i * i))
        if i % 2:
            bank.hold(i, AS_OF, "fund", 500_000 * i)
        if i % 4 == 0:
            bank.hold(i, AS_OF, "time", 2_000_000, matures_on=AS_OF + timedelta(days=1 + 3 * i))
        if i % 3 == 0:
            bank.add(
                "contact",
                i,
                contact_no=i,
                contacted_on=AS_OF - timedelta(days=5 * i),
                channel="call",
                purpose="marketing",
            )
        if i % 5:
            bank.add(
                "transaction", i, transaction_no=i, booked_on=AS_OF - timedelta(days=6 * i), direction="in", amount=1_000,
                category="merchant_receipt" if i % 7 == 1 else "transfer", is_initiated=True,
            )  # fmt: skip
    bank.refresh(catalogue(), AS_OF, only=TAGS)


@pytest.fixture(scope="session")
def book_built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the store once."""
    root = tmp_path_factory.mktemp("booked")
    build(root)
    return root / "store"


def persons() -> list[dict[str, str]]:
    """Return everybody's names and numbers; 11 and 12 share a phone, and so do 13 and 50, who is another RM's."""
    shared = {12: 11, 50: 13}
    return [
        {
            "customer_id": customer_id(i), "customer_no": f"C{i:07}", "branch_code": owner(i)[1], "rm_no": owner(i)[0],
            "name": f"李{i}", "phone": "" if i == 21 else f"1380000{shared.get(i, i):04}",
        }
        for i in range(N)
    ]  # fmt: skip


@pytest.fixture
@remembered
def books(book_built: Path, bank_runtime: runtime.Runtime, cast: Cast) -> Cast:
    """Put the store, the persons and a contact policy into the runtime."""
    shutil.copytree(book_built, bank_runtime.store.root, dirs_exist_ok=True)
    store_people(system_actor(), persons(), load_id="test")
    row = catalog.save_definition(cast["zhaomin"], POLICY)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    approve(cast, POLICY.name)
    return cast
