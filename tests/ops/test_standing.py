"""Where a customer stands: the distance to the next tier is that of the bank's own ladder, whatever its tiers and floors."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue
from kequn.ops.workbench.contracts import Standing, TagValue
from kequn.ops.workbench.portrait import standing_of

LADDER = catalogue()["asset_tier"].model_copy(
    update={"values": {"S": Text(zh="银卡"), "G": Text(zh="金卡"), "P": Text(zh="白金")}}
)


def standing(tier: str, as_of: date, spec: TagSpec = LADDER, **values: Any) -> Standing:
    known = {"asset_tier": tier} | values
    tags = {name: TagValue(name, "asset", name, name, value, "", "") for name, value in known.items()}
    return standing_of(tags, as_of, as_of, {"asset_tier": spec})


@given(
    as_of=st.dates(date(2024, 1, 1), date(2026, 12, 31)), floor=st.integers(1, 10**12), average=st.integers(0, 10**12)
)
def test_what_lacks_to_the_next_tier_follows_from_the_ladders_own_tag(as_of: date, floor: int, average: int) -> None:
    days = monthrange(as_of.year, as_of.month)[1]
    left = days - as_of.day
    daily = max(0, round((floor * days - average * as_of.day) / left)) if left else floor
    found = standing("S", as_of, asset_tier_gap_up=daily, asset_aum_mavg=average)
    assert found.next_tier == Text(zh="金卡")
    assert found.gap_cny == Decimal(max(0, floor - average)) / 100


def test_the_top_of_the_ladder_and_a_tag_that_was_not_computed_have_no_next_tier() -> None:
    day = date(2026, 7, 15)
    for tier, more in (
        ("P", {}),
        ("P", {"asset_tier_gap_up": 5}),
        ("S", {"asset_aum_mavg": 5}),
        ("?", {"asset_tier_gap_up": 5}),
    ):
        found = standing(tier, day, **more)
        assert (found.next_tier, found.gap_cny) == (None, None)
    assert standing("G", day, asset_tier_gap_up=5).next_tier == Text(zh="白金")
