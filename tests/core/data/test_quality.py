"""Quality checks: counted exactly, told with what was expected, and able to keep the previous data serving."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from kequn.core.data.load import LoadReport, load_source
from kequn.core.data.quality import ChecksFailed, PastLoad
from kequn.core.errors import BadSource, InvalidSpec, LoadFailed
from kequn.core.spec.source import QualityCheck
from tests.core.data.conftest import KEY, NOW, TRANSACTIONS, Bank

TXN = "no,cust,day,dc,amt\n"
ROWS = TXN + "T1,C1,2026-06-01,C,10.00\nT2,C1,2026-06-02,D,250.00\nT3,C2,2026-06-02,C,99999.00\n"


@pytest.fixture
def ready(bank: Bank) -> Bank:
    bank.customers("C1", "C2")
    bank.write("txn.csv", ROWS)
    return bank


def checked(bank: Bank, *checks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    report = bank.load(TRANSACTIONS, checks=list(checks), **changes)
    return {f"{r.check} {r.column}".strip(): (r.passed, r.broken) for r in report.checks}


def with_past(bank: Bank, *past: PastLoad, **changes: Any) -> LoadReport:
    spec = bank.spec(TRANSACTIONS, **changes)
    return load_source(bank.store, spec, folder=bank.folder, key=KEY, now=NOW, load_id="again", previous=past)


def test_rows_that_break_a_rule_are_counted(ready: Bank) -> None:
    found = checked(
        ready,
        {"check": "not_null", "column": "category"},
        {"check": "range", "column": "amount", "low": 0, "high": 5000},
        {"check": "range", "column": "booked_on", "low": "2026-06-02"},
        {"check": "codes", "column": "direction", "values": ["in"]},
        {"check": "unique", "column": "transaction_no"},
        {"check": "unique", "columns": ["customer_no", "booked_on"]},
    )
    assert found == {
        "not_null category": (True, 0), "range amount": (False, 1), "range booked_on": (False, 1),
        "codes direction": (False, 1), "unique transaction_no": (True, 0), "unique customer_no, booked_on": (True, 0),
    }  # fmt: skip


def test_a_share_of_the_rows_may_break_a_rule(ready: Bank) -> None:
    assert checked(ready, {"check": "codes", "column": "direction", "values": ["in"], "most": 0.4}) == {
        "codes direction": (True, 1)
    }


def test_a_failed_check_keeps_the_previous_data_and_tells_all_results(ready: Bank) -> None:
    ready.load(TRANSACTIONS)
    before = ready.store.manifest()
    ready.write("txn.csv", ROWS + "T4,C2,2026-06-03,C,1.00\n")
    with pytest.raises(ChecksFailed, match="range amount: 1 rows, expected 0 rows,  … 5000") as failed:
        checked(
            ready,
            {"check": "range", "column": "amount", "high": 5000, "severity": "fail"},
            {"check": "not_null", "column": "category"},
        )
    assert isinstance(failed.value, LoadFailed)
    assert [(r.check, r.passed) for r in failed.value.results] == [("range", False), ("not_null", True)]
    assert ready.store.manifest() == before


def test_rows_and_sums_are_compared_with_the_median_of_the_last_loads(ready: Bank) -> None:
    checks = [
        {"check": "rows_change", "most": 0.5, "loads": 3},
        {"check": "sum_change", "column": "amount", "most": 0.1},
    ]
    usual = [
        PastLoad(n, {"amount": Decimal(total)}, {}) for n, total in ((4, 100_000), (3, 101_000), (2, 99_000), (900, 1))
    ]
    found = with_past(ready, *usual, checks=checks)
    assert [(r.check, r.passed, r.found) for r in found.checks] == [
        ("rows_change", True, "3"), ("sum_change", True, "100,259.00"),
    ]  # fmt: skip


def test_the_first_load_has_nothing_to_compare_with(ready: Bank) -> None:
    assert checked(ready, {"check": "rows_change", "most": 0.5}) == {"rows_change": (None, 0)}


def test_values_that_stand_nowhere_in_another_table_are_found(ready: Bank) -> None:
    refers = {"check": "refers", "column": "category", "refers_to": "product.product_code"}
    assert checked(ready, refers) == {"refers category": (None, 0)}
    ready.write("products.csv", "code,name,family\nother,其他,time\n")
    ready.load(
        "{kind: source, name: products, title: 产品, table: product, input: {format: csv, path: products.csv},"
        " columns: {product_code: code, name: name, family: family}}"
    )
    ready.write("txn.csv", ROWS + "T4,C2,2026-06-03,C,1.00\n")
    assert checked(ready, refers) == {"refers category": (True, 0)}


def test_what_the_control_file_declares_is_compared(ready: Bank) -> None:
    declared = {"path": "txn.ctl", "separator": "|", "rows": "CNT", "totals": {"amount": "AMT"}, "severity": "warn"}
    ready.write("txn.ctl", "CNT|AMT\n3|100,259.00\n")
    assert checked(ready, declared=declared) == {"declared_rows": (True, 0), "declared_total amount": (True, 0)}
    ready.write("txn.ctl", "CNT|AMT\n4|100259.00\n")
    ready.write("txn.csv", ROWS + "\n")
    with pytest.raises(ChecksFailed, match="declared_rows : 3, expected 4"):
        checked(ready, declared={**declared, "severity": "fail"})


@pytest.mark.parametrize(
    "content", ["CNT\n", "CNT\n1\n2\n", "N\n3\n", "CNT\nthree\n"], ids=["empty", "two lines", "no column", "no number"]
)
def test_a_control_file_that_says_nothing_stops_the_load(ready: Bank, content: str) -> None:
    ready.write("txn.ctl", content)
    with pytest.raises(BadSource, match=r"txn\.ctl"):
        checked(ready, declared={"path": "txn.ctl", "rows": "CNT"})


def test_a_control_file_outside_the_data_folder_is_not_read(ready: Bank) -> None:
    (ready.folder.parent / "secret.ctl").write_text("CNT\n3\n")
    with pytest.raises(BadSource, match="outside"):
        checked(ready, declared={"path": "../secret.ctl", "rows": "CNT"})


def test_a_column_of_another_type_than_last_time_is_told(ready: Bank) -> None:
    columns = {"no": ["T1"], "cust": ["C1"], "day": ["2026-06-01"], "dc": ["C"]}
    changes = {"input": {"format": "parquet", "path": "txn.parquet"}}
    pq.write_table(pa.table({**columns, "amt": ["12.50"]}), ready.folder / "txn.parquet")
    first = with_past(ready, **changes)
    pq.write_table(pa.table({**columns, "no": ["T2"], "amt": [13.5]}), ready.folder / "txn.parquet")
    again = with_past(ready, PastLoad(1, {}, first.columns), **changes)
    assert [(r.check, r.column, r.passed, r.severity) for r in again.checks] == [("column_types", "amt", False, "warn")]


def test_a_day_that_is_added_only_adds_files(ready: Bank) -> None:
    ready.load(TRANSACTIONS, load="append")
    before = set(ready.store.manifest().tables["transaction"].files)
    ready.write("txn.csv", TXN + "T4,C2,2026-06-03,C,1.00\n")
    ready.load(TRANSACTIONS, load="append")
    after = ready.store.manifest().tables["transaction"]
    assert before < set(after.files)
    assert (after.rows, len(after.files)) == (4, 2)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"check": "not_null", "column": "amounts"}, "amounts"),
        ({"check": "sum_change", "column": "category", "most": 0.1}, "no sum"),
        ({"check": "refers", "column": "category", "refers_to": "product.code"}, "product.code"),
    ],
)
def test_a_check_about_what_is_not_there_is_refused(ready: Bank, check: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as refused:
        checked(ready, check)
    assert str(refused.value.where.field).startswith("checks.0")


@pytest.mark.parametrize(
    "check",
    [
        {"check": "range", "column": "a"},
        {"check": "rows_change"},
        {"check": "unique"},
        {"check": "refers", "column": "a"},
    ],
)
def test_a_check_without_what_it_needs_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QualityCheck.model_validate(check)
