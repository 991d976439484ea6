"""Many random rules over many random banks, on every engine, against the plain telling of what a rule means.

One command: ``python -m tests.core.segments.agreement --engine duckdb --examples 100000``. Rules are put to an engine many
at a time, one column each, so that a hundred thousand take minutes; ``--engine postgres`` needs a database as under
``tools/with_postgresql.sh``. It ends with 1 at the first difference, which it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sqlglot import exp

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.segments.indexed import lowered
from kequn.core.segments.query import engine_target, statement
from kequn.core.segments.rule import Rule
from kequn.core.segments.sql import TAGS as TAGS_VIEW
from kequn.core.segments.sql import Target, on_day, predicate, rendered
from kequn.core.segments.sql_core import with_joins
from kequn.core.segments.understand import understand
from kequn.core.spec.segment import SegmentSpec
from tests.core.segments.bank import AS_OF, TAGS, Bank, make_bank, open_bank
from tests.core.segments.reference import who
from tests.core.segments.trees import SEGMENTS, segment, tree

Answer = Callable[[Sequence[Rule]], list[set[int]]]
BANK_SIZE = 40
AT_A_TIME = 20
RULES_A_BANK = 200
TAG_SQL = {"boolean": "boolean", "integer": "integer", "number": "double precision", "money": "bigint", "date": "date"}
TAG_SQL |= {"text": "text", "list": "text[]"}
COLUMN_SQL = {"UINTEGER": "bigint", "DOUBLE": "double precision", "VARCHAR": "text"}


def by_duckdb(engine: Engine) -> Answer:
    """Answer by the SQL of the engine."""

    def answer(rules: Sequence[Rule]) -> list[set[int]]:
        target = engine_target(engine, rules, AS_OF)
        holds = [exp.alias_(predicate(rule, target), f"rule_{i}", copy=False) for i, rule in enumerate(rules)]
        query = exp.select("ordinal", *holds, copy=False).from_(TAGS_VIEW, copy=False)
        found = engine.columns(statement(engine, query, rules, AS_OF))
        return [_those(found["ordinal"], found[f"rule_{i}"]) for i in range(len(rules))]

    return answer


def by_joins(engine: Engine) -> Answer:
    """Answer by DuckDB, but by the text for engines that take no subqueries everywhere: each is joined."""

    def answer(rules: Sequence[Rule]) -> list[set[int]]:
        found = []
        for rule in rules:
            whole = engine_target(engine, [rule], AS_OF)
            target = Target("ordinal", AS_OF, dates=whole.dates, joins=[])
            holds = predicate(rule, target)
            query = exp.select(exp.column("ordinal", table=TAGS_VIEW)).from_(TAGS_VIEW)
            rows = engine.rows(statement(engine, with_joins(query, target).where(holds), [rule], AS_OF))
            found.append({row[0] for row in rows})
            assert len(rows) == len(found[-1]), "a join gave a customer twice"
        return found

    return answer


def by_index(engine: Engine) -> Answer:
    """Answer by the index, nothing kept from before."""

    def answer(rules: Sequence[Rule]) -> list[set[int]]:
        asked = [lowered(engine, rule, AS_OF) for rule in rules]
        return [set(index.ids(plan).tolist()) for index, plan in asked]

    return answer


def by_postgres(cursor: Any, bank: Bank, *, joins: bool = False) -> Answer:
    """Answer by the emitted SQL, run by PostgreSQL over the logical views."""
    dates = frozenset((*bank.earlier, AS_OF))

    def answer(rules: Sequence[Rule]) -> list[set[int]]:
        target = Target("customer_id", AS_OF, "postgres", dates, joins=[] if joins else None)
        holds = [exp.alias_(predicate(rule, target), f"rule_{i}", copy=False) for i, rule in enumerate(rules)]
        query = exp.select(exp.column("customer_id", table=TAGS_VIEW), *holds).from_(TAGS_VIEW)
        on_date = exp.EQ(this=exp.column("as_of", table=TAGS_VIEW), expression=on_day(AS_OF))
        text = rendered(with_joins(query, target).where(on_date), dialect="postgres")
        rows = cursor.execute(text.encode()).fetchall()
        return [{row[0] for row in rows if row[i + 1]} for i in range(len(rules))]

    return answer


def _those(ordinals: Any, holds: Any) -> set[int]:
    return set(np.asarray(ordinals)[np.asarray(holds, dtype=bool)].tolist())


def fill_postgres(cursor: Any, bank: Bank) -> None:
    """Put a bank into temporary tables of a PostgreSQL connection, in the place of one that was there."""
    tags = {"customer_id": "bigint", "as_of": "date"} | {name: TAG_SQL[TAGS[name].type] for name in bank.tags}
    rows: list[list[Any]] = []
    for as_of in (*bank.earlier, AS_OF):
        _, columns = bank.on(as_of)
        rows += [[i, as_of, *(v[i] for v in columns.values())] for i in sorted(bank.customers(as_of))]
    _create(cursor, "customer_tags", tags, rows)
    for table, of_table in bank.rows.items():
        stored = TABLES[table].stored_columns()
        columns = {("customer_id" if n == "ordinal" else n): COLUMN_SQL.get(t, t) for n, t in stored.items()}
        _create(cursor, table, columns, [[row.get(name) for name in stored] for row in of_table])
    for name, ordinals in bank.lists.items():
        _create(cursor, f"list_{name}", {"customer_id": "bigint"}, [[i] for i in ordinals])


def _create(cursor: Any, table: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    definition = ", ".join(f'"{name}" {sql}' for name, sql in columns.items())
    cursor.execute(f'DROP TABLE IF EXISTS "{table}"; CREATE TEMP TABLE "{table}" ({definition})')
    if rows:
        cursor.executemany(f'INSERT INTO "{table}" VALUES ({", ".join(["%s"] * len(columns))})', rows)


def differences(bank: Bank, answer: Answer, wheres: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what an engine answers otherwise than the plain telling, and what a rule and its negation do not split."""
    for start in range(0, len(wheres), AT_A_TIME):
        specs = [segment(where) for where in wheres[start : start + AT_A_TIME]]
        rules = [understood(spec) for spec in specs]
        for spec, found in zip(specs, answer(rules), strict=True):
            meant = who(spec, bank, SEGMENTS)
            if found != meant:
                rule = json.dumps(spec.where.model_dump(mode="json", by_alias=True, exclude_defaults=True))
                yield f"lacks {sorted(meant - found)}, has {sorted(found - meant)} too many: {rule}"


def understood(spec: SegmentSpec) -> Rule:
    """Return a rule of the bank, typed."""
    return understand(spec, tags=TAGS, segments=SEGMENTS)


def connection() -> Any:
    """Return a PostgreSQL connection of the tests, ``None`` where there is none."""
    dsn = os.environ.get("KEQUN_TEST_POSTGRES") or os.environ.get("KEQUN_DATABASE_URL", "")
    if not dsn.startswith("postgres"):
        return None
    import psycopg

    return psycopg.connect(dsn)


@contextmanager
def opened(engine: str, bank: Bank, cursor: Any) -> Iterator[Answer]:
    """Open a bank in an engine."""
    if engine.startswith("postgres"):
        fill_postgres(cursor, bank)
        yield by_postgres(cursor, bank, joins=engine == "postgres-joins")
        return
    with tempfile.TemporaryDirectory() as folder:
        open_bank(bank, Path(folder)).close()
        small = Engine(Store(Path(folder)), threads=1)
        yield ENGINES[engine](small)
        small.close()


ENGINES: dict[str, Callable[[Engine], Answer]] = {"duckdb": by_duckdb, "duckdb-joins": by_joins, "index": by_index}


def run(engine: str, examples: int, seed: int, *, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Compare so many random rules; return the differences of the first bank that has any."""
    done, number, started = 0, 0, time.monotonic()
    link = connection() if engine.startswith("postgres") else None
    cursor = link.cursor() if link else None
    while done < examples:
        number += 1
        rng = Random(f"{seed}:{number}")
        bank = make_bank(rng.randrange(2**32), BANK_SIZE)
        wheres = [tree(rng) for _ in range(min(RULES_A_BANK, examples - done))]
        wheres[1::10] = [{"not": where} for where in wheres[: len(wheres[1::10])]]
        with opened(engine, bank, cursor) as answer:
            found = list(differences(bank, answer, wheres))
        if found:
            return [f"bank {seed}:{number}: {difference}" for difference in found]
        done += len(wheres)
        tell(f"{engine}: {done:,} rules on {number:,} banks, 0 differences, {time.monotonic() - started:,.0f} s")
    if link:
        link.close()
    return []


def _tell(text: str) -> None:
    sys.stderr.write(text + "\r")


def main() -> int:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=[*ENGINES, "postgres", "postgres-joins"], default="duckdb")
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=date.today().toordinal())  # noqa: DTZ011 - any number will do
    given = parser.parse_args()
    found = run(given.engine, given.examples, given.seed, tell=_tell)
    sys.stdout.write(
        "\n".join(found) or f"\n{given.engine}: {given.examples:,} rules, seed {given.seed}: 0 differences\n"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
