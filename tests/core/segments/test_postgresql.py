"""The emitted SQL, run by a real PostgreSQL: the same customers as the plain telling finds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kequn.core.data.tables import TABLES
from kequn.core.segments import members_sql
from tests.core.segments.bank import AS_OF, TAGS, Bank, make_bank
from tests.core.segments.reference import who
from tests.core.segments.trees import CONDITIONS, SEGMENTS, segment

pytestmark = pytest.mark.postgresql
TAG_SQL = {"boolean": "boolean", "integer": "integer", "number": "double precision", "money": "bigint", "date": "date"}
TAG_SQL |= {"text": "text", "list": "text[]"}
COLUMN_SQL = {"UINTEGER": "bigint", "DOUBLE": "double precision", "VARCHAR": "text"}


def create(cursor: Any, table: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    definition = ", ".join(f'"{name}" {sql}' for name, sql in columns.items())
    cursor.execute(f'CREATE TEMP TABLE "{table}" ({definition})')
    cursor.executemany(f'INSERT INTO "{table}" VALUES ({", ".join(["%s"] * len(columns))})', rows)


@pytest.fixture(scope="module")
def postgres() -> Iterator[tuple[Bank, Any]]:
    dsn = os.environ.get("KEQUN_TEST_POSTGRES") or os.environ.get("KEQUN_DATABASE_URL", "")
    if not dsn.startswith("postgres"):
        pytest.skip("set KEQUN_TEST_POSTGRES to the address of a PostgreSQL database")
    psycopg = pytest.importorskip("psycopg")
    bank = make_bank(4)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        tags = {"customer_id": "bigint", "as_of": "date"} | {name: TAG_SQL[TAGS[name].type] for name in bank.tags}
        present = sorted(bank.customers())
        create(cursor, "customer_tags", tags, [[i, AS_OF, *(v[i] for v in bank.tags.values())] for i in present])
        for table, rows in bank.rows.items():
            stored = TABLES[table].stored_columns()
            columns = {("customer_id" if n == "ordinal" else n): COLUMN_SQL.get(t, t) for n, t in stored.items()}
            create(cursor, table, columns, [[row.get(name) for name in stored] for row in rows])
        create(cursor, "list_vip", {"customer_id": "bigint"}, [[i] for i in bank.lists["vip"]])
        yield bank, cursor
        connection.rollback()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(where=CONDITIONS)
def test_postgresql_finds_exactly_those_whom_the_rule_means(postgres: tuple[Bank, Any], where: dict[str, Any]):
    bank, cursor = postgres
    spec = segment(where)
    query = members_sql(spec, tags=TAGS, segments=SEGMENTS, as_of=AS_OF, dialect="postgres")
    found = {row[0] for row in cursor.execute(query.encode()).fetchall()}
    assert found == who(spec, bank, SEGMENTS)
