"""What a segment means, told again in the plainest Python: the judge of the compiler. It shares no code with it."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from kequn.core.spec.segment import (
    AllOf,
    AnyOf,
    Behaviour,
    Change,
    Cluster,
    Condition,
    Did,
    Except,
    Intersect,
    MemberOf,
    Not,
    OnList,
    Rank,
    Rows,
    SegmentSpec,
    Sequence,
    TagTest,
    Trend,
    Union,
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
Row = dict[str, Any]


def who(spec: SegmentSpec, bank: Bank, segments: Mapping[str, SegmentSpec]) -> set[int]:
    """Return the ordinals of the members."""
    judge = Judge(bank, segments, AS_OF)
    return {i for i in bank.customers() if judge.holds(spec.where, i)}


# -- days, counted one by one -------------------------------------------------------------------------------------------


def day_of(text: str, as_of: date) -> date:
    """The day that a text means."""
    words = text.split()
    match words:
        case ["today"]:
            return as_of
        case ["yesterday"]:
            return as_of - timedelta(1)
        case ["tomorrow"]:
            return as_of + timedelta(1)
        case [n, "day" | "days", "ago"]:
            return as_of - timedelta(int(n))
        case ["in", n, "day" | "days"]:
            return as_of + timedelta(int(n))
        case ["start", "of", *rest]:
            return min(days_of(" ".join(rest), as_of))
        case ["end", "of", *rest]:
            return max(days_of(" ".join(rest), as_of))
    return date.fromisoformat(text)


@cache
def days_of(text: str, as_of: date) -> frozenset[date]:
    """The days of a period, found by asking each day of some years whether it belongs."""
    if text in ("today", "yesterday", "tomorrow"):
        return frozenset({day_of(text, as_of)})
    words = text.split()
    if len(words) == 3 and words[1] == "to":
        return frozenset(d for d in YEARS if words[0] <= d.isoformat() <= words[2])
    if len(words) == 2:
        step = {"last": -1, "this": 0, "next": 1}[words[0]]
        return frozenset(d for d in YEARS if number_of(d, words[1]) == number_of(as_of, words[1]) + step)
    count, unit, back = int(words[1]), words[2].rstrip("s"), words[0] == "last"
    if unit in ("day", "week"):
        length = count * (7 if unit == "week" else 1)
        return frozenset(as_of + timedelta(-n if back else n + 1) for n in range(length))
    assert unit == "month"
    edge = same_day(as_of, -count if back else count)
    return frozenset(d for d in YEARS if (edge < d <= as_of if back else as_of < d <= edge))


def number_of(day: date, unit: str) -> int:
    """The how manieth week, month, quarter or year of all it is."""
    match unit:
        case "week":
            return (day - date(2001, 1, 1)).days // 7  # a Monday
        case "month":
            return day.year * 12 + day.month
        case "quarter":
            return day.year * 4 + (day.month + 2) // 3
        case _:
            return day.year


def same_day(day: date, months: int) -> date:
    """The same day some months on, or the last the month has."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


YEARS = [date(2023, 1, 1) + timedelta(n) for n in range(365 * 5)]


def before(text: str, as_of: date) -> frozenset[date]:
    """The period of the same kind right before."""
    words = text.split()
    if len(words) == 2:
        first = min(days_of(text, as_of))
        return days_of(f"last {words[1]}", first)
    if len(words) == 3 and words[0] == "last" and words[2].startswith("month"):
        month = int(words[1])
        return frozenset(d for d in YEARS if same_day(as_of, -2 * month) < d <= same_day(as_of, -month))
    days = days_of(text, as_of)
    return frozenset(d - timedelta(len(days)) for d in days)


# -- conditions ---------------------------------------------------------------------------------------------------------


@dataclass
class Judge:
    """Tells of one customer after the other, on one business date."""

    bank: Bank
    segments: Mapping[str, SegmentSpec]
    as_of: date

    def __post_init__(self) -> None:
        self.present, self.tags = self.bank.on(self.as_of)
        self.rows: dict[tuple[str, int], list[Row]] = {}
        for table, rows in self.bank.rows.items():
            for row in rows:
                if row[ON[table]] <= self.as_of:
                    self.rows.setdefault((table, row["ordinal"]), []).append(row)
        self.others: dict[date, Judge] = {}
        self.places: dict[int, tuple[Condition, list[int]]] = {}

    def at(self, text: str) -> Judge:
        """The judge of the last business date up to a day."""
        wanted = day_of(text, self.as_of)
        day = max(d for d in (*self.bank.earlier, AS_OF) if d <= wanted)
        if day not in self.others:
            self.others[day] = Judge(self.bank, self.segments, day)
        return self.others[day]

    def holds(self, condition: Condition, i: int) -> bool:
        """Whether one customer meets a condition."""
        match condition:
            case AllOf(all=parts) | Intersect(intersect=parts):
                return all(self.holds(part, i) for part in parts)
            case AnyOf(any=parts) | Union(union=parts):
                return any(self.holds(part, i) for part in parts)
            case Not(negated=part):
                return not self.holds(part, i)
            case Except(groups=(first, *others)):
                return self.holds(first, i) and not any(self.holds(other, i) for other in others)
            case MemberOf(segment=name, as_of=None):
                return self.holds(self.segments[name].where, i)
            case MemberOf(segment=name, as_of=str(day)):
                there = self.at(day)
                return there.present[i] and there.holds(self.segments[name].where, i)
            case OnList(list=name):
                return i in self.bank.lists[name]
            case Cluster(cluster=cluster):
                return self.tags[f"model_cluster_{cluster.set}"][i] in cluster.any_of
            case Did(did=behaviour):
                return self.did(behaviour, i)
            case Sequence():
                return self.followed(condition, i)
            case Trend():
                return self.moved(condition, i)
            case Change():
                return self.changed(condition, i)
            case Rank():
                return self.placed(condition, i)
        assert isinstance(condition, TagTest)
        there = self if condition.as_of is None else self.at(condition.as_of)
        have = there.tags[condition.tag][i] if condition.as_of is None or there.present[i] else None
        return meets(have, condition.op, condition.value, TAGS[condition.tag].type, there.as_of)

    def did(self, behaviour: Behaviour, i: int) -> bool:
        """Whether one customer did it, and did not do the other since."""
        on, days = ON[behaviour.table], self.window(behaviour.within_days, behaviour.during)
        mine = [r for r in self.matching(behaviour, i) if r[on] in days]
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
        return not any(
            last <= row[ON[other.table]] and not self.is_one(row, other, behaviour) for row in self.matching(other, i)
        )

    def followed(self, condition: Sequence, i: int) -> bool:
        """Whether any row of the first kind was followed by one of the other, with none of the third in between."""
        order = condition.sequence
        days = self.window(order.within_days, order.during)
        for a in self.matching(order.first, i):
            start = a[ON[order.first.table]]
            for b in self.matching(order.then, i):
                end = b[ON[order.then.table]]
                if start not in days or end not in days or not 0 <= (end - start).days <= order.gap_days:
                    continue
                if start == end and self.is_one(b, order.then, order.first):
                    continue
                if order.without is None or not any(
                    start <= c[ON[order.without.table]] <= end
                    and not self.is_one(c, order.without, order.first)
                    and not self.is_one(c, order.without, order.then)
                    for c in self.matching(order.without, i)
                ):
                    return True
        return False

    def moved(self, condition: Trend, i: int) -> bool:
        """Whether the figures of two periods stand in the ratio or differ by the amount."""
        trend = condition.trend
        during = days_of(trend.during, self.as_of)
        if trend.against == "period before":
            against = before(trend.during, self.as_of)
        elif trend.against == "year before":
            against = year_before(trend.during, self.as_of)
        else:
            against = days_of(trend.against, self.as_of)
        mine, on = self.matching(trend, i), ON[trend.table]
        if not any(r[on] in during or r[on] in against for r in mine):
            return False
        later, earlier = (
            sum(1 if trend.sum_of is None else r[trend.sum_of] or 0 for r in mine if r[on] in days)
            for days in (during, against)
        )
        return stands(trend, later, earlier, 100 if trend.sum_of else 1)

    def changed(self, condition: Change, i: int) -> bool:
        """Whether a tag changed so."""
        change, there = condition.change, self.at(condition.change.since)
        now, then = self.tags[change.tag][i], there.tags[change.tag][i]
        if now is None or then is None or not there.present[i]:
            return False
        if TAGS[change.tag].type == "number":
            if change.ratio is not None:
                return then > 0 and TESTS[change.op](now, float(change.ratio) * then)
            assert change.difference is not None
            return TESTS[change.op](now - then, float(change.difference))
        return stands(change, now, then, 100 if TAGS[change.tag].type == "money" else 1)

    def placed(self, condition: Rank, i: int) -> bool:
        """Whether a customer's place by a tag is as asked."""
        place, values = condition.rank, self.tags[condition.rank.tag]
        if id(condition) not in self.places:
            base = [j for j, here in enumerate(self.present) if here and values[j] is not None]
            inside = [j for j in base if place.among is None or self.holds(place.among, j)]
            self.places[id(condition)] = (condition, inside)
        inside = self.places[id(condition)][1]
        if i not in inside:
            return False
        higher = sum(values[j] > values[i] for j in inside)
        lower = sum(values[j] < values[i] for j in inside)
        size = len(inside)
        if place.top is not None:
            return higher < place.top
        if place.bottom is not None:
            return lower < place.bottom
        if place.top_percent is not None:
            return Decimal(higher) * 100 < place.top_percent * size
        if place.bottom_percent is not None:
            return Decimal(lower) * 100 < place.bottom_percent * size
        assert place.percentile is not None
        low, high = place.percentile
        share = Decimal(lower) * 100
        return low * size <= share and (high == 100 or share < high * size)

    def window(self, within_days: int | None, during: str | None) -> frozenset[date]:
        """The days of a window of the past."""
        days = days_of(during or f"last {within_days} days", self.as_of)
        return frozenset(d for d in days if d <= self.as_of)

    def matching(self, rows: Rows, i: int) -> list[Row]:
        """The rows of a customer that meet every test."""
        return [r for r in self.rows.get((rows.table, i), ()) if self.row_meets(r, rows)]

    def is_one(self, row: Row, kind: Rows, other: Rows) -> bool:
        """Whether a row of one kind is also one of another."""
        return kind.table == other.table and self.row_meets(row, other)

    def row_meets(self, row: Row, rows: Rows) -> bool:
        """Whether one row meets every test on its columns."""
        return all(meets(row.get(t.column), t.op, t.value, column_type(t.column), self.as_of) for t in rows.where)


def year_before(text: str, as_of: date) -> frozenset[date]:
    """The same period as it was told a year ago; of fixed days, those a year before."""
    if " to " in text:
        return frozenset(same_day(d, -12) for d in days_of(text, as_of))
    return days_of(text, same_day(as_of, -12))


def stands(comparison: Any, later: int, earlier: int, unit: int) -> bool:
    """Whether two figures stand in a ratio, or differ by an amount."""
    if comparison.ratio is not None:
        return earlier > 0 and TESTS[comparison.op](Decimal(later), comparison.ratio * earlier)
    return TESTS[comparison.op](later - earlier, comparison.difference * unit)


def meets(have: Any, op: str, value: Any, type: str, as_of: date) -> bool:
    """Whether one value meets a test; nothing meets only ``unknown``."""
    if op in ("known", "unknown"):
        return (have is None) == (op == "unknown")
    if have is None:
        return False
    if op == "anniversary":
        return falls_on(have, days_of(value, as_of))
    if op == "during":
        return (have.date() if isinstance(have, datetime) else have) in days_of(value, as_of)
    wanted = [understood(v, type, as_of) for v in (value if isinstance(value, tuple) else (value,))]
    if type == "time" and not isinstance(wanted[0], datetime):
        have = have.date()
    if isinstance(have, list):
        return all(v in have for v in wanted) if op == "contains_all" else any(v in have for v in wanted)
    if op == "contains":
        return wanted[0] in have
    if op == "in":
        return have in wanted
    if op == "between":
        return wanted[0] <= have <= wanted[1]
    return TESTS[op](have, wanted[0])


def falls_on(have: date | str, days: frozenset[date]) -> bool:
    """Whether a day of the year is among some days; 29 February is the 28th in a year without it."""
    month, day = map(int, have.split("-")) if isinstance(have, str) else (have.month, have.day)
    return any(
        (d.month, d.day) == (month, day)
        or ((month, day) == (2, 29) and (d.month, d.day) == (2, 28) and not calendar.isleap(d.year))
        for d in days
    )


def understood(value: Any, type: str, as_of: date) -> Any:
    """A written value as the bank's rows have it."""
    if type == "money":
        return int(Decimal(str(value)) * 100)
    if type == "number":
        return float(value)
    if type == "date":
        return day_of(value, as_of)
    if type == "time":
        return datetime.fromisoformat(value) if "T" in value else day_of(value, as_of)
    return value


def column_type(column: str) -> str:
    """The type by which a column's values are written."""
    if column in MONEY_COLUMNS:
        return "money"
    if column in DATE_COLUMNS:
        return "date"
    return "time" if column in TIME_COLUMNS else "plain"
