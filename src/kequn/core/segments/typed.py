"""One condition with its types: which tests a tag or column allows, and the values read by its type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

from kequn.core.data.tables import TABLES, Column, Table
from kequn.core.errors import InvalidSpec, KequnError, UnknownTag, Where
from kequn.core.segments.columns import code_words
from kequn.core.segments.rule import ColumnRule, DidRule, RowsRule, SequenceRule, TagRule, Told, TrendRule
from kequn.core.segments.sensitivity import refuse_suppressing
from kequn.core.spec.base import Text
from kequn.core.spec.period import Away, Edge, Fixed, Period, Rolling, Whole, YearBefore, read_day, read_period
from kequn.core.spec.segment import Behaviour, ColumnTest, Movement, Order, Rows, Scalar, TagTest, TestOp
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import Value, read_text, read_value

MAX_VALUES = 1000
ORDERED: tuple[TestOp, ...] = ("=", "!=", "<", "<=", ">", ">=", "between", "in", "known", "unknown")
DATED: tuple[TestOp, ...] = (*ORDERED[:-2], "during", "anniversary", *ORDERED[-2:])
OPERATORS: dict[str, tuple[TestOp, ...]] = {
    "boolean": ("=", "!=", "known", "unknown"),
    "integer": ORDERED,
    "number": ORDERED,
    "money": ORDERED,
    "date": DATED,
    "timestamp": DATED,
    "text": ("=", "!=", "in", "contains", "known", "unknown"),
    "list": ("contains", "in", "contains_all", "known", "unknown"),
    "ref": ("known", "unknown"),
}
"""The tests a type of tag allows. Text has no order: it would differ by the collation of each engine."""
COLUMN_OPERATORS = {kind: tuple(op for op in ops if op != "anniversary") for kind, ops in OPERATORS.items()}
"""The tests a type of column of a behaviour's rows allows: those rows are found by their dates, not by anniversaries."""

SUMMABLE = ("money", "number", "integer")
TOLD = re.compile(r"^(today|yesterday|tomorrow)$|[a-z]+ +[a-z0-9]|[0-9] +[a-z]", re.IGNORECASE)
"""Text that can only be meant as a day told from the business date."""
MONTH_DAY = "_md"
"""A text tag of this name holds a month and a day, 06-30, and can be tested for its anniversary."""
Fault = TypeVar("Fault", bound=KequnError)


def at(path: str, fault: Fault) -> Fault:
    """Return the fault with its place in the document."""
    fault.where = Where(field=path)
    return fault


def nearest(name: str, titles: Mapping[str, Text]) -> str | None:
    """Return the name that is written like ``name``, or whose title is."""
    by_word = {word.lower(): n for n, title in titles.items() for word in (title.zh, title.en or n)}
    by_word |= {n: n for n in titles}
    near = get_close_matches(name.lower(), by_word, n=1)
    return by_word[near[0]] if near else None


def tag_named(name: str, path: str, tags: Mapping[str, TagSpec]) -> TagSpec:
    """Return a tag that may select customers.

    Raises:
        UnknownTag, TagNotSelectable: with ``path`` as the place.
    """
    tag = tags.get(name)
    if tag is None:
        near = nearest(name, {n: t.title for n, t in tags.items()})
        hint = f"Did you mean {near!r} ({tags[near].title})?" if near else "See the catalogue: `kequn tag list`."
        raise at(path, UnknownTag(f"Tag {name!r} is not in the catalogue.", hint=hint, tag=name))
    refuse_suppressing(tag, path)
    return tag


def number_named(name: str, path: str, tags: Mapping[str, TagSpec]) -> TagSpec:
    """Return a tag that can be calculated with. Raises as `tag_named` does, and InvalidSpec for any other."""
    tag = tag_named(name, path, tags)
    if tag.type not in SUMMABLE:
        message = f"Tag {name!r} is {tag.type}: it has no ratio or difference."
        raise at(path, InvalidSpec(message, hint="Choose a tag of money or numbers, or test its value on the day."))
    return tag


def ordered_named(name: str, path: str, tags: Mapping[str, TagSpec]) -> TagSpec:
    """Return a tag whose values can be put in order. Raises as `tag_named` does, and InvalidSpec for any other."""
    tag = tag_named(name, path, tags)
    if tag.type not in (*SUMMABLE, "date"):
        message = f"Tag {name!r} is {tag.type}: it puts nobody first or last."
        raise at(path, InvalidSpec(message, hint="Choose a tag of money, numbers or dates."))
    return tag


def tag_rule(test: TagTest, path: str, tags: Mapping[str, TagSpec]) -> TagRule:
    """Return the test on a tag, typed.

    Raises:
        UnknownTag, TagNotSelectable, InvalidSpec: with the place below ``path``.
    """
    tag = tag_named(test.tag, f"{path}.tag", tags)
    if tag.type == "text" and test.op == "anniversary" and tag.name.endswith(MONTH_DAY):
        return TagRule(path, tag, test.op, (_period(test.value, f"{path}.value"),))
    _allowed(test, OPERATORS[tag.type], path, f"Tag {tag.name!r} is {tag.type}")
    return TagRule(path, tag, test.op, _values(test, tag.type, path, tag.values))


def amount_of(type: str, difference: Decimal | None, path: str) -> Value | None:
    """Return a difference as the store compares it: money as fen. Raises InvalidSpec with its place."""
    return None if difference is None else _value(type, difference, path, {})  # type: ignore[return-value]


def did_rule(did: Behaviour, path: str) -> DidRule:
    """Return a behaviour, typed by the canonical tables.

    Raises:
        InvalidSpec: with the place below ``path``.
    """
    rows = _rows(did, f"{path}.did")
    other = _rows(did.not_since, f"{path}.did.not_since") if did.not_since else None
    column = least = None
    if did.sum_of is not None and did.sum_at_least is not None:
        column = _summable(rows.table, did.sum_of, f"{path}.did.sum_of")
        least = amount_of(_sum_type(column), did.sum_at_least, f"{path}.did.sum_at_least")
    during = read_period(did.during) if did.during else None
    return DidRule(path, rows, did.within_days, did.at_least, column, least, other, during)


def sequence_rule(order: Order, path: str) -> SequenceRule:
    """Return a sequence, typed by the canonical tables. Raises InvalidSpec with the place below ``path``."""
    place = f"{path}.sequence"
    without = _rows(order.without, f"{place}.without") if order.without else None
    during = Rolling("day", order.within_days) if order.within_days else read_period(order.during or "")
    first, then = _rows(order.first, f"{place}.first"), _rows(order.then, f"{place}.then")
    return SequenceRule(path, first, then, order.gap_days, without, during)


def trend_rule(movement: Movement, path: str) -> TrendRule:
    """Return a movement between two periods, typed. Raises InvalidSpec with the place below ``path``."""
    place = f"{path}.trend"
    rows, column = _rows(movement, place), None
    if movement.sum_of is not None:
        column = _summable(rows.table, movement.sum_of, f"{place}.sum_of")
    difference = amount_of(_sum_type(column) if column else "integer", movement.difference, f"{place}.difference")
    during = read_period(movement.during)
    against = _against(during, movement.against)
    return TrendRule(path, rows, column, during, against, movement.op, movement.ratio, difference)


def _against(during: Rolling | Whole | Fixed, written: str) -> Period:
    if written == "period before":
        return during.before()
    return YearBefore(during) if written == "year before" else read_period(written)


def _sum_type(column: Column) -> str:
    return "money" if column.type == "money" else "number"


def _rows(rows: Rows, path: str) -> RowsRule:
    table = TABLES[rows.table]
    return RowsRule(table, tuple(_column_rule(test, table, f"{path}.where.{i}") for i, test in enumerate(rows.where)))


def _column_rule(test: ColumnTest, table: Table, path: str) -> ColumnRule:
    column = _testable(table, test.column, f"{path}.column")
    codes = code_words(table.name, column)
    _allowed(test, COLUMN_OPERATORS[column.type], path, f"Column {table.name}.{column.name} is {column.type}")
    values = _values(test, column.type, path, codes)
    return ColumnRule(column, test.op, values)


def _testable(table: Table, name: str, path: str) -> Column:
    testable = {c.name: c for c in table.columns if c.type not in ("customer", "person", "note")}
    if name not in testable:
        near = get_close_matches(name, testable, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Columns: " + ", ".join(testable) + "."
        message = f"Rows of {table.name!r} have no column {name!r} to test."
        raise at(path, InvalidSpec(message, hint=hint, column=name))
    return testable[name]


def _summable(table: Table, name: str, path: str) -> Column:
    column = _testable(table, name, path)
    if column.type not in SUMMABLE:
        numbers = ", ".join(c.name for c in table.columns if c.type in SUMMABLE) or "none"
        message = f"Column {name!r} is {column.type}: it has no sum."
        raise at(path, InvalidSpec(message, hint=f"Columns with a sum: {numbers}.", column=name))
    return column


def _allowed(test: TagTest | ColumnTest, ops: Sequence[TestOp], path: str, what: str) -> None:
    if test.op not in ops:
        hint = f"Tests: {' '.join(ops)}."
        raise at(f"{path}.op", InvalidSpec(f"{what}: it has no test {test.op!r}.", hint=hint))


def _values(test: TagTest | ColumnTest, type: str, path: str, codes: Mapping[str, Text]) -> tuple[Told, ...]:
    place = f"{path}.value"
    if test.op in ("during", "anniversary"):
        return (_period(test.value, place),)
    if type == "text" and test.op == "contains":
        return (_substring(test.value, place),)
    if not isinstance(test.value, tuple):
        return () if test.value is None else (_value(type, test.value, place, codes),)
    if len(test.value) > MAX_VALUES:
        raise at(place, InvalidSpec(f"More than {MAX_VALUES} values.", hint="Upload customers as a list."))
    values = tuple(_value(type, written, f"{place}.{i}", codes) for i, written in enumerate(test.value))
    told = any(isinstance(value, Away | Edge) for value in values)
    if len({date if isinstance(value, Away | Edge) else value.__class__ for value in values}) > 1:
        raise at(place, InvalidSpec("Some values are days, others times.", hint="Write all of them the same way."))
    if test.op == "between" and not told and values[0] > values[1]:  # type: ignore[operator]  # one class, and an ordered one
        raise at(place, InvalidSpec("The lower end is above the upper end.", hint="Write [low, high]."))
    return values if test.op == "between" else tuple(dict.fromkeys(values))


def _value(type: str, written: Scalar, path: str, codes: Mapping[str, Text]) -> Told:
    try:
        if type in ("date", "timestamp") and isinstance(written, str) and TOLD.search(written):
            return _told_day(written)
        return read_value(type, written, codes=codes)
    except InvalidSpec as fault:
        raise at(path, fault) from None


def _told_day(written: str) -> Told:
    try:
        return read_day(written)
    except ValueError as fault:
        raise InvalidSpec(str(fault) + ".") from None


def _period(written: object, path: str) -> Rolling | Whole | Fixed:
    try:
        return read_period(str(written))
    except ValueError as fault:
        raise at(path, InvalidSpec(str(fault) + ".")) from None


def _substring(written: object, path: str) -> str:
    """Part of a code or text, so not held against the codes."""
    try:
        text = read_text(written)  # type: ignore[arg-type]  # the spec allows one scalar here
    except InvalidSpec as fault:
        raise at(path, fault) from None
    if not text:
        raise at(path, InvalidSpec("Every text contains the empty text.", hint="Use `known`."))
    return text
