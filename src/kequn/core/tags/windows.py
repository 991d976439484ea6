"""Tags whose aggregates are windows over rows sorted by customer, and what computes them in one pass.

An aggregate is put into measures (see ``pivot``) where it counts rows, or adds, compares or numbers their amounts, days and
columns of few values, on a condition whose parts each look either at the day or at such columns. Conditions are evaluated by
DuckDB, once a day and once a combination of column values: they mean exactly what they mean in the query over the rows. What
surrounds the aggregates stays SQL. A tag with any other aggregate is computed by SQL altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlglot import exp

from kequn.core.data.combinations import AMOUNT_KNOWN
from kequn.core.data.compacting import AMOUNT, ByCustomer, Rows
from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine, quoted
from kequn.core.tags.choosing import EPOCH, Chosen, Domain, Leaf, OnlySql, Timed
from kequn.core.tags.compiling import aggregate, is_aggregate
from kequn.core.tags.language import PRODUCT_NAMES, TIMED, Calendar
from kequn.core.tags.passes import Source
from kequn.core.tags.pivot import NOTHING, OUT, Family, Kind, Measure, Pivot, family, pivoted
from kequn.core.tags.reading import ReadTag
from kequn.core.tags.timing import Floats, Receipts, timed

Looks = Literal["day", "code"]


@dataclass(frozen=True, slots=True)
class WindowPass:
    """The tags over one table that are computed in one pass over its rows by customer."""

    name: str
    tags: tuple[ReadTag, ...]
    sources: Mapping[str, Source]
    measures: tuple[Measure, ...]
    family: Family
    timed: tuple[Timed, ...]
    layout: ByCustomer
    as_of: date

    def columns(self, first: int, last: int, *, kernel: Pivot | None = None) -> pa.Table:
        """Return the ordinals ``first`` … ``last - 1`` with their measures ``m0``, ``m1``, … and timings ``t0``, …"""
        every = np.arange(first, last, dtype=np.uint32)
        return self._columns(every, list(self.layout.ranges(first, last)), kernel)

    def columns_among(self, ordinals: NDArray[np.uint32], *, kernel: Pivot | None = None) -> pa.Table:
        """As ``columns``, of some customers in ascending order."""
        return self._columns(ordinals, [self.layout.among(ordinals)], kernel)

    def values(self, first: int, last: int, *, kernel: Pivot | None = None) -> OUT:
        """Return the measures × customers ``first`` … ``last - 1``."""
        return self._values(list(self.layout.ranges(first, last)), kernel)

    def _values(self, ranges: list[Rows], kernel: Pivot | None) -> OUT:
        parts = [pivoted(self.family, rows, kernel=kernel) for rows in ranges]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _columns(self, ordinals: NDArray[np.uint32], ranges: list[Rows], kernel: Pivot | None) -> pa.Table:
        columns = {"ordinal": pa.array(ordinals)}
        if self.measures:
            columns |= {f"m{i}": pa.array(row) for i, row in enumerate(self._values(ranges, kernel))}
        parts = [self._timings(rows) for rows in ranges] if self.timed else []
        for i in range(len(self.timed)):
            columns[f"t{i}"] = pa.array(np.concatenate([p[i] for p in parts]), from_pandas=True)
        return pa.table(columns)

    def _timings(self, rows: Rows) -> list[Floats]:
        """One array a timing; those over the same rows are computed together."""
        groups: dict[bytes, list[int]] = {}
        for i, one in enumerate(self.timed):
            groups.setdefault(one.codes.tobytes() + one.days.tobytes(), []).append(i)
        found: dict[int, Floats] = {}
        for members in groups.values():
            receipts = _receipts(rows, self.timed[members[0]])
            values = timed([self.timed[i].what for i in members], receipts, self.as_of)
            found |= {i: values[self.timed[i].what] for i in members}
        return [found[i] for i in range(len(self.timed))]


def window_pass(
    name: str, tags: Iterable[ReadTag], calendar: Calendar, layout: ByCustomer, engine: Engine
) -> WindowPass | None:
    """Return the pass over a table's rows by customer that computes those of ``tags`` that can be; ``None`` for none."""
    table = TABLES[layout.table]
    domain = Domain(layout, calendar, engine)
    leaves: dict[Leaf, int] = {}
    taken: list[ReadTag] = []
    sources: dict[str, Source] = {}
    for tag in tags:
        own = dict(leaves)
        try:
            share = aggregate(tag, calendar)
            raw = _Rewriting(name, table.on or "", layout, own).sql(share.value)
            rows = None if share.rows is None else _Rewriting(name, table.on or "", layout, own).sql(share.rows)
            domain.check(own.keys() - leaves.keys())
        except OnlySql:
            continue
        leaves = own
        taken.append(tag)
        sources[tag.spec.name] = Source(raw, rows)
    if not taken:
        return None
    measures = tuple(domain.measure(leaf) for leaf in leaves if leaf.kind != "timed")
    timings = tuple(domain.timed(leaf) for leaf in leaves if leaf.kind == "timed")
    made = family(measures, codes=domain.sizes)
    return WindowPass(name, tuple(taken), sources, measures, made, timings, layout, calendar.as_of)


class _Rewriting:
    """Puts an expression's aggregates into measures and says what is left, over the measures' columns."""

    def __init__(self, name: str, on: str, layout: ByCustomer, leaves: dict[Leaf, int]) -> None:
        self.name, self.on, self.layout, self.leaves = name, on, layout, leaves

    def sql(self, expression: exp.Expr) -> str:
        """Return the SQL of an expression with its aggregates replaced.

        Raises:
            OnlySql: one of them cannot be.
        """
        made = self._replaced(expression)
        if made.find(exp.Column) is None:
            raise OnlySql
        if any(not c.table for c in made.find_all(exp.Column)):
            raise OnlySql
        return made.sql(dialect="duckdb")

    def _replaced(self, node: exp.Expr) -> exp.Expr:
        return node.transform(self._put_in)

    def _put_in(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and str(node.this).startswith(TIMED):
            counted = node.expressions[0]
            rows = self._rows(counted.expression.this) if isinstance(counted, exp.Filter) else Chosen()
            return self._measure("timed", rows, value=str(node.this).removeprefix(TIMED))
        if isinstance(node, exp.Filter):
            return self._aggregate(node.this, self._rows(node.expression.this))
        return self._aggregate(node, Chosen()) if is_aggregate(node) else node

    def _aggregate(self, node: exp.Expr, rows: Chosen) -> exp.Expr:
        match node:
            case exp.Count():
                return self._count(node.this, rows)
            case exp.CountIf():
                true = self._measure("count", rows.and_(self._rows(node.this)))
                return _if(self._known(node.this, rows) > 0, exp.cast(true, "HUGEINT"))
            case exp.Sum():
                return self._sum(node.this, rows)
            case exp.Avg():
                (value, chosen, sign), *rest = self._branches(node.this, rows)
                if rest or value != AMOUNT or sign != 1:
                    raise OnlySql
                total, count = self._measure("sum", chosen), self._measure("count", chosen)
                return exp.Div(this=exp.cast(total, "DOUBLE"), expression=exp.func("nullif", count, _number(0)))
            case exp.Max() | exp.Min():
                return self._extreme(node, rows)
            case exp.LogicalOr():
                true = self._measure("count", rows.and_(self._rows(node.this)))
                return _if(self._known(node.this, rows) > 0, true > 0)
            case _:
                raise OnlySql

    def _count(self, value: exp.Expr, rows: Chosen) -> exp.Expr:
        if isinstance(value, exp.Star):
            return self._measure("count", rows)
        if not isinstance(value, exp.Distinct):
            return self._known(value, rows)
        if len(value.expressions) != 1:
            raise OnlySql
        (one,) = value.expressions
        if isinstance(one, exp.Column) and one.name == self.on:
            return self._measure("days", rows)
        kind: Kind = "day_bits" if self._looks(one) == "day" else "bits"
        return self._measure(kind, rows, value=one.sql(dialect="duckdb"))

    def _known(self, value: exp.Expr, rows: Chosen) -> exp.Column:
        """How many rows have a value."""
        known = exp.Not(this=exp.Is(this=exp.paren(value.copy()), expression=exp.null()))
        return self._measure("count", rows.and_(self._rows(known)))

    def _sum(self, value: exp.Expr, rows: Chosen) -> exp.Expr:
        """Nothing where no row has a value, as in SQL; the sum of all branches otherwise."""
        total: exp.Expr | None = None
        known: exp.Expr | None = None
        for what, chosen, sign in self._branches(value, rows):
            if what not in (AMOUNT, "0"):
                raise OnlySql
            count = self._measure("count", chosen)
            known = count if known is None else exp.Add(this=known, expression=count)
            if what == AMOUNT:
                added = exp.cast(self._measure("sum", chosen), "HUGEINT")
                term = exp.Neg(this=added) if sign < 0 else added
                total = term if total is None else exp.Add(this=total, expression=term)
        if total is None or known is None:
            raise OnlySql
        return _if(exp.GT(this=exp.paren(known), expression=_number(0)), exp.paren(total))

    def _extreme(self, node: exp.Expr, rows: Chosen) -> exp.Expr:
        largest = isinstance(node, exp.Max)
        (value, chosen, sign), *rest = self._branches(node.this, rows)
        if rest or sign != 1 or value not in (AMOUNT, self.on):
            raise OnlySql
        if value == AMOUNT:
            kind: Kind = "max" if largest else "min"
            return exp.func("nullif", self._measure(kind, chosen), _number(NOTHING[kind]))
        kind = "last" if largest else "first"
        day = exp.func("nullif", self._measure(kind, chosen), _number(NOTHING[kind]))
        epoch = exp.cast(exp.Literal.string(EPOCH.isoformat()), "DATE")
        return exp.paren(exp.Add(this=epoch, expression=exp.cast(day, "INTEGER")))

    def _branches(self, value: exp.Expr, rows: Chosen) -> list[tuple[str, Chosen, int]]:
        """A value as alternatives: (``amount``, the day's column or ``0``; the rows that have it; its sign)."""
        if isinstance(value, exp.Paren):
            return self._branches(value.this, rows)
        if isinstance(value, exp.Cast) and value.to.sql() in ("HUGEINT", "INT128", "BIGINT", "BIGINT"):
            return self._branches(value.this, rows)
        if isinstance(value, exp.Neg):
            return [(what, chosen, -sign) for what, chosen, sign in self._branches(value.this, rows)]
        if isinstance(value, exp.Column) and value.name == AMOUNT:
            return [(AMOUNT, rows if self.layout.amounts_known else rows.and_(Chosen((quoted(AMOUNT_KNOWN),))), 1)]
        if isinstance(value, exp.Column) and value.name == self.on:
            return [(self.on, rows, 1)]
        if isinstance(value, exp.Literal) and not value.is_string and value.name == "0":
            return [("0", rows, 1)]
        if isinstance(value, exp.Case) and value.this is None:
            return self._cases(value, rows)
        raise OnlySql

    def _cases(self, case: exp.Case, rows: Chosen) -> list[tuple[str, Chosen, int]]:
        found: list[tuple[str, Chosen, int]] = []
        left = rows
        for branch in case.args["ifs"]:
            then = branch.args["true"]
            if not isinstance(then, exp.Null):
                found += self._branches(then, left.and_(self._rows(branch.this)))
            left = left.and_(self._rows(exp.Not(this=exp.paren(_surely(branch.this)))))
        otherwise = case.args.get("default")
        if otherwise is not None and not isinstance(otherwise, exp.Null):
            found += self._branches(otherwise, left)
        if not found:
            raise OnlySql
        return found

    def _rows(self, condition: exp.Expr) -> Chosen:
        """The rows on which a condition is true."""
        if isinstance(condition, exp.Paren):
            return self._rows(condition.this)
        if isinstance(condition, exp.And):
            return self._rows(condition.this).and_(self._rows(condition.expression))
        text = condition.sql(dialect="duckdb")
        return Chosen(days=(text,)) if self._looks(condition) == "day" else Chosen(codes=(text,))

    def _looks(self, expression: exp.Expr) -> Looks:
        names = {c.name for c in expression.find_all(exp.Column)}
        if names <= {self.on} and not any(is_aggregate(n) for n in expression.walk()):
            return "day"
        if names <= {*self.layout.columns, *PRODUCT_NAMES} - {AMOUNT_KNOWN}:
            return "code"
        raise OnlySql

    def _measure(self, kind: Kind | Literal["timed"], rows: Chosen, *, value: str = "") -> exp.Column:
        leaf = Leaf(kind, rows, value)
        if leaf not in self.leaves:
            self.leaves[leaf] = sum((other.kind == "timed") == (kind == "timed") for other in self.leaves)
        return exp.column(f"{'t' if kind == 'timed' else 'm'}{self.leaves[leaf]}", table=self.name)


def _receipts(rows: Rows, one: Timed) -> Receipts:
    """The rows that count, of the same customers."""
    start, end = int(rows.starts[0]), int(rows.starts[-1])
    day, code = rows.day[start:end], rows.code[start:end]
    places = np.flatnonzero(one.codes[code] & one.days[day])
    starts = np.searchsorted(places, rows.starts.astype(np.int64) - start)
    amount = rows.amount[start:end][places].astype(np.int64)
    return Receipts(starts.astype(np.int64), day[places].astype(np.int64), amount)


def _surely(condition: exp.Expr) -> exp.Expr:
    return exp.func("coalesce", condition.copy(), exp.false())


def _if(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=condition, true=value)])


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
