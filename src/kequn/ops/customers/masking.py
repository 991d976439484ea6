"""How much of a personal value is shown where it need not be read in full (脱敏)."""

from __future__ import annotations

import re

from kequn.ops.customers.contracts import Cleaned

NUMBERS = re.compile(r"\d{7,}|\d(?:[\s.·–—-]{0,2}\d){10,}")
"""A number that could be somebody's: also one written in groups, as phone and card numbers are."""
MARKUP = re.compile(r"<\s*[/!a-z][^>]*>?|javascript\s*:|\bon[a-z]{3,}\s*=", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
"""Characters that show nothing or turn the reading round."""


def clean(text: str, *, longest: int) -> Cleaned:
    """Return words fit to be kept: numbers that could be a phone, card or document hidden, at most ``longest`` characters.

    Markup is kept as it was typed, for pages escape what they show; it is flagged, for somebody should look at it.

    >>> clean("call 13900001111 <script>", longest=200)
    Cleaned(text='call *** <script>', flags=('number', 'markup'))
    """
    plain = CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    kept = NUMBERS.sub("***", plain)
    flags = (("number", kept != plain), ("markup", MARKUP.search(plain) is not None))
    return Cleaned(kept[:longest].rstrip(), tuple(flag for flag, is_so in flags if is_so))


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
