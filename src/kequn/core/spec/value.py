"""Values in documents: read from what a person wrote by the type of a tag or column, and said in words.

What is read is what the analytical store compares: money becomes integer fen, text becomes a date, numbers stay exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeAlias

from kequn.core.errors import InvalidSpec
from kequn.core.spec.base import Text
from kequn.core.spec.segment import Scalar

Value: TypeAlias = bool | int | Decimal | date | datetime | str

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?", re.ASCII)
BIGGEST = 10**18
MOST_DIGITS = 28


def read_value(type: str, written: Scalar, *, codes: Mapping[str, Text] | None = None) -> Value:
    """Return ``written`` as a value of a tag's or column's type; money (yuan) as integer fen.

    >>> read_value("money", Decimal("50000.5"))
    5000050
    >>> read_value("date", "2026-06-30")
    datetime.date(2026, 6, 30)

    Raises:
        InvalidSpec: it is not a value of that type, or not one of ``codes``.
    """
    match type:
        case "boolean":
            value: Value = _boolean(written)
        case "integer":
            value = _integer(written)
        case "number":
            value = _number(written)
        case "money":
            value = fen(written)
        case "date":
            value = _day(written)
        case "timestamp":
            value = _moment(written)
        case _:
            value = read_text(written)
    if codes and str(value) not in codes:
        raise InvalidSpec(f"{value!r} is not one of the values.", hint=_nearest(str(value), codes), value=str(value))
    return value


def read_text(written: Scalar) -> str:
    """Return ``written`` if it is text that every engine can hold.

    Raises:
        InvalidSpec: a number or a truth value, or text with a NUL or half a surrogate pair in it.
    """
    if not isinstance(written, str):
        raise InvalidSpec(f"{_shown(written)} is not text.", hint=f'Put it in quotes: "{_shown(written)}".')
    if "\x00" in written or any("\ud800" <= c <= "\udfff" for c in written):
        raise InvalidSpec("The text holds a character that cannot be stored.", hint="Remove NUL and broken characters.")
    return written


def fen(written: Scalar) -> int:
    """Return an amount in yuan as integer fen.

    >>> fen(Decimal("0.01"))
    1

    Raises:
        InvalidSpec: not a number, more than two decimals, or too large.
    """
    amount = _number(written) * 100
    if amount != amount.to_integral_value():
        raise InvalidSpec(f"{_shown(written)} has more than two decimals.", hint="Money is in yuan, to the fen: 0.01.")
    return _fits(int(amount), written)


def say_value(type: str, value: Value, language: str, *, words: Mapping[str, Text] | None = None) -> str:
    """Return a value as people read it; ``words`` are the titles of codes.

    >>> say_value("money", 5_000_000, "zh"), say_value("money", 5_000_000, "en")
    ('5 万元', 'CNY 50,000')
    """
    if words and str(value) in words:
        return words[str(value)].to(language)
    if type == "boolean":
        return ("yes" if value else "no") if language.startswith("en") else ("是" if value else "否")
    if type == "money" and isinstance(value, int | Decimal):
        return _say_money(Decimal(value) / 100, language)
    if isinstance(value, int | Decimal):
        return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def _boolean(written: Scalar) -> bool:
    if isinstance(written, bool):
        return written
    if written in ("true", "false"):
        return written == "true"
    raise InvalidSpec(f"{_shown(written)} is not true or false.", hint="Write true or false.")


def _number(written: Scalar) -> Decimal:
    if isinstance(written, bool) or (isinstance(written, str) and not NUMBER.fullmatch(written)):
        raise InvalidSpec(f"{_shown(written)} is not a number.", hint="Write digits only, such as 50000 or 0.6.")
    number = Decimal(written)
    if abs(number) >= BIGGEST or len(number.as_tuple().digits) > MOST_DIGITS:
        raise InvalidSpec(f"{_shown(written)[:40]} is too large or too long.", hint="Write at most 18 digits.")
    return number


def _integer(written: Scalar) -> int:
    number = _number(written)
    if number != number.to_integral_value():
        raise InvalidSpec(f"{_shown(written)} is not a whole number.", hint="The values here are whole numbers.")
    return _fits(int(number), written)


def _fits(value: int, written: Scalar) -> int:
    if abs(value) >= BIGGEST:
        raise InvalidSpec(f"{_shown(written)} is too large.", hint="Write at most 18 digits; money counts its fen.")
    return value


def _day(written: Scalar) -> date:
    try:
        if isinstance(written, str) and DAY.fullmatch(written):
            return date.fromisoformat(written)
    except ValueError:
        pass
    raise InvalidSpec(f"{_shown(written)} is not a date.", hint="Write year-month-day, such as 2026-06-30.")


def _moment(written: Scalar) -> date | datetime:
    """A time of the bank's wall clock, or a day, which then stands for all of it."""
    try:
        if isinstance(written, str) and MOMENT.fullmatch(written):
            return datetime.fromisoformat(written)
        return _day(written)
    except (ValueError, InvalidSpec):
        hint = "Write a day, 2026-06-30, or a time, 2026-06-30T09:30."
        raise InvalidSpec(f"{_shown(written)} is not a time.", hint=hint) from None


def _say_money(yuan: Decimal, language: str) -> str:
    if language.startswith("en"):
        return f"CNY {_plain(yuan)}"
    for unit, word in ((Decimal(10**8), "亿元"), (Decimal(10**4), "万元")):
        if yuan and yuan % unit == 0:
            return f"{_plain(yuan / unit)} {word}"
    return f"{_plain(yuan)} 元"


def _plain(number: Decimal) -> str:
    whole = number == number.to_integral_value()
    return f"{int(number):,}" if whole else f"{number:,.2f}"


def _nearest(value: str, codes: Mapping[str, Text]) -> str:
    by_word = {str(word).lower(): code for code, text in codes.items() for word in (code, text.zh, text.en or code)}
    near = get_close_matches(value.lower(), by_word, n=1)
    if near:
        code = by_word[near[0]]
        return f"Did you mean {code!r} ({codes[code].zh})?"
    return "Values: " + ", ".join(list(codes)[:20]) + ("…" if len(codes) > 20 else "") + "."


def _shown(written: Scalar) -> str:
    return (
        repr(written)
        if isinstance(written, str)
        else str(written).lower()
        if written is True or written is False
        else str(written)
    )
