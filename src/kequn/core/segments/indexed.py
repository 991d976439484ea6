"""A rule as a plan for the index: tests on tags become tests on its columns, behaviours are counted from postings, and all
else is the customers whom DuckDB finds.

What the index answers is what the SQL of `sql` answers, customer for customer; a kind of rule that is not named here is put
to DuckDB by itself, once for each version of the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Column, Index
from kequn.core.engine.index import plan as plans
from kequn.core.engine.index.bits import Words, from_ordinals
from kequn.core.engine.index.layout import days_of
from kequn.core.engine.index.plan import Among, Bits, CodeIn, Known, Plan, Range
from kequn.core.segments.behaving import did_plane
from kequn.core.segments.past import Past, past_key
from kequn.core.segments.query import check_there, leaf_sql
from kequn.core.segments.rule import (
    AnyRule,
    DidRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    Rule,
    TagRule,
    key_of,
)
from kequn.core.segments.settle import settled

KIND_OF_TYPE = {
    "boolean": "flag",
    "text": "code",
    "list": "set",
    "date": "day",
    "integer": "number",
    "number": "number",
    "money": "number",
}
OPS = frozenset({"=", "!=", "<", "<=", ">", ">=", "between", "in", "contains"})
EXACT_DIGITS = 15
"""Decimals of up to so many digits are the same double in every engine."""


def lowered(engine: Engine, rule: Rule, as_of: date, *, past: Past | None = None) -> tuple[Index, Plan]:
    """Return the index of a date and the plan for it of a rule as understood.

    Raises:
        NoData: tags, rows or a list that the rule needs are not there.
        UnknownTag: a tag was not computed for that date.
    """
    index = engine.index(as_of)
    check_there(engine, rule, as_of)
    dates = frozenset(map(date.fromisoformat, engine.manifest.dates))
    return index, Lowering(engine, index, past).plan(settled(rule, as_of, dates=dates))


@dataclass(frozen=True, slots=True)
class Lowering:
    """Turns rules settled for one date into plans for its index."""

    engine: Engine
    index: Index
    past: Past | None

    def plan(self, rule: Rule) -> Plan:
        """Return the plan of a settled rule. Raises as `lowered` does."""
        match rule:
            case EveryRule(parts=parts):
                return plans.All(tuple(map(self.plan, parts)))
            case AnyRule(parts=parts):
                return plans.Any(tuple(map(self.plan, parts)))
            case NotRule(part=part):
                return plans.Not(self.plan(part))
            case MemberRule(rule=inner):
                return self.plan(inner)
            case ListRule(name=name):
                return self._listed(name)
            case TagRule():
                return self._test(rule) or self._elsewhere(rule)
            case DidRule():
                return self._did(rule)
            case _:
                return self._elsewhere(rule)

    def column(self, tag: str) -> Column:
        """Return a tag's column. Raises as `plan` does."""
        if tag not in self.index.columns:
            self.engine.tags_query(self.index.as_of, [tag])
        return self.index.columns[tag]

    def _listed(self, name: str) -> Plan:
        file = self.engine.manifest.lists[name].file
        path, size = self.engine.store.path(file), self.index.size
        return Bits(f"list:{file}", lambda: from_ordinals(pq.read_table(path).column("ordinal").to_numpy(), size))

    def _did(self, rule: DidRule) -> Plan:
        def load() -> Words:
            counted = did_plane(self.engine, rule, as_of=self.index.as_of, size=self.index.size)
            return self._found(leaf_sql(self.engine, rule, self.index.as_of)) if counted is None else counted

        return self._kept(key_of(rule), load)

    def _elsewhere(self, rule: Rule) -> Plan:
        key = key_of(rule) + past_key(rule, self.past)
        if self.engine.masks.get((self.index.key, key)) is None:
            query = self._query(rule)  # now, so that what it lacks is said now
            return self._kept(key, lambda: self._found(query))
        return self._kept(key, lambda: self._found(self._query(rule)))

    def _query(self, rule: Rule) -> str:
        return leaf_sql(self.engine, rule, self.index.as_of, past=self.past)

    def _found(self, query: str) -> Words:
        return self.engine.ordinals(query, size=self.index.size)

    def _kept(self, key: str, load: Callable[[], Words]) -> Bits:
        masks, where = self.engine.masks, (self.index.key, key)
        return Bits(key, lambda: masks.get_or_make(where, load))

    def _test(self, rule: TagRule) -> Plan | None:
        name, column, values = rule.tag.name, self.column(rule.tag.name), rule.values
        if rule.op in ("known", "unknown"):
            return Known(name) if rule.op == "known" else plans.Not(Known(name))
        if column.kind != KIND_OF_TYPE.get(rule.tag.type) or rule.op not in OPS:
            return None
        if column.kind in ("number", "day"):
            return self._number(rule, column)
        if rule.op == "contains" and column.kind == "code":
            return CodeIn(name, _codes(column, lambda value: str(values[0]) in value))
        found = CodeIn(name, _codes(column, lambda value: value in values))
        return _known_but(found) if rule.op == "!=" else found

    def _number(self, rule: TagRule, column: Column) -> Plan:
        name, numbers = rule.tag.name, [self._number_of(value, column) for value in rule.values]
        if rule.op == "in":
            singles = [_bounds("=", number) for number in numbers]
            return Among(name, tuple(low for low, high in singles if low == high and low is not None))
        if rule.op == "between":
            return Range(name, _bounds(">=", numbers[0])[0], _bounds("<=", numbers[1])[1])
        if rule.op == "!=":
            return _known_but(Range(name, *_bounds("=", numbers[0])))
        return Range(name, *_bounds(rule.op, numbers[0]))

    def _number_of(self, value: Any, column: Column) -> Decimal | float:
        if isinstance(value, date):
            return Decimal(days_of(value))
        number = Decimal(value)
        if not _is_float(column):
            return number
        if len(number.as_tuple().digits) <= EXACT_DIGITS:
            return float(number)
        return float(self.engine.rows(f"SELECT CAST({number:f} AS DOUBLE)")[0][0])


def _codes(column: Column, holds: Callable[[Any], bool]) -> tuple[int, ...]:
    return tuple(i for i, value in enumerate(column.values or (), start=1) if holds(value))


def _known_but(found: CodeIn | Range) -> Plan:
    """``!=`` is told of those with a value only."""
    return plans.All((Known(found.tag), plans.Not(found)))


def _is_float(column: Column) -> bool:
    return column.exact is not None and column.exact.dtype.kind == "f"


def _bounds(op: str, number: Decimal | float) -> tuple[float | None, float | None]:
    """Return the closed range of a comparison; of a whole column it is whole, and empty where nothing can be equal."""
    if isinstance(number, float):
        least, most = number, number
        below, above = float(np.nextafter(number, -np.inf)), float(np.nextafter(number, np.inf))
    else:
        least, most = _rounded(number, ROUND_CEILING), _rounded(number, ROUND_FLOOR)
        below, above = least - 1, most + 1
    match op:
        case "=":
            return least, most
        case "<":
            return None, below
        case "<=":
            return None, most
        case ">":
            return above, None
        case ">=":
            return least, None
        case _:
            raise AssertionError(op)


def _rounded(number: Decimal, rounding: str) -> int:
    return int(number.to_integral_value(rounding))
