"""A behaviour answered from postings: who has rows of a kind in a window is counted without SQL.

The customers are exactly those of the SQL of `sql_rows`. A test on a column that postings do not have (a time, a reference)
is left to SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from kequn.core.data.tables import TABLES, Table
from kequn.core.engine.duck import Engine
from kequn.core.engine.index.behaviour import Behaviour, Rows, who_did
from kequn.core.engine.index.bits import Words
from kequn.core.engine.index.postings import Part, Shape, build_rows, rows_of
from kequn.core.engine.index.spans import LEAST, MOST, Spans
from kequn.core.engine.store import Manifest, Store
from kequn.core.segments.rule import DidRule, RowsRule
from kequn.core.segments.settle import window

KEY_TYPES = ("text", "boolean", "integer")
WITH_POSTINGS = ("transaction", "event", "contact", "service")
Passes = Callable[[Any], bool]


def shape_of(table: Table) -> Shape:
    """Return which columns of a table its postings are made of."""
    keys = tuple(c.name for c in table.columns if c.type in KEY_TYPES)
    return Shape(table.on or "", keys, tuple(c.name for c in table.columns if c.type == "money"))


def build_postings(store: Store, manifest: Manifest) -> None:
    """Build what is missing of the postings of the tables that behaviours are about; after a load or a refresh.

    Raises:
        OSError: such as for want of space; nothing is half-written then.
    """
    for name in WITH_POSTINGS:
        if name in manifest.tables:
            build_rows(store, manifest.tables[name].files, shape_of(TABLES[name]))


def did_plane(engine: Engine, rule: DidRule, *, as_of: date, size: int) -> Words | None:
    """Return the plane of the customers who did (a settled rule); ``None`` where SQL has to answer."""
    asked = _asked(rule, as_of)
    if asked is None:
        return None
    parts: dict[str, Sequence[Part]] = {}
    for rows in (asked.rows, asked.not_since):
        if rows is not None and rows.table not in parts:
            found = _parts(engine, rows.table)
            if found is None:
                return None
            parts[rows.table] = found
    return who_did(asked, parts, size)


def _parts(engine: Engine, table: str) -> list[Part] | None:
    state = engine.manifest.tables.get(table)
    if table not in WITH_POSTINGS or state is None or not state.files:
        return None
    return rows_of(engine.store, state.files, shape_of(TABLES[table]))


def _asked(rule: DidRule, as_of: date) -> Behaviour | None:
    days, rows = window(rule.during, rule.within_days, as_of), _rows(rule.rows)
    other = _rows(rule.not_since) if rule.not_since else None
    if rows is None or (other is None and rule.not_since is not None):
        return None
    column, least = None, None
    if rule.sum_of is not None:
        if rule.sum_of.type != "money":
            return None
        column, least = rule.sum_of.name, int(Decimal(str(rule.sum_at_least)).to_integral_value(ROUND_CEILING))
    return Behaviour(rows, days.first, days.last, as_of, rule.at_least, column, least, other)


def _rows(rows: RowsRule) -> Rows | None:
    """The rows with each test put to the key, to the day or to an amount; ``None`` where one fits none of them."""
    keys: list[tuple[str, Passes]] = []
    days: list[Passes] = []
    amounts: list[tuple[str, Spans]] = []
    for test in rows.tests:
        name, kind = test.column.name, test.column.type
        if name == rows.table.on:
            passes = _passes(test.op, test.values)
            days += [passes] if passes else []
        elif kind in KEY_TYPES:
            passes = _passes(test.op, test.values)
            keys += [(name, passes)] if passes else []
        elif kind == "money":
            spans = _spans(test.op, test.values)
            passes = None if spans is None else bool
            amounts += [(name, spans)] if spans else []
        else:
            passes = None
        if passes is None:
            return None
    return Rows(rows.table.name, tuple(keys), tuple(days), tuple(amounts))


def _passes(op: str, values: tuple[Any, ...]) -> Passes | None:
    """Whether a value passes; none passes only ``unknown``. ``None`` for a test that is not known here."""
    value = values[0] if values else None
    tests: dict[str, Passes] = {
        "known": lambda _: True,
        "=": lambda have: bool(have == value),
        "!=": lambda have: bool(have != value),
        "<": lambda have: bool(have < value),
        "<=": lambda have: bool(have <= value),
        ">": lambda have: bool(have > value),
        ">=": lambda have: bool(have >= value),
        "between": lambda have: bool(values[0] <= have <= values[1]),
        "in": lambda have: have in values,
        "contains": lambda have: value in have,
    }
    if op == "unknown":
        return lambda have: have is None
    holds = tests.get(op)
    return None if holds is None else lambda have: have is not None and holds(have)


def _spans(op: str, values: tuple[Any, ...]) -> Spans | None:
    """The amounts (fen) that pass a test. ``None`` for a test that is not known here."""
    if not all(isinstance(v, int) for v in values):
        return None
    match op:
        case "known":
            return Spans.of([(LEAST, MOST)])
        case "unknown":
            return Spans((), nulls=True)
        case "=" | "in":
            return Spans.of((v, v) for v in values)
        case "!=":
            return Spans.of([(LEAST, values[0] - 1), (values[0] + 1, MOST)])
        case "<":
            return Spans.of([(LEAST, values[0] - 1)])
        case "<=":
            return Spans.of([(LEAST, values[0])])
        case ">":
            return Spans.of([(values[0] + 1, MOST)])
        case ">=":
            return Spans.of([(values[0], MOST)])
        case "between":
            return Spans.of([(values[0], values[1])])
        case _:
            return None
