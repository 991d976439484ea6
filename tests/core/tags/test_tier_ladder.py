"""The ladder of tiers: up at once, a watch after three months below, down after six."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.tags import catalogue, climb, tier_history
from kequn.core.tags.ladder import needed_each_day
from tests.core.small_bank import SmallBank

WAN = 10_000 * 100
BOUNDS = (100 * 100, 5 * WAN, 20 * WAN, 100 * WAN, 600 * WAN, 3000 * WAN)
TIER = ("asset_tier", "asset_tier_level", "asset_tier_status", "asset_tier_unmet")


def month_end(ago: int) -> date:
    """The end of a month counted back from June 2026."""
    number = 2026 * 12 + 6 - ago
    return date(number // 12, number % 12 + 1, 1) - timedelta(days=1)


def tier_of(fen: int) -> int:
    """The tier of one month alone."""
    return sum(fen >= bound for bound in BOUNDS)


def ladder(months: list[int]) -> tuple[int, int]:
    """The rule as a bank's handbook tells it: months oldest first -> (tier, months in a row below it)."""
    tier, below = 0, 0
    for i, fen in enumerate(months):
        now = tier_of(fen)
        if now >= tier:
            tier, below = now, 0
        elif below < 6:
            below += 1
        else:
            tier = max(tier_of(m) for m in months[max(0, i - 6) : i + 1])
            below = int(now < tier)
    return tier, below


def computed(folder: Path, histories: list[list[int]], as_of: date) -> SmallBank:
    """Refresh a bank whose i-th customer had these month averages, the last in June 2026."""
    bank = SmallBank(folder, customers=len(histories))
    for who, months in enumerate(histories):
        for i, fen in enumerate(months):
            bank.hold(who, month_end(len(months) - 1 - i), "demand", fen)
    bank.refresh(catalogue(), as_of, only=TIER)
    return bank


def test_the_worked_example_goes_down_to_the_best_of_six_months(tmp_path: Path) -> None:
    wan = [120, 90, 80, 70, 60, 50, 40, 30]
    bank = computed(tmp_path, [[w * WAN for w in wan[:n]] for n in range(1, 9)], month_end(0))
    assert bank.column("asset_tier") == ["T4"] * 7 + ["T3"]
    assert bank.column("asset_tier_status") == ["normal"] * 4 + ["watch"] * 3 + ["normal"]


def test_a_month_at_the_old_tier_ends_the_watch(tmp_path: Path) -> None:
    wan = [120, 90, 80, 70, 60, 105, 40]
    bank = computed(tmp_path, [[w * WAN for w in wan]], month_end(0))
    assert bank.value("asset_tier", 0) == "T4"
    assert bank.value("asset_tier_status", 0) == "normal"
    assert bank.value("asset_tier_unmet", 0) == 1


def test_a_month_that_has_not_ended_does_not_count(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    bank.hold(0, month_end(1), "demand", 30 * WAN)
    bank.hold(0, date(2026, 6, 20), "demand", 200 * WAN)
    bank.refresh(catalogue(), date(2026, 6, 20), only=TIER)
    assert bank.value("asset_tier", 0) == "T3"


def test_somebody_without_holdings_is_at_the_foot(tmp_path: Path) -> None:
    bank = computed(tmp_path, [[], [5 * WAN]], month_end(0))
    assert bank.column("asset_tier") == ["T0", "T2"]


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_the_tier_is_what_the_rule_says_month_by_month(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    amounts = st.sampled_from(
        [0, 99_99, 100_00, 4 * WAN, 5 * WAN, 19 * WAN, 20 * WAN, 150 * WAN, 700 * WAN, 4000 * WAN]
    )
    histories = data.draw(st.lists(st.lists(amounts, min_size=13, max_size=13), min_size=1, max_size=20))
    bank = computed(tmp_path_factory.mktemp("ladder"), histories, month_end(0))
    expected = [ladder(months) for months in histories]
    assert bank.column("asset_tier_level") == [tier for tier, _ in expected]
    assert bank.column("asset_tier_unmet") == [below for _, below in expected]


def test_the_pure_ladder_gives_the_worked_example_and_its_variant() -> None:
    fallen = climb([n * WAN for n in (120, 90, 80, 70, 60, 50, 40, 30)])
    assert fallen.tier.tolist() == [4] * 7 + [3]
    assert fallen.watch.tolist() == [False] * 4 + [True] * 3 + [False]
    relieved = climb([n * WAN for n in (120, 90, 80, 70, 60, 105, 40, 30)])
    assert relieved.tier.tolist() == [4] * 8
    assert relieved.watch.tolist() == [False] * 4 + [True] + [False] * 3


months_of_many = st.integers(1, 5).flatmap(
    lambda people: st.lists(
        st.lists(st.sampled_from([0, *BOUNDS, *(b - 1 for b in BOUNDS)]), min_size=people, max_size=people),
        min_size=1, max_size=16,
    )
)  # fmt: skip


@given(months_of_many)
def test_the_pure_ladder_says_of_each_month_what_the_handbook_says(rows: list[list[int]]) -> None:
    standing = climb(rows)
    for who in range(len(rows[0])):
        history = [row[who] for row in rows]
        told = [ladder(history[: n + 1]) for n in range(len(history))]
        assert list(zip(standing.tier[:, who].tolist(), standing.below[:, who].tolist(), strict=True)) == told


@given(st.lists(st.sampled_from([0, *BOUNDS]), min_size=1, max_size=16), st.integers(0, 15), st.integers(1, 6))
def test_more_money_in_one_month_never_means_a_lower_tier(months: list[int], where: int, step: int) -> None:
    richer = list(months)
    at = where % len(months)
    richer[at] = BOUNDS[min(5, tier_of(months[at]) + step - 1)]
    below, above = climb(months), climb(richer)
    assert (above.tier[at:] >= below.tier[at:]).all()


@given(st.lists(st.sampled_from([0, *BOUNDS]), min_size=1, max_size=16))
def test_a_customer_has_one_tier_and_one_status_a_month(months: list[int]) -> None:
    standing = climb(months)
    assert standing.tier.shape == standing.below.shape == standing.watch.shape == (len(months),)
    assert ((standing.below >= 0) & (standing.below <= 6)).all()
    assert (standing.tier >= [tier_of(m) for m in months]).all()


def test_the_ladder_over_all_months_ends_where_the_tag_is(tmp_path: Path) -> None:
    wan = [[120, 90, 80, 70, 60, 50, 40, 30], [1, 6, 30, 30, 0, 0, 700, 3], [0] * 8]
    bank = computed(tmp_path, [[w * WAN for w in one] for one in wan], month_end(0))
    history = tier_history(Engine(bank.store), month_end(0))
    assert history.months == tuple(month_end(n) for n in range(7, -1, -1))
    assert [f"T{t}" for t in history.standing.tier[-1]] == bank.column("asset_tier")
    assert history.standing.below[-1].tolist() == bank.column("asset_tier_unmet")


@pytest.mark.parametrize("as_of", [date(2026, 6, 10), date(2026, 6, 29), date(2026, 6, 30)])
def test_what_each_day_needs_is_what_the_tag_says(tmp_path: Path, as_of: date) -> None:
    bank = SmallBank(tmp_path, customers=1)
    bank.hold(0, month_end(1), "demand", 6 * WAN)
    bank.hold(0, as_of, "demand", 12 * WAN)
    bank.refresh(catalogue(), as_of, only=("asset_tier_gap_up", "asset_aum_mavg"))
    needed = needed_each_day(20 * WAN, 12 * WAN, as_of, 30)
    assert bank.value("asset_tier_gap_up", 0) == needed
    reached = 12 * WAN * as_of.day + needed * (30 - as_of.day)
    assert as_of.day == 30 or abs(reached - 20 * WAN * 30) <= 30
