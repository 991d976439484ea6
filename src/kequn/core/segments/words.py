"""A segment's rule as one sentence in Chinese or English, from the titles of tags and the words of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from kequn.core.segments.columns import TABLE_WORDS, column_title, said_words
from kequn.core.segments.rule import (
    AnyRule,
    ColumnRule,
    DidRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    RowsRule,
    Rule,
    TagRule,
)
from kequn.core.segments.understand import understand
from kequn.core.spec.base import Text
from kequn.core.spec.segment import Condition, SegmentSpec, TestOp
from kequn.core.spec.tag import TagSpec
from kequn.core.spec.value import Value, say_value

ZH_COMPARE: dict[str, str] = {"=": "为", "!=": "有值且不为", "<": "低于", "<=": "不超过", ">": "高于", ">=": "不低于"}
EN_COMPARE: dict[str, str] = {
    "=": "is",
    "!=": "is known and is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
}
ZH_DATES = {"<": "早于", "<=": "不晚于", ">": "晚于", ">=": "不早于"}
EN_DATES = {"<": "is before", "<=": "is on or before", ">": "is after", ">=": "is on or after"}
MOST_SAID = 8
"""A list of values is said in full up to this many."""


def in_words(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    language: str,
) -> str:
    """Return a segment's rule as one sentence, or a single condition as a clause.

    >>> spec = SegmentSpec(name="on_list", title="名单客户", where={"not": {"list": "vip"}})
    >>> in_words(spec, tags={}, segments={}, language="en")
    'Customers for whom the following holds: not (on the list “vip”).'

    Raises:
        InvalidSpec and its kin: as `understand` does.
    """
    rule = understand(spec, tags=tags, segments=segments)
    voice: _Voice = _English() if language.startswith("en") else _Chinese()
    clause = voice.clause(rule)
    return voice.sentence(clause) if isinstance(spec, SegmentSpec) else clause


class _Voice(ABC):
    """How one language says a rule."""

    language: str
    everybody: str
    nobody: str
    and_: str
    or_: str
    compare: Mapping[str, str]
    dates: Mapping[str, str]

    def clause(self, rule: Rule) -> str:
        match rule:
            case TagRule():
                return self.tag(rule)
            case DidRule():
                return self.did(rule)
            case ListRule(name=name):
                return self.listed(name)
            case MemberRule(title=title):
                return self.member(title.to(self.language))
            case EveryRule(parts=parts):
                return self.and_.join(self.grouped(part) for part in parts) if parts else self.everybody
            case AnyRule(parts=parts):
                return self.or_.join(self.grouped(part) for part in parts) if parts else self.nobody
            case NotRule(part=part):
                return self.negated(self.grouped(part))

    def grouped(self, part: Rule) -> str:
        """A part inside another, in brackets where it could be read two ways."""
        several = isinstance(part, EveryRule | AnyRule) and len(part.parts) > 1
        return self.bracketed(self.clause(part)) if several else self.clause(part)

    def tag(self, rule: TagRule) -> str:
        tag = rule.tag
        unit = tag.unit.to(self.language) if tag.unit and tag.type in ("integer", "number") else ""
        said = [self.value(tag.type, v, tag.values, unit) for v in rule.values]
        return self.test(tag.title.to(self.language), tag.type, rule.op, said)

    def column(self, table: str, rule: ColumnRule) -> str:
        words = said_words(table, rule.column)
        said = [self.value(rule.column.type, v, words, "") for v in rule.values]
        return self.test(column_title(rule.column.name).to(self.language), rule.column.type, rule.op, said)

    def value(self, type: str, value: Value, words: Mapping[str, Text], unit: str) -> str:
        said = say_value(type, value, self.language, words=words)
        if type in ("text", "list") and str(value) not in words:
            return self.quoted(said)
        return f"{said} {unit}" if unit else said

    def rows(self, rows: RowsRule) -> str:
        tests = [self.column(rows.table.name, test) for test in rows.tests]
        return self.rows_where(TABLE_WORDS[rows.table.name].to(self.language), tests)

    def compared(self, type: str, op: TestOp) -> str:
        return self.dates.get(op, self.compare[op]) if type in ("date", "timestamp") else self.compare[op]

    @abstractmethod
    def sentence(self, clause: str) -> str: ...

    @abstractmethod
    def bracketed(self, clause: str) -> str: ...

    @abstractmethod
    def quoted(self, text: str) -> str: ...

    @abstractmethod
    def negated(self, clause: str) -> str: ...

    @abstractmethod
    def listed(self, name: str) -> str: ...

    @abstractmethod
    def member(self, title: str) -> str: ...

    @abstractmethod
    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str: ...

    @abstractmethod
    def rows_where(self, kind: str, tests: list[str]) -> str: ...

    @abstractmethod
    def did(self, rule: DidRule) -> str: ...


class _Chinese(_Voice):
    language = "zh"
    everybody, nobody = "全部客户", "没有客户"
    and_, or_ = "，且", "，或"
    compare, dates = ZH_COMPARE, ZH_DATES

    def sentence(self, clause: str) -> str:
        return f"满足以下条件的客户：{clause}。"

    def bracketed(self, clause: str) -> str:
        return f"（{clause}）"

    def quoted(self, text: str) -> str:
        return f"“{text}”"

    def negated(self, clause: str) -> str:
        return f"不满足{clause if clause.startswith('（') else f'（{clause}）'}"

    def listed(self, name: str) -> str:
        return f"在名单“{name}”中"

    def member(self, title: str) -> str:
        return f"属于客群“{title}”"

    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str:
        match op:
            case "known" | "unknown":
                return _joined(title, "有值" if op == "known" else "无值（未知）")
            case "between":
                return _joined(title, "在", said[0], "到", said[1], "之间（含两端）")
            case "in":
                choice = _listing(said, "、", f"等 {len(said)} 项")
                around = ("包含", "中的任一项") if type == "list" else ("为", "之一")
                return _joined(title, around[0], choice, around[1])
            case "contains":
                return _joined(title, "包含", said[0])
            case _:
                return _joined(title, self.compared(type, op), said[0])

    def rows_where(self, kind: str, tests: list[str]) -> str:
        return f"{kind}（{'，'.join(tests)}）" if tests else kind

    def did(self, rule: DidRule) -> str:
        days = "当日" if rule.within_days == 1 else f"近 {rule.within_days} 天内"
        said = f"{days}有至少 {rule.at_least} 条{self.rows(rule.rows)}"
        if rule.sum_of is not None and rule.sum_at_least is not None:
            amount = say_value(rule.sum_of.type, rule.sum_at_least, "zh")
            said += "，" + _joined(column_title(rule.sum_of.name).zh, "合计不低于", amount)
        return said + (f"，且此后没有{self.rows(rule.not_since)}" if rule.not_since else "")


class _English(_Voice):
    language = "en"
    everybody, nobody = "all customers", "no customers"
    and_, or_ = ", and ", ", or "
    compare, dates = EN_COMPARE, EN_DATES

    def sentence(self, clause: str) -> str:
        return f"Customers for whom the following holds: {clause}."

    def bracketed(self, clause: str) -> str:
        return f"({clause})"

    def quoted(self, text: str) -> str:
        return f"“{text}”"

    def negated(self, clause: str) -> str:
        return f"not {clause if clause.startswith('(') else f'({clause})'}"

    def listed(self, name: str) -> str:
        return f"on the list “{name}”"

    def member(self, title: str) -> str:
        return f"member of the segment “{title}”"

    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str:
        match op:
            case "known" | "unknown":
                return f"{title} is {op}"
            case "between":
                return f"{title} is between {said[0]} and {said[1]} (both included)"
            case "in":
                choice = _listing(said, ", ", f", … ({len(said)} in all)")
                return f"{title} has any of {choice}" if type == "list" else f"{title} is one of {choice}"
            case "contains":
                return f"{title} contains {said[0]}"
            case _:
                return f"{title} {self.compared(type, op)} {said[0]}"

    def rows_where(self, kind: str, tests: list[str]) -> str:
        return f"{kind} ({', '.join(tests)})" if tests else kind

    def did(self, rule: DidRule) -> str:
        days = "on the business date" if rule.within_days == 1 else f"within the last {rule.within_days} days"
        said = f"at least {rule.at_least:,} × {self.rows(rule.rows)} {days}"
        if rule.sum_of is not None and rule.sum_at_least is not None:
            amount = say_value(rule.sum_of.type, rule.sum_at_least, "en")
            said += f", with {column_title(rule.sum_of.name).to('en')} of at least {amount} in all"
        return said + (f", and no {self.rows(rule.not_since)} since" if rule.not_since else "")


def _listing(said: Sequence[str], comma: str, more: str) -> str:
    return comma.join(said) if len(said) <= MOST_SAID else comma.join(said[:MOST_SAID]) + more


def _joined(*parts: str) -> str:
    """Chinese is written without spaces, but with one between Chinese and Latin letters or digits."""
    text = parts[0]
    for part in parts[1:]:
        mixed = text[-1:].isascii() != part[:1].isascii()
        text += f" {part}" if mixed and (text[-1:].isalnum() and (part[:1].isalnum() or part[:1] == "-")) else part
    return text
