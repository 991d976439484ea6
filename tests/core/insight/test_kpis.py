"""The bank's KPIs: sums by hand on a bank of nine, parts that add up to the whole, and what is not told."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.errors import NoData, UnknownDefinition
from kequn.core.insight.cube import TIERS, Cube, cube
from kequn.core.insight.kpis import definition, definitions, figure, tier_number, withheld
from tests.core.small_bank import SmallBank

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)
WAN = 1_000_000
"""Ten thousand yuan in fen."""


def nine(root: Path) -> SmallBank:
    """Nine customers of two branches over May and June."""
    bank = SmallBank(root)
    for i in range(9):
        opened = date(2026, 6, 5) if i == 8 else date(2020, 1, 1)
        closed = date(2026, 6, 20) if i == 7 else None
        bank.customer(
            branch_code="A" if i < 5 else "B", rm_no="R1" if i < 2 else None, opened_on=opened, closed_on=closed
        )
    for i in range(8):
        bank.hold(i, MAY, "demand", 2 * WAN)  # T1
    bank.hold(0, JUNE, "demand", 1 * WAN)
    bank.hold(0, JUNE, "wmp", 6 * WAN, cost=5 * WAN)  # T2: moved up
    bank.hold(1, JUNE, "demand", 0)  # T0: moved down
    for i in range(2, 7):
        bank.hold(i, JUNE, "demand", 2 * WAN)
    bank.hold(2, JUNE, "mortgage", 50 * WAN)
    bank.hold(8, JUNE, "demand", 3 * WAN)
    trade = iter(range(100))

    def trades(i: int, on: date, direction: str, amount: int, category: str, **more: object) -> None:
        bank.add("transaction", i, transaction_no=next(trade), booked_on=on, direction=direction, amount=amount,
                 category=category, **more)  # fmt: skip

    for i in range(9):  # so that the history reaches far enough back, and forward
        trades(i, date(2025, 9, 1), "in", 1, "interest", is_external=False, is_initiated=False)
    trades(3, date(2026, 8, 15), "in", 1, "interest", is_external=False, is_initiated=False)
    trades(0, date(2026, 6, 10), "in", 6 * WAN, "transfer", is_external=True, is_initiated=False)
    trades(0, date(2026, 6, 11), "out", 5 * WAN, "purchase", is_external=False, is_initiated=True, product_code="WM203")
    trades(0, date(2026, 6, 12), "out", 1 * WAN, "transfer", is_external=True, is_initiated=True, channel="app")
    trades(1, date(2026, 6, 3), "in", 1 * WAN, "payroll", is_external=True, is_initiated=False)
    trades(1, date(2026, 6, 2), "out", 9 * WAN, "transfer", is_external=True, is_initiated=True)  # before payday
    trades(1, date(2026, 6, 4), "out", WAN // 4, "consumption", is_external=True, is_initiated=True)
    trades(2, date(2026, 6, 6), "in", 4 * WAN, "maturity", is_external=False, is_initiated=False, product_code="WM203")
    trades(2, date(2026, 6, 13), "out", 3 * WAN, "purchase", is_external=False, is_initiated=True, product_code="WM203")
    trades(2, date(2026, 6, 14), "out", 3 * WAN, "purchase", is_external=False, is_initiated=True, product_code="FD201")
    trades(8, date(2026, 6, 25), "in", 1 * WAN, "transfer", is_external=True, is_initiated=True)
    bank.add("event", 0, event_no=1, happened_on=date(2026, 4, 1), kind="login", channel="app")
    for n, (i, day) in enumerate([(0, 1), (0, 1), (0, 2), (1, 2)]):
        bank.add("event", i, event_no=10 + n, happened_on=date(2026, 6, day), kind="login", channel="app")
    bank.add("contact", 0, contact_no=1, contacted_on=date(2026, 4, 1), channel="sms", outcome="delivered")
    for n, (i, channel, outcome, responded) in enumerate(
        [
            (0, "call", "answered", True),
            (1, "sms", "failed", False),
            (2, "sms", "delivered", False),
            (3, "call", "no_answer", False),
        ]
    ):
        bank.add("contact", i, contact_no=2 + n, contacted_on=date(2026, 6, 9), channel=channel, outcome=outcome,
                 responded=responded, purpose="marketing")  # fmt: skip
    bank.add("account", 0, account_no=1, kind="wecom", opened_on=date(2026, 6, 1), status="active")
    bank.add("service", 3, service_no=1, happened_on=date(2026, 4, 1), kind="call")
    bank.add("service", 3, service_no=2, happened_on=date(2026, 6, 9), kind="complaint")
    bank.add("consent", 2, purpose="marketing", channel="sms", granted=True, given_on=date(2025, 1, 1))
    bank.add("consent", 2, purpose="marketing", channel="sms", granted=False, given_on=date(2026, 6, 9))
    bank.add("consent", 4, purpose="marketing", channel="sms", granted=False, given_on=date(2026, 6, 9))  # never agreed
    return bank


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    bank = nine(tmp_path_factory.mktemp("nine"))
    bank.save()
    return cube(bank.engine())


def of(found: Cube, name: str, period: int = 1) -> int:
    return found.total(name, period)


def test_every_measure_of_the_small_bank_is_what_a_hand_count_gives(found: Cube) -> None:
    assert [p.label for p in found.periods] == ["2026-05", "2026-06"]
    by_hand = {
        "customers": 8, "customers_start": 8, "opened": 1, "opened_activated": 1, "managed": 2, "wecom_managed": 1,
        "aum": 20 * WAN, "aum_start": 16 * WAN, "demand": 14 * WAN, "deposit": 14 * WAN, "upgraded": 1, "downgraded": 1,
        "effective": 8, "active_txn": 4, "dormant": 4, "mau": 2, "app_days": 3, "mau_fin": 1, "mau_grew": 1,
        "inflow": 8 * WAN, "outflow": 10 * WAN + WAN // 4, "payroll": WAN, "payroll_kept": WAN - WAN // 4,
        "large": 6 * WAN, "large_kept": 5 * WAN, "matured": 4 * WAN, "matured_kept": 3 * WAN, "touches": 4, "delivered": 3,
        "responses": 1, "reached": 2, "contacted": 4, "bought_after_reach": 2, "bought_after_contact": 2, "met_managed": 1,
        "complaints": 1, "optouts": 1, "closed_out": 2 * WAN, "new_in": 3 * WAN, "lost": 1, "cross_sold": 0,
        "families_effective": 8, "moved_in": 7 * WAN, "moved_out": 7 * WAN,
    }  # fmt: skip
    assert {name: of(found, name) for name in by_hand} == by_hand


def test_net_new_assets_are_split_into_four_parts_without_a_rest(found: Cube) -> None:
    parts = ("inflow_of_old", "other_of_old", "moved_in", "new_in")
    whole = of(found, "aum") - of(found, "aum_start")
    assert whole == 4 * WAN
    assert sum(of(found, name) for name in parts) - of(found, "moved_out") - of(found, "closed_out") == whole
    for tier in range(len(TIERS)):
        part = {name: found.total(name, 1, tier=tier) for name in found.measures}
        assert part["aum"] - part["aum_start"] == (
            part["inflow_of_old"]
            + part["other_of_old"]
            + part["moved_in"]
            - part["moved_out"]
            + part["new_in"]
            - part["closed_out"]
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aum_eod", 200_000), ("aum_net_new", 40_000), ("avg_aum_per_cust", 25_000), ("idle_ratio", 0.7), ("product_per_cust", 1),
        ("fund_retention", 5 / 6), ("payroll_retention", 0.75), ("maturity_retention", 0.75), ("tier_net", 0), ("dau", 0.1),
        ("tier_upgrade_rate", 1 / 8), ("complaint_rate", 2_500), ("response_rate", 1 / 3), ("churn_rate", 1 / 8), ("optout_rate", 1 / 3),
    ],
)  # fmt: skip
def test_a_kpi_is_its_quotient(found: Cube, name: str, value: float) -> None:
    assert figure(found, definition(name), 1).value == pytest.approx(value)


def test_a_quotient_over_a_handful_is_withheld_and_says_so(found: Cube) -> None:
    wecom = figure(found, definition("wecom_coverage"), 1)
    assert (wecom.value, wecom.top, wecom.bottom, wecom.missing) == (None, None, None, "small")
    whole = figure(found, definition("cust_total"), 1, branches=[found.branches.index("B")])
    assert (whole.value, whole.customers, whole.missing) == (None, None, "small")
    assert figure(found, definition("aum_eod"), 1).is_few


def test_what_the_data_do_not_tell_has_a_reason_instead_of_a_number(found: Cube) -> None:
    why = {name: figure(found, definition(name), period).missing for name, period in
           [("clv", 1), ("aum_net_new", 0), ("soft_churn_rate", 1), ("winback_rate", 1), ("retention_90d", 1)]}  # fmt: skip
    assert why == {
        "clv": "lacks", "aum_net_new": "no_earlier_month", "soft_churn_rate": "no_earlier_month",
        "winback_rate": "too_early", "retention_90d": "too_early",
    }  # fmt: skip
    with pytest.raises(UnknownDefinition):
        definition("happiness")
    with pytest.raises(UnknownDefinition):
        tier_number("T9")


def test_a_table_that_was_never_loaded_is_named(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=6)
    bank.absent = {"event"}
    bank.hold(0, JUNE, "demand", WAN)
    bank.save()
    mau = figure(cube(bank.engine()), definition("mau"), 0)
    assert (mau.value, mau.missing, mau.detail) == (None, "not_loaded", "event.channel")


def test_a_bank_without_holdings_has_no_months(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=2)
    bank.save()
    with pytest.raises(NoData):
        cube(bank.engine())


def test_blocks_of_customers_and_one_block_give_the_same_cube(tmp_path: Path) -> None:
    bank = nine(tmp_path)
    bank.save()
    whole, parts = cube(bank.engine()), cube(bank.engine(), at_once=2)
    assert all(np.array_equal(whole.measures[name], parts.measures[name]) for name in whole.measures)


def test_the_cube_of_some_customers_and_of_the_others_add_up(tmp_path: Path) -> None:
    bank = nine(tmp_path)
    bank.save()
    some, others = np.array([0, 3, 8]), np.array([1, 2, 4, 5, 6, 7])
    whole, one, two = (cube(bank.engine(), ordinals=o) for o in (None, some, others))
    assert all(np.array_equal(whole.measures[n], one.measures[n] + two.measures[n]) for n in whole.measures)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_branches_and_tiers_add_up_to_the_bank(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    bank = SmallBank(tmp_path_factory.mktemp("random"))
    ends = [date(2026, 4, 30), MAY, JUNE]
    for i in range(data.draw(st.integers(1, 12))):
        bank.customer(
            branch_code=data.draw(st.sampled_from(["A", "B", None])), rm_no=data.draw(st.sampled_from(["R", None])),
            opened_on=data.draw(st.dates(date(2026, 3, 1), JUNE)), closed_on=data.draw(st.none() | st.dates(MAY, JUNE)),
        )  # fmt: skip
        for end in ends:
            bank.hold(i, end, data.draw(st.sampled_from(["demand", "fund"])), data.draw(st.integers(0, 80 * WAN)))
        bank.add("transaction", i, transaction_no=i, booked_on=data.draw(st.dates(date(2026, 3, 1), JUNE)),
                 direction=data.draw(st.sampled_from(["in", "out"])), amount=data.draw(st.integers(0, WAN)),
                 category="transfer", is_external=True, is_initiated=True)  # fmt: skip
    bank.save()
    found = cube(bank.engine())
    branches = range(len(found.branches))
    for m in range(3):
        for name in found.measures:
            by_branch = sum(found.total(name, m, [b]) for b in branches)
            assert found.total(name, m) == by_branch == sum(found.total(name, m, tier=t) for t in range(len(TIERS)))
        if m:
            change = of(found, "aum", m) - of(found, "aum_start", m)
            parts = ("inflow_of_old", "other_of_old", "moved_in", "new_in")
            assert change == sum(of(found, n, m) for n in parts) - of(found, "moved_out", m) - of(
                found, "closed_out", m
            )
            assert of(found, "aum_start", m) == of(found, "aum", m - 1)


def test_one_small_part_takes_the_next_smallest_with_it() -> None:
    assert withheld([100, 3, 40]) == {1, 2}
    assert withheld([100, 3, 4]) == {1, 2}
    assert withheld([100, 0, 40]) == set()


def test_every_definition_is_there_in_both_languages_and_names_known_measures(found: Cube) -> None:
    names = {name.removeprefix("-") for kpi in definitions().values() for name in (*kpi.top, *kpi.bottom)}
    assert names <= set(found.measures)
    for kpi in definitions().values():
        assert kpi.zh
        assert kpi.en
        assert kpi.formula_zh
        assert kpi.formula_en
        assert bool(kpi.top) != bool(kpi.lacks_zh)
        assert bool(kpi.caveat_zh) == bool(kpi.caveat_en)
        assert not any("一" <= c <= "鿿" for c in kpi.en + kpi.formula_en + kpi.caveat_en)
    assert found.periods[1].start - timedelta(days=1) == MAY
