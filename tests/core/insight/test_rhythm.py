"""When a group's money comes in."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kequn.core.insight.ledger import ByPart
from kequn.core.insight.rhythm import Received, rhythm
from kequn.core.tags import catalogue
from tests.core.small_bank import SmallBank

AS_OF = date(2026, 6, 30)


def receive(bank: SmallBank, who: int, on: date, amount: int, **columns: object) -> None:
    """Book money from outside."""
    row = {"direction": "in", "is_external": True, "category": "transfer"} | columns
    bank.add("transaction", who, booked_on=on, amount=amount, **row)


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """Two who receive money from outside, one who does not."""
    bank = SmallBank(tmp_path, customers=3)
    receive(bank, 0, date(2026, 5, 31), 3_000_00)
    receive(bank, 0, date(2026, 3, 10), 1_000_00, category="payroll")
    receive(bank, 1, date(2025, 7, 1), 6_000_00)
    receive(bank, 1, date(2025, 6, 30), 9_999_99)
    receive(bank, 1, date(2026, 7, 1), 9_999_99)
    receive(bank, 2, date(2026, 5, 31), 9_999_99, is_external=False)
    receive(bank, 2, date(2026, 5, 31), 9_999_99, direction="out")
    bank.refresh({n: s for n, s in catalogue().items() if n == "txn_payday"}, AS_OF)
    return bank


def test_shares_are_of_the_money_of_the_year(bank: SmallBank) -> None:
    found = rhythm(bank.engine(), None, AS_OF)
    assert found is not None
    assert (found.customers, found.inflow) == (2, 10_000_00)
    assert {s.at: s.share for s in found.by_day if s.share} == {1: 0.6, 10: 0.1, 31: 0.3}
    assert {s.at: s.share for s in found.by_month if s.share} == {3: 0.1, 5: 0.3, 7: 0.6}
    assert all(s.low <= s.share <= s.high for s in found.by_day + found.by_month)
    assert [(s.at, s.share) for s in found.paydays if s.share] == [(10, 1.0)]


def test_only_the_members_count(bank: SmallBank) -> None:
    found = rhythm(bank.engine(), np.array([0b001], np.uint64), AS_OF)
    assert found is not None
    assert {s.at: s.share for s in found.by_day if s.share} == {10: 0.25, 31: 0.75}
    assert rhythm(bank.engine(), np.array([0b100], np.uint64), AS_OF) is None


def test_without_transactions_there_is_no_rhythm(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    bank.absent = {"transaction"}
    bank.save()
    assert rhythm(bank.engine(), None, AS_OF) is None


def by_part(received: np.ndarray) -> ByPart:
    """Customers × parts in yuan, as the ledger has it."""
    n, parts = received.shape
    fen = np.round(100 * received.T).astype(np.int64).ravel()
    return ByPart(np.arange(parts + 1) * n, np.tile(np.arange(n, dtype=np.uint32), parts), fen)


def test_the_interval_holds_the_true_share_as_often_as_it_says() -> None:
    """Resampled banks of unequal customers: about 95 in 100 intervals hold the share of the whole."""
    chance = np.random.default_rng(5)
    size = chance.lognormal(8, 1, 20_000)
    split = chance.dirichlet([1.0, 2.0, 4.0], 20_000)
    received = size[:, None] * split
    true = received.sum(axis=0) / received.sum()
    held = 0
    for _ in range(300):
        share = Received(by_part(received[chance.integers(0, 20_000, 400)]), np.ones(400, np.bool_)).shares()[1]
        held += share.low <= true[1] <= share.high
    assert 0.91 <= held / 300 <= 0.98
