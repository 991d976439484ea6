"""Timing tags whose rows come from a query: where rows by customer cannot give them, and as what those are checked against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from kequn.core.engine.duck import Engine, quoted
from kequn.core.tags.compiling import aggregate, columns_in, scan_sql
from kequn.core.tags.language import TIMED, Calendar, day
from kequn.core.tags.passes import Source
from kequn.core.tags.reading import ReadTag
from kequn.core.tags.timing import Receipts, timed


@dataclass(frozen=True, slots=True)
class TimedPass:
    """Timing tags over one table."""

    name: str
    sources: Mapping[str, Source]
    queries: Mapping[str, tuple[str, ...]]
    """SELECT of (ordinal, day, amount) of the rows that count -> what is asked of them."""
    columns_of: Mapping[tuple[str, str], str]
    """(query, what) -> the column it stands in."""
    as_of: date
    engine: Engine

    def columns(self, first: int, last: int) -> pa.Table:
        """Return the ordinals ``first`` … ``last - 1`` with their timings ``t0``, …"""
        columns = {"ordinal": pa.array(np.arange(first, last, dtype=np.uint32))}
        for query, whats in self.queries.items():
            rows = self.engine.arrow(f"{query} AND r.ordinal >= {first:d} AND r.ordinal < {last:d} ORDER BY 1, 2")
            amount = pc.fill_null(rows.column("amount"), 0).to_numpy()
            starts = np.searchsorted(rows.column("ordinal").to_numpy(), np.arange(first, last + 1))
            receipts = Receipts(starts.astype(np.int64), rows.column("on").to_numpy().astype(np.int64), amount)
            for what, values in timed(whats, receipts, self.as_of).items():
                columns[self.columns_of[query, what]] = pa.array(values, from_pandas=True)
        return pa.table(columns)


def is_timed(tag: ReadTag, calendar: Calendar) -> bool:
    """Whether a tag asks anything of ``timing``."""
    return not tag.per_row and any(_calls(aggregate(tag, calendar).value))


def timed_pass(
    name: str, tags: Iterable[ReadTag], calendar: Calendar, engine: Engine, stored: Mapping[str, str]
) -> TimedPass:
    """Return the pass over one table that computes timing tags."""
    every = list(tags)
    table = every[0].table
    assert table is not None
    assert table.on is not None
    sources: dict[str, Source] = {}
    queries: dict[str, dict[str, None]] = {}
    columns: dict[tuple[str, str], str] = {}
    for tag in every:
        value = aggregate(tag, calendar).value.copy()
        for call in list(_calls(value)):
            counted = call.expressions[0]
            condition = counted.expression.this if isinstance(counted, exp.Filter) else exp.true()
            scan = scan_sql(table, [table.on, "amount", *columns_in([condition])], stored=stored)
            today = day(calendar.as_of).sql(dialect="duckdb")
            query = (
                f"SELECT ordinal, {quoted(table.on)} - DATE '1970-01-01' AS \"on\", amount FROM ({scan}) r"
                f" WHERE {quoted(table.on)} <= {today} AND ({condition.sql(dialect='duckdb')})"
            )
            what = str(call.this).removeprefix(TIMED)
            queries.setdefault(query, {})[what] = None
            column = columns.setdefault((query, what), f"t{len(columns)}")
            put = exp.column(column, table=name)
            if call is value:
                value = put
            else:
                call.replace(put)
        sources[tag.spec.name] = Source(value.sql(dialect="duckdb"), None)
    return TimedPass(name, sources, {q: tuple(w) for q, w in queries.items()}, columns, calendar.as_of, engine)


def _calls(value: exp.Expr) -> Iterable[exp.Anonymous]:
    return (n for n in value.find_all(exp.Anonymous) if str(n.this).startswith(TIMED))
