"""A bad file ends the load with file, line and field, or loses the bad rows alone; what was served before stays served."""

from __future__ import annotations

import pytest

from kequn.ops import runtime
from kequn.ops.customers.models import Person
from kequn.ops.sources.models import Load
from tests.bad_input.conftest import CUSTOMERS, GOOD, HEADER, Delivery

pytestmark = pytest.mark.django_db
MONEY = """
kind: source
name: movements
title: 流水
table: transaction
input: {format: csv, path: movements.csv}
columns:
  transaction_no: no
  customer_no: cust
  booked_on: day
  direction: {from: dc, codes: {C: in, D: out}}
  amount: amt
  category: {sql: "'other'"}
max_reject_rate: 0.9
"""


@pytest.fixture
def loaded(delivery: Delivery) -> Delivery:
    """Have two customers served."""
    assert delivery.load(GOOD).code == 0
    assert delivery.served == 2
    return delivery


def failed(delivery: Delivery, content: str | bytes, *words: str) -> None:
    """Assert that a load fails with these words, that its row says so, and that the two customers are still served."""
    before = runtime.runtime().store.manifest()
    people = set(Person.objects.values_list("customer_id", "digest"))
    said = delivery.load(content)
    assert said.code == 1
    assert not said.out
    for word in words:
        assert word in said.err, said.err
    assert delivery.last.state == Load.State.FAILED
    assert delivery.last.error["message"]
    assert runtime.runtime().store.manifest() == before
    assert set(Person.objects.values_list("customer_id", "digest")) == people
    (row,) = delivery.call("load", "--list", "--json").json
    assert (row["state"], row["rows"]) == ("failed", delivery.served)
    assert delivery.load(GOOD).code == 0
    assert delivery.served == 2


def test_a_wrong_separator(loaded: Delivery) -> None:
    failed(loaded, GOOD.replace(",", ";"), "✗ people.csv", "one column only", "';'")


def test_gbk_taken_for_utf8(loaded: Delivery) -> None:
    failed(loaded, GOOD.encode("gbk"), "✗ people.csv:1", "It looks like gb18030: set `encoding`.")


def test_a_missing_column_after_a_good_load(loaded: Delivery) -> None:
    failed(loaded, GOOD.replace("开户日", "开户日期"), "✗ people.csv:1", "'开户日'", "开户日期")


def test_a_file_of_nul_bytes(loaded: Delivery) -> None:
    failed(loaded, b"\x00" * 4096, "✗ people.csv")


def test_a_file_that_is_not_there(loaded: Delivery) -> None:
    (loaded.folder / "people.csv").rename(loaded.folder / "peoples.csv")
    said = loaded.call("load", "people", "--folder", loaded.folder)
    assert said.code == 1
    assert "people.csv" in said.err
    assert loaded.served == 2


def test_too_many_bad_rows_name_the_source_the_first_of_them_and_how_to_see_all(loaded: Delivery) -> None:
    failed(loaded, HEADER + "C1,张三,1,2020-01-01,上海,0001\nC2,李四,2,yesterday,北京,0001,R001\n",
           "✗ people 2 of 2 rows were rejected", "people.csv:2", "RAGGED_ROW", "people.csv:3 [opened_on] NOT_A_DATE",
           "kequn load --rejects ")  # fmt: skip


def test_a_byte_order_mark_and_gbk_where_it_is_declared_are_read(delivery: Delivery) -> None:
    assert delivery.load("\ufeff" + GOOD).code == 0
    delivery.define(CUSTOMERS.replace('separator: ","', "encoding: gbk"))
    assert delivery.load(GOOD.replace("上海", "广州").encode("gbk")).code == 0
    assert delivery.served == 2


def test_bad_rows_are_rejected_alone_with_file_line_column_and_reason(delivery: Delivery) -> None:
    delivery.define(CUSTOMERS + "max_reject_rate: 0.9\n")
    rows = (
        "C1,张三,1,2020-01-01,上海,0001,R001",
        "C2,ragged",
        "C3,李\x00四,1,2020-01-01,上海,0001,R001",
        "C4,王五,1,9999-99-99,上海,0001,R001",
        "C1,张三,1,2020-01-01,上海,0001,R001",
        ",赵六,1,2020-01-01,上海,0001,R001",
    )
    assert delivery.load(HEADER + "\n".join(rows) + "\n").code == 0
    last = delivery.last
    assert (last.n_read, last.n_loaded, last.n_rejected) == (6, 1, 5)
    assert {(line, column, reason) for _, line, column, reason in delivery.rejects()} == {
        (3, "", "RAGGED_ROW"), (4, "", "NUL_BYTE"), (5, "opened_on", "NOT_A_DATE"),
        (6, "customer_no", "DUPLICATE_CUSTOMER"), (7, "customer_no", "MISSING_REQUIRED"),
    }  # fmt: skip
    assert {file for file, *_ in delivery.rejects()} == {"people.csv"}
    assert "9999-99-99" in delivery.call("load", "--rejects", last.load_id).out
    assert Person.objects.count() == 1


def test_money_is_read_with_its_thousands_separators_and_to_the_fen(loaded: Delivery) -> None:
    loaded.define(MONEY)
    said = loaded.load(
        'no,cust,day,dc,amt\n1,C1,2026-01-01,C,"1,234.56"\n2,C1,2026-01-01,C,"1,23"\n3,C1,2026-01-01,C,0.005\n',
        "movements", "movements.csv",
    )  # fmt: skip
    (row,) = said.json
    assert row["read"] == row["loaded"] + row["rejected"] == 3
    stored = runtime.engine().rows('SELECT amount FROM "transaction" ORDER BY amount')
    assert (123_456,) in stored
    assert {(line, column) for _, line, column, _ in loaded.rejects()} == {(3, "amount"), (4, "amount")}


def test_brackets_in_a_value_are_shown_as_they_are(delivery: Delivery) -> None:
    delivery.define(CUSTOMERS + "max_reject_rate: 0.9\n")
    delivery.load(GOOD + "C3,王,1,[/red],上海,0001,R001\n")
    said = delivery.call("load", "--rejects", delivery.last.load_id)
    assert said.code == 0
    assert "[/aaa]" in said.out  # letters are masked


def test_a_source_that_nobody_defined_is_told(loaded: Delivery) -> None:
    said = loaded.call("load", "pepole")
    assert said.code == 1
    assert "'pepole'" in said.err
