"""A rule in English."""

from __future__ import annotations

from datetime import date
from typing import cast

from kequn.core.segments.columns import column_title
from kequn.core.segments.rule import ChangeRule, DidRule, RankRule, SequenceRule, TrendRule
from kequn.core.segments.voice import Voice, listing
from kequn.core.spec.period import Away, Day, Edge, Fixed, Period, Rolling, Whole, counted
from kequn.core.spec.segment import TestOp
from kequn.core.spec.value import say_value

COMPARE: dict[str, str] = {
    "=": "is",
    "!=": "is known and is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
}
DATES = {"<": "is before", "<=": "is on or before", ">": "is after", ">=": "is on or after"}
DAYS = {-2: "two days before", -1: "the day before", 0: "the business date", 1: "the day after"}


class English(Voice):
    """How English says a rule."""

    language = "en"
    everybody, nobody = "all customers", "no customers"
    and_, or_ = ", and ", ", or "
    compare, dates = COMPARE, DATES

    def sentence(self, clause: str) -> str:
        """A clause as the sentence that says a segment."""
        return f"Customers for whom the following holds: {clause}."

    def bracketed(self, clause: str) -> str:
        """A clause in brackets."""
        return f"({clause})"

    def quoted(self, text: str) -> str:
        """Text that somebody wrote."""
        return f"“{text}”"

    def negated(self, clause: str) -> str:
        """That a clause does not hold."""
        return f"not {clause if clause.startswith('(') else f'({clause})'}"

    def listed(self, name: str) -> str:
        """On a list."""
        return f"on the list “{name}”"

    def member(self, title: str) -> str:
        """In a segment."""
        return f"member of the segment “{title}”"

    def was_member(self, title: str, day: str) -> str:
        """In a segment on an earlier day."""
        return f"member of the segment “{title}” as of {day}"

    def then(self, clause: str, day: str) -> str:
        """A clause as of an earlier day."""
        return f"{clause} (as of {day})"

    def test(self, title: str, type: str, op: TestOp, said: list[str]) -> str:
        """A test on a tag or a column."""
        match op:
            case "known" | "unknown":
                return f"{title} is {op}"
            case "between":
                return f"{title} is between {said[0]} and {said[1]} (both included)"
            case "in":
                choice = listing(said, ", ", f", … ({len(said)} in all)")
                return f"{title} has any of {choice}" if type == "list" else f"{title} is one of {choice}"
            case "contains":
                return f"{title} contains {said[0]}"
            case "contains_all":
                return f"{title} has all of {listing(said, ', ', f', … ({len(said)} in all)')}"
            case "during":
                return f"{title} falls into {said[0]}"
            case "anniversary":
                return f"month and day of {title} fall into {said[0]}"
            case _:
                return f"{title} {self.compared(type, op)} {said[0]}"

    def rows_where(self, kind: str, tests: list[str]) -> str:
        """Rows of a kind with the tests on them."""
        return f"{kind} ({', '.join(tests)})" if tests else kind

    def did(self, rule: DidRule) -> str:
        """A behaviour."""
        said = f"at least {rule.at_least:,} × {self.rows(rule.rows)} {self._in(rule)}"
        if rule.sum_of is not None and rule.sum_at_least is not None:
            amount = say_value(rule.sum_of.type, rule.sum_at_least, "en")
            said += f", with {column_title(rule.sum_of.name).to('en')} of at least {amount} in all"
        return said + (f", and no {self.rows(rule.not_since)} since" if rule.not_since else "")

    def sequence(self, rule: SequenceRule) -> str:
        """One thing after another."""
        after = "on the same day" if rule.gap_days == 0 else f"within {counted(rule.gap_days, 'day')}"
        said = f"{self._in(rule)} first {self.rows(rule.first)}, then {after} {self.rows(rule.then)}"
        return said + (f", with no {self.rows(rule.without)} in between" if rule.without else "")

    def trend(self, rule: TrendRule) -> str:
        """One period against another."""
        figure = f"sum of {column_title(rule.sum_of.name).to('en')}" if rule.sum_of else "number"
        kind = rule.sum_of.type if rule.sum_of else "integer"
        said = f"the {figure} of {self.rows(rule.rows)} {self._in(rule)}"
        against = self.period(cast(Period, rule.against))
        if rule.ratio is not None:
            return f"{said} {self.compare[rule.op]} {rule.ratio:f} × that of {against}"
        return f"{said} minus that of {against} {self.compare[rule.op]} {self.amount(kind, rule.difference)}"

    def change(self, rule: ChangeRule) -> str:
        """A tag against itself."""
        title, since = self.title(rule.tag), self.day(rule.since)
        if rule.ratio is not None:
            return f"{title} {self.compare[rule.op]} {rule.ratio:f} × its value as of {since}"
        amount = self.amount(rule.tag.type, rule.difference)
        return f"the change of {title} since {since} {self.compare[rule.op]} {amount}"

    def rank(self, rule: RankRule, among: str | None) -> str:
        """A place among others."""
        where = "all customers" if among is None else f"customers for whom ({among})"
        title, number = self.title(rule.tag), f"{rule.amounts[0]:,f}"
        if rule.by == "percentile":
            low, high = rule.amounts
            return f"between percentiles {low:f} and {high:f} by {title} among {where}"
        side = "lowest" if rule.by.startswith("bottom") else "highest"
        count = number if rule.by in ("top", "bottom") else f"{number}%"
        return f"among the {count} {side} by {title} of {where}"

    def period(self, period: Period) -> str:
        """A period."""
        match period:
            case Rolling(unit=unit, count=count, is_next=is_next, skip=skip):
                length = counted(count, unit)
                return f"the {length} before" if skip else f"the {'next' if is_next else 'last'} {length}"
            case Whole(unit="day", offset=offset):
                return DAYS[offset]
            case Whole(unit=unit, offset=-2):
                return f"the {unit} before last"
            case Whole() | Fixed():
                return str(period)
            case _:
                return "the same period a year before"

    def day(self, day: Day | date) -> str:
        """A day."""
        match day:
            case Away(count=0):
                return "the business date"
            case Away(unit=unit, count=count):
                return f"{counted(abs(count), unit)} {'ago' if count < 0 else 'ahead'}"
            case Edge(whole=whole, is_end=is_end):
                return f"the {'end' if is_end else 'start'} of {whole}"
            case _:
                return str(day)

    def _in(self, rule: DidRule | SequenceRule | TrendRule) -> str:
        within_days = rule.within_days if isinstance(rule, DidRule) else None
        period = self.window(within_days, rule.during)
        preposition = "on" if period in DAYS.values() else "within" if period.startswith("the last ") else "in"
        return f"{preposition} {period}"
