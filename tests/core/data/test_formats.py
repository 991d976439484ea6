"""Parquet and Excel are read like text: the same rules, the same places for faults."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from kequn.core.data.identity import ordinals_for, pseudonym
from kequn.core.errors import BadSource
from tests.core.data.conftest import KEY, Bank

SPEC = """
kind: source
name: holdings
title: 持有
table: holding
input: INPUT
columns:
  customer_no: cust
  product_code: prod
  position_no: pos
  as_of: day
  family: {sql: "'time'"}
  balance: amt
  opened_on: opened
  has_instalment: inst
max_reject_rate: 1
"""
PARQUET = SPEC.replace("INPUT", "{format: parquet, path: h.parquet}")
EXCEL = SPEC.replace("INPUT", "{format: excel, path: h.xlsx}")
STORED = "SELECT position_no, as_of, balance, opened_on, has_instalment FROM holding ORDER BY 1"


def parquet(bank: Bank, **columns: pa.Array) -> None:
    pq.write_table(pa.table(columns), bank.folder / "h.parquet", row_group_size=2)


def test_typed_columns_are_read_by_their_type(bank: Bank):
    bank.customers("12", "13")
    parquet(
        bank,
        cust=pa.array([12, 13, 14], pa.int64()), prod=pa.array(["P", "P", "P"]).dictionary_encode(),
        pos=pa.array([1.0, 2.0, 3.0]), day=pa.array([datetime(2026, 1, 31, 10)] * 3, pa.timestamp("us")),  # noqa: DTZ001
        amt=pa.array([Decimal("1.50"), Decimal("2.00"), Decimal("3.00")], pa.decimal128(20, 2)),
        opened=pa.array([date(2026, 1, 1), None, date(1500, 1, 1)]), inst=pa.array([True, False, None]),
    )  # fmt: skip
    report = bank.load(PARQUET)
    assert bank.rows(STORED) == [
        ("1", date(2026, 1, 31), 150, date(2026, 1, 1), True),
        ("2", date(2026, 1, 31), 200, None, False),
    ]
    assert report.reasons == {"OUT_OF_RANGE": 1}
    assert bank.reasons() == [(3, "opened_on", "OUT_OF_RANGE")]


@pytest.mark.parametrize(
    ("amounts", "stored"),
    [
        (pa.array([1, 20], pa.int32()), [100, 2000]),
        (pa.array([1.1, 0.1 + 0.2]), [110, 30]),
        (pa.array([1.005, float("nan")]), ["NOT_MONEY", "NOT_MONEY"]),
        (pa.array([float("inf"), 1e300]), ["NOT_MONEY", "NOT_MONEY"]),
        (pa.array([Decimal("1.230"), Decimal("1.234")], pa.decimal128(10, 3)), [123, "NOT_MONEY"]),
        (pa.array(["1,234.50", "x"]), [123450, "NOT_MONEY"]),
        (pa.array([2**62, -(2**63)], pa.int64()), ["NOT_MONEY", "NOT_MONEY"]),
    ],
)
def test_money_of_any_type_is_exact_to_the_fen(bank: Bank, amounts: pa.Array, stored: list[object]):
    bank.customers("C1")
    parquet(
        bank, cust=pa.array(["C1"] * 2), prod=pa.array(["P"] * 2), pos=pa.array(["1", "2"]), day=pa.array([date(2026, 1, 31)] * 2),
        amt=amounts, opened=pa.array([None, None], pa.date32()), inst=pa.array([None, None], pa.bool_()),
    )  # fmt: skip
    bank.load(PARQUET)
    loaded = bank.rows(STORED) if bank.store.manifest().tables["holding"].rows else []
    found: dict[int, object] = {int(p): b for p, _, b, _, _ in loaded} | {r.line: r.reason for r in bank.rejects()}
    assert [found[1], found[2]] == stored


def test_what_is_no_parquet_is_told(bank: Bank):
    bank.customers("C1")
    bank.write("h.parquet", b"PAR1 not really PAR1")
    with pytest.raises(BadSource, match="no readable Parquet"):
        bank.load(PARQUET)


def test_a_damaged_parquet_file_is_told_and_nothing_is_half_loaded(bank: Bank):
    bank.customers("C1")
    n = 5000
    columns = {"cust": ["C1"] * n, "prod": ["P"] * n, "pos": [str(i) for i in range(n)], "day": ["2026-01-31"] * n}
    table = pa.table({**columns, "amt": [str(i) for i in range(n)], "opened": [""] * n, "inst": [""] * n})
    pq.write_table(table, bank.folder / "h.parquet", row_group_size=500)
    raw = bytearray((bank.folder / "h.parquet").read_bytes())
    raw[len(raw) // 3 : len(raw) // 2] = b"\xff" * (len(raw) // 2 - len(raw) // 3)
    bank.write("h.parquet", bytes(raw))
    with pytest.raises(BadSource, match="damaged"):
        bank.load(PARQUET)
    assert "holding" not in bank.store.manifest().tables


def workbook(bank: Bank, rows: list[list[object]], *, sheet: str = "数据", top: int = 0, left: int = 0) -> None:
    with xlsxwriter.Workbook(
        bank.folder / "h.xlsx", {"default_date_format": "yyyy-mm-dd", "constant_memory": False}
    ) as book:
        page = book.add_worksheet(sheet)
        for r, row in enumerate(rows):
            for c, value in enumerate(row):
                page.write(r + top, c + left, value)


HEADER: list[object] = ["cust", "prod", "pos", "day", "amt", "opened", "inst"]


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 2)])
def test_a_sheet_is_read_as_a_person_sees_it(bank: Bank, top: int, left: int):
    bank.customers("110", "C2")
    workbook(
        bank,
        [
            HEADER,
            [110, "P", 1, date(2026, 1, 31), 1234.5, date(2026, 1, 1), True],
            ["C2", "P", "02", "2026-01-31", "1,234.50", None, "否"],
            [None] * 7,
            ["C2", "P", "x", "never", 1, None, None],
        ],
        top=top,
        left=left,
    )
    report = bank.load(EXCEL)
    assert report.read == 3
    assert bank.rows(STORED) == [
        ("02", date(2026, 1, 31), 123450, None, False),
        ("1", date(2026, 1, 31), 123450, date(2026, 1, 1), True),
    ]
    assert bank.reasons() == [(5 + top, "as_of", "NOT_A_DATE")]


def test_long_numbers_in_a_sheet_stay_whole(bank: Bank):
    bank.customers("622202100001234")
    workbook(bank, [HEADER, [622202100001234, "P", 1, "2026-01-31", 1, None, None]])
    assert bank.load(EXCEL).loaded == 1
    assert list(ordinals_for(bank.store, KEY, ["622202100001234"])) == [0]


def test_a_formula_gives_its_value_and_is_never_computed(bank: Bank):
    bank.customers("C1")
    with xlsxwriter.Workbook(bank.folder / "h.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        page.write_row(1, 0, ["C1", "P", "1", "2026-01-31"])
        page.write_formula(1, 4, "=1+1", None, 7)
    bank.load(EXCEL)
    assert bank.rows("SELECT balance FROM holding") == [(700,)]


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(bank: Bank):
    bank.customers("C1")
    workbook(bank, [HEADER])
    with pytest.raises(BadSource) as caught:
        bank.load(EXCEL.replace("path: h.xlsx", "path: h.xlsx, sheet: 汇总"))
    assert caught.value.hint == "Its sheets: 数据."


@pytest.mark.parametrize(
    "member",
    ["xl/vbaProject.bin", "xl/externalLinks/e.xml", "xl/activeX/a.bin", "xl/embeddings/o", "xl/macrosheets/s", "xl/connections.xml"],
)  # fmt: skip
def test_macros_and_links_are_refused(bank: Bank, member: str):
    bank.customers("C1")
    workbook(bank, [HEADER])
    with zipfile.ZipFile(bank.folder / "h.xlsx", "a") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(BadSource, match="not read"):
        bank.load(EXCEL)


@pytest.mark.parametrize("name", ["h.xlsm", "h.xlsb", "h.xls", "h.ods"])
def test_other_workbooks_are_refused(bank: Bank, name: str):
    bank.customers("C1")
    workbook(bank, [HEADER])
    (bank.folder / "h.xlsx").rename(bank.folder / name)
    with pytest.raises(BadSource, match="is not read as Excel"):
        bank.load(EXCEL.replace("h.xlsx", name))


def test_a_bomb_is_refused_before_it_is_unpacked(bank: Bank):
    bank.customers("C1")
    with zipfile.ZipFile(bank.folder / "h.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 50_000_000)
    assert Path(bank.folder / "h.xlsx").stat().st_size < 100_000
    with pytest.raises(BadSource, match="inflates"):
        bank.load(EXCEL)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_what_is_no_workbook_is_told(bank: Bank, content: bytes):
    bank.customers("C1")
    bank.write("h.xlsx", content)
    with pytest.raises(BadSource, match="no xlsx workbook"):
        bank.load(EXCEL)


def test_an_empty_sheet_is_told(bank: Bank):
    bank.customers("C1")
    workbook(bank, [])
    with pytest.raises(BadSource, match="empty"):
        bank.load(EXCEL)


def test_numbers_that_repeat_are_stored_like_those_that_do_not(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kequn.core.data.readers.PARQUET_ROWS", 100)
    bank.customers("C1", "C2")
    n = 400
    accounts = [["A1", "A2", "", None][i % 4] if i < 200 else f"A{i}" for i in range(n)]
    columns = {"no": [f"T{i}" for i in range(n)], "cust": [f"C{1 + i % 2}" for i in range(n)], "acct": accounts}
    pq.write_table(pa.table({**columns, "day": [date(2026, 1, 1)] * n, "amt": [1] * n}), bank.folder / "t.parquet")
    bank.load(
        "kind: source\nname: t\ntitle: t\ntable: transaction\ninput: {format: parquet, path: t.parquet}\n"
        "columns: {transaction_no: no, customer_no: cust, account_no: acct, booked_on: day, amount: amt, "
        "direction: {sql: \"'in'\"}, category: {sql: \"'other'\"}}\n"
    )
    found = {(o, a) for o, a in bank.rows("SELECT ordinal, account_no FROM transaction")}
    expected = {(i % 2, pseudonym(KEY, "ref", a) if (a := accounts[i]) else None) for i in range(n)}
    assert found == expected
