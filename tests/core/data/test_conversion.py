"""A value is exactly what was written, or it is rejected."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.data.conftest import Bank

SPEC = """
kind: source
name: holdings
title: 持有
table: holding
input: {{format: csv, path: h.csv, separator: "\\t"}}
columns:
  customer_no: {{sql: "'C1'"}}
  product_code: {{sql: "'P'"}}
  position_no: {{sql: "cast(row_number as varchar)"}}
  as_of: {{sql: "date '2026-01-31'"}}
  family: {{sql: "'time'"}}
  balance: {balance}
  {extra}
max_reject_rate: 1
"""


def stored(
    bank: Bank, values: list[str], *, column: str = "balance", mapped: str = "v", fresh: bool = True
) -> list[object]:
    """Load a column of values; return each stored value, or the reason why it was rejected."""
    bank.customers("C1")
    quoted = ['"' + v.replace('"', '""') + '"' for v in values]
    bank.write("h.csv", "v\tzero\n" + "".join(f"{v}\t0\n" for v in quoted))
    extra = "" if column == "balance" else f"{column}: {mapped}"
    bank.load(SPEC.format(balance=mapped if column == "balance" else "zero", extra=extra))
    found: dict[int, object] = dict(bank.rows(f"SELECT position_no::INTEGER, {column} FROM holding"))
    lines = {r.line - 1: r.reason for r in bank.rejects()}
    return [found[i] if i in found else lines[i] for i in range(1, len(values) + 1)]


MONEY = {
    "0": 0, "1": 100, "12.3": 1230, "12.30": 1230, "-5": -500, "+5": 500, "007": 700, "1234567890123.45": 123456789012345,
    "1,234.50": 123450, "1,234": 123400, "12,345,678.9": 1234567890, "１２３４．５": 123450, "￥1,234.50": 123450, "¥ 5": 500,
    "CNY 5": 500, "5元": 500, "-￥5": -500, "¥-5": -500, "-¥-5": "NOT_MONEY",
    "¥¥5": "NOT_MONEY", "8033.0000": 803300, "1.500": 150, "5.": 500, ".5": 50, "1e3": "NOT_MONEY", " 7 ": 700,
    "1.005": "NOT_MONEY", "1.0001": "NOT_MONEY", "1,23": "NOT_MONEY", "1,23.50": "NOT_MONEY", "1.234,50": "NOT_MONEY",
    "12,34,567": "NOT_MONEY", "1e-3": "NOT_MONEY", "abc": "NOT_MONEY", "NaN": "NOT_MONEY", "Infinity": "NOT_MONEY",
    "1 2": "NOT_MONEY", "--5": "NOT_MONEY", "5-": "NOT_MONEY", "0x10": "NOT_MONEY", "99999999999999999999": "NOT_MONEY",
    "": "MISSING_REQUIRED",
    "$5": "NOT_MONEY", "1,234,": "NOT_MONEY", ",5": "NOT_MONEY", "1.00001": "NOT_MONEY", "1E-9": "NOT_MONEY",
}  # fmt: skip


def test_money_is_exact_to_the_fen_or_no_money(bank: Bank):
    assert dict(zip(MONEY, stored(bank, list(MONEY)), strict=True)) == MONEY


FEN = {
    "1": 1,
    "1234567": 1234567,
    "1.00": 1,
    "1,234": 1234,
    "-3": -3,
    "1.5": "NOT_MONEY",
    "0.01": "NOT_MONEY",
    "x": "NOT_MONEY",
}


def test_money_in_fen_is_whole(bank: Bank):
    assert dict(zip(FEN, stored(bank, list(FEN), mapped="{from: v, unit: fen}"), strict=True)) == FEN


def test_integers_are_whole(bank: Bank):
    values = {"0": 0, "12": 12, "12.0": 12, "1,234": 1234, "-3": -3, "１２": 12, "1.5": "NOT_A_NUMBER", "x": "NOT_A_NUMBER",
              "0x10": "NOT_A_NUMBER", "9999999999": "NOT_A_NUMBER", "": None}  # fmt: skip
    assert dict(zip(values, stored(bank, list(values), column="repay_day"), strict=True)) == values


def test_truth_is_written_in_few_ways(bank: Bank):
    values = {"1": True, "0": False, "true": True, "F": False, "Y": True, "n": False, "是": True, "否": False, "": None,
              "2": "NOT_A_BOOLEAN", "maybe": "NOT_A_BOOLEAN"}  # fmt: skip
    assert dict(zip(values, stored(bank, list(values), column="has_instalment"), strict=True)) == values


def test_dates_are_iso_unless_a_format_is_given(bank: Bank):
    day = date(2026, 1, 5)
    values = {"2026-01-05": day, "2026-1-5": day, "2026/01/05": day, "2026-01-05 10:00:00": day, "20260105": "NOT_A_DATE",
              "05.01.2026": "NOT_A_DATE", "2026-02-29": "NOT_A_DATE", "2026-13-01": "NOT_A_DATE", "9999-12-31": None, "": None,
              "1899-12-31": "OUT_OF_RANGE", "2200-01-01": "OUT_OF_RANGE", "today": "NOT_A_DATE", "-infinity": "NOT_A_DATE"}  # fmt: skip
    assert dict(zip(values, stored(bank, list(values), column="opened_on"), strict=True)) == values


def test_a_date_format_is_kept_to(bank: Bank):
    values = {
        "20260105": date(2026, 1, 5),
        "2026-01-05": "NOT_A_DATE",
        "20261305": "NOT_A_DATE",
        "99991231": None,
        "2026010": "NOT_A_DATE",
    }
    mapped = '{from: v, date_format: "%Y%m%d"}'
    assert dict(zip(values, stored(bank, list(values), column="opened_on", mapped=mapped), strict=True)) == values


EVENTS = """
kind: source
name: events
title: 事件
table: event
input: {format: csv, path: t.csv}
columns: {event_no: n, customer_no: {sql: "'C1'"}, happened_on: {sql: "date '2026-01-05'"}, at: v, kind: {sql: "'x'"}, channel: n}
max_reject_rate: 1
"""


def test_times_are_the_banks_wall_clock(bank: Bank):
    bank.customers("C1")
    at = {
        "2026-01-05 10:00:00": "2026-01-05 10:00:00",
        "2026-01-05T10:00:00+08:00": "2026-01-05 10:00:00",
        "2026-01-05": "2026-01-05 00:00:00",
        "2026-01-05 25:00:00": "NOT_A_TIME",
        "10:00": "NOT_A_TIME",
    }
    bank.write("t.csv", "n,v\n" + "".join(f"{i},{v}\n" for i, v in enumerate(at)))
    bank.load(EVENTS)
    found = dict(bank.rows('SELECT channel::INTEGER, "at"::VARCHAR FROM event'))
    found |= {r.line - 2: r.reason for r in bank.rejects()}
    assert [found[i] for i in range(len(at))] == list(at.values())


CODED = """
kind: source
name: coded
title: 编码
table: event
input: {format: csv, path: t.csv}
columns:
  event_no: n
  customer_no: {sql: "'C1'"}
  happened_on: {sql: "date '2026-01-05'"}
  kind: {sql: "'x'"}
  channel: CHANNEL
max_reject_rate: 1
"""


def test_codes_are_met_as_they_are_written(bank: Bank):
    bank.customers("C1")
    bank.write("t.csv", 'n,v\n1,A\n2," "\n3,""\n4,B\n5,C\n6, A\n')
    bank.load(CODED.replace("CHANNEL", '{from: v, codes: {A: a, " ": blank, "": none, B: null}}'))
    assert bank.rows("SELECT channel FROM event ORDER BY 1 NULLS LAST") == [("a",), ("blank",), ("none",), (None,)]
    assert bank.reasons() == [(6, "channel", "UNKNOWN_CODE"), (7, "channel", "UNKNOWN_CODE")]


def test_blanks_around_a_code_do_not_count_where_no_code_has_any(bank: Bank):
    bank.customers("C1")
    bank.write("t.csv", "n,v\n1,A\n2, A \n3,\n")
    bank.load(CODED.replace("CHANNEL", "{from: v, codes: {A: a}}"))
    assert bank.rows("SELECT channel FROM event ORDER BY 1 NULLS LAST") == [("a",), ("a",), (None,)]


def test_a_star_takes_all_other_codes(bank: Bank):
    bank.customers("C1")
    bank.write("t.csv", "n,v\n1,A\n2,B\n3,\n")
    bank.load(CODED.replace("CHANNEL", '{from: v, codes: {A: a, "*": other}}'))
    assert bank.rows("SELECT channel FROM event ORDER BY 1 NULLS LAST") == [("a",), ("other",), (None,)]


def reference(text: str) -> object:
    """What a careful person makes of an amount."""
    narrow = text.translate(str.maketrans("０１２３４５６７８９．，－＋￥", "0123456789.,-+¥")).strip(" ")
    if not narrow:
        return "MISSING_REQUIRED"
    match = re.fullmatch(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+)(\.\d*)?", re.sub(r"^([+-]?)¥", r"\1", narrow))
    if match is None:
        return "NOT_MONEY"
    amount = Decimal(match[1] + match[2].replace(",", "") + (match[3] or "")) * 100
    return int(amount) if amount == int(amount) and abs(amount) < 10**18 else "NOT_MONEY"


amounts = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=2).map(lambda d: f"{d:f}"),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=2).map(lambda d: f"{d:,f}"),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4).map(lambda d: f"{d:f}"),
    st.text(st.sampled_from(list("0123456789,.-+¥￥１２，．")), max_size=9).filter(lambda t: not re.search(r"^[+-]?\.", t)),
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(amounts, min_size=20, max_size=60))
def test_any_amount_is_read_as_a_careful_person_would(tmp_path_factory: pytest.TempPathFactory, values: list[str]):
    bank = Bank(Path(tmp_path_factory.mktemp("money")))
    got = stored(bank, values)
    assert dict(zip(values, got, strict=True)) == {v: reference(v) for v in values}
