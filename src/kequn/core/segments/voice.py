"""How a language says a rule: the walk over it, and what each language has to say for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast

from kequn.core.segments.columns import TABLE_WORDS, column_title, said_words
from kequn.core.segments.rule import (
    AnyRule,
    ChangeRule,
    ColumnRule,
    DidRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    RankRule,
    RowsRule,
    Rule,
    SequenceRule,
    TagRule,
    ThenRule,
    Told,
    TrendRule,
    WasRule,
    YearlyRule,
)
from kequn.core.spec.base import Text
from kequn.core.spec.period import Away, Day, Days, Edge, Fixed, Period, Rolling, Whole, YearBefore
from kequn.core.spec.segment import TestOp
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import Value, say_value

MOST_SAID = 8
"""A list of values is said in full up to this many."""


class Voice(ABC):
    """How one language says a rule."""

    language: str
    everybody: str
    nobody: str
    and_: str
    or_: str
    compare: Mapping[str, str]
    dates: Mapping[str, str]

    def clause(self, rule: Rule) -> str:
        """Return a rule as a clause."""
        match rule:
            case TagRule():
                return self.tag(rule)
            case ThenRule(test=test, on=on):
                return self.then(self.clause(test), self.day(on))
            case ChangeRule():
                return self.change(rule)
            case RankRule(among=among):
                return self.rank(rule, None if among is None else self.clause(among))
            case DidRule():
                return self.did(rule)
            case SequenceRule():
                return self.sequence(rule)
            case TrendRule():
                return self.trend(rule)
            case ListRule(name=name):
                return self.listed(name)
            case MemberRule(title=title):
                return self.member(title.to(self.language))
            case WasRule(title=title, on=on):
                return self.was_member(title.to(self.language), self.day(on))
            case EveryRule(parts=parts):
                return self.and_.join(self.grouped(part) for part in parts) if parts else self.everybody
            case AnyRule(parts=parts):
                return self.or_.join(self.grouped(part) for part in parts) if parts else self.nobody
            case NotRule(part=part):
                return self.negated(self.grouped(part))
            case YearlyRule():
                raise TypeError("A rule is said as it was written, not as it is settled.")

    def grouped(self, part: Rule) -> str:
        """A part inside another, in brackets where it could be read two ways."""
        several = isinstance(part, EveryRule | AnyRule) and len(part.parts) > 1
        return self.bracketed(self.clause(part)) if several else self.clause(part)

    def tag(self, rule: TagRule) -> str:
        """A test on a tag."""
        tag = rule.tag
        unit = tag.unit.to(self.language) if tag.unit and tag.type in ("integer", "number") else ""
        said = [self.value(tag.type, v, tag.values, unit) for v in rule.values]
        return self.test(self.title(tag), tag.type, rule.op, said)

    def title(self, tag: TagSpec) -> str:
        """What a tag is called."""
        return tag.title.to(self.language)

    def column(self, table: str, rule: ColumnRule) -> str:
        """A test on a column of a behaviour's rows."""
        words = said_words(table, rule.column)
        said = [self.value(rule.column.type, v, words, "") for v in rule.values]
        return self.test(column_title(rule.column.name).to(self.language), rule.column.type, rule.op, said)

    def value(self, type: str, value: Told, words: Mapping[str, Text], unit: str) -> str:
        """A value by its type, a code by its words."""
        if isinstance(value, Away | Edge):
            return self.day(value)
        if isinstance(value, Rolling | Whole | Fixed | YearBefore):
            return self.period(value)
        said = say_value(type, value, self.language, words=words)
        if type in ("text", "list") and str(value) not in words:
            return self.quoted(said)
        return f"{said} {unit}" if unit else said

    def rows(self, rows: RowsRule) -> str:
        """Rows of a table with the tests on them."""
        tests = [self.column(rows.table.name, test) for test in rows.tests]
        return self.rows_where(TABLE_WORDS[rows.table.name].to(self.language), tests)

    def window(self, within_days: int | None, during: Period | Days | None) -> str:
        """A window of the past."""
        if within_days is not None:
            return self.period(Whole("day", 0) if within_days == 1 else Rolling("day", within_days))
        return self.period(cast(Period, during))

    def amount(self, type: str, value: Value | None) -> str:
        """A difference between two figures."""
        return say_value(type, cast(Value, value), self.language)

    def compared(self, type: str, op: TestOp) -> str:
        """A comparison; of dates: before and after."""
        return self.dates.get(op, self.compare[op]) if type in ("date", "timestamp") else self.compare[op]

    @abstractmethod
    def sentence(self, clause: str) -> str:
        """A clause as the sentence that says a segment."""

    @abstractmethod
    def bracketed(self, clause: str) -> str:
        """A clause in brackets."""

    @abstractmethod
    def quoted(self, text: str) -> str:
        """Text that somebody wrote."""

    @abstractmethod
    def negated(self, clause: str) -> str:
        """That a clause does not hold."""

    @abstractmethod
    def listed(self, name: str) -> str:
        """On a list."""

    @abstractmethod
    def member(self, title: str) -> str:
        """In a segment."""

    @abstractmethod
    def was_member(self, title: str, day: str) -> str:
        """In a segment on an earlier day."""

    @abstractmethod
    def then(self, clause: str, day: str) -> str:
        """A clause as of an earlier day."""

    @abstractmethod
    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str:
        """A test on a tag or a column."""

    @abstractmethod
    def rows_where(self, kind: str, tests: list[str]) -> str:
        """Rows of a kind with the tests on them."""

    @abstractmethod
    def did(self, rule: DidRule) -> str:
        """A behaviour."""

    @abstractmethod
    def sequence(self, rule: SequenceRule) -> str:
        """One thing after another."""

    @abstractmethod
    def trend(self, rule: TrendRule) -> str:
        """One period against another."""

    @abstractmethod
    def change(self, rule: ChangeRule) -> str:
        """A tag against itself."""

    @abstractmethod
    def rank(self, rule: RankRule, among: str | None) -> str:
        """A place among others."""

    @abstractmethod
    def period(self, period: Period) -> str:
        """A period."""

    @abstractmethod
    def day(self, day: Day | date) -> str:
        """A day."""


def listing(said: Sequence[str], comma: str, more: str) -> str:
    """Return values one after another; of many only the first, and how many there are."""
    return comma.join(said) if len(said) <= MOST_SAID else comma.join(said[:MOST_SAID]) + more
