"""kequn in a notebook: a condition as YAML, figures and tables, and nobody's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kequn import notebook
from kequn.core.errors import InvalidSpec, NoData, NotAllowed, UnknownTag
from tests.core.segments.bank import AS_OF, EARLIER, TAGS, make_bank
from tests.core.segments.bank import open_bank as write_bank
from tests.core.segments.reference import who
from tests.core.segments.trees import SEGMENTS, segment

RICH = """
all:
  - {tag: asset_aum, op: ">=", value: 50000}
  - {segment: young, as_of: 6 days ago}
"""
BANK = make_bank(5)


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[notebook.Bank]:
    monkeypatch.setattr(notebook.tags, "catalogue", lambda *_: TAGS)
    write_bank(BANK, tmp_path).close()
    opened = notebook.open_bank(tmp_path)
    opened.segments |= SEGMENTS
    yield opened
    opened.engine.close()


def test_a_condition_is_counted_said_and_shown_as_sql(bank: notebook.Bank):
    meant = who(
        segment(
            {"all": [{"tag": "asset_aum", "op": ">=", "value": 50000}, {"segment": "young", "as_of": "6 days ago"}]}
        ),
        BANK,
        SEGMENTS,
    )
    assert bank.dates == [AS_OF, EARLIER]
    assert bank.count(RICH) == len(meant) == bank.funnel(RICH).size
    assert bank.words(RICH) == "满足以下条件的客户：月日均资产不低于 5 万元，且在 6 天前属于客群“年轻客群”。"
    assert "LEFT JOIN" in bank.sql(RICH, dialect="spark")
    whole = "kind: segment\nname: rich\ntitle: x\nwhere: {tag: demo_age, op: known}\n"
    assert bank.count(whole) == bank.count("where: {tag: demo_age, op: known}") > 0


def test_a_table_holds_the_tags_asked_for_and_nobody(bank: notebook.Bank):
    table = bank.table("{tag: demo_age, op: known}", tags=["demo_age", "asset_aum"])
    assert table.column_names == ["demo_age", "asset_aum"]
    assert table.num_rows == bank.count("{tag: demo_age, op: known}")
    assert bank.table("{all: []}", tags=["demo_age"], most=3).num_rows == 3
    for tag in ("demo_child_stage", "risk_suppress"):
        with pytest.raises(NotAllowed):
            bank.table("{all: []}", tags=[tag])
    with pytest.raises(UnknownTag):
        bank.table("{all: []}", tags=["nope"])


def test_what_is_wrong_is_told_with_its_place(bank: notebook.Bank, tmp_path: Path):
    with pytest.raises(InvalidSpec, match="exactly one of"):
        bank.count("{tga: demo_age}")
    with pytest.raises(UnknownTag, match="'demo_age'"):
        bank.count("{tag: demo_aeg, op: known}")
    with pytest.raises(NoData):
        notebook.open_bank(tmp_path / "nothing")
