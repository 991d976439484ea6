"""Read a filter from an address or a form, and write it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from kequn.core.errors import InvalidSpec, Where
from kequn.core.spec.tag import TagSpec
from kequn.ops.books.contracts import BookFilter, TagTest
from kequn.ops.books.reading import COLUMNS, PRODUCTS
from kequn.ops.tags.queries import catalogue

SHOWN = frozenset({"C1", "C2"})
"""Classes of tags that may be shown of one customer, and so be asked for; to find by one is to be shown it."""
USUAL = ("tier", "aum", "change", "contact", "due")
SORTABLE = (*COLUMNS, "contact", "due", "circles", "staff", "branch")
CONTACT = re.compile(r"never|(?:within|silent)\d{1,3}")
DUES = ("overdue", "today", "week", "none")
REACH = ("call", "wecom", "sms")
OPS = ("=", "!=", ">=", "<=", "known", "unknown")
MOST_TESTS = 5
FEN = 100


def read_filter(given: Mapping[str, Sequence[str]]) -> BookFilter:
    """Return the filter that an address or a form says; fields that are empty ask nothing.

    Raises:
        InvalidSpec: a code, a number or a tag that is none, with the field's name.
    """

    def many(name: str, allowed: Sequence[str] | None = None) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(v for v in given.get(name, ()) if v))
        wrong = next((v for v in found if allowed is not None and v not in allowed), None)
        if wrong is not None:
            raise _wrong(name, wrong)
        return found

    def one(name: str, allowed: Sequence[str] | re.Pattern[str] | None = None) -> str:
        value = next((v for v in given.get(name, ()) if v), "")
        fits = allowed.fullmatch(value) if isinstance(allowed, re.Pattern) else allowed is None or value in allowed
        if value and not fits:
            raise _wrong(name, value)
        return value

    def whole(name: str, low: int, high: int) -> int | None:
        value = one(name)
        if value and not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
            raise _wrong(name, value)
        return int(value) if value else None

    tests = tuple(_test(text) for text in many("test"))
    if tag := one("t_tag"):
        tests = (*tests, TagTest(tag, one("t_op", OPS) or "known", one("t_value")))
    if len(tests) > MOST_TESTS:
        raise InvalidSpec(f"At most {MOST_TESTS} conditions on tags at a time.", where=Where(field="test"))
    specs = catalogue() if tests else {}
    for test in tests:
        typed(specs, test)
    specs = _texts("asset_tier", "life_stage") if given.get("tier") or given.get("stage") else {}
    sort = one("sort")
    if sort.removeprefix("-") not in ("", *SORTABLE):
        raise _wrong("sort", sort)
    return BookFilter(
        tier=many("tier", tuple(specs["asset_tier"].values) if specs else None),
        stage=many("stage", tuple(specs["life_stage"].values) if specs else None),
        **{name: _amount(name, one(name)) for name in ("aum_min", "aum_max", "change_min", "change_max")},
        contact=one("contact", CONTACT), due=one("due", DUES), held=many("held", tuple(PRODUCTS)),
        missing=many("missing", tuple(PRODUCTS)), maturing=whole("maturing", 0, 366), month=whole("month", 1, 12),
        circle=whole("circle", 1, 10**8), segment=one("segment"), reach=one("reach", REACH), tests=tests,
        staff=one("staff"), branch=one("branch"), sort=sort or BookFilter().sort, show=many("show", SORTABLE),
    )  # fmt: skip


def filter_pairs(wanted: BookFilter) -> list[tuple[str, str]]:
    """Return a filter as the pairs of an address, in a fixed order; what asks nothing is left out."""
    found: list[tuple[str, str]] = []
    for each in fields(wanted):
        value = getattr(wanted, each.name)
        if value in (None, "", ()) or (each.name == "sort" and value == BookFilter().sort):
            continue
        name = "test" if each.name == "tests" else each.name
        found += [(name, str(v)) for v in (value if isinstance(value, tuple) else (value,))]
    return found


def filter_query(wanted: BookFilter) -> str:
    """Return a filter as an address writes it; `read_filter` gives the same filter back."""
    return urlencode(filter_pairs(wanted))


def _test(text: str) -> TagTest:
    tag, _, rest = text.partition(":")
    op, _, value = rest.partition(":")
    return TagTest(tag, op, value)


def _texts(*names: str) -> dict[str, TagSpec]:
    specs = catalogue()
    return {name: specs[name] for name in names}


def _amount(name: str, text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", "")) if text else None
    except InvalidOperation:
        raise _wrong(name, text) from None
    if value is not None and (not value.is_finite() or abs(value) > 10**12):
        raise _wrong(name, text)
    return value


def _wrong(name: str, value: str) -> InvalidSpec:
    return InvalidSpec(f"{value[:40]!r} is not a value of the filter {name!r}.", where=Where(field=name))


def typed(specs: Mapping[str, TagSpec], test: TagTest) -> Any:
    """Return the value of a test in the type of its tag; money is fen, ``None`` where the test asks for none.

    Raises:
        InvalidSpec: no such tag for this reader (of class S and X there is none), or a value that it cannot have.
    """
    spec = specs.get(test.tag)
    if spec is None or spec.sensitivity not in SHOWN:
        raise InvalidSpec(f"There is no tag {test.tag[:64]!r} to filter by.", where=Where(field="test"))
    if test.op not in OPS:
        raise _wrong("test", str(test))
    if test.op in ("known", "unknown"):
        return None
    if test.op in (">=", "<=") and spec.type in ("boolean", "text", "list"):
        raise _wrong("test", str(test))
    try:
        return _TYPED[spec.type](test.value)
    except (ValueError, KeyError, InvalidOperation, OverflowError):
        raise _wrong("test", str(test)) from None


def _fen(text: str) -> int:
    return int(Decimal(text.replace(",", "")) * FEN)


_TYPED: dict[str, Callable[[str], Any]] = {
    "money": _fen,
    "integer": int,
    "number": float,
    "date": date.fromisoformat,
    "boolean": {"true": True, "false": False}.__getitem__,
    "text": str,
    "list": str,
}
