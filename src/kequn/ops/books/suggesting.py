"""Where the data point when an RM takes stock of a customer: a suggestion with its grounds. She decides."""

from __future__ import annotations

from decimal import Decimal

LONG_SILENT = 180
"""Days without a transaction of her own will after which a customer counts as asleep."""
NOTHING_LEFT = Decimal(100)
"""Yuan. Below, and asleep, there is nothing to look after."""
DEAD = frozenset({"dead_number", "wrong_person", "no_phone"})
WORKING_DAYS = 8
"""Days with takings a month from which a shop is a shop."""


def suggestion(
    *,
    status: str | None,
    silent: int | None,
    aum: Decimal | None,
    phone: str,
    duplicates: int,
    has_moved: bool,
    is_merchant: bool,
    merchant_days: int,
) -> tuple[str, tuple[str, ...]]:
    """Return ``give_up``, ``correct``, ``group`` or ``confirm``, and the codes of all grounds, the deciding one first.

    What is not known speaks for nothing: a customer of whom there are no data is to be confirmed.
    """
    asleep = silent is not None and silent >= LONG_SILENT
    grounds = {
        "closed": status in ("closed", "deceased"),
        "asleep_and_empty": asleep and aum is not None and aum < NOTHING_LEFT,
        "duplicate": duplicates > 0,
        phone if phone in DEAD else "no_phone": phone in DEAD,
        "moved": has_moved,
        "merchant": is_merchant and merchant_days >= WORKING_DAYS,
        "asleep": asleep and not (aum is not None and aum < NOTHING_LEFT),
    }
    codes = tuple(code for code, holds in grounds.items() if holds)
    return next((_POINTS_TO[code] for code in codes if code in _POINTS_TO), "confirm"), codes


_POINTS_TO = {
    "closed": "give_up", "asleep_and_empty": "give_up", "duplicate": "correct", "dead_number": "correct",
    "wrong_person": "correct", "no_phone": "correct", "moved": "correct", "merchant": "group",
}  # fmt: skip
