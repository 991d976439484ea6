"""What later data say about an open matter, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kequn.core.desk import Matter, Settled, settled
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
    matter = Matter(0, 0, "bought", "wmp", 0, BEFORE)
    found = ask(
        small,
        replace(matter, id=1, ordinal=opened),
        replace(matter, id=2, ordinal=grew, base=4 * WAN),
        replace(matter, id=3, ordinal=had, base=9 * WAN),
        replace(matter, id=4, ordinal=little),
        replace(matter, id=5, ordinal=opened, family="fund"),
    )
    assert found == {
        1: Settled(1, "bought", 20 * WAN, "WM203", "wmp"),
        2: Settled(2, "bought", 5 * WAN, "WM203", "wmp"),
    }


def test_matured_money_is_kept_when_most_of_it_is_in_products_again(small: SmallBank) -> None:
    kept, half, moved = (small.customer() for _ in range(3))
    small.hold(kept, AS_OF, "time", 30 * WAN, product_code="TD012", opened_on=BEFORE)
    small.hold(half, AS_OF, "time", 10 * WAN, product_code="TD012", opened_on=BEFORE)
    small.hold(moved, AS_OF, "demand", 20 * WAN, opened_on=BEFORE)
    matter = Matter(0, 0, "kept", "", 0, BEFORE, stake=20 * WAN)
    found = ask(small, *(replace(matter, id=i, ordinal=i) for i in (kept, half, moved)))
    assert found == {kept: Settled(kept, "kept", 20 * WAN, "TD012", "time")}


def test_a_renewed_risk_test_a_death_a_closing_and_a_stranger_end_a_matter(small: SmallBank) -> None:
    renewed = small.customer(risk_tested_on=date(2026, 7, 25), risk_expires_on=date(2027, 7, 25))
    stale = small.customer(risk_tested_on=date(2025, 7, 25), risk_expires_on=date(2026, 7, 25))
    died, left = small.customer(is_deceased=True), small.customer(status="closed")
    for who in (renewed, stale, died, left):
        small.hold(who, AS_OF, "demand", WAN)
    matter = Matter(0, 0, "renewed", "", 0, BEFORE)
    found = ask(
        small,
        *(replace(matter, id=i, ordinal=i) for i in (renewed, stale, died, left)),
        replace(matter, id=9, ordinal=-1),
    )
    assert {i: s.why for i, s in found.items()} == {renewed: "renewed", died: "died", left: "left", 9: "gone"}
