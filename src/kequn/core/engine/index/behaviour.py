"""Who did something so often, for so much, and not something else since: counted from postings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bits import Words, empty, packed, within
from kequn.core.engine.index.counter import Counter, counter
from kequn.core.engine.index.postings import Part
from kequn.core.engine.index.spans import EVERYTHING, Spans

Ints = npt.NDArray[np.int64]
EPOCH = date(1970, 1, 1)
NEVER = -(1 << 31)
BIGGEST_SUM = 1 << 62
ROWS_A_RUN = 8
"""Blocks are made larger until a run has about so many rows in each: an empty visit costs what a few rows cost."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that meet every test.

    Each test of ``keys`` is (column, whether a value passes; ``None`` is no value), of ``days`` whether a day passes, of
    ``amounts`` (column, what passes).
    """

    table: str
    keys: tuple[tuple[str, Callable[[Any], bool]], ...] = ()
    days: tuple[Callable[[date], bool], ...] = ()
    amounts: tuple[tuple[str, Spans], ...] = ()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """At least so many rows from one day to another, both included, with a sum, and none of another kind since.

    "Since" is up to ``until``, the business date. A row of the other kind on the day of the last row counts as having
    followed it; a row that is of the first kind itself never counts as one of the other.
    """

    rows: Rows
    first: date
    last: date
    until: date
    at_least: int = 1
    sum_of: str | None = None
    sum_at_least: int | None = None
    """In the unit of the stored column; somebody without any value has no sum and does not qualify."""
    not_since: Rows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Runs of rows of a part, all of which are read with the same test on an amount."""

    part: Part
    starts: Ints
    stops: Ints
    days: npt.NDArray[np.int32]
    column: str | None
    spans: Spans

    def test(self) -> Any:
        """As `counting.count_rows` takes it."""
        if self.column is None:
            return _NO_VALUES, _NO_GAPS, _NO_SPANS, True
        values, gaps = self.part.amounts[self.column]
        return values, gaps, self.spans.array(), self.spans.nulls


def _fixed(array: Any) -> Any:
    array.flags.writeable = False  # as arrays mapped from files are: one compiled loop serves both
    return array


_NO_VALUES = _fixed(np.zeros(0, dtype=np.int64))
_NO_GAPS = _fixed(np.zeros(0, dtype=np.bool_))
_NO_SPANS = np.zeros((0, 2), dtype=np.int64)


class _NotHere(Exception):
    """The postings do not have the column; leaves this module as ``None``."""


def who_did(
    behaviour: Behaviour, parts: Mapping[str, Sequence[Part]], size: int, *, using: Counter | None = None
) -> Words | None:
    """Return the plane of those who did; ``None`` where the postings cannot tell and SQL has to.

    Args:
        parts: by table.
        size: bits of the plane; ordinals from there on came later and do not count.
    """
    loops = using or counter()
    try:
        did = _runs(parts[behaviour.rows.table], behaviour.rows, behaviour.first, behaviour.last)
        other = _others(parts, behaviour) if behaviour.not_since else None
        if behaviour.sum_of is not None:
            _must_fit(did, behaviour.sum_of)
    except _NotHere:
        return None
    if other is None and behaviour.sum_of is None and behaviour.at_least == 1 and all(r.column is None for r in did):
        words = empty(max([size, *(runs.part.reach for runs in did)]))
        for runs in did:
            loops.mark(runs.part.ordinals, *_joined(runs), words)
        return within(words, size)
    return _by_blocks(behaviour, did, other, size, loops)


def _by_blocks(behaviour: Behaviour, did: list[_Runs], other: list[_Runs] | None, size: int, loops: Counter) -> Words:
    words, everybody = empty(size), [*did, *(other or [])]
    block = _block_size(everybody, size, loops)
    cursors = {id(runs): runs.starts.copy() for runs in everybody}
    counts, totals = np.empty(block, dtype=np.uint32), np.empty(block if behaviour.sum_of else 0, dtype=np.int64)
    seen = np.empty(block if behaviour.sum_of else 0, dtype=np.bool_)
    last = [np.empty(block if other is not None else 0, dtype=np.int32) for _ in range(2)]
    for first in range(0, size, block):
        span = (first, min(first + block, size))
        for buffer, nothing in ((counts, 0), (totals, 0), (seen, False), (last[0], NEVER), (last[1], NEVER)):
            buffer.fill(nothing)
        for runs in did:
            at = cursors[id(runs)]
            again = at.copy() if other is not None else at
            if behaviour.sum_of:
                sums = (totals, seen, counts)
                amounts = runs.part.amounts[behaviour.sum_of]
                loops.add_values(runs.part.ordinals, at, runs.stops, span, runs.test(), amounts, sums)
            else:
                loops.count_rows(runs.part.ordinals, at, runs.stops, span, runs.test(), counts)
            if other is not None:
                loops.latest(runs.part.ordinals, again, runs.stops, runs.days, span, runs.test(), last[0])
        for runs in other or ():
            loops.latest(runs.part.ordinals, cursors[id(runs)], runs.stops, runs.days, span, runs.test(), last[1])
        holds = counts >= behaviour.at_least
        if behaviour.sum_at_least is not None:
            holds &= seen & (totals >= behaviour.sum_at_least)
        if other is not None:
            holds &= last[0] > last[1]
        words[first >> 6 : (span[1] + 63) >> 6] = packed(holds[: span[1] - first])
    return words


def _block_size(everybody: list[_Runs], size: int, loops: Counter) -> int:
    runs = sum(len(r.starts) for r in everybody)
    rows = sum(int((r.stops - r.starts).sum()) for r in everybody)
    block = loops.ROWS_BLOCK
    while block < size and runs * ROWS_A_RUN * (size // block) > rows:
        block *= 2
    return min(block, (size + 63) // 64 * 64)


def _runs(parts: Sequence[Part], rows: Rows, first: date, last: date) -> list[_Runs]:
    """The runs of the rows of some days that meet the tests."""
    column, spans = _tested(rows)
    found = []
    for part in parts:
        _must_have(part, rows)
        groups = _groups(part, _keys(part, rows), _days(part, rows, first, last))
        found.append(_of_groups(part, groups, column, spans))
    return [runs for runs in found if len(runs.starts)]


def _others(parts: Mapping[str, Sequence[Part]], behaviour: Behaviour) -> list[_Runs]:
    """The runs of rows of the other kind that are not of the first."""
    rows, other = behaviour.rows, behaviour.not_since
    assert other is not None
    if other.table != rows.table:
        return _runs(parts[other.table], other, behaviour.first, behaviour.until)
    (mine, my_spans), (column, spans) = _tested(rows), _tested(other)
    if mine is not None and column is not None and mine != column:
        raise _NotHere
    found = []
    for part in parts[other.table]:
        _must_have(part, other)
        groups = _groups(part, _keys(part, other), _days(part, other, behaviour.first, behaviour.until))
        shared = np.isin(groups, _groups(part, _keys(part, rows), _days(part, rows, behaviour.first, behaviour.until)))
        found.append(_of_groups(part, groups[~shared], column, spans))
        if mine is not None:
            left = spans.both(my_spans.rest())
            found.append(_of_groups(part, groups[shared], mine, left))
    return [runs for runs in found if len(runs.starts)]


def _tested(rows: Rows) -> tuple[str | None, Spans]:
    """The one amount that is tested, if any, and what passes."""
    columns = {name for name, _ in rows.amounts}
    if len(columns) > 1:
        raise _NotHere
    spans = EVERYTHING
    for _, own in rows.amounts:
        spans = spans.both(own)
    return next(iter(columns), None), spans


def _must_have(part: Part, rows: Rows) -> None:
    if any(name not in part.columns for name, _ in rows.keys) or any(n not in part.amounts for n, _ in rows.amounts):
        raise _NotHere


def _must_fit(did: list[_Runs], column: str) -> None:
    """No sum may leave 64 bits."""
    if any(column not in runs.part.amounts for runs in did):
        raise _NotHere
    if sum(int((r.stops - r.starts).sum()) * r.part.greatest[column] for r in did) >= BIGGEST_SUM:
        raise _NotHere


def _keys(part: Part, rows: Rows) -> Ints:
    """The keys whose values pass every test; each value is tested once."""
    holds = np.ones(len(part.keys), dtype=np.bool_)
    for name, passes in rows.keys:
        place = part.columns.index(name)
        answers = {value: passes(value) for value in {key[place] for key in part.keys}}
        holds &= np.fromiter((answers[key[place]] for key in part.keys), dtype=np.bool_, count=len(part.keys))
    return np.flatnonzero(holds)


def _days(part: Part, rows: Rows, first: date, last: date) -> Ints:
    inside = np.flatnonzero((part.days >= (first - EPOCH).days) & (part.days <= (last - EPOCH).days))
    if not rows.days:
        return inside
    dates = [date.fromordinal(EPOCH.toordinal() + int(day)) for day in part.days[inside]]
    return inside[np.array([all(passes(d) for passes in rows.days) for d in dates], dtype=np.bool_)]


def _groups(part: Part, keys: Ints, days: Ints) -> Ints:
    return (keys[:, None] * len(part.days) + days[None, :]).ravel()


def _of_groups(part: Part, groups: Ints, column: str | None, spans: Spans) -> _Runs:
    starts, stops = part.offsets[groups], part.offsets[groups + 1]
    filled = starts < stops
    days = part.days[groups[filled] % max(len(part.days), 1)]
    return _Runs(part, starts[filled], stops[filled], days, column, spans)


def _joined(runs: _Runs) -> tuple[Ints, Ints]:
    """The runs with those that follow one another made one."""
    first = np.ones(len(runs.starts), dtype=np.bool_)
    first[1:] = runs.starts[1:] != runs.stops[:-1]
    heads = np.flatnonzero(first)
    return runs.starts[heads], runs.stops[np.append(heads[1:], len(runs.starts)) - 1]
