"""What a segment means, told again in the plainest Python: the judge of the compiler. It shares no code with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from kequn.core.spec.segment import (
    AllOf,
    AnyOf,
    Behaviour,
    Condition,
    Did,
    MemberOf,
    Not,
    OnList,
    Rows,
    SegmentSpec,
    TagTest,
)
from tests.core.segments.bank import AS_OF, TAGS, Bank

ON = {"transaction": "booked_on", "event": "happened_on"}
MONEY_COLUMNS = {"amount"}
TIME_COLUMNS = {"at"}
DATE_COLUMNS = {"booked_on", "happened_on"}
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    "<": lambda have, want: have < want,
    "<=": lambda have, want: have <= want,
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
}


def who(spec: SegmentSpec, bank: Bank, segments: Mapping[str, SegmentSpec]) -> set[int]:
    """Return the ordinals of the members."""
    return {i for i in bank.customers() if holds(spec.where, i, bank, segments)}


def holds(condition: Condition, i: int, bank: Bank, segments: Mapping[str, SegmentSpec]) -> bool:
    """Whether one customer meets a condition."""
    if isinstance(condition, AllOf):
        return all(holds(part, i, bank, segments) for part in condition.all)
    if isinstance(condition, AnyOf):
        return any(holds(part, i, bank, segments) for part in condition.any)
    if isinstance(condition, Not):
        return not holds(condition.negated, i, bank, segments)
    if isinstance(condition, MemberOf):
        return holds(segments[condition.segment].where, i, bank, segments)
    if isinstance(condition, OnList):
        return i in bank.lists[condition.list]
    if isinstance(condition, Did):
        return did(condition.did, i, bank)
    assert isinstance(condition, TagTest)
    return meets(bank.tags[condition.tag][i], condition.op, condition.value, TAGS[condition.tag].type)


def meets(have: Any, op: str, value: Any, type: str) -> bool:
    """Whether one value meets a test; nothing meets only ``unknown``."""
    if op in ("known", "unknown"):
        return (have is None) == (op == "unknown")
    if have is None:
        return False
    wanted = [understood(v, type) for v in (value if isinstance(value, tuple) else (value,))]
    if type == "time" and not isinstance(wanted[0], datetime):
        have = have.date()
    if isinstance(have, list):
        return any(v in have for v in wanted)
    if op == "contains":
        return wanted[0] in have
    if op == "in":
        return have in wanted
    if op == "between":
        return wanted[0] <= have <= wanted[1]
    return TESTS[op](have, wanted[0])


def understood(value: Any, type: str) -> Any:
    """A written value as the bank's rows have it."""
    if type == "money":
        return int(Decimal(str(value)) * 100)
    if type == "number":
        return float(value)
    if type == "date":
        return date.fromisoformat(value)
    if type == "time":
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    return value


def did(behaviour: Behaviour, i: int, bank: Bank) -> bool:
    """Whether one customer did it, and did not do the other since."""
    on = ON[behaviour.table]
    start = AS_OF - timedelta(days=behaviour.within_days)
    mine = [r for r in bank.rows[behaviour.table] if r["ordinal"] == i and row_meets(r, behaviour)]
    mine = [r for r in mine if start < r[on] <= AS_OF]
    if len(mine) < behaviour.at_least:
        return False
    if behaviour.sum_of is not None and behaviour.sum_at_least is not None:
        amounts = [r[behaviour.sum_of] for r in mine if r[behaviour.sum_of] is not None]
        if not amounts or sum(amounts) < behaviour.sum_at_least * 100:
            return False
    other = behaviour.not_since
    if other is None:
        return True
    last = max(r[on] for r in mine)
    for row in bank.rows[other.table]:
        matches_itself = other.table == behaviour.table and row_meets(row, behaviour)
        if (
            row["ordinal"] == i
            and row_meets(row, other)
            and not matches_itself
            and last <= row[ON[other.table]] <= AS_OF
        ):
            return False
    return True


def row_meets(row: dict[str, Any], rows: Rows) -> bool:
    """Whether one row meets every test on its columns."""
    return all(meets(row.get(t.column), t.op, t.value, column_type(t.column)) for t in rows.where)


def column_type(column: str) -> str:
    """The type by which a column's values are written."""
    if column in MONEY_COLUMNS:
        return "money"
    if column in DATE_COLUMNS:
        return "date"
    return "time" if column in TIME_COLUMNS else "plain"
