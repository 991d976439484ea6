"""Loading: what comes in, what is kept out, and that nothing is half done."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from kequn.core.data.identity import ordinals_for, pseudonym
from kequn.core.data.load import load_source
from kequn.core.data.mapping import check_source
from kequn.core.errors import BadSource, InvalidSpec, LoadFailed, SeveralErrors, StoreBusy
from tests.core.data.conftest import CUSTOMERS, KEY, NOW, TRANSACTIONS, Bank

HEADER = "客户号,开户日,性别,城市,姓名,手机\n"
TXN = "no,cust,day,dc,amt\n"


def test_a_table_is_loaded_as_it_is_mapped(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,张三,13800000001\nC2,2021-02-03,2,,李四,\n")
    report = bank.load(CUSTOMERS)
    assert (report.read, report.loaded, report.rejected, report.skipped) == (2, 2, 0, 0)
    assert bank.rows("SELECT ordinal, opened_on, gender, city FROM customer ORDER BY 1") == [
        (0, date(2020, 1, 1), "M", "上海"),
        (1, date(2021, 2, 3), "F", None),
    ]
    assert bank.store.manifest().tables["customer"].columns == ["ordinal", "opened_on", "gender", "city"]


def test_people_are_handed_over_with_their_random_id_and_never_stored(bank: Bank):
    handed: list[pa.RecordBatch] = []
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,张三,13800000001\n")
    bank.load(CUSTOMERS, people=handed.append)
    (person,) = handed[0].to_pylist()
    assert re.fullmatch("[0-9a-f]{32}", person.pop("customer_id"))
    assert person == {
        "customer_no": "C1", "branch_code": None, "rm_no": None, "name": "张三", "phone": "13800000001",
        "document_no": None, "email": None, "address": None,
    }  # fmt: skip
    assert "name" not in {c for (c, *_) in bank.rows("DESCRIBE customer")}


def test_nothing_personal_reaches_a_file_below_the_store(bank: Bank):
    names = [f"欧阳测试{i}" for i in range(50)]
    phones = [f"1380013{i:04d}" for i in range(50)]
    good = [f"CNO{i:05d}X,2020-01-01,1,上海,{names[i]},{phones[i]}" for i in range(40)]
    shifted = [f"CNO{i:05d}X,{phones[i]},{names[i]},上海,2020-01-01,1" for i in range(40, 45)]
    coded = [f"CNO{i:05d}X,2020-01-01,{names[i]},上海,x,{phones[i]}" for i in range(45, 48)]
    ragged = [f"CNO{i:05d}X,{names[i]},{phones[i]}" for i in range(48, 50)]
    bank.write("customers.csv", HEADER + "\n".join([*good, *shifted, *coded, *ragged, good[0]]) + "\n")
    bank.load(CUSTOMERS, max_reject_rate=1)
    bank.write("txn.csv", TXN + "T99887766,CNO00001X,2020-01-01,C,1\nT99887767,CNO99999X,2020-01-01,C,1\n")
    bank.load(TRANSACTIONS, max_reject_rate=1)
    kept = b"".join(p.read_bytes() for p in bank.store.root.rglob("*") if p.is_file())
    shown = repr([r for i in range(1, 3) for r in _rejects(bank, f"load{i}")])
    for secret in (*names, *phones, *(f"CNO{i:05d}X" for i in range(50)), "T99887766", "CNO99999X"):
        assert secret.encode() not in kept
        assert secret not in shown


def _rejects(bank: Bank, load_id: str) -> list[object]:
    bank.last = load_id
    return list(bank.rejects())


def test_read_is_loaded_and_rejected_and_skipped(bank: Bank):
    bank.customers("C1", "C2")
    bank.write(
        "txn.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C2,2026-01-01,D,x\nT3,C1,2026-01-02,C,3\nT4,C9,2026-01-02,C,4\n"
    )
    report = bank.load(TRANSACTIONS, where="day <> '2026-01-01' or amt = 'x'", max_reject_rate=1)
    assert (report.read, report.loaded, report.rejected, report.skipped) == (4, 1, 2, 1)
    assert report.reasons == {"NOT_MONEY": 1, "UNKNOWN_CUSTOMER": 1}
    assert report.totals == {"amount": (Decimal("7.00"), Decimal("3.00"))}
    assert report.as_of == date(2026, 1, 2)


def test_a_reject_says_file_line_column_and_reason(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + 'T1,C1,2026-01-01,C,1\nT2,C1,2026-02-30,C,"1\n2"\nT3,C1,,C,1\nT4,C1,2026-01-01,X,1\n')
    bank.load(TRANSACTIONS, max_reject_rate=1)
    assert [(r.file, r.line, r.column, r.source_column, r.value, r.reason) for r in bank.rejects()] == [
        ("txn.csv", 3, "booked_on", "day", "2026-02-30", "NOT_A_DATE"),
        ("txn.csv", 5, "booked_on", "day", "", "MISSING_REQUIRED"),
        ("txn.csv", 6, "direction", "dc", "X", "UNKNOWN_CODE"),
    ]


def test_a_customer_twice_is_loaded_once(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\nC2,2020-01-01,1,,b,2\n C1 ,2024-01-01,2,北京,c,3\n")
    report = bank.load(CUSTOMERS, max_reject_rate=1)
    assert report.reasons == {"DUPLICATE_CUSTOMER": 1}
    assert bank.reasons() == [(4, "customer_no", "DUPLICATE_CUSTOMER")]
    assert bank.rows("SELECT city FROM customer WHERE ordinal = 0") == [("上海",)]


def test_a_key_twice_is_loaded_once(bank: Bank):
    bank.customers("C1", "C2")
    bank.write(
        "txn.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C1,2026-01-01,C,2\nT1,C2,2026-01-01,C,3\nT1,C1,2026-01-01,C,1\n"
    )
    report = bank.load(TRANSACTIONS, max_reject_rate=1)
    assert report.reasons == {"DUPLICATE_KEY": 2}
    assert bank.reasons() == [(4, "transaction_no", "DUPLICATE_KEY"), (5, "transaction_no", "DUPLICATE_KEY")]
    assert bank.rows("SELECT amount FROM transaction ORDER BY 1") == [(100,), (200,)]


HOLDINGS = """
kind: source
name: holdings
title: 持有
table: holding
input: {format: csv, path: holdings.csv}
columns:
  {customer_no: cust, product_code: prod, position_no: pos, as_of: day, balance: amt, family: {sql: "'time'"}}
max_reject_rate: 1
"""


def test_a_key_of_several_columns_is_compared_whole_with_none_equal_to_none(bank: Bank):
    bank.customers("C1", "C2")
    rows = [
        "C1,P,1,2026-01-31,1",
        "C1,P,,2026-01-31,2",
        "C2,P,,2026-01-31,3",
        "C1,P,,2026-02-28,4",
        "C1,P,,2026-01-31,5",
    ]
    bank.write("holdings.csv", "cust,prod,pos,day,amt\n" + "\n".join(rows) + "\n")
    bank.load(HOLDINGS)
    assert bank.reasons() == [(6, "customer_no", "DUPLICATE_KEY")]
    assert [b for (b,) in bank.rows("SELECT balance FROM holding ORDER BY 1")] == [100, 200, 300, 400]


def test_the_same_file_twice_changes_nothing(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    before = bank.store.manifest()
    for mode in ("replace",):
        again = bank.load(TRANSACTIONS, load=mode)
        assert again.unchanged
        assert again.as_of == date(2026, 1, 1)
    assert bank.store.manifest() == before


def test_appending_the_same_file_twice_changes_nothing(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS, load="append")
    before = bank.store.manifest()
    assert bank.load(TRANSACTIONS, load="append").unchanged
    assert bank.store.manifest() == before


def test_a_new_meaning_loads_the_same_file_anew(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    assert not bank.load(TRANSACTIONS, where="amt <> '1'").unchanged


def test_rows_of_unknown_customers_get_another_try_once_there_are_more_customers(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C2,2026-01-01,C,2\n")
    assert bank.load(TRANSACTIONS, max_reject_rate=1).reasons == {"UNKNOWN_CUSTOMER": 1}
    assert bank.load(TRANSACTIONS, max_reject_rate=1).unchanged
    bank.customers("C1", "C2")
    assert bank.load(TRANSACTIONS, max_reject_rate=1).loaded == 2


def test_appended_rows_that_are_there_already_are_skipped_and_changed_ones_rejected(bank: Bank):
    bank.customers("C1", "C2")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C1,2026-01-02,C,2\n")
    bank.load(TRANSACTIONS, load="append")
    bank.write(
        "txn.csv", TXN + "T2,C1,2026-01-02,C,2\nT1,C1,2026-01-01,C,9\nT3,C2,2026-01-03,D,3\nT3,C2,2026-01-03,D,3\n"
    )
    report = bank.load(TRANSACTIONS, load="append", max_reject_rate=1)
    assert (report.read, report.loaded, report.rejected, report.skipped) == (4, 1, 2, 1)
    assert bank.reasons() == [(3, "transaction_no", "DUPLICATE_KEY"), (5, "transaction_no", "DUPLICATE_KEY")]
    assert bank.rows("SELECT amount FROM transaction ORDER BY 1") == [(100,), (200,), (300,)]
    assert bank.store.manifest().tables["transaction"].rows == 3


def test_appended_positions_are_compared_by_their_whole_key(bank: Bank):
    bank.customers("C1")
    bank.write("holdings.csv", "cust,prod,pos,day,amt\nC1,P,,2026-01-31,1\n")
    bank.load(HOLDINGS, load="append")
    bank.write("holdings.csv", "cust,prod,pos,day,amt\nC1,P,,2026-01-31,1\nC1,P,,2026-02-28,2\n")
    report = bank.load(HOLDINGS, load="append")
    assert (report.loaded, report.skipped) == (1, 1)


def test_appended_customers_keep_their_ordinals(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")
    bank.load(CUSTOMERS, load="append")
    bank.write("customers.csv", HEADER + "C2,2020-01-01,1,上海,b,1\nC1,2020-01-01,1,上海,a,1\n")
    report = bank.load(CUSTOMERS, load="append")
    assert (report.loaded, report.skipped) == (1, 1)
    assert bank.rows("SELECT ordinal FROM customer ORDER BY 1") == [(0,), (1,)]


def test_ordinals_are_never_used_again(bank: Bank):
    bank.customers("C1", "C2")
    bank.customers("C3", "C2")
    assert list(ordinals_for(bank.store, KEY, ["C1", " C2", "C3", "C4"])) == [0, 1, 2, -1]
    assert bank.rows("SELECT ordinal FROM customer ORDER BY 1") == [(1,), (2,)]
    assert bank.store.manifest().ordinals == 3


def test_numbers_are_stored_as_hashes_of_the_key(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + " T1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    assert bank.rows("SELECT transaction_no FROM transaction") == [(pseudonym(KEY, "ref", "T1"),)]
    assert pseudonym(b"another secret", "ref", "T1") != pseudonym(KEY, "ref", "T1")


def test_too_many_rejects_fail_the_load_and_the_previous_data_serve(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    before = bank.store.manifest()
    bank.write("txn.csv", TXN + "T2,C1,2026-01-01,C,1\nT3,C1,oops,C,1\n")
    with pytest.raises(LoadFailed, match=r"1 of 2 rows were rejected \(NOT_A_DATE 1\)"):
        bank.load(TRANSACTIONS)
    assert bank.store.manifest() == before
    assert bank.reasons() == [(3, "booked_on", "NOT_A_DATE")]
    assert bank.rows("SELECT count(*) FROM transaction") == [(1,)]
    assert files_of_rows(bank) == 2


def files_of_rows(bank: Bank) -> int:
    return len(list((bank.store.root / "table").rglob("*.parquet")))


def test_rejects_outlive_later_loads(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T3,C1,oops,C,1\n")
    with pytest.raises(LoadFailed):
        bank.load(TRANSACTIONS)
    kept = bank.last
    bank.write("txn.csv", TXN + "T3,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    bank.last = kept
    assert bank.reasons() == [(2, "booked_on", "NOT_A_DATE")]


def test_what_the_receiver_of_people_raises_fails_the_load(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")

    def refuse(_batch: pa.RecordBatch) -> None:
        raise RuntimeError("the database is down")

    with pytest.raises(RuntimeError, match="down"):
        bank.load(CUSTOMERS, people=refuse)
    assert bank.store.manifest().version == 0
    assert files_of_rows(bank) == 0
    assert not list((bank.store.root / "tmp").iterdir())


def test_a_cancelled_load_changes_nothing(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")
    with pytest.raises(LoadFailed, match="cancelled"):
        bank.load(CUSTOMERS, cancelled=lambda: True)
    assert bank.store.manifest().version == 0


def test_an_empty_delivery_does_not_empty_a_table(bank: Bank):
    bank.customers("C1")
    bank.write("customers.csv", HEADER)
    with pytest.raises(LoadFailed, match="no rows"):
        bank.load(CUSTOMERS)
    assert bank.rows("SELECT count(*) FROM customer") == [(1,)]


def test_an_empty_first_delivery_is_no_error(bank: Bank):
    bank.write("customers.csv", HEADER)
    assert bank.load(CUSTOMERS).read == 0


def test_customers_come_first(bank: Bank):
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\n")
    with pytest.raises(LoadFailed, match="customer table first"):
        bank.load(TRANSACTIONS)


def test_two_writers_do_not_meet(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")
    with bank.store.writing(now=NOW), pytest.raises(StoreBusy):
        bank.load(CUSTOMERS)


def test_tables_without_customers_are_loaded(bank: Bank):
    bank.write("branches.csv", "code,name,lvl\n0001,总行,0\n0002,支行,3\n0002,支行,3\n")
    report = bank.load(
        "kind: source\nname: b\ntitle: 机构\ntable: branch\ninput: {format: csv, path: branches.csv}\nmax_reject_rate: 1\n"
        "columns: {branch_code: code, name: name, level: {from: lvl, codes: {0: head_office, 3: branch}}}\n"
    )
    assert report.reasons == {"DUPLICATE_KEY": 1}
    assert bank.rows("SELECT branch_code, level FROM branch ORDER BY 1") == [
        ("0001", "head_office"),
        ("0002", "branch"),
    ]


def test_several_files_are_one_source(bank: Bank):
    bank.customers("C1")
    bank.write("txn/a.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C1,oops,C,1\n")
    bank.write("txn/b.csv", TXN + "T3,C1,oops,C,1\nT4,C1,2026-01-02,C,1\n")
    report = bank.load(TRANSACTIONS, input={"format": "csv", "path": "txn/*.csv"}, max_reject_rate=1)
    assert (report.read, report.loaded) == (4, 2)
    assert [(r.file, r.line) for r in bank.rejects()] == [("txn/a.csv", 3), ("txn/b.csv", 2)]


def test_files_of_one_source_have_the_same_columns(bank: Bank):
    bank.customers("C1")
    bank.write("txn/a.csv", TXN)
    bank.write("txn/b.csv", "no,cust,day,amt,dc\n")
    with pytest.raises(BadSource, match="Its columns are not those of txn/a"):
        bank.load(TRANSACTIONS, input={"format": "csv", "path": "txn/*.csv"})


def test_the_number_of_a_record_can_be_a_column(bank: Bank):
    bank.write(
        "customers.csv",
        HEADER + 'x,2020-01-01,1,上海,a,1\nragged\n\nx,2020-01-02,1,"a\nb",a,1\nx,2020-01-03,1,上海,a,1\n',
    )
    columns = {"customer_no": {"sql": "'H' || row_number"}, "opened_on": "开户日"}
    bank.load(CUSTOMERS, columns=columns, max_reject_rate=1)
    found = ordinals_for(bank.store, KEY, ["H1", "H2", "H3", "H4"])
    assert list(found) == [0, -1, 1, 2]


LOOKUP = {
    "input": {"format": "csv", "path": "disp.csv"},
    "on": {"acct": "account"},
    "columns": {"owner": "client"},
    "where": "role = 'OWNER'",
}


def test_columns_are_brought_from_another_file_by_key(bank: Bank):
    bank.customers("C1", "C2")
    bank.write("disp.csv", "account,client,role\nA1,C1,OWNER\nA1,C2,OTHER\nA2,C2,OWNER\n")
    bank.write("txn.csv", "no,acct,day,dc,amt\nT1,A2,2026-01-01,C,1\nT2, A1,2026-01-01,C,2\nT3,A9,2026-01-01,C,3\n")
    columns = {**bank.spec(TRANSACTIONS).model_dump(by_alias=True)["columns"], "customer_no": "owner"}
    bank.load(TRANSACTIONS, columns=columns, lookup=[LOOKUP], max_reject_rate=1)
    assert bank.rows("SELECT ordinal, amount FROM transaction ORDER BY 1") == [(0, 200), (1, 100)]
    assert bank.reasons() == [(4, "customer_no", "MISSING_REQUIRED")]


def test_a_key_that_would_double_rows_is_refused(bank: Bank):
    bank.customers("C1", "C2")
    bank.write("disp.csv", "account,client,role\nA1,C1,OWNER\nA1,C2,OWNER\n")
    bank.write("txn.csv", "no,acct,day,dc,amt\nT1,A1,2026-01-01,C,1\n")
    columns = {**bank.spec(TRANSACTIONS).model_dump(by_alias=True)["columns"], "customer_no": "owner"}
    with pytest.raises(BadSource, match="stands more than once"):
        bank.load(TRANSACTIONS, columns=columns, lookup=[LOOKUP])


def test_a_row_whose_expression_cannot_be_computed_is_rejected(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2026-01-01,C,1\nT2,C1,2026-01-01,C,x\n")
    columns = {
        **bank.spec(TRANSACTIONS).model_dump(by_alias=True)["columns"],
        "amount": {"sql": "cast(amt as integer) * 2"},
    }
    bank.load(TRANSACTIONS, columns=columns, max_reject_rate=1)
    assert bank.reasons() == [(3, "amount", "NOT_COMPUTABLE")]
    assert bank.rows("SELECT amount FROM transaction") == [(200,)]


MAPPED = {"customer_no": "客户号", "opened_on": "开户日"}


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"table": "custmer"}, "table", "customer"),
        ({"columns": {"customer_no": "客户号"}}, "columns", "opened_on"),
        ({"columns": {"customer_no": "客户号", "opened_on": "开户日", "gendr": "性别"}}, "columns.gendr", "gender"),
        ({"columns": {**MAPPED, "gender": {"from": "性别", "codes": {"1": "W"}}}}, "columns.gender.codes", "M, F"),
        ({"control_totals": ["city"]}, "control_totals", "city"),
        ({"where": "read_csv('x') = 1"}, "where", "read_csv"),
        ({"where": "性 = 1"}, "where", "性别"),
        ({"columns": {"customer_no": "客户号", "opened_on": {"sql": "开户 日"}}}, "columns.opened_on.sql", ""),
    ],
)  # fmt: skip
def test_a_spec_that_asks_for_what_is_not_there_is_refused(
    bank: Bank, change: dict[str, object], field: str, says: str
):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")
    with pytest.raises(InvalidSpec) as caught:
        bank.load(CUSTOMERS, **change)
    assert caught.value.where.field == field
    assert says in str(caught.value)


def test_all_faults_of_a_mapping_come_at_once(bank: Bank):
    bank.write("customers.csv", HEADER)
    with pytest.raises(SeveralErrors) as caught:
        bank.load(CUSTOMERS, columns={"nme": "姓名"}, control_totals=["city"])
    assert len(caught.value.errors) == 4


def test_a_load_reports_its_progress(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")
    told: list[tuple[int, int | None, str]] = []
    load_source(
        bank.store, bank.spec(CUSTOMERS), folder=bank.folder, key=KEY, now=NOW, load_id="x",
        progress=lambda *a: told.append(a),
    )  # fmt: skip
    assert told == [(1, None, "reading"), (1, None, "checking keys")]


def test_business_dates_far_ahead_are_no_business_dates(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "T1,C1,2126-01-01,C,1\nT2,C1,2026-07-30,C,1\n")
    report = bank.load(TRANSACTIONS, max_reject_rate=1)
    assert report.reasons == {"OUT_OF_RANGE": 1}
    assert report.as_of == date(2026, 7, 30)


def test_the_time_of_the_load_is_the_time_it_was_given(bank: Bank):
    bank.customers("C1")
    assert bank.store.manifest().tables["customer"].loaded_at == datetime.fromisoformat(NOW.isoformat())


def test_a_file_that_grows_while_it_is_read_is_not_loaded(bank: Bank):
    path = bank.write("customers.csv", HEADER + "C1,2020-01-01,1,上海,a,1\n")

    def grow(_batch: pa.RecordBatch) -> None:
        with path.open("a") as file:
            file.write("C2,2020-01-01,1,上海,a,1\n")

    with pytest.raises(BadSource, match="changed while it was read"):
        bank.load(CUSTOMERS, people=grow)
    assert bank.store.manifest().version == 0


def test_a_spec_is_checked_without_its_data(bank: Bank):
    with pytest.raises(SeveralErrors) as caught:
        check_source(bank.spec(CUSTOMERS, where="getenv('X') = 1", columns={**MAPPED, "city": {"sql": "(select 1)"}}))
    assert [e.where.field for e in caught.value.errors] == ["columns.city.sql", "where"]


def test_of_very_many_rejects_the_first_are_kept_and_all_are_counted(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kequn.core.data.rejects.KEPT", 10)
    bank.customers("C1")
    bank.write("txn.csv", TXN + "".join(f"T{i},C{i % 2},2026-01-0x,C,1\n" for i in range(100)))
    monkeypatch.setattr("kequn.core.data.readers.BLOCK", 512)
    with pytest.raises(LoadFailed, match="100 of 100 rows"):
        bank.load(TRANSACTIONS)
    assert 10 <= len(bank.rejects()) < 100
