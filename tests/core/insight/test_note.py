"""The blocks of a segment's note: figures by hand, intervals, small samples, and sentences that say no more than is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kequn.core.errors import NoData
from kequn.core.insight.answers import answers_of
from kequn.core.insight.money import BankMoney, bank_money_of, cash_flow_of, worth_of
from kequn.core.insight.products import Holding, holdings_of
from kequn.core.insight.profile import profile
from kequn.core.insight.sentences import (
    about_answers,
    about_cash_flow,
    about_channels,
    about_differences,
    about_holdings,
    about_size,
    about_worth,
    leanings,
)
from kequn.core.stats import proportion_interval
from tests.core.insight.bank import AS_OF, open_store, tag
from tests.core.small_bank import SmallBank

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)
WAN = 1_000_000


def ordinals(n: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + n, dtype=np.uint32)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SmallBank:
    """Four hundred customers; the first hundred are the segment. Half of each are of tier T1, half of T2."""
    made = SmallBank(tmp_path_factory.mktemp("four_hundred"), customers=400)
    for i in range(400):
        made.hold(i, MAY, "demand", 2 * WAN)
        made.hold(i, JUNE, "demand", (2 if i % 2 else 8) * WAN)
        if i < 100 and i % 20 == 0:
            made.hold(i, JUNE, "wmp", WAN)  # 5 of the segment, all of T2
        if i >= 100 and i % 4 == 0:
            made.hold(i, JUNE, "wmp", WAN)  # 75 of the others, all of T2: half of that tier
        if i < 3:
            made.hold(i, JUNE, "fund", WAN)
        made.add("transaction", i, transaction_no=i, booked_on=date(2026, 6, 15 if i < 100 else 1 + i % 28), direction="in", amount=100,
                 category="transfer", is_external=True)  # fmt: skip
        made.add("contact", i, contact_no=i, contacted_on=date(2026, 6, 1), channel="sms" if i < 60 or i >= 100 else "call",
                 outcome="delivered", responded=i % 10 == 0, response_hour=9 if i % 10 == 0 else None, campaign="spring",
                 purpose="marketing")  # fmt: skip
    made.add("transaction", 0, transaction_no=999, booked_on=date(2026, 6, 20), direction="out", amount=40, category="transfer",
             is_external=True)  # fmt: skip
    made.save()
    return made


def held(bank: SmallBank, family: str, n: int = 100) -> Holding:
    found = holdings_of(bank.engine(), ordinals(n), ordinals(400), as_of=JUNE)
    return next(h for h in found.holdings if h.family == family)


def test_a_gap_is_against_customers_of_the_same_tiers(bank: SmallBank) -> None:
    wmp = held(bank, "wmp")
    by_hand = proportion_interval(5, 100)
    assert (wmp.n, wmp.rate, wmp.low, wmp.high) == (5, 0.05, by_hand.low, by_hand.high)
    assert wmp.bank_rate == 80 / 400
    assert wmp.peer_rate == pytest.approx(0.5 * 0 + 0.5 * 75 / 150)  # the tiers of the segment weigh the peers
    assert wmp.gap == pytest.approx(0.2)
    assert wmp.is_clear
    assert (wmp.customers, wmp.typical_fen, wmp.amount_fen) == (20, WAN, 20 * WAN)
    assert wmp.gap_low is not None
    assert wmp.gap_high is not None
    assert 0 < wmp.gap_low < 0.2 < wmp.gap_high


def test_the_gaps_are_those_that_are_clear_and_idle_money_is_none_of_them(bank: SmallBank) -> None:
    found = holdings_of(bank.engine(), ordinals(100), ordinals(400), as_of=JUNE)
    assert [h.family for h in found.gaps] == ["wmp"]
    assert (found.size, found.bank) == (100, 400)
    said = about_holdings(found)
    assert "理财持有 5.0%，同层级 25.0%，约差 20 户" in said.zh
    assert "does not say that they want it" in said.to("en")


def test_three_holders_are_not_told(bank: SmallBank) -> None:
    fund = held(bank, "fund")
    assert (fund.n, fund.rate, fund.customers, fund.is_clear) == (None, None, None, False)


def test_a_handful_of_members_has_no_clear_gap(bank: SmallBank) -> None:
    found = holdings_of(bank.engine(), ordinals(8), ordinals(400), as_of=JUNE)
    assert found.is_few
    assert found.gaps == ()
    assert "只作参考" in about_holdings(found).zh


def test_smoothed_rates_lie_between_the_segments_and_the_banks(bank: SmallBank) -> None:
    found = answers_of(bank.engine(), ordinals(100), ordinals(400), as_of=JUNE)
    sms = next(r for r in found.channels if r.key == "sms")
    assert (sms.n, sms.k, sms.bank_n) == (60, 6, 360)
    prior = 36 / 360
    assert sms.smoothed == pytest.approx((6 + 20 * prior) / 80)
    assert sms.low is not None
    assert sms.high is not None
    assert sms.low < 0.1 < sms.high
    assert (found.n, found.k, found.never, found.bank_n) == (100, 10, 0, 400)
    morning = next(r for r in found.hours if r.key == "8-10")
    assert (morning.n, morning.k) == (10, 10)
    assert [r.key for r in found.campaigns] == ["spring"]
    assert "说不出偏好" not in about_channels(found).zh
    assert "响应不是效果" in about_answers(found).zh


def test_who_was_never_addressed_is_counted_and_no_history_is_said(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=50)
    bank.save()
    found = answers_of(bank.engine(), ordinals(40), ordinals(50), as_of=JUNE)
    assert (found.n, found.never, found.channels, found.hours) == (0, 40, (), ())
    assert "没有可看的历史" in about_answers(found).zh
    assert "no preference" in about_channels(found).to("en")


def money(bank: SmallBank) -> BankMoney:
    return bank_money_of(bank.engine(), ordinals(400), as_of=JUNE)


def test_the_rhythm_is_the_share_of_receipts_by_day(bank: SmallBank) -> None:
    flow = cash_flow_of(bank.engine(), ordinals(100), money(bank), as_of=JUNE)
    assert (flow.receipts, flow.payers, flow.bank_receipts) == (100, 100, 400)
    assert flow.by_day[14] == 1
    assert flow.top_days(1) == ((15,), 1.0, flow.bank_by_day[14])
    assert dict(zip(flow.months, zip(flow.inflow_fen, flow.outflow_fen, strict=True), strict=True))["2026-06"] == (
        10_000,
        40,
    )
    assert "15 日" in about_cash_flow(flow).zh


def test_worth_is_per_head_with_an_interval_and_a_paired_change(bank: SmallBank) -> None:
    worth = worth_of(bank.engine(), ordinals(100), money(bank), as_of=JUNE)
    now = np.array(
        [(2 if i % 2 else 8) * WAN + (WAN if i % 20 == 0 else 0) + (WAN if i < 3 else 0) for i in range(100)],
        dtype=float,
    )
    assert worth.months == ("2026-05", "2026-06")
    assert worth.per_head == (2 * WAN, now.mean())
    assert worth.total_fen == now.sum()
    assert worth.now is not None
    assert worth.change is not None
    assert worth.now.se == pytest.approx(now.std(ddof=1) / 10)
    assert worth.change.point == pytest.approx(now.mean() - 2 * WAN)
    assert "变动可靠" in about_worth(worth).zh


def test_a_bank_without_holdings_has_neither_gaps_nor_worth(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=5)
    bank.save()
    for ask in (
        lambda e: holdings_of(e, ordinals(2), ordinals(5), as_of=JUNE),
        lambda e: bank_money_of(e, ordinals(5), as_of=JUNE),
    ):
        with pytest.raises(NoData):
            ask(bank.engine())


def test_the_size_is_told_with_its_trend_or_without_one() -> None:
    grown = about_size(120, 1_000, [("2026-05-31", 100), ("2026-06-30", 120)])
    assert "多 20 户（+20.0%）" in grown.zh
    assert "12.0%" in grown.to("en")
    assert "看不出走势" in about_size(120, 1_000, [("2026-06-30", 120)]).zh
    assert "只作参考" in about_size(12, 1_000, []).zh


def test_what_they_are_is_told_before_what_they_are_not(tmp_path: Path) -> None:
    tags = {"demo_city": tag("demo_city", "text"), "acct_payroll": tag("acct_payroll", "boolean")}
    columns = {
        "demo_city": ["南京"] * 160 + ["苏州"] * 40 + ["南京"] * 100 + ["苏州"] * 700,
        "acct_payroll": [False] * 200 + [True] * 400 + [False] * 400,
    }
    found = profile(open_store(tmp_path, tags, columns), ordinals(200), tags=tags, as_of=AS_OF)
    told = [(d.tag, d.cell.value) for d in leanings(found)]
    assert told == [("demo_city", "南京"), ("acct_payroll", "true"), ("demo_city", "苏州")]
    assert [d.tag for d in leanings(found, defining=["demo_city"])] == ["acct_payroll"]
    assert "“city：南京” 80.0%（全行 26.0%）" in about_differences(found, leanings(found)).zh
    assert "看不出" in about_differences(found, ()).zh
    few = profile(open_store(tmp_path / "few", tags, columns), ordinals(20), tags=tags, as_of=AS_OF)
    assert "人数太少" in about_differences(few, leanings(few)).zh
