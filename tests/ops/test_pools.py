"""The pool's figures from bookings and records: who was reached, and who bought because of it or before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from kequn.core.spec.ownership import PoolSpec
from kequn.core.spec.segment import SegmentSpec
from kequn.core.tags import catalogue
from kequn.ops import runtime
from kequn.ops.audiences import services as audiences
from kequn.ops.catalog import services as catalog
from kequn.ops.customers.services import store_people
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership.queries import pool_days
from kequn.ops.ownership.services import refresh_pool
from kequn.ops.workbench.models import FollowUp, Task
from tests.core.small_bank import SmallBank
from tests.ops.bank import Cast, approve, customer_id

pytestmark = pytest.mark.django_db
EARLY, LATE = date(2026, 6, 12), date(2026, 6, 30)
SEGMENT = SegmentSpec(name="everybody", title="全部客户", where={"tag": "asset_aum_eod", "op": ">=", "value": 1})
POOL = PoolSpec(name="keep", title="长期经营", segment="everybody")


def june(day: int) -> date:
    return date(2026, 6, day)


REACHED = {
    0: [june(10)], 1: [june(10)], 2: [june(10), date(2026, 7, 5)], 3: [june(25)], 4: [june(10), june(25)], 5: [date(2026, 5, 20)],
}  # fmt: skip
BOUGHT = {0: june(15), 1: june(5), 2: june(12), 3: june(25), 4: june(20), 5: june(20), 6: june(20)}


@pytest.fixture
def seven(cast: Cast, bank_runtime: runtime.Runtime) -> Cast:
    """Have seven customers of 王芳, with purchases, contacts and tags of two days."""
    bank = SmallBank(bank_runtime.store.root.parent)
    for i in range(7):
        bank.customer(branch_code="0001", rm_no="R001", is_deceased=False)
        bank.hold(i, date(2026, 5, 31), "demand", 1_000_000)
        bank.add(
            "transaction", i, transaction_no=i, booked_on=BOUGHT[i], direction="out", amount=500_000, category="purchase",
            product_code="FD201", is_initiated=True,
        )  # fmt: skip
    for day in (EARLY, LATE):
        bank.refresh(catalogue(), day, only=("asset_aum_eod",))
    store_people(
        system_actor(),
        [
            {"customer_id": customer_id(i), "customer_no": f"C{i:07}", "branch_code": "0001", "rm_no": "R001", "name": f"张{i}"}
            for i in range(7)
        ],
        load_id="test",
    )  # fmt: skip
    for i, days in REACHED.items():
        task = Task.objects.create(
            key=f"t{i}", customer_id=customer_id(i), staff_no="R001", branch_code="0001", kind="campaign", title_zh="任务",
            due_at=datetime(2026, 7, 31, tzinfo=UTC), created_at=datetime(2026, 5, 1, tzinfo=UTC),
        )  # fmt: skip
        for day in days:
            FollowUp.objects.create(
                key=f"f{i}-{day}", task=task, customer_id=task.customer_id, staff_no="R001", contact="connected",
                intent="considering", at=datetime.combine(day, time(2), UTC),
            )  # fmt: skip
    audiences.submit_segment(cast["zhaomin"], audiences.save_segment(cast["zhaomin"], SEGMENT).pk)
    approve(cast, SEGMENT.name)
    catalog.submit_definition(cast["zhaomin"], catalog.save_definition(cast["zhaomin"], POOL).pk)
    approve(cast, POOL.name)
    return cast


def test_a_purchase_before_the_contact_is_no_conversion_and_later_contacts_take_none_from_a_day_caught_up(
    seven: Cast,
) -> None:
    assert refresh_pool(system_actor(), POOL) == 2  # days later, both at once
    early, late = pool_days(seven["wangfang"], "keep")
    counted = {d.day: (d.members, d.rates["coverage"].k, d.rates["conversion"].k) for d in (early, late)}
    # on the 12th 0, 1, 2 and 4 had been reached on the 10th, and 5 in May; only 2 had bought since
    # on the 30th the contact of May is out; 0, 2, 3 (the same day) and 4 (between two contacts) bought since, 1 before
    assert counted == {EARLY: (7, 5, 1), LATE: (7, 5, 4)}
    assert late.rates["repurchase"].n == 0
