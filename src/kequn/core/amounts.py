"""Amounts of yuan as people write them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from kequn.core.errors import InvalidSpec, Where

WRITTEN = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]*)?")


def yuan(given: Decimal | str | None, *, field: str = "amount_cny") -> Decimal | None:
    """Return an amount as written: digits, with commas between thousands or without, to the fen; nothing is ``None``.

    Raises:
        InvalidSpec: it is none, or finer than a fen.

    >>> yuan("12,000.50"), yuan("１２０００"), yuan(" ")
    (Decimal('12000.50'), Decimal('12000'), None)
    """
    if isinstance(given, str):
        text = unicodedata.normalize("NFKC", given).strip()
        if not text:
            return None
        if not WRITTEN.fullmatch(text):
            raise _wrong(f"{given[:40]!r} is not an amount.", "Write digits only, such as 12000 or 12,000.50.", field)
        given = Decimal(text.replace(",", ""))
    if given is None:
        return None
    if not given.is_finite():
        raise _wrong(f"{str(given)!r} is not an amount.", "Write digits only, such as 12000 or 12,000.50.", field)
    exponent = given.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2:
        raise _wrong(f"{str(given)[:40]!r} has more than two decimals.", "Money is in yuan, to the fen: 0.01.", field)
    return given


def _wrong(message: str, hint: str, field: str) -> InvalidSpec:
    return InvalidSpec(message, hint=hint, where=Where(field=field))
