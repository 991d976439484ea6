"""Who of a book meets a filter, and in which order: on arrays, as many as the book has customers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.errors import NotAllowed
from kequn.core.gate import ALLOW, HOLD
from kequn.ops.books.contracts import BookFilter, TagTest
from kequn.ops.books.filters import FEN, typed
from kequn.ops.books.gating import decide_for_book
from kequn.ops.books.reading import PRODUCTS, Book, Flags
from kequn.ops.books.segments import members_in_use
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import end_of_day

Ints = npt.NDArray[np.int64]


def meets(book: Book, wanted: BookFilter) -> Flags:
    """Return whether each customer of a book meets a filter.

    Raises:
        NotAllowed: a circle or a segment that the actor does not see.
    """
    keep = np.ones(len(book), dtype=np.bool_)
    for asked, test in _TESTS.items():
        value = getattr(wanted, asked)
        if value not in (None, "", ()):
            keep &= test(book, value)
    return keep


def ordered(book: Book, picked: Sequence[int], sort: str) -> list[int]:
    """Return some rows of a book in an order (``-aum``: largest first); who has no value comes last, equals by their id."""
    values = book.column(sort.removeprefix("-"))
    known = [i for i in picked if values[i] is not None]
    known.sort(key=lambda i: values[i], reverse=sort.startswith("-"))
    return known + [i for i in picked if values[i] is None]


def _among(tag: str) -> Callable[[Book, tuple[str, ...]], Flags]:
    def test(book: Book, values: tuple[str, ...]) -> Flags:
        found = book.tag(tag)
        return found.known & np.array([v in values for v in found.values], dtype=np.bool_)

    return test


def _bound(tag: str, op: str) -> Callable[[Book, Decimal], Flags]:
    return lambda book, yuan: _compared(book, tag, op, int(yuan * FEN))


def _compared(book: Book, tag: str, op: str, value: Any) -> Flags:
    """Whether a tag's value compares so; a list equals what it holds. Unknown values meet nothing."""
    found, flags = book.tag(tag), np.zeros(len(book), dtype=np.bool_)
    at = np.flatnonzero(found.known)
    values = found.values[at]
    if isinstance(value, date):
        value = np.datetime64(value, "D")
    if len(at) and isinstance(values[0], tuple):
        flags[at] = [(value in v) == (op == "=") for v in values]
    elif len(at):
        flags[at] = _COMPARE[op](values, value)
    return flags


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda values, value: values == value,
    "!=": lambda values, value: values != value,
    ">=": lambda values, value: values >= value,
    "<=": lambda values, value: values <= value,
}


def _contacted(book: Book, code: str) -> Flags:
    never = np.isnat(book.contacts)
    if code == "never":
        return never
    since = np.datetime64(book.today, "D") - np.timedelta64(int(code[6:]), "D")
    recent = ~never & (book.contacts > since)
    return recent if code.startswith("within") else ~recent


def _due(book: Book, code: str) -> Flags:
    if code == "none":
        return np.array([i not in book.dues for i in book.ids], dtype=np.bool_)
    ends = {"overdue": now(), "today": end_of_day(), "week": end_of_day() + timedelta(days=6)}
    return np.array([i in book.dues and book.dues[i] <= ends[code] for i in book.ids], dtype=np.bool_)


def _has(book: Book, family: str) -> tuple[Flags, Flags]:
    """Of whom it is known, and who has it."""
    found = book.tag(PRODUCTS[family])
    there = np.zeros(len(book), dtype=np.bool_)
    there[found.known] = found.values[found.known].astype(np.int64) > 0
    return found.known, there


def _held(book: Book, families: tuple[str, ...]) -> Flags:
    return np.asarray(np.all([_has(book, f)[1] for f in families], axis=0))


def _missing(book: Book, families: tuple[str, ...]) -> Flags:
    return np.asarray(np.all([known & ~there for known, there in (_has(book, f) for f in families)], axis=0))


def _maturing(book: Book, days: int) -> Flags:
    first, last = book.today, book.today + timedelta(days=days)
    return _compared(book, "asset_maturity_next", ">=", first) & _compared(book, "asset_maturity_next", "<=", last)


def _born(book: Book, month: int) -> Flags:
    found = book.tag("demo_birthday_md")
    start = f"{month:02}-"
    return found.known & np.array([bool(v) and str(v).startswith(start) for v in found.values], dtype=np.bool_)


def _in_circle(book: Book, circle: int) -> Flags:
    if circle not in book.circles:
        raise NotAllowed("There is no such circle in your scope.", circle=circle)
    members = book.circles[circle][1]
    return np.array([i in members for i in book.ids], dtype=np.bool_)


def _in_segment(book: Book, name: str) -> Flags:
    return np.isin(book.ordinals, members_in_use(book.actor, name).astype(np.int64))


def _reachable(book: Book, channel: str) -> Flags:
    """Whom the gate lets be contacted for marketing by a channel, now or once a pause is over; of strangers it is no."""
    flags, at = np.zeros(len(book), dtype=np.bool_), np.flatnonzero(book.ordinals >= 0)
    if len(at):
        who, ids = book.ordinals[at].astype(np.uint32), [book.ids[i] for i in at]
        found = decide_for_book(who, channel, ids=ids)
        flags[at] = np.isin(found.verdict, (ALLOW, HOLD))
    return flags


def _tested(book: Book, tests: tuple[TagTest, ...]) -> Flags:
    keep = np.ones(len(book), dtype=np.bool_)
    for test in tests:
        value = typed(book.specs, test)
        if test.op in ("known", "unknown"):
            keep &= book.tag(test.tag).known == (test.op == "known")
        else:
            keep &= _compared(book, test.tag, test.op, value)
    return keep


_TESTS: dict[str, Callable[[Book, Any], Flags]] = {
    "tier": _among("asset_tier"),
    "stage": _among("life_stage"),
    "aum_min": _bound("asset_aum_eod", ">="),
    "aum_max": _bound("asset_aum_eod", "<="),
    "change_min": _bound("asset_aum_chg_30d", ">="),
    "change_max": _bound("asset_aum_chg_30d", "<="),
    "contact": _contacted,
    "due": _due,
    "held": _held,
    "missing": _missing,
    "maturing": _maturing,
    "month": _born,
    "circle": _in_circle,
    "segment": _in_segment,
    "tests": _tested,
    "reach": _reachable,
}
"""Condition -> its test. RM and branch narrow the book itself, before it is read."""
