"""A rule in Chinese."""

from __future__ import annotations

from datetime import date
from typing import cast

from kequn.core.segments.columns import column_title
from kequn.core.segments.rule import ChangeRule, DidRule, RankRule, SequenceRule, TrendRule
from kequn.core.segments.voice import Voice, listing
from kequn.core.spec.period import Away, Day, Edge, Fixed, Period, Rolling, Whole
from kequn.core.spec.segment import TestOp
from kequn.core.spec.value import say_value

COMPARE: dict[str, str] = {"=": "为", "!=": "有值且不为", "<": "低于", "<=": "不超过", ">": "高于", ">=": "不低于"}
DATES = {"<": "早于", "<=": "不晚于", ">": "晚于", ">=": "不早于"}
UNITS = {"day": "天", "week": "周", "month": "个月", "quarter": "个季度", "half": "个半年", "year": "年"}
WHOLE = {
    "day": {-2: "前两日", -1: "前一日", 0: "当日", 1: "次日"},
    "week": {-2: "上上周", -1: "上周", 0: "本周", 1: "下周"},
    "month": {-2: "上上月", -1: "上月", 0: "本月", 1: "下月"},
    "quarter": {-2: "上上季度", -1: "上季度", 0: "本季度", 1: "下季度"},
    "half": {-2: "再上一个半年", -1: "上一个半年", 0: "这个半年", 1: "下一个半年"},
    "year": {-2: "前年", -1: "去年", 0: "今年", 1: "明年"},
}


class Chinese(Voice):
    """How Chinese says a rule."""

    language = "zh"
    everybody, nobody = "全部客户", "没有客户"
    and_, or_ = "，且", "，或"
    compare, dates = COMPARE, DATES

    def sentence(self, clause: str) -> str:
        """A clause as the sentence that says a segment."""
        return f"满足以下条件的客户：{clause}。"

    def bracketed(self, clause: str) -> str:
        """A clause in brackets."""
        return f"（{clause}）"

    def quoted(self, text: str) -> str:
        """Text that somebody wrote."""
        return f"“{text}”"

    def negated(self, clause: str) -> str:
        """That a clause does not hold."""
        return f"不满足{clause if clause.startswith('（') else f'（{clause}）'}"

    def listed(self, name: str) -> str:
        """On a list."""
        return f"在名单“{name}”中"

    def member(self, title: str) -> str:
        """In a segment."""
        return f"属于客群“{title}”"

    def was_member(self, title: str, day: str) -> str:
        """In a segment on an earlier day."""
        return joined("在", day, f"属于客群“{title}”")

    def then(self, clause: str, day: str) -> str:
        """A clause as of an earlier day."""
        return joined("其", day, "的", clause)

    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str:
        """A test on a tag or a column."""
        match op:
            case "known" | "unknown":
                return joined(title, "有值" if op == "known" else "无值（未知）")
            case "between":
                return joined(title, "在", said[0], "到", said[1], "之间（含两端）")
            case "in":
                choice = listing(said, "、", f"等 {len(said)} 项")
                around = ("包含", "中的任一项") if type == "list" else ("为", "之一")
                return joined(title, around[0], choice, around[1])
            case "contains":
                return joined(title, "包含", said[0])
            case "contains_all":
                return joined(title, "同时包含", listing(said, "、", f"等 {len(said)} 项"))
            case "during":
                return joined(title, "在", said[0], "内")
            case "anniversary":
                return joined(title, "的月日在", said[0], "内")
            case _:
                return joined(title, self.compared(type, op), said[0])

    def rows_where(self, kind: str, tests: list[str]) -> str:
        """Rows of a kind with the tests on them."""
        return f"{kind}（{'，'.join(tests)}）" if tests else kind

    def did(self, rule: DidRule) -> str:
        """A behaviour."""
        said = f"{self._in(self.window(rule.within_days, rule.during))}有至少 {rule.at_least} 条{self.rows(rule.rows)}"
        if rule.sum_of is not None and rule.sum_at_least is not None:
            amount = say_value(rule.sum_of.type, rule.sum_at_least, "zh")
            said += "，" + joined(column_title(rule.sum_of.name).zh, "合计不低于", amount)
        return said + (f"，且此后没有{self.rows(rule.not_since)}" if rule.not_since else "")

    def sequence(self, rule: SequenceRule) -> str:
        """One thing after another."""
        after = "当天" if rule.gap_days == 0 else f"{rule.gap_days} 天内"
        window = self._in(self.period(cast(Period, rule.during)))
        said = f"{window}先有{self.rows(rule.first)}，{after}又有{self.rows(rule.then)}"
        return said + (f"，其间没有{self.rows(rule.without)}" if rule.without else "")

    def trend(self, rule: TrendRule) -> str:
        """One period against another."""
        figure = f"{column_title(rule.sum_of.name).zh}合计" if rule.sum_of else "条数"
        during, against = self.period(cast(Period, rule.during)), self.period(cast(Period, rule.against))
        kind = rule.sum_of.type if rule.sum_of else "integer"
        said = joined(during, self.rows(rule.rows), "的", figure)
        if rule.ratio is not None:
            return joined(said, self.compare[rule.op], against, "的", f"{rule.ratio:f}", "倍")
        return joined(said, "较", against, "的变化", self.compare[rule.op], self.amount(kind, rule.difference))

    def change(self, rule: ChangeRule) -> str:
        """A tag against itself."""
        title, since = self.title(rule.tag), self.day(rule.since)
        if rule.ratio is not None:
            return joined(title, self.compare[rule.op], since, "的", f"{rule.ratio:f}", "倍")
        return joined(title, "较", since, "的变化", self.compare[rule.op], self.amount(rule.tag.type, rule.difference))

    def rank(self, rule: RankRule, among: str | None) -> str:
        """A place among others."""
        where = "在全行" if among is None else f"在满足（{among}）的客户中"
        number = f"{rule.amounts[0]:,f}"
        way = "从低到高" if rule.by.startswith("bottom") else "从高到低"
        if rule.by == "percentile":
            low, high = rule.amounts
            return joined(self.title(rule.tag), where, "位于第", f"{low:f} 到 {high:f}", "百分位之间")
        last = f"前 {number} 名" if rule.by in ("top", "bottom") else f"前 {number}%"
        return joined(self.title(rule.tag), where, way, "排在", last)

    def period(self, period: Period) -> str:
        """A period."""
        match period:
            case Rolling(unit=unit, count=count, is_next=is_next, skip=skip):
                return f"{'未来' if is_next else '再往前' if skip else '近'} {count} {UNITS[unit]}"
            case Whole(unit=unit, offset=offset):
                return WHOLE[unit][offset]
            case Fixed(first=first, last=last):
                return f"自 {first} 至 {last}"
            case _:
                return "上年同期"

    def day(self, day: Day | date) -> str:
        """A day."""
        match day:
            case Away(count=0):
                return "当日"
            case Away(unit=unit, count=count):
                return f"{abs(count)} {UNITS[unit]}{'前' if count < 0 else '后'}"
            case Edge(whole=whole, is_end=is_end):
                year = "年" if whole.unit == "year" else ""
                return f"{WHOLE[whole.unit][whole.offset]}{year}{'末' if is_end else '初'}"
            case _:
                return str(day)

    def _in(self, period: str) -> str:
        return period if period.endswith("日") else joined(period, "内")


def joined(*parts: str) -> str:
    """Return the parts as Chinese is written: without spaces, but for one between Chinese and Latin letters or digits."""
    text = parts[0]
    for part in parts[1:]:
        mixed = text[-1:].isascii() != part[:1].isascii()
        text += f" {part}" if mixed and (text[-1:].isalnum() and (part[:1].isalnum() or part[:1] == "-")) else part
    return text
