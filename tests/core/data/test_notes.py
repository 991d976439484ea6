"""A note that a bank's file brings never reaches the store with somebody's number in it."""

from __future__ import annotations

import duckdb
import pytest

from kequn.core.data.conversion import NOTE, Names, conversion
from kequn.core.data.tables import CONTACT


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("想了解期限", "想了解期限"),
        ("打13912345678", "打***"),
        ("电话139-1234-5678，周五", "电话***，周五"),
        ("卡 6222 0212 3456 7890 123", "卡 ***"),
        ("２０２６０７０１１２３４", "***"),
        ("约 50000 元，7 月 3 日 10:30", "约 50000 元，7 月 3 日 10:30"),
        ("长" * 900, "长" * NOTE),
    ],
)
def test_numbers_in_notes_are_masked_on_the_way_in(typed: str, stored: str) -> None:
    made = conversion(
        CONTACT.by_name["note"], Names("it", "VARCHAR", "parsed"), unit="yuan", date_format=None, today=None, salts={}
    )
    query = f"SELECT {made.stored} FROM (SELECT {made.parsed} AS parsed FROM (SELECT ? AS it))"
    assert duckdb.execute(query, [typed]).fetchall() == [(stored,)]
