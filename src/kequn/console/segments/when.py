"""Days and periods as fields of a form: one list of those that have names, and number, unit and dates for the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from django.http import QueryDict
from django.utils.translation import gettext as _

from kequn.core.segments import say_day, say_period
from kequn.core.spec.period import read_day, read_period

PAST = (
    "today", "yesterday", "this week", "last week", "this month", "last month", "this quarter", "last quarter",
    "this half", "last half", "this year", "last year",
)  # fmt: skip
TO_COME = ("tomorrow", "next week", "next month", "next quarter", "next year")
DAYS = (
    "today", "yesterday", "tomorrow", "start of this week", "start of this month", "end of this month",
    "end of last month", "start of this quarter", "end of this quarter", "end of last quarter", "start of this year",
    "end of this year", "end of last year",
)  # fmt: skip
COUNTED = re.compile(r"(last|next) (\d+) ([a-z]+?)s?")
FIXED = re.compile(r"(\d{4}-\d{2}-\d{2}) to (\d{4}-\d{2}-\d{2})")
AWAY = re.compile(r"(?:(\d+) ([a-z]+?)s? ago|in (\d+) ([a-z]+?)s?)")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class When:
    """What the fields of a day or a period hold; ``text`` is how a rule has it written."""

    text: str
    which: str = ""
    count: str = ""
    unit: str = "day"
    first: str = ""
    last: str = ""


def period_fields(text: str) -> When:
    """Return the fields for a period."""
    if found := COUNTED.fullmatch(text):
        return When(text, found[1], found[2], found[3])
    if found := FIXED.fullmatch(text):
        return When(text, "to", first=found[1], last=found[2])
    return When(text, text)


def day_fields(text: str) -> When:
    """Return the fields for a day."""
    if found := AWAY.fullmatch(text):
        return When(text, "ago", found[1], found[2]) if found[1] else When(text, "in", found[3], found[4])
    if ISO.fullmatch(text) or not text:
        return When(text, "date", first=text)
    return When(text, text)


def read_period_fields(form: QueryDict, at: str, default: str) -> str:
    """Return the period that a form's fields say; ``default`` where it has none."""
    which = form.get(f"pw:{at}", default)
    if which in ("last", "next"):
        return f"{which} {_counted(form, f'pn:{at}', f'pu:{at}')}"
    if which == "to":
        return f"{form.get(f'pa:{at}', '')} to {form.get(f'pb:{at}', '')}"
    return which


def read_day_fields(form: QueryDict, at: str) -> str | None:
    """Return the day that a form's fields say, empty where none was chosen; ``None`` where it has no such fields."""
    which = form.get(f"dw:{at}")
    if which is None:
        return None
    if which in ("ago", "in"):
        counted = _counted(form, f"dn:{at}", f"du:{at}")
        return f"{counted} ago" if which == "ago" else f"in {counted}"
    return form.get(f"dd:{at}", "").strip() if which == "date" else which


def _counted(form: QueryDict, count: str, unit: str) -> str:
    number, of = form.get(count, "").strip() or "30", form.get(unit, "day")
    return f"{number} {of}" if number == "1" else f"{number} {of}s"


@lru_cache(maxsize=512)
def period_options(text: str, language: str, *, past_only: bool) -> Options:
    """Return the periods to choose from, that of ``text`` among them."""
    named = [(name, said_period(name, language)) for name in (*PAST, *(() if past_only else TO_COME))]
    rest = [("last", _("最近…")), *([] if past_only else [("next", _("未来…"))]), ("to", _("自…至…"))]
    which = period_fields(text).which
    other = [(which, said_period(which, language))] if which and which not in dict(named + rest) else []
    return [*rest[:-1], *named, rest[-1], *other]


@lru_cache(maxsize=512)
def day_options(text: str, language: str) -> Options:
    """Return the days to choose from, that of ``text`` among them."""
    named = [("date", _("日期")), ("ago", _("…之前")), ("in", _("…之后")), *((d, said_day(d, language)) for d in DAYS)]
    which = day_fields(text).which
    return named if which in dict(named) else [*named, (which, said_day(which, language))]


def units() -> Options:
    """Return the units of time to count in."""
    return [("day", _("天")), ("week", _("周")), ("month", _("个月")), ("quarter", _("个季度")), ("year", _("年"))]


def said_period(text: str, language: str) -> str:
    """Return a period in words; what is none as it is."""
    try:
        return say_period(read_period(text), language)
    except ValueError:
        return text


def said_day(text: str, language: str) -> str:
    """Return a day in words; what is none as it is."""
    try:
        return say_day(read_day(text), language)
    except ValueError:
        return text
