"""The sums of one day by cell: assets and their gain, what matured and stayed, who came, who was reached."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kequn.core.data.tables import TABLES
from kequn.core.insight.daily import Daily, daily
from tests.core.small_bank import SmallBank

DAY = date(2026, 7, 10)
MATURED = date(2026, 7, 3)
CELLS = np.array([0, 0, 1, 1])
NOBODY = np.array([], dtype=np.int64)


def told(bank: SmallBank, **asked: object) -> Daily:
    reached = {30: NOBODY} | dict(asked)  # type: ignore[arg-type]
    bank.save()
    return daily(bank.engine(), DAY, np.arange(4), CELLS, size=2, reached=reached)


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    return SmallBank(tmp_path, customers=4)


def test_assets_are_those_of_the_latest_holdings_and_the_gain_is_of_the_same_customers(bank: SmallBank) -> None:
    for on, amounts in (
        (date(2026, 6, 30), (100, 200, 300, 0)),
        (date(2026, 7, 9), (150, 180, 300, 50)),
        (date(2026, 7, 11), (9, 9, 9, 9)),
    ):
        for ordinal, amount in enumerate(amounts):
            bank.hold(ordinal, on, "demand", amount)
    bank.hold(0, date(2026, 7, 9), "mortgage", 1_000)
    found = told(bank)
    assert found.data_on == date(2026, 7, 9)
    assert list(found.aum) == [330, 350]  # type: ignore[arg-type]
    assert list(found.gain) == [30, 50]  # type: ignore[arg-type]


def test_without_holdings_of_an_earlier_month_the_gain_is_unknown(bank: SmallBank) -> None:
    bank.hold(0, date(2026, 7, 9), "demand", 100)
    found = told(bank)
    assert (list(found.aum), found.gain) == ([100, 0], None)  # type: ignore[arg-type]


def move(bank: SmallBank, ordinal: int, on: date, amount: int, **columns: object) -> None:
    base = {"direction": "out", "category": "transfer", "is_external": True}
    bank.add(
        "transaction",
        ordinal,
        transaction_no=len(bank.rows["transaction"]),
        booked_on=on,
        amount=amount,
        **base | columns,
    )


def test_what_matured_a_week_ago_is_kept_as_far_as_it_did_not_leave_the_bank(bank: SmallBank) -> None:
    came = {"direction": "in", "category": "maturity", "is_external": False}
    for ordinal, amount in ((0, 1_000), (2, 500), (3, 700)):
        move(bank, ordinal, MATURED, amount, **came)
    move(bank, 1, date(2026, 7, 4), 9_000, **came)  # another day's
    move(bank, 0, date(2026, 7, 5), 300)
    move(bank, 0, date(2026, 7, 6), 400, category="purchase", is_external=False)
    move(bank, 2, date(2026, 7, 10), 800)
    move(bank, 3, date(2026, 7, 2), 700)  # before it matured
    found = told(bank)
    assert list(found.matured) == [1_000, 1_200]  # type: ignore[arg-type]
    assert list(found.kept) == [700, 700]  # type: ignore[arg-type]


def test_money_that_went_nobody_says_where_is_not_taken_for_kept(bank: SmallBank) -> None:
    for ordinal in (0, 2):
        move(bank, ordinal, MATURED, 1_000, direction="in", category="maturity", is_external=False)
    move(bank, 0, date(2026, 7, 5), 300, is_external=None)
    move(bank, 2, DAY, 300, category="purchase", is_external=None)
    assert list(told(bank).kept) == [700, 1_000]  # type: ignore[arg-type]
    bank.mapped["transaction"] = [c for c in TABLES["transaction"].stored_columns() if c != "is_external"]
    assert told(bank).kept is None


def test_it_is_not_told_before_the_transactions_reach_the_day(bank: SmallBank) -> None:
    move(bank, 0, MATURED, 1_000, direction="in", category="maturity", is_external=False)
    assert (told(bank).matured, told(bank).kept) == (None, None)


def test_who_came_and_who_was_reached_is_counted_once(bank: SmallBank) -> None:
    bank.rows["customer"][3]["opened_on"] = DAY
    for on, outcome in ((date(2026, 7, 1), "done"), (date(2026, 7, 2), "done"), (date(2026, 5, 1), "done")):
        bank.add("contact", 2, contact_no=len(bank.rows["contact"]), contacted_on=on, channel="call", outcome=outcome)
    bank.add("contact", 1, contact_no=99, contacted_on=DAY, channel="call", outcome="no_answer")
    bank.save()
    found = daily(bank.engine(), DAY, np.arange(4), CELLS, size=2, reached={30: np.array([0, 2, -1])})
    assert list(found.opened) == [0, 1]  # type: ignore[arg-type]
    assert list(found.covered[30]) == [1, 1]
