"""What later data say about an open matter, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kequn.core.desk import Matter, Part, Settled, settled
from kequn.core.engine.duck import Engine
from tests.core.small_bank import SmallBank

AS_OF, BEFORE = date(2026, 7, 30), date(2026, 7, 20)
WAN = 1_000_000


@pytest.fixture
def small(tmp_path: Path) -> SmallBank:
    return SmallBank(tmp_path)


def ask(small: SmallBank, *matters: Matter) -> dict[int, Settled]:
    found = settled(Engine(small.save()), matters, as_of=AS_OF, bought_from=100_000, kept_percent=80)
    return {s.id: s for s in found}


def test_a_purchase_is_a_position_opened_since_or_a_balance_that_grew(small: SmallBank) -> None:
    opened, grew, had, little = (small.customer() for _ in range(4))
    small.hold(opened, AS_OF, "wmp", 20 * WAN, product_code="WM203", opened_on=date(2026, 7, 24))
    small.hold(grew, AS_OF, "wmp", 9 * WAN, product_code="WM203", opened_on=date(2025, 1, 1))
    small.hold(had, AS_OF, "wmp", 9 * WAN, product_code="WM203", opened_on=date(2026, 7, 20))
    small.hold(little, AS_OF, "wmp", 900_00, product_code="WM203", opened_on=date(2026, 7, 24))
    matter = Matter(0, 0, "bought", "wmp", None, BEFORE)
    found = ask(
        small,
        replace(matter, id=1, ordinal=opened),
        replace(matter, id=2, ordinal=grew, base=4 * WAN),
        replace(matter, id=3, ordinal=had, base=9 * WAN),
        replace(matter, id=4, ordinal=little),
        replace(matter, id=5, ordinal=opened, family="fund"),
    )
    assert found == {
        1: Settled(1, "bought", 20 * WAN, BEFORE, (Part("wmp", "WM203", 20 * WAN, date(2026, 7, 24)),)),
        2: Settled(2, "bought", 5 * WAN, BEFORE, (Part("wmp", "WM203", 5 * WAN, None),)),
    }


def test_what_she_had_before_is_read_from_the_picture_of_that_day_where_nobody_wrote_it_down(small: SmallBank) -> None:
    topped_up, between, new = (small.customer() for _ in range(3))
    june, after = date(2026, 6, 30), date(2026, 7, 24)
    small.hold(topped_up, june, "fund", 4 * WAN, opened_on=date(2025, 1, 1))
    small.hold(topped_up, AS_OF, "fund", 9 * WAN, opened_on=date(2025, 1, 1))
    small.hold(topped_up, AS_OF, "fund", WAN, position_no="2", opened_on=after)
    # opened after the picture and before the matter began: nobody's doing
    small.hold(between, AS_OF, "fund", 7 * WAN, opened_on=date(2026, 7, 10))
    small.hold(new, AS_OF, "fund", 3 * WAN, opened_on=date(2025, 1, 1))
    matter = Matter(0, 0, "bought", "fund", None, BEFORE)
    found = ask(small, *(replace(matter, id=i, ordinal=i) for i in (topped_up, between, new)))
    assert found == {
        topped_up: Settled(topped_up, "bought", 6 * WAN, june, (Part("fund", "FD201", 6 * WAN, None),)),
        new: Settled(new, "bought", 3 * WAN, june, (Part("fund", "FD201", 3 * WAN, None),)),
    }


def test_without_any_picture_of_before_only_what_was_opened_since_counts(small: SmallBank) -> None:
    who = small.customer()
    small.hold(who, AS_OF, "fund", 9 * WAN, opened_on=date(2025, 1, 1))
    small.hold(who, AS_OF, "fund", WAN, position_no="2", opened_on=date(2026, 7, 24))
    found = ask(small, Matter(1, who, "bought", "fund", None, BEFORE))
    assert found[1].amount == WAN


def test_matured_money_is_kept_when_most_of_it_is_in_products_again(small: SmallBank) -> None:
    kept, half, moved = (small.customer() for _ in range(3))
    small.hold(kept, AS_OF, "time", 30 * WAN, product_code="TD012", opened_on=BEFORE)
    small.hold(half, AS_OF, "time", 10 * WAN, product_code="TD012", opened_on=BEFORE)
    small.hold(moved, AS_OF, "demand", 20 * WAN, opened_on=BEFORE)
    matter = Matter(0, 0, "kept", "", None, BEFORE, stake=20 * WAN)
    found = ask(small, *(replace(matter, id=i, ordinal=i) for i in (kept, half, moved)))
    since = date(2026, 7, 19)
    assert found == {kept: Settled(kept, "kept", 20 * WAN, since, (Part("time", "TD012", 30 * WAN, BEFORE),))}


def test_matured_money_that_went_into_two_families_is_told_by_family(small: SmallBank) -> None:
    who = small.customer()
    small.hold(who, AS_OF, "fund", 4 * WAN, opened_on=date(2026, 7, 24))
    small.hold(who, AS_OF, "wmp", 5 * WAN, opened_on=BEFORE)
    small.hold(who, AS_OF, "wmp", WAN, position_no="2", opened_on=AS_OF)
    found = ask(small, Matter(1, who, "kept", "", None, BEFORE, stake=10 * WAN))
    assert found[1].parts == (
        Part("wmp", "WM203", 6 * WAN, BEFORE), Part("fund", "FD201", 4 * WAN, date(2026, 7, 24)),
    )  # fmt: skip


def test_a_renewed_risk_test_a_death_a_closing_and_a_stranger_end_a_matter(small: SmallBank) -> None:
    renewed = small.customer(risk_tested_on=date(2026, 7, 25), risk_expires_on=date(2027, 7, 25))
    stale = small.customer(risk_tested_on=date(2025, 7, 25), risk_expires_on=date(2026, 7, 25))
    died, left = small.customer(is_deceased=True), small.customer(status="closed")
    for who in (renewed, stale, died, left):
        small.hold(who, AS_OF, "demand", WAN)
    matter = Matter(0, 0, "renewed", "", None, BEFORE)
    found = ask(
        small,
        *(replace(matter, id=i, ordinal=i) for i in (renewed, stale, died, left)),
        replace(matter, id=9, ordinal=-1),
    )
    assert {i: s.why for i, s in found.items()} == {renewed: "renewed", died: "died", left: "left", 9: "gone"}
