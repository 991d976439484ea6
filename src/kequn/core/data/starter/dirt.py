"""Rows that are wrong on purpose, as in the files of every bank."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from kequn.core.data.starter.files import CsvFile, ParquetFile

DIRT: dict[str, tuple[dict[str, Any] | str, ...]] = {
    "customers": (
        {"CUST_NO": "6099999901", "OPEN_DT": "99999999"},
        {"CUST_NO": "6099999902", "性别": "X"},
        "6099999903,缺字段的行,20200101",
        {"CUST_NM": "重复客户"},
    ),
    "accounts": ({"ACCT_NO": "880000000001", "BIZ_TYP": "ZZ"}, {"ACCT_NO": "880000000002", "OPEN_DT": "20259999"}),
    "holdings": ({"POS_NO": "90", "PROD_TYP": "??"},),
    "transactions": (
        {"TXN_SEQ": -1, "TXN_DT": "20260231"},
        {"TXN_SEQ": -2, "TX_CD": "ZZ99"},
        {"TXN_SEQ": -3, "AMT": -100},
        {"TXN_SEQ": -4, "CUST_NO": "6099999904"},
    ),
    "events": ({"EVT_ID": -1, "CUST_NO": "6099999904"},),
    "contacts": ({"CT_NO": -1, "CT_DT": "2026-13-01"},),
    "service": ({"SVC_NO": -1, "SVC_TYP": "??"}, "8,坏行"),
    "consents": ({"AGR_FLG": "MAYBE"},),
}
"""Wrong rows, added after the first block: the columns that differ from the file's first row, or a whole ragged line.

Dates that do not exist, codes nobody knows, a negative amount, customers the bank does not have, a customer twice.
"""


def spoil(file: CsvFile | ParquetFile, name: str, table: pa.Table) -> None:
    """Append the wrong rows of one source to its file; ``table`` holds the rows written last."""
    sample = table.slice(0, 1).to_pylist()[0]
    for wrong in DIRT.get(name, ()):
        if isinstance(wrong, str):
            assert isinstance(file, CsvFile)
            file.write_line(wrong)
        else:
            file.write(pa.Table.from_pylist([sample | wrong], schema=table.schema))
