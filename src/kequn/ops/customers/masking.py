"""How much of a personal value is shown where it need not be read in full (脱敏)."""

from __future__ import annotations

import re

from kequn.core.errors import InvalidSpec, Where
from kequn.ops.customers.contracts import Cleaned

GAP = r"(?:[^\S\n]|[.．·•・_/／\-‐‑‒–—―−﹣－])"
"""What stands between the groups of one number, as often as three times: blanks, dots, dashes, strokes."""
RUN = re.compile(rf"\d(?:{GAP}{{0,3}}\d)*(?:{GAP}{{0,3}}[XxＸｘ](?![A-Za-z]))?")
"""Digits of any width that may be one number, with the letter that a document number may end with."""
DATE = r"(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])"
DATES = re.compile(rf"{DATE}(?:{GAP}{{1,3}}{DATE})*")
PERSONAL = 11
"""Digits of the shortest number that is somebody's however it is grouped: a mobile phone's."""
LONG = re.compile(r"\d{7,}")
"""In one piece a number may be a fixed line's, unless it is said to be money."""
MONEY_BEFORE = re.compile(r"(?:[¥￥$]|人民币|RMB|CNY)\s{0,2}$", re.IGNORECASE)
MONEY_AFTER = re.compile(r"\s{0,2}(?:元|万|块|美元|yuan|RMB|CNY)", re.IGNORECASE)
HIDDEN = "***"
MARKUP = re.compile(r"<\s*[/!a-z][^>]*>?|javascript\s*:|\bon[a-z]{3,}\s*=", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\xad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Characters that show nothing or turn the reading round."""


def clean(text: str, *, longest: int | None = None, field: str = "note") -> Cleaned:
    """Return words fit to be kept: numbers that could be a phone, card or document hidden.

    However a number of eleven digits and more is grouped and whatever the width of its digits, it is hidden; so is one of
    seven and more in one piece, unless a currency says that it is money. Dates and amounts with commas stay.
    Markup is kept as it was typed, for pages escape what they show; it is flagged, for somebody should look at it.

    Raises:
        InvalidSpec: more than ``longest`` characters in ``field``: nobody's words are cut.

    >>> clean("call 13900001111 <script>", longest=200)
    Cleaned(text='call *** <script>', flags=('number', 'markup'))
    """
    plain = CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    if longest is not None and len(plain) > longest:
        raise InvalidSpec(f"At most {longest} characters.", where=Where(field=field))
    kept = RUN.sub(_hidden, plain)
    flags = (("number", kept != plain), ("markup", MARKUP.search(plain) is not None))
    return Cleaned(kept, tuple(flag for flag, is_so in flags if is_so))


def _hidden(found: re.Match[str]) -> str:
    """Return what of a run of digits may be read."""
    run = found.group()
    if sum(map(str.isdigit, run)) >= PERSONAL:
        return run if DATES.fullmatch(run) else HIDDEN
    is_money = MONEY_BEFORE.search(found.string, 0, found.start()) or MONEY_AFTER.match(found.string, found.end())
    return run if is_money else LONG.sub(HIDDEN, run)


def name(value: str) -> str:
    """First character only: 张**."""
    return value[:1] + "*" * min(max(len(value) - 1, 1), 2) if value else ""


def phone(value: str) -> str:
    """First three and last four digits: 138****1234; nothing readable of shorter numbers."""
    return f"{value[:3]}****{value[-4:]}" if len(value) >= 11 else "*" * len(value)


def document(value: str) -> str:
    """First and last four: 1*************1234."""
    return f"{value[:1]}{'*' * (len(value) - 5)}{value[-4:]}" if len(value) >= 10 else "*" * len(value)


def email(value: str) -> str:
    """First letter and the domain."""
    local, at, domain = value.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else "***" if value else ""


def number(value: str) -> str:
    """Last four of a customer number."""
    return f"****{value[-4:]}" if len(value) > 6 else "*" * len(value)


BY_FIELD = {
    "name": name,
    "phone": phone,
    "document_no": document,
    "email": email,
    "customer_no": number,
    "address": lambda v: "***" if v else "",
}
