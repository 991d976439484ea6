"""Bad input ends in a clear message that names file, line and field; or it is stored harmlessly. Nothing is lost."""

from __future__ import annotations

import gzip
import time

import pytest

from kequn.core.errors import BadSource, LoadFailed
from tests.core.data.conftest import CUSTOMERS, TRANSACTIONS, Bank

HEADER = "客户号,开户日,性别,城市,姓名,手机\n"
ROW = "C1,2020-01-01,1,上海,张三,1\n"
TXN = "no,cust,day,dc,amt\n"


def bad(bank: Bank, text: str = CUSTOMERS, **changes: object) -> BadSource:
    with pytest.raises(BadSource) as caught:
        bank.load(text, **changes)
    assert bank.store.manifest().version == 0
    return caught.value


def csv(**options: object) -> dict[str, object]:
    return {"format": "csv", "path": "customers.csv", **options}


def test_a_wrong_separator_is_told_with_the_one_it_looks_like(bank: Bank):
    bank.write("customers.csv", (HEADER + ROW).replace(",", "|"))
    error = bad(bank)
    assert error.where.file == "customers.csv"
    assert "one column only" in error.message
    assert "'|'" in error.hint


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "^", "\x01"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "big5"])
def test_any_separator_and_encoding_is_read(bank: Bank, separator: str, encoding: str):
    text = (HEADER + ROW.replace("上海", '"臺北\n市"').replace("张", "張")).replace(",", separator)
    text = text if encoding == "big5" else text.replace("臺北", "上海")
    if encoding == "big5":
        text = text.replace("户", "戶").replace("别", "別").replace("号", "號").replace("机", "機").replace("开", "開")
    bank.write("customers.csv", text.encode(encoding))
    columns = {"customer_no": text.split(separator)[0], "opened_on": text.split(separator)[1], "city": "城市"}
    report = bank.load(
        CUSTOMERS, input=csv(separator=separator, encoding=encoding.removesuffix("-sig")), columns=columns
    )
    assert report.loaded == 1
    assert bank.rows("SELECT city FROM customer") == [("臺北\n市" if encoding == "big5" else "上海\n市",)]


def test_gzip_is_read_whatever_the_name(bank: Bank):
    bank.write("customers.csv", gzip.compress((HEADER + ROW).encode()))
    assert bank.load(CUSTOMERS).loaded == 1


def test_a_byte_order_mark_is_read_over(bank: Bank):
    bank.write("customers.csv", "\ufeff" + HEADER + ROW)
    assert bank.load(CUSTOMERS).loaded == 1


def test_gbk_taken_for_utf8_is_told(bank: Bank):
    bank.write("customers.csv", (HEADER + ROW).encode("gbk"))
    error = bad(bank)
    assert (error.where.file, error.where.line) == ("customers.csv", 1)
    assert error.hint == "It looks like gb18030: set `encoding`."


def test_utf16_taken_for_utf8_is_told(bank: Bank):
    bank.write("customers.csv", (HEADER + ROW).encode("utf-16"))
    assert bad(bank).hint == "Set `encoding: utf-16`."


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "hex", "base64"])
def test_what_is_no_encoding_is_refused(bank: Bank, encoding: str):
    bank.write("customers.csv", HEADER + ROW)
    assert "is not a text encoding" in bad(bank, input=csv(encoding=encoding)).message


def test_ragged_rows_are_rejected_with_their_line(bank: Bank):
    bank.write(
        "customers.csv", HEADER + ROW + "C2,2020-01-01\n" + "C3,2020-01-01,1,上海,a,1,more\n" + ROW.replace("C1", "C4")
    )
    report = bank.load(CUSTOMERS, max_reject_rate=1)
    assert (report.read, report.loaded) == (4, 2)
    assert [(r.line, r.reason, r.value) for r in bank.rejects()] == [
        (3, "RAGGED_ROW", "2 fields instead of 6"),
        (4, "RAGGED_ROW", "7 fields instead of 6"),
    ]


def test_nul_bytes_reject_the_row_they_are_in(bank: Bank):
    bank.write("customers.csv", HEADER + ROW + "C2,2020-01-01,1,上\x00海,a,1\n" + ROW.replace("C1", "C3"))
    assert bank.load(CUSTOMERS, max_reject_rate=1).loaded == 2
    assert bank.reasons() == [(3, "", "NUL_BYTE")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk"])
def test_bytes_that_are_no_text_reject_the_row_they_are_in(bank: Bank, encoding: str):
    good = (HEADER + ROW).encode(encoding)
    bank.write("customers.csv", good + b"C2,2020-01-01,1,\xff\xff,a,1\n" + ROW.replace("C1", "C3").encode(encoding))
    assert bank.load(CUSTOMERS, input=csv(encoding=encoding), max_reject_rate=1).loaded == 2
    assert bank.reasons() == [(3, "", "BAD_ENCODING")]


def test_bytes_that_are_no_text_are_told_even_in_a_column_nobody_wants(bank: Bank):
    bank.write("customers.csv", b"\xe5\xae\xa2\xe6\x88\xb7\xe5\x8f\xb7,d,note\nC1,2020-01-01,\xff\nC2,2020-01-01,x\n")
    columns = {"customer_no": "客户号", "opened_on": "d"}
    assert bank.load(CUSTOMERS, columns=columns, max_reject_rate=1).loaded == 1


def test_a_quotation_mark_that_is_never_closed_costs_one_row(bank: Bank):
    rows = "".join(ROW.replace("C1", f"D{i}") for i in range(2000))
    bank.write("customers.csv", HEADER + ROW + 'C2,2020-01-01,1,"上海,a,1\n' + rows)
    assert bank.load(CUSTOMERS).loaded == 2001
    assert bank.reasons() == [(3, "", "BAD_QUOTE")]


def test_quotation_marks_inside_words_are_letters(bank: Bank):
    rows = 'C2,2020-01-01,1,5" disk,a,1\nC3,2020-01-01,1,a"b"c,a,1\n'
    bank.write("customers.csv", HEADER + rows + 'C4,2020-01-01,1,"x ""y""\nz",a,1\nC5,2020-01-01,1,"a"b,a,1\n')
    assert bank.load(CUSTOMERS).loaded == 4
    assert bank.rows("SELECT city FROM customer ORDER BY ordinal") == [('5" disk',), ('a"b"c',), ('x "y"\nz',), ("ab",)]


def test_a_line_without_end_is_rejected_and_the_rest_is_read(bank: Bank):
    rows = "".join(ROW.replace("C1", f"D{i}") for i in range(1000))
    bank.write("customers.csv", HEADER + ROW + "C2," + "x" * 3_000_000 + "\n" + rows)
    assert bank.load(CUSTOMERS).loaded == 1001
    assert bank.reasons() == [(3, "", "TOO_LONG")]


def test_blank_lines_and_a_missing_last_line_end_are_no_rows(bank: Bank):
    bank.write("customers.csv", HEADER + "\n" + ROW + "\r\n\n" + ROW.replace("C1", "C2").rstrip())
    report = bank.load(CUSTOMERS)
    assert (report.read, report.loaded) == (2, 2)


def test_windows_and_unix_line_ends_may_be_mixed(bank: Bank):
    bank.write("customers.csv", HEADER.replace("\n", "\r\n") + ROW + ROW.replace("C1", "C2").replace("\n", "\r\n"))
    assert bank.load(CUSTOMERS).loaded == 2
    assert bank.rows("SELECT count(*) FROM customer WHERE city = '上海'") == [(2,)]


def test_impossible_dates_are_rejected_and_no_end_is_none(bank: Bank):
    days = [
        "9999-99-99",
        "2026-02-30",
        "infinity",
        "epoch",
        "0001-01-01",
        "20200101",
        "2020-01-01x",
        "44-01-01 (BC)",
        "9999-12-31",
    ]
    bank.write(
        "customers.csv",
        HEADER + "".join(ROW.replace("C1", f"C{i}").replace("2020-01-01", d) for i, d in enumerate(days)),
    )
    with pytest.raises(LoadFailed):
        bank.load(CUSTOMERS)
    assert [r.reason for r in bank.rejects()] == [
        *["NOT_A_DATE"] * 4,
        "OUT_OF_RANGE",
        *["NOT_A_DATE"] * 2,
        *["OUT_OF_RANGE"] * 2,
    ]


def test_no_end_in_an_optional_date_is_stored_as_none(bank: Bank):
    bank.write(
        "customers.csv", "no,o,c\nC1,2020-01-01,9999-12-31\nC2,2020-01-01,2200-01-01\nC3,2020-01-01,2099-12-31\n"
    )
    bank.load(CUSTOMERS, columns={"customer_no": "no", "opened_on": "o", "closed_on": "c"}, max_reject_rate=1)
    assert bank.rows("SELECT ordinal, closed_on::VARCHAR FROM customer ORDER BY 1") == [(0, None), (1, "2099-12-31")]
    assert bank.reasons() == [(3, "closed_on", "OUT_OF_RANGE")]


def test_a_missing_column_after_a_good_load_leaves_the_data_serving(bank: Bank):
    bank.write("customers.csv", HEADER + ROW)
    bank.load(CUSTOMERS)
    before = bank.store.manifest()
    bank.write("customers.csv", (HEADER + ROW).replace("开户日", "开户日期"))
    with pytest.raises(BadSource) as caught:
        bank.load(CUSTOMERS)
    assert caught.value.where.file == "customers.csv"
    assert caught.value.message == "There is no column '开户日'."
    assert caught.value.hint == "Did you mean '开户日期'?"
    assert bank.store.manifest() == before
    assert bank.rows("SELECT count(*) FROM customer") == [(1,)]


def test_a_column_that_stands_twice_is_ambiguous(bank: Bank):
    bank.write("customers.csv", HEADER.replace("手机", "姓名") + ROW)
    assert bad(bank, columns={"customer_no": "客户号", "opened_on": "开户日", "name": "姓名"}).message.endswith(
        "2 times."
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a\x00b,c\n", "NUL"),
        (b'"a,b\n1,2\n', "not closed"),
        (gzip.compress((HEADER + ROW * 1000).encode())[:-20], "damaged"),
        (b"PK\x03\x04" + b"x" * 100, "ZIP"),
        (b"\x1f\x8bgarbage", "damaged"),
    ],
)
def test_what_is_no_table_is_told(bank: Bank, content: bytes, says: str):
    bank.write("customers.csv", content)
    error = bad(bank)
    assert says in error.message
    assert error.where.file == "customers.csv"


def test_a_file_that_inflates_without_measure_is_refused(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kequn.core.data.readers.FREELY_INFLATED", 1 << 20)
    bank.write("customers.csv", gzip.compress((HEADER + "\n" * 50_000_000).encode()))
    assert "inflates" in bad(bank).message


def test_a_file_that_is_not_there_is_told_with_the_near_one(bank: Bank):
    bank.write("custmers.csv", HEADER)
    assert bad(bank).hint == "Did you mean 'custmers.csv'?"


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "link.csv"])
def test_a_path_stays_in_the_data_folder(bank: Bank, path: str):
    (bank.folder.parent / "secret.csv").write_text(HEADER + ROW)
    (bank.folder / "link.csv").symlink_to(bank.folder.parent / "secret.csv")
    assert "leaves the data folder" in bad(bank, input=csv(path=path)).message


def test_hostile_text_is_stored_and_handed_over_as_it_is(bank: Bank):
    names = [
        "=cmd|' /C calc'!A0",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "@SUM(1+1)",
        "Robert'); DROP TABLE customer;--",
    ]
    rows = "".join(f"C{i},2020-01-01,1,{n},{n},1\n" for i, n in enumerate(names))
    bank.write("customers.csv", HEADER + rows)
    handed: list[str] = []
    bank.load(CUSTOMERS, people=lambda b: handed.extend(b.column("name").to_pylist()))
    assert handed == names
    assert [c for (c,) in bank.rows("SELECT city FROM customer ORDER BY ordinal")] == names


def test_a_file_without_header_is_checked_against_its_names(bank: Bank):
    names = ["客户号", "开户日", "性别", "城市", "姓名", "手机"]
    bank.write("customers.csv", ROW + "C2,2020-01-01\n")
    report = bank.load(CUSTOMERS, input=csv(header=False, names=names), max_reject_rate=1)
    assert (report.loaded, bank.reasons()) == (1, [(2, "", "RAGGED_ROW")])
    bank.write("customers.csv", "C1;2020-01-01\n")
    with pytest.raises(BadSource, match="has 1 fields, `names` has 6"):
        bank.load(CUSTOMERS, input=csv(header=False, names=names))


def test_words_for_nothing_are_nothing(bank: Bank):
    bank.write("customers.csv", HEADER + "C1,2020-01-01,NULL,\\N, - ,1\n")
    bank.load(CUSTOMERS, input=csv(nulls=["NULL", "\\N", "-"]))
    assert bank.rows("SELECT gender, city FROM customer") == [(None, None)]


def test_many_bad_rows_do_not_make_a_load_slow(bank: Bank):
    bank.customers("C1")
    bank.write("txn.csv", TXN + "".join(f"T{i},C1,2026-01-0x,C,1\n" for i in range(60_000)))
    started = time.monotonic()
    with pytest.raises(LoadFailed):
        bank.load(TRANSACTIONS)
    assert time.monotonic() - started < 60
    assert bank.rejects()[-1].line == 10_001
