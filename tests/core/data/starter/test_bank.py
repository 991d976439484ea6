"""The starter bank's files: reproducible, consistent, calibrated, and about nobody who exists."""

from __future__ import annotations

import csv
import gzip
import hashlib
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from kequn.core.data.starter import CAST, FILES, Truth, generate, read_truth
from kequn.core.data.starter.draws import BLOCK
from kequn.core.data.starter.names import CHECK_DIGITS, CHECK_WEIGHTS
from kequn.core.data.starter.raw import customer_numbers, positions_of
from kequn.core.data.starter.wealth import wealth_of

STRANGERS = {f"609999990{i}" for i in range(1, 5)}
"""Numbers of wrong rows; no customer has them."""


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def customers(bank: Truth) -> list[dict[str, str]]:
    """Return the well-formed rows of the customer file."""
    with gzip.open(bank.folder / FILES["customers"], "rt", encoding="gbk") as file:
        return [row for row in csv.DictReader(file) if row["CUST_NO"] not in STRANGERS and row["CUST_NM"] != "重复客户"]


def query(bank: Truth, sql: str) -> list[tuple]:
    files = {name: str(bank.folder / file) for name, file in FILES.items()}
    return duckdb.connect().execute(sql.format(**files)).fetchall()


def test_the_same_seed_gives_the_same_bytes(bank, tmp_path):
    generate(tmp_path, customers=4_000)
    assert hashes(tmp_path) == hashes(bank.folder)


def test_another_seed_gives_another_bank(bank, tmp_path):
    generate(tmp_path, customers=300, seed=1)
    names = {row["CUST_NM"] for row in customers(read_truth(tmp_path))}
    assert names != {row["CUST_NM"] for row in customers(bank)[:300]}


def test_the_first_customers_do_not_depend_on_the_size(bank, tmp_path):
    generate(tmp_path, customers=BLOCK + 500)
    larger = {row["CUST_NO"]: row for row in customers(read_truth(tmp_path))}
    for row in customers(bank)[::97]:
        assert row == larger[row["CUST_NO"]]


def test_what_is_true_can_be_read_again(bank):
    assert read_truth(bank.folder) == bank


def test_rows_are_those_in_the_files(bank):
    counted = {
        "holdings": pq.read_metadata(bank.folder / FILES["holdings"]).num_rows,
        "transactions": pq.read_metadata(bank.folder / FILES["transactions"]).num_rows,
        "events": pq.read_metadata(bank.folder / FILES["events"]).num_rows,
    }
    for name in ("customers", "accounts", "contacts", "consents"):
        with gzip.open(bank.folder / FILES[name], "rb") as file:
            counted[name] = sum(1 for _ in file) - 1
    for name in ("branches", "staff", "service"):
        counted[name] = len((bank.folder / FILES[name]).read_bytes().splitlines()) - 1
    assert counted == {name: bank.rows[name] for name in counted}


def test_wrong_rows_are_few_and_announced(bank):
    assert sum(bank.rejects.values()) == 16
    assert all(bank.rejects[name] < 0.01 * bank.rows[name] or bank.rejects[name] == 0 for name in FILES)


@pytest.mark.parametrize("customers", [50_000, 1_000_000])
def test_wealth_follows_the_published_curve(customers):
    wealth = np.concatenate([wealth_of(20260630, block) for block in range(customers // BLOCK)])
    published = {(0, 5e5): (0.9775, 0.1862), (5e5, 1e7): (0.0218, 0.5010), (1e7, np.inf): (0.0007, 0.3128)}
    for (low, high), (people, assets) in published.items():
        here = (wealth >= low) & (wealth < high)
        assert abs(here.mean() - people) < 0.01
        assert here.mean() == pytest.approx(people, rel=0.01)
        assert abs(wealth[here].sum() / wealth.sum() - assets) < 0.01


@pytest.mark.slow
def test_wealth_in_the_files_follows_the_published_curve(tmp_path):
    bank = generate(tmp_path)
    rows = query(bank, """
        WITH wealth AS (SELECT CUST_NO, sum(MAVG_BAL) AS aum FROM '{holdings}'
                        WHERE DATA_DT = '20260630' AND PROD_TYP NOT IN ('FD','XD','JD','XYK','SF','??') GROUP BY 1)
        SELECT sum(aum), sum(aum) FILTER (aum < 500000), sum(aum) FILTER (aum BETWEEN 500000 AND 10000000),
               count(*) FILTER (aum >= 500000), count(*) FILTER (aum > 10000000) FROM wealth
    """)  # fmt: skip
    total, low, middle, n_rich, n_very_rich = map(float, rows[0])
    assert abs(low / total - 0.1862) < 0.01
    assert abs(middle / total - 0.5010) < 0.01
    assert n_rich / 50_000 == pytest.approx(0.0225, abs=0.001)
    assert n_very_rich == pytest.approx(35, abs=2)
    assert total == pytest.approx(float(bank.aum), rel=1e-4)


def test_every_row_is_about_a_customer_of_the_bank(bank):
    known = {row["CUST_NO"] for row in customers(bank)}
    for name, strangers in (("holdings", 0), ("transactions", 1), ("events", 1)):
        column = {no for (no,) in query(bank, f"SELECT DISTINCT CUST_NO FROM '{{{name}}}'")}
        assert len(column - known) == strangers, name


def test_accounts_of_transactions_are_in_the_accounts_file(bank):
    with gzip.open(bank.folder / FILES["accounts"], "rt", encoding="utf-8") as file:
        accounts = {row["ACCT_NO"] for row in csv.DictReader(file, delimiter="|")}
    used = {no for (no,) in query(bank, "SELECT DISTINCT ACCT_NO FROM '{transactions}'")}
    assert used <= accounts


def test_nothing_happens_before_the_customer_came_or_after_today(bank):
    opened = {row["CUST_NO"]: row["OPEN_DT"] for row in customers(bank)}
    for table, column in (("transactions", "TXN_DT"), ("events", "EVT_DT")):
        key = "TXN_SEQ" if table == "transactions" else "EVT_ID"
        sql = f"SELECT CUST_NO, min({column}), max({column}) FROM '{{{table}}}' WHERE {key} > 0 GROUP BY 1"
        for no, earliest, latest in query(bank, sql):
            assert opened[no] <= earliest
            assert latest <= "20260630"


def test_numbers_of_transactions_are_unique(bank):
    assert query(bank, "SELECT count(*) - count(DISTINCT TXN_SEQ) FROM '{transactions}'") == [(0,)]


def test_the_wrong_rows_are_about_nobody():
    assert positions_of(sorted(STRANGERS)).min() >= 10_000_000


def test_customer_numbers_lead_back_to_positions():
    number = np.array([0, 1, 77, 9_999_999], dtype=np.int64)
    assert positions_of(customer_numbers(number).to_pylist()).tolist() == number.tolist()


def test_no_telephone_number_can_be_real(bank):
    numbers = [row["MOBILE"] for row in customers(bank) if row["MOBILE"]]
    assert len(numbers) > 3_900
    assert all(len(no) == 11 and no.startswith("101") for no in numbers)


def test_no_identity_number_can_be_real(bank):
    documents = [row["CERT_NO"] for row in customers(bank)]
    identities = [no for no in documents if not no.startswith("EX")]
    assert len(identities) > 3_800
    for no in identities:
        right = CHECK_DIGITS[int(np.array([int(d) for d in no[:17]]) @ CHECK_WEIGHTS) % 11]
        assert len(no) == 18
        assert no.startswith("99")
        assert no[17] != right


def test_mail_goes_to_a_domain_that_cannot_exist(bank):
    assert all(row["EMAIL"].endswith(".test") for row in customers(bank) if row["EMAIL"])


def test_identity_numbers_agree_with_birth_and_sex(bank):
    for row in customers(bank):
        if row["BIRTH_DT"] and row["性别"] in ("1", "2"):
            assert row["CERT_NO"][6:14] == row["BIRTH_DT"]
            assert int(row["CERT_NO"][16]) % 2 == (row["性别"] == "1")


def test_the_cast_is_on_the_staff(bank):
    with (bank.folder / FILES["staff"]).open(encoding="utf-8") as file:
        staff = {row["EMP_ID"]: row for row in csv.DictReader(file)}
    said = {login: (staff[no]["EMP_NM"], staff[no]["POST"], staff[no]["ORG_NO"]) for login, no in CAST.items()}
    assert said["wangfang"] == ("王芳", "理财经理", "0001")
    assert said["liqiang"] == ("李强", "支行长", "0001")
    assert said["chenjing"] == ("陈静", "理财经理", "0002")
    assert said["zhaomin"][:2] == ("赵敏", "营销经办")
    assert said["zhoulv"][:2] == ("周律", "合规复核")


def test_the_cast_has_a_book_of_customers(bank):
    managed = [row["MGR_NO"] for row in customers(bank)]
    with (bank.folder / FILES["staff"]).open(encoding="utf-8") as file:
        staff = {row["EMP_ID"] for row in csv.DictReader(file)}
    assert set(managed) - {""} <= staff
    assert CAST["wangfang"] in managed
    assert CAST["chenjing"] in managed


@pytest.mark.parametrize(
    ("group", "low", "high"),
    [
        ("payroll", 0.22, 0.40), ("senior", 0.07, 0.14), ("merchant", 0.03, 0.07), ("owner", 0.005, 0.02),
        ("family", 0.18, 0.35), ("genz", 0.05, 0.12), ("midclass", 0.004, 0.02), ("public", 0.02, 0.07),
        ("county", 0.07, 0.20), ("car", 0.08, 0.20), ("card", 0.12, 0.28), ("private", 0.0005, 0.003),
        ("mortgage", 0.05, 0.13), ("newcitizen", 0.04, 0.11), ("windfall", 0.0005, 0.006), ("maturity", 0.01, 0.04),
        ("churn", 0.008, 0.03), ("dormant", 0.40, 0.50),
    ],
)  # fmt: skip
def test_groups_have_believable_sizes(bank, group, low, high):
    assert low < bank.groups[group] / bank.customers < high


def test_labels_count_the_groups(bank):
    labels = pq.read_table(bank.labels)
    assert labels.num_rows == bank.customers
    assert {c.removeprefix("is_"): sum(labels[c].to_pylist()) for c in labels.column_names[3:]} == bank.groups


def test_wages_come_on_paydays_and_pensions_on_the_fifteenth(bank):
    days = dict(query(bank, """
        SELECT TX_CD, count(DISTINCT substr(TXN_DT, 7, 2)) FROM '{transactions}'
        WHERE TX_CD IN ('1001', '1002') AND TXN_DT LIKE '2026%' GROUP BY 1"""))  # fmt: skip
    assert days["1002"] <= 3
    assert days["1001"] < 28


def test_spending_follows_the_seasons(bank):
    ((feast, usual),) = query(bank, """
        SELECT count(*) FILTER (TXN_DT BETWEEN '20260206' AND '20260215') / 10.0,
               count(*) FILTER (TXN_DT BETWEEN '20260401' AND '20260430') / 30.0
        FROM '{transactions}' WHERE TX_CD = '3001'""")  # fmt: skip
    assert feast > 1.3 * usual


def test_month_averages_of_positions_are_not_negative(bank):
    assert query(bank, "SELECT count(*) FROM '{holdings}' WHERE BAL < 0 OR MAVG_BAL < 0") == [(0,)]


def test_a_bank_of_any_date_can_be_made(tmp_path):
    bank = generate(tmp_path, customers=200, as_of=date(2025, 2, 14), months=4)
    dates = [d for (d,) in query(bank, "SELECT DISTINCT DATA_DT FROM '{holdings}' ORDER BY 1")]
    assert dates == ["20241130", "20241231", "20250131", "20250214"]


def test_transactions_can_be_written_as_text(tmp_path):
    bank = generate(tmp_path, customers=200, transactions="csv")
    lines = (tmp_path / "txn.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == bank.rows["transactions"]
    assert not (tmp_path / FILES["transactions"]).exists()


def test_more_volume_means_more_transactions(bank, tmp_path):
    assert generate(tmp_path, customers=4_000, volume=3.0).rows["transactions"] > 1.6 * bank.rows["transactions"]


def test_progress_is_told(tmp_path):
    told: list[tuple[int, int | None]] = []
    generate(tmp_path, customers=BLOCK + 10, progress=lambda done, total, _: told.append((done, total)))
    assert told == [(BLOCK, BLOCK + 10), (BLOCK + 10, BLOCK + 10)]
