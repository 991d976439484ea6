"""Migration between groups: every customer is counted once, from where she was to where she is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, NoData
from kequn.core.segments.migration import Group, of_segments, of_tag
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)
TIER = TagSpec(
    name="asset_tier", title="分层", family="asset", type="text", over="customer", expression="1", owner="x",
    values={"gold": {"zh": "金卡", "en": "Gold"}, "silver": {"zh": "银卡", "en": "Silver"}},
)  # fmt: skip


def opened(bank: Callable[..., Engine], before: list[Any], after: list[Any], **population: list[bool]) -> Engine:
    def columns(values: list[Any], there: list[bool] | None) -> dict[str, list[Any]]:
        return {"asset_tier": values} | ({"population": there} if there else {})

    return bank(
        customer=[{"ordinal": i} for i in range(len(after))],
        tags={MAY: columns(before, population.get("may")), JUNE: columns(after, population.get("june"))},
    )


def test_a_tags_values_in_the_order_of_its_definition(bank: Callable[..., Engine]) -> None:
    engine = opened(bank, ["silver", "silver", "gold", None], ["gold", "silver", "silver", "silver"])
    found = of_tag(engine, TIER, MAY, JUNE)
    assert [g.key for g in found.groups] == ["", "-", "gold", "silver"]
    assert found.matrix == ((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 1), (0, 0, 1, 1))
    assert (found.sizes_before, found.sizes_after) == ((0, 1, 1, 2), (0, 0, 1, 3))
    assert found.stayed == 1


def test_customers_who_came_and_went_are_a_group_of_their_own(bank: Callable[..., Engine]) -> None:
    engine = opened(bank, [None, "gold"], ["gold", None], may=[False, True], june=[True, False])
    found = of_tag(engine, TIER, MAY, JUNE)
    gold = [g.key for g in found.groups].index("gold")
    assert found.matrix[0][gold] == 1
    assert found.matrix[gold][0] == 1


def test_of_several_segments_the_first_counts(bank: Callable[..., Engine]) -> None:
    engine = opened(bank, ["gold"] * 4, ["gold"] * 4)
    groups = [Group("a", Text(zh="甲")), Group("b", Text(zh="乙"))]
    may = [np.array([0, 1], np.uint32), np.array([1, 2], np.uint32)]
    june = [np.array([2], np.uint32), np.array([1, 2], np.uint32)]
    found = of_segments(engine, groups, (MAY, may), (JUNE, june))
    assert found.matrix == ((0, 0, 0, 0), (0, 1, 0, 0), (0, 1, 0, 1), (0, 0, 1, 0))
    assert sum(map(sum, found.matrix)) == 4


def test_only_the_customers_in_scope_are_counted(bank: Callable[..., Engine]) -> None:
    engine = opened(bank, ["gold", "gold"], ["silver", "silver"]).within("SELECT 1::UINTEGER AS ordinal")
    assert sum(map(sum, of_tag(engine, TIER, MAY, JUNE).matrix)) == 1
    members = [np.array([0, 1], np.uint32)]
    groups = [Group("a", Text(zh="甲"))]
    assert sum(map(sum, of_segments(engine, groups, (MAY, members), (JUNE, members)).matrix)) == 1


def test_a_number_has_no_values_to_go_between(bank: Callable[..., Engine]) -> None:
    engine = opened(bank, ["gold"], ["gold"])
    money = TIER.model_copy(update={"type": "money", "values": {}})
    with pytest.raises(InvalidSpec, match="no values"):
        of_tag(engine, money, MAY, JUNE)


def test_a_date_without_tags_is_an_answer(bank: Callable[..., Engine]) -> None:
    with pytest.raises(NoData):
        of_tag(opened(bank, ["gold"], ["gold"]), TIER, date(2020, 1, 1), JUNE)
