"""What gives a reason to call, found by hand in a small bank."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kequn.core.desk import KINDS, occasions, words_for
from kequn.core.desk.occasions import Found
from kequn.core.engine.duck import Engine
from kequn.core.spec.base import Text
from kequn.core.spec.desk import Birthday, Churn, DeskPolicySpec, LargeFlow, Maturity
from kequn.core.tags import catalogue
from tests.core.small_bank import SmallBank

AS_OF, DAY = date(2026, 7, 30), date(2026, 7, 31)
LAST = date(2026, 6, 30)
WAN = 1_000_000
"""Fen in ten thousand yuan."""
POLICY = DeskPolicySpec(
    name="desk", title="工作台", churn=Churn(tag="demo_gender", values=("F",), from_cny=Decimal(50_000))
)


@pytest.fixture
def small(tmp_path: Path) -> SmallBank:
    return SmallBank(tmp_path)


def look(bank: SmallBank, policy: DeskPolicySpec = POLICY, day: date = DAY) -> dict[str, Found]:
    found, missing = occasions(Engine(bank.save()), policy, as_of=AS_OF, day=day)
    assert "churn" in missing, "no tags were computed here"
    return found


def rows(found: Found) -> list[tuple[int, date, int]]:
    return list(zip(found.ordinals.tolist(), found.on.tolist(), found.value.tolist(), strict=True))


def test_money_that_matured_and_went_nowhere_is_found_and_what_was_placed_again_is_not(small: SmallBank) -> None:
    kept, lost, early, small_sum, dead = (
        small.customer(), small.customer(), small.customer(), small.customer(), small.customer(is_deceased=True),
    )  # fmt: skip
    matured = date(2026, 7, 28)
    for who in (kept, lost, dead):
        small.hold(who, LAST, "time", 20 * WAN, product_code="TD012", matures_on=matured, opened_on=date(2025, 7, 28))
    small.hold(small_sum, LAST, "time", WAN // 2, product_code="TD012", matures_on=matured)
    # gone before the last picture: it did not mature
    small.hold(early, date(2026, 5, 31), "time", 20 * WAN, product_code="TD012", matures_on=matured)
    for who in (kept, lost, early, small_sum, dead):
        small.hold(who, AS_OF, "demand", 20 * WAN)
        small.hold(who, LAST, "demand", WAN)
    small.hold(kept, AS_OF, "wmp", 16 * WAN, product_code="WM203", opened_on=date(2026, 7, 29))
    found = look(small)["matured"]
    assert rows(found) == [(lost, matured, 20 * WAN)]
    assert found.due.tolist() == [DAY]
    assert found.until.tolist() == [matured + timedelta(days=7)]
    assert found.product.tolist() == ["TD012"]


def test_positions_that_come_due_on_one_day_are_one_occasion_of_that_customer(small: SmallBank) -> None:
    who = small.customer()
    small.hold(who, AS_OF, "time", 3 * WAN, product_code="TD012", position_no="1", matures_on=date(2026, 8, 3))
    small.hold(who, AS_OF, "wmp", 5 * WAN, product_code="WM203", position_no="2", matures_on=date(2026, 8, 3))
    small.hold(who, AS_OF, "time", 4 * WAN, product_code="TD012", position_no="3", matures_on=date(2026, 8, 6))
    small.hold(who, AS_OF, "time", 9 * WAN, product_code="TD012", position_no="4", matures_on=date(2026, 9, 6))
    found = look(small)["maturing"]
    assert rows(found) == [(who, date(2026, 8, 3), 8 * WAN), (who, date(2026, 8, 6), 4 * WAN)]
    assert found.n.tolist() == [2, 1]
    assert found.until.tolist() == [date(2026, 8, 3), date(2026, 8, 6)]


def test_a_payment_is_large_by_itself_and_against_the_customers_own_habit(small: SmallBank) -> None:
    policy = POLICY.model_copy(update={"large_in": LargeFlow(from_cny=Decimal(200_000), times_habit=Decimal(3))})
    first, usual, own, ordinary = (small.customer() for _ in range(4))

    def pay(who: int, on: date, wan: int, category: str = "transfer", direction: str = "in") -> None:
        n = len(small.rows["transaction"])
        small.add(
            "transaction", who, transaction_no=n, booked_on=on, direction=direction, amount=wan * WAN, category=category
        )

    pay(first, date(2026, 7, 29), 15)
    pay(first, date(2026, 7, 29), 10)
    pay(usual, date(2026, 7, 29), 25)
    for month in (4, 5, 6):
        pay(usual, date(2026, month, 10), 10)
        pay(ordinary, date(2026, month, 10), 5)
    pay(ordinary, date(2026, 7, 30), 15)
    pay(own, date(2026, 7, 30), 90, category="own_transfer")
    pay(own, date(2026, 7, 30), 30, direction="out")
    for who in (first, usual, own, ordinary):
        small.hold(who, AS_OF, "demand", WAN)
    found = look(small, policy)
    assert rows(found["large_in"]) == [(first, date(2026, 7, 29), 25 * WAN)]
    assert found["large_in"].habit.tolist() == [0]
    assert rows(found["large_out"]) == [(own, date(2026, 7, 30), 30 * WAN)]


def test_a_risk_test_counts_for_those_who_hold_investments(small: SmallBank) -> None:
    soon, none, valid, long_gone = (
        small.customer(risk_expires_on=d)
        for d in (date(2026, 8, 5), date(2026, 8, 5), date(2027, 8, 5), date(2025, 1, 1))
    )
    for who in (soon, valid, long_gone):
        small.hold(who, AS_OF, "wmp", 5 * WAN, product_code="WM203")
    small.hold(none, AS_OF, "demand", 5 * WAN)
    assert rows(look(small)["risk_expiry"]) == [(soon, date(2026, 8, 5), 5 * WAN)]


@pytest.mark.parametrize(
    ("born", "day", "has"),
    [
        (date(1960, 7, 31), date(2026, 7, 31), True),
        (date(1999, 8, 1), date(2026, 7, 31), True),
        (date(1999, 8, 2), date(2026, 7, 31), False),
        (date(1988, 2, 29), date(2026, 2, 28), True),
        (date(1988, 2, 29), date(2028, 2, 27), False),
        (date(1988, 1, 1), date(2026, 12, 31), True),
    ],
)
def test_a_birthday_is_a_month_and_a_day(small: SmallBank, born: date, day: date, has: bool) -> None:
    who = small.customer(birth_on=born)
    small.hold(who, AS_OF, "demand", 30 * WAN)
    policy = POLICY.model_copy(update={"birthday": Birthday(ahead_days=1, from_cny=Decimal(200_000))})
    found = look(small, policy, day)["birthday"]
    assert found.ordinals.tolist() == ([who] if has else [])


def test_a_churn_warning_needs_money_with_the_bank_and_keeps_its_key_for_a_span(small: SmallBank) -> None:
    rich, poor = small.customer(gender="F"), small.customer(gender="F")
    small.hold(rich, AS_OF, "demand", 6 * WAN)
    small.hold(poor, AS_OF, "demand", WAN)
    small.refresh(catalogue(), AS_OF, only=("demo_gender",))
    one, next_day = (
        occasions(Engine(small.store), POLICY, as_of=AS_OF, day=day)[0]["churn"]
        for day in (DAY, DAY + timedelta(days=1))
    )
    assert one.ordinals.tolist() == [rich]
    assert one.on.tolist() == next_day.on.tolist()
    assert DAY - one.on.tolist()[0] < timedelta(days=90)


def test_a_kind_without_its_tables_or_tag_is_named_not_guessed(small: SmallBank) -> None:
    small.customer()
    small.absent = {"holding", "transaction"}
    engine = Engine(small.save())
    policy = POLICY.model_copy(
        update={"churn": Churn(tag="model_churn", values=(), from_value=0.5), "birthday": Birthday(is_on=False)}
    )
    found, missing = occasions(engine, policy, as_of=AS_OF, day=DAY)
    assert found == {}
    assert set(missing) == set(KINDS)
    assert missing["birthday"] == "off"
    assert "holding" in missing["matured"]
    assert "transaction" in missing["large_in"]


def test_what_may_be_said_has_no_number_no_age_and_no_word_of_leaving() -> None:
    for kind in (*KINDS, "retest", "promise", "appointment"):
        words = words_for(
            kind, on=AS_OF, as_of=AS_OF, value=123_456_700, n=2, habit=100, product=Text(zh="定期", en="Deposit")
        )
        for said in (words.said.zh, words.said.en):
            assert not any(c.isdigit() for c in said), said
            assert "{" not in said
        assert not {"流失", "岁", "离开"} & {w for w in ("流失", "岁", "离开") if w in words.said.zh}
        assert "{" not in words.why.zh + words.why.en


def test_the_policy_refuses_a_churn_rule_that_says_two_things() -> None:
    with pytest.raises(ValueError, match="from_value"):
        Churn(values=("decline",), from_value=0.5)
    with pytest.raises(ValueError, match="from_value"):
        Churn(values=())
    assert DeskPolicySpec(name="d", title="t", matured=Maturity(priority=85)).of("matured").priority == 85
