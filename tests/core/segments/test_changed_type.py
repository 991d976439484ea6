"""A tag whose type was changed since it was computed is a clear answer on both paths, on every date a rule looks at."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData
from kequn.core.segments import count
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from tests.core.small_bank import SmallBank

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 30)


def level(type: str, expression: str) -> TagSpec:
    return TagSpec.model_validate({
        "name": "demo_level", "title": "等级", "family": "demo", "type": type, "over": "customer",
        "expression": expression, "owner": "数据部",
    })  # fmt: skip


TEXT, NUMBER = level("text", "gender"), level("integer", "1")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    bank = SmallBank(tmp_path)
    bank.customer(gender="F")
    bank.refresh({"demo_level": TEXT}, MAY)
    bank.refresh({"demo_level": NUMBER}, JUNE)
    return Engine(bank.store)


def counted(engine: Engine, test: object, tag: TagSpec, day: date, by: Literal["index", "duckdb"]) -> int:
    spec = SegmentSpec.model_validate({"name": "try", "title": "试", "where": test})
    return count(engine, spec, tags={"demo_level": tag}, segments={}, as_of=day, by=by)


@pytest.mark.parametrize("by", ["index", "duckdb"])
@pytest.mark.parametrize(
    ("test", "tag", "day"),
    [
        ({"tag": "demo_level", "op": ">", "value": 3}, NUMBER, MAY),
        ({"tag": "demo_level", "value": "F"}, TEXT, JUNE),
        ({"tag": "demo_level", "op": ">", "value": 0, "as_of": "30 days ago"}, NUMBER, JUNE),
        ({"change": {"tag": "demo_level", "since": "30 days ago", "difference": 1}}, NUMBER, JUNE),
        ({"rank": {"tag": "demo_level", "top": 1}}, NUMBER, MAY),
    ],
)
def test_a_tag_of_another_type_than_its_values_is_told(
    engine: Engine, test: object, tag: TagSpec, day: date, by: Literal["index", "duckdb"]
) -> None:
    with pytest.raises(NoData, match=r"'demo_level' is (integer|text) now, and its values for 2026-0\d-3\d are"):
        counted(engine, test, tag, day, by)


@pytest.mark.parametrize("by", ["index", "duckdb"])
def test_values_of_the_type_there_is_now_answer(engine: Engine, by: Literal["index", "duckdb"]) -> None:
    assert counted(engine, {"tag": "demo_level", "op": ">=", "value": 1}, NUMBER, JUNE, by) == 1
    assert counted(engine, {"tag": "demo_level", "value": "F"}, TEXT, MAY, by) == 1
