"""The rows of a query come as exact as those of a file, and a query can do nothing but read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from kequn.core.data.postgres import checked_query
from kequn.core.errors import BadSource
from tests.core.data.conftest import Bank

SPEC = """
kind: source
name: holdings
title: 持有
table: holding
input: {format: postgres, query: "QUERY", dsn_env: CORE_DB}
columns:
  customer_no: cust
  product_code: prod
  position_no: pos
  as_of: day
  family: {sql: "'time'"}
  balance: amt
  has_instalment: inst
max_reject_rate: 1
"""


@pytest.mark.parametrize(
    "query",
    [
        "select 1",
        "select a, b from t where a > 1;",
        "with x as (select 1) select * from x",
        "select 1 union all select 2",
    ],
)
def test_a_select_is_a_query(query: str):
    checked_query(query)


@pytest.mark.parametrize(
    "query",
    [
        "", "drop table t", "select 1; select 2", "delete from t", "update t set a = 1", "insert into t values (1)",
        "with x as (delete from t returning *) select * from x", "with x as (insert into t values (1) returning *) select * from x",
        "select 1 into t", "create table t as select 1", "copy t to '/tmp/x'", "set role x", "vacuum", "call f()", "do $$ begin end $$",
        "select pg_read_file('/etc/passwd')", "select * from dblink('x', 'y') as t(a int)", "select lo_import('/etc/passwd')",
        "select pg_sleep(100)", "explain analyze delete from t", "select 1) to stdout; drop table t; copy (select 1",
        "select set_config('a', 'b', false)", "(" * 500 + "select 1" + ")" * 500, "nonsense",
    ],
)  # fmt: skip
def test_anything_else_is_refused(query: str):
    with pytest.raises(BadSource):
        checked_query(query)


def test_a_database_that_cannot_be_reached_is_told_without_its_password(bank: Bank):
    bank.customers("C1")
    with pytest.raises(BadSource, match="cannot be reached") as caught:
        bank.load(SPEC.replace("QUERY", "select 1"), dsn=lambda _: "postgresql://u:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)


@pytest.fixture
def postgres() -> Iterator[tuple[str, Any, str]]:
    dsn = os.environ.get("KEQUN_TEST_POSTGRES") or os.environ.get("KEQUN_DATABASE_URL", "")
    if not dsn.startswith("postgres"):
        pytest.skip("set KEQUN_TEST_POSTGRES to the address of a PostgreSQL database")
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Tests run side by side on one server: each has a schema of its own.
        schema = f"kequn_load_{uuid4().hex[:12]}"
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield dsn, connection, schema
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.postgresql
def test_rows_of_a_query_are_loaded_exactly(bank: Bank, postgres: tuple[str, Any, str]):
    dsn, connection, schema = postgres
    connection.execute(
        f"CREATE TABLE {schema}.h (cust text, prod text, pos int, day date, amt numeric, inst boolean, note text)"
    )
    rows = [
        ("C1", "P,1", 1, date(2026, 1, 31), "12345678901.23", True, 'a "quoted"\nnote'),
        ("C1", "产品", 2, date(2026, 1, 31), "0.10", None, None),
        ("C1", "P", 3, date(2026, 1, 31), "1.005", False, ""),
        ("C9", "P", 4, date(2026, 1, 31), "1", False, ""),
    ]
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {schema}.h VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
    bank.customers("C1")
    query = f"select * from {schema}.h order by pos"
    report = bank.load(SPEC.replace("QUERY", query), dsn={"CORE_DB": dsn}.__getitem__)
    assert (report.read, report.loaded, report.reasons) == (4, 2, {"NOT_MONEY": 1, "UNKNOWN_CUSTOMER": 1})
    assert bank.rows("SELECT product_code, balance, has_instalment FROM holding ORDER BY position_no") == [
        ("P,1", 1234567890123, True),
        ("产品", 10, None),
    ]


@pytest.mark.postgresql
def test_the_same_rows_twice_change_nothing(bank: Bank, postgres: tuple[str, Any, str]):
    dsn, _, _ = postgres
    bank.customers("C1")
    query = "select 'C1' as cust, 'P' as prod, 1 as pos, date '2026-01-31' as day, 1 as amt, true as inst"
    load = SPEC.replace("QUERY", query)
    assert bank.load(load, dsn=lambda _: dsn).loaded == 1
    before = bank.store.manifest()
    assert bank.load(load, dsn=lambda _: dsn).unchanged
    assert bank.store.manifest() == before


@pytest.mark.postgresql
def test_what_the_server_refuses_is_told(bank: Bank, postgres: tuple[str, Any, str]):
    dsn, connection, schema = postgres
    connection.execute(f"CREATE TABLE {schema}.t (a int)")
    connection.execute(
        f"CREATE FUNCTION {schema}.sneak() RETURNS text LANGUAGE sql AS $$ INSERT INTO {schema}.t VALUES (1); SELECT 'C1' $$"
    )
    bank.customers("C1")
    with pytest.raises(BadSource, match="does not exist"):
        bank.load(SPEC.replace("QUERY", f"select * from {schema}.nothing"), dsn=lambda _: dsn)
    sneak = f"select {schema}.sneak() as cust, 'P' as prod, 1 as pos, date '2026-01-31' as day, 1 as amt, true as inst"
    with pytest.raises(BadSource, match="read-only"):
        bank.load(SPEC.replace("QUERY", sneak), dsn=lambda _: dsn)
    assert connection.execute(f"SELECT count(*) FROM {schema}.t").fetchone() == (0,)
    assert "holding" not in bank.store.manifest().tables


@pytest.mark.postgresql
@pytest.mark.slow
def test_a_large_result_is_streamed(bank: Bank, postgres: tuple[str, Any, str]):
    dsn, _, _ = postgres
    bank.customers("C1")
    query = (
        "select 'C1' as cust, 'P' as prod, i as pos, date '2026-01-31' as day, i / 100.0 as amt, true as inst "
        "from generate_series(1, 600000) i"
    )
    report = bank.load(SPEC.replace("QUERY", query), dsn=lambda _: dsn)
    assert report.loaded == 600_000
    assert bank.rows("SELECT sum(balance) FROM holding") == [(600_000 * 600_001 // 2,)]
