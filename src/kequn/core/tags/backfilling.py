"""The dates of a backfill: tags of the past, each computed as of its own date."""

from __future__ import annotations

from datetime import date, timedelta

from kequn.core.errors import InvalidSpec, Where

MOST_DATES = 400


def backfill_dates(first: date, last: date, *, monthly: bool) -> tuple[date, ...]:
    """Return every day from ``first`` to ``last``, or the month ends among them.

    Raises:
        InvalidSpec: no such date, or more than 400 of them.
    """
    days = max((last - first).days + 1, 0)
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if (months if monthly else days) > MOST_DATES:
        raise InvalidSpec(
            f"A backfill of more than {MOST_DATES} dates.",
            hint="Take a shorter time, or `--monthly`.",
            where=Where(field="from"),
        )
    every = [first + timedelta(days=n) for n in range(days)]
    found = tuple(d for d in every if not monthly or (d + timedelta(days=1)).day == 1)
    if not found:
        what = "No month ends" if monthly else "No day lies"
        raise InvalidSpec(
            f"{what} from {first} to {last}.", hint="The first date comes first.", where=Where(field="to")
        )
    return found
