"""A plan answered: the most telling test first, and each further one only on the words that are still open.

Every part is evaluated *within* a plane of customers that matter so far: an ``all`` hands what is left of them from part
to part, an ``any`` those not found yet. A word of 64 customers of whom none matters is not looked at, so that after one
rare condition the others cost next to nothing. Where passing over words is slow, as in numpy, the few who are left are
looked at row by row (`few`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

from kequn.core.engine.index.bins import among_of, borders_of, bounds_of, marks_of, wanted_of
from kequn.core.engine.index.bits import Words, from_sorted, within
from kequn.core.engine.index.cache import MaskCache
from kequn.core.engine.index.few import Few
from kequn.core.engine.index.kernel import Kernels
from kequn.core.engine.index.layout import Column
from kequn.core.engine.index.plan import All, Among, Any, Bits, CodeIn, Known, Leaf, Not, Plan, Range, repeated, walk

FEW = 2
"""So many planes are joined sooner than a column of codes is read."""
MOST_RUNS = 24
"""Runs of codes compared one by one; more are looked up in a table."""
PLANE, CODE, BORDER, TABLE, ELSEWHERE = 1.0, 3.0, 6.0, 40.0, 10_000.0
"""What tests cost, in reads of a plane."""
MOST_COST = 20.0
"""Beyond this it makes no difference to when customers are looked at one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """Answers plans over the columns of one date; ``population`` and all answers are as long as ``size`` says."""

    columns: Mapping[str, Column]
    population: Words
    size: int
    customers: int
    loops: Kernels
    key: str
    bins: dict[Leaf, npt.NDArray[np.uint8]] = field(default_factory=dict)
    """What the bins say of the plan's tests of numbers, found out once."""

    def mask(self, plan: Plan, cache: MaskCache | None, *, keep: bool) -> Words:
        """Return who meets a normal plan; it may be shared, so it is not to be written to.

        With a cache the answer is kept; the answers of parts only if ``keep`` says so or some were kept before, that is,
        while someone is editing.
        """
        if cache is None and repeated(plan):
            cache, keep = MaskCache(), True
        if cache is None:
            return self._within(plan, self.population)
        if keep or any(cache.get((self.key, part)) is not None for part in walk(plan)):
            return self._kept(plan, cache)
        return cache.put((self.key, plan), self._within(plan, self.population))

    # -- with a cache: parts are computed for the whole population and kept --------------------------------------------

    def _kept(self, plan: Plan, cache: MaskCache) -> Words:
        if self._is_plane(plan):
            return self._within(plan, self.population)
        kept = cache.get((self.key, plan))
        if kept is not None:
            return kept
        match plan:
            case All() | Any():
                found = self._joined(plan, cache)
            case Not(part=part):
                found = self.population ^ self._kept(part, cache)
            case leaf:
                found = self._within(leaf, self.population)
        return cache.put((self.key, plan), found)

    def _joined(self, plan: All | Any, cache: MaskCache) -> Words:
        """The last leaf that was not kept is looked for only where it decides: it is likely the one that is edited.

        The others joined are kept as well, for the next edit of it.
        """
        kind, parts = type(plan), plan.parts
        open_ = [part for part in parts if self._is_open(part, cache)]
        if len(open_) > 1:
            open_ = self._ordered(open_, all_=kind is All)
        last = open_[-1] if open_ and not isinstance(_inner(open_[-1]), All | Any) else None
        rest = tuple(part for part in parts if part is not last)
        if last is None or len(rest) == 1:
            found = self.population.copy() if kind is All else np.zeros_like(self.population)
            join = np.bitwise_and if kind is All else np.bitwise_or
            for part in rest:
                join(found, self._kept(part, cache), out=found)
        else:
            found = self._kept(kind(rest), cache)
        if last is None:
            return found
        if kind is All:
            return self._within(last, found)
        return found | self._within(last, self.population ^ found)

    def _is_open(self, plan: Plan, cache: MaskCache) -> bool:
        if self._is_plane(plan) or cache.get((self.key, plan)) is not None:
            return False
        return not (isinstance(plan, Not) and cache.get((self.key, plan.part)) is not None)

    # -- within what matters ------------------------------------------------------------------------------------------

    def _within(self, plan: Plan, need: Words) -> Words:
        """Return those of ``need`` who meet the plan, in a plane of their own."""
        return self._picked([plan], need) if self._are_few(need, [plan]) else self._by_column(plan, need)

    def _by_column(self, plan: Plan, need: Words) -> Words:
        match plan:
            case All(parts=parts):
                return self._every(parts, need)
            case Any(parts=()):
                return np.zeros_like(need)
            case Any(parts=parts):
                first, *others = self._ordered(parts, all_=False)
                found = self._within(first, need)
                for part in others:
                    found |= self._within(part, need ^ found)
                return found
            case Not(part=part):
                found = self._within(part, need)
                return np.bitwise_xor(need, found, out=found)
            case leaf:
                return self._leaf(leaf, need)

    def _every(self, parts: Sequence[Plan], need: Words) -> Words:
        """Ranges are told by their bins first; of those who are left, the few in border bins are looked at exactly."""
        found, undecided = need, list[Plan]()
        ordered = self._ordered(parts, all_=True)
        for i, part in enumerate(ordered):
            if not self._is_plane(part) and self._are_few(found, left := [*ordered[i:], *undecided]):
                return self._picked(left, found)
            if isinstance(_inner(part), Range):
                undecided.append(part)
                found = self._perhaps(part, found)
            else:
                found = self._by_column(part, found)
        if undecided and self._are_few(found, undecided):
            return self._picked(undecided, found)
        found = need.copy() if found is need else found
        for part in undecided:
            self._decide(part, found)
        return found

    def _are_few(self, need: Words, parts: Sequence[Plan]) -> bool:
        """Whether to look at customers one by one: the more is left to be tested, the sooner it pays to find out who they are."""
        if not self.loops.FEW:
            return False
        cost = sum(self._cost(part) for part in parts if not self._is_plane(part))
        return cost > 0 and self.loops.count(need) < min(cost, MOST_COST) * self.loops.FEW * self.size

    def _picked(self, parts: Sequence[Plan], need: Words) -> Words:
        """Return those of ``need``, who are few, who meet all parts."""
        few = Few(self.columns, self._marks, self._ordered)
        return from_sorted(few.kept(parts, self.loops.decode(need)), self.size)

    def _perhaps(self, part: Plan, need: Words) -> Words:
        """Return those of ``need`` whom the bin does not rule out from meeting a range, or from not meeting it."""
        leaf = _inner(part)
        assert isinstance(leaf, Range)
        column = self.columns[leaf.tag]
        marks = self._marks(leaf)
        if part is leaf:
            return self._by_code(column, tuple(np.flatnonzero(marks).tolist()), need)
        inside = self._by_code(column, tuple(np.flatnonzero(marks == 1).tolist()), need)
        return np.bitwise_xor(need, inside, out=inside)

    def _decide(self, part: Plan, found: Words) -> None:
        leaf = _inner(part)
        assert isinstance(leaf, Range)
        column, borders = self.columns[leaf.tag], borders_of(self._marks(leaf))
        if not borders.any():
            return
        changed = None if column.changes is None else column.changes.who.taken(found)
        self._check(leaf, column, borders, found, wanted=part is leaf)
        if column.changes is not None and changed is not None:
            self._check(leaf, column.changes.rows, borders, changed, wanted=part is leaf)
            column.changes.who.put(changed, found)

    def _check(
        self, leaf: Range, column: Column, borders: npt.NDArray[np.uint8], found: Words, *, wanted: bool
    ) -> None:
        assert column.codes is not None
        assert column.exact is not None
        rows, exact = column.codes[: self.size], column.exact[: self.size]
        self.loops.bins_checked(rows, borders, exact, *bounds_of(column, leaf.low, leaf.high), wanted, found)

    def _leaf(self, leaf: Leaf, need: Words) -> Words:
        if isinstance(leaf, Bits):
            return np.bitwise_and(within(leaf.load(), self.size), need) if need.any() else np.zeros_like(need)
        return self._with_changes(self.columns[leaf.tag], need, lambda column, rows: self._test(leaf, column, rows))

    def _by_code(self, column: Column, codes: tuple[int, ...], need: Words) -> Words:
        return self._with_changes(column, need, lambda own, rows: self._rows(own, codes, rows))

    def _with_changes(self, column: Column, need: Words, test: Callable[[Column, Words], Words]) -> Words:
        """What a column's arrays say, put right by what its changed rows say."""
        found = test(column, need)
        if column.changes is not None:
            who = column.changes.who
            who.put(test(column.changes.rows, who.everybody), found, need)
        return found

    def _test(self, leaf: CodeIn | Range | Among | Known, column: Column, need: Words) -> Words:
        match leaf:
            case Known():
                return self._plane(column.known, need)
            case CodeIn(codes=codes):
                return self._codes(column, codes, need)
            case Range():
                return self._range(leaf, column, need)
            case Among():
                return self._among(leaf, column, need)

    def _plane(self, plane: Words, need: Words) -> Words:
        if len(plane) >= len(need):
            return np.bitwise_and(plane[: len(need)], need)
        found = np.zeros_like(need)
        np.bitwise_and(plane, need[: len(plane)], out=found[: len(plane)])
        return found

    def _codes(self, column: Column, codes: tuple[int, ...], need: Words) -> Words:
        if column.kind == "flag":
            return self._flag(column, codes, need)
        if column.codes is None or (len(codes) <= FEW and all(code in column.planes for code in codes)):
            found = self._plane(column.planes[codes[0]], need)
            for code in codes[1:]:
                found |= self._plane(column.planes[code], need)
            return found
        return self._rows(column, codes, need)

    def _rows(self, column: Column, codes: tuple[int, ...], need: Words) -> Words:
        if not codes:
            return np.zeros_like(need)
        assert column.codes is not None
        rows, found, runs = column.codes[: self.size], np.empty_like(need), _runs(codes)
        if len(runs) <= MOST_RUNS:
            bounds = np.array(_opened(runs, column), dtype=rows.dtype)
            self.loops.codes_in(rows, bounds[:, 0].copy(), bounds[:, 1].copy(), need, found)
        else:
            marks = np.zeros(max(256, len(column.values or ()) + 1), dtype=np.bool_)
            marks[list(codes)] = True
            self.loops.codes_marked(rows, marks, need, found)
        return found

    def _flag(self, column: Column, codes: tuple[int, ...], need: Words) -> Words:
        known = self._plane(column.known, need)
        if set(codes) == {1, 2}:
            return known
        true = self._plane(column.planes[1], need)
        return true if codes[0] == 1 else np.bitwise_xor(known, true, out=known)

    def _range(self, leaf: Range, column: Column, need: Words) -> Words:
        assert column.codes is not None
        assert column.exact is not None
        marks, found = self._marks(leaf), np.empty_like(need)
        inside = np.flatnonzero(marks == 1)
        runs = (inside[0], inside[-1]) if len(inside) else (1, 0)
        bounds = bounds_of(column, leaf.low, leaf.high)
        self.loops.bins_between(
            column.codes[: self.size],
            np.array(runs, dtype=np.uint8),
            borders_of(marks),
            column.exact[: self.size],
            *bounds,
            need,
            found,
        )
        return found

    def _among(self, leaf: Among, column: Column, need: Words) -> Words:
        assert column.codes is not None
        assert column.exact is not None
        marks = self._marks(leaf)
        if not (marks == 2).any():
            return self._rows(column, tuple(np.flatnonzero(marks).tolist()), need)
        rows, exact, found = column.codes[: self.size], column.exact[: self.size], np.empty_like(need)
        inside, borders = (np.array(_runs(np.flatnonzero(marks == m).tolist()), dtype=np.uint8) for m in (1, 2))
        self.loops.bins_among(rows, inside.reshape(-1, 2), borders, exact, wanted_of(column, leaf.values), need, found)
        return found

    def _marks(self, leaf: Range | Among) -> npt.NDArray[np.uint8]:
        marks = self.bins.get(leaf)
        if marks is None:
            column = self.columns[leaf.tag]
            if isinstance(leaf, Range):
                marks = marks_of(column, leaf.low, leaf.high)
            else:
                marks = among_of(column, leaf.values)
            self.bins[leaf] = marks
        return marks

    # -- order --------------------------------------------------------------------------------------------------------

    def _ordered(self, parts: Sequence[Plan], *, all_: bool) -> list[Plan]:
        """Cheap parts that decide much first: by cost ÷ the share that is decided."""

        def rank(part: Plan) -> float:
            share = self._share(part)
            return self._cost(part) / max(1 - share if all_ else share, 1e-6)

        return sorted(parts, key=rank) if len(parts) > 1 else list(parts)

    def _share(self, plan: Plan) -> float:
        """About which share of the population meets a plan, as if tests had nothing to do with one another."""
        match plan:
            case All(parts=parts):
                return prod(self._share(part) for part in parts)
            case Any(parts=parts):
                return 1 - prod(1 - self._share(part) for part in parts)
            case Not(part=part):
                return 1 - self._share(part)
            case Bits():
                return 0.5
            case leaf:
                column = self.columns[leaf.tag]
                return self._found(leaf, column) / max(int(column.histogram.sum()), 1)

    def _found(self, leaf: CodeIn | Range | Among | Known, column: Column) -> float:
        counts = column.histogram
        match leaf:
            case Known():
                return int(counts.sum() - counts[0]) if column.kind != "set" else int(counts.sum()) / 2
            case CodeIn(codes=codes):
                return int(counts[list(codes)].sum())
            case Range() | Among():
                marks = self._marks(leaf)[: len(counts)]
                return float(counts[marks == 1].sum() + counts[marks == 2].sum() / 2)

    def _cost(self, plan: Plan) -> float:
        match plan:
            case All(parts=parts) | Any(parts=parts):
                return sum(map(self._cost, parts))
            case Not(part=part):
                return self._cost(part)
            case Bits():
                return ELSEWHERE
            case Range():
                return BORDER
            case Among():
                return TABLE if (self._marks(plan) == 2).any() else CODE
            case CodeIn(tag=tag, codes=codes) if not self._is_plane(plan):
                rows = self.columns[tag].codes
                width = 1 if rows is None else rows.itemsize
                return CODE * width if len(codes) <= MOST_RUNS else TABLE
            case _:
                return PLANE

    def _is_plane(self, plan: Plan) -> bool:
        """Whether a leaf is stored as it is, so that keeping it would save nothing."""
        match _inner(plan):
            case Known():
                return True
            case CodeIn(tag=tag, codes=codes):
                column = self.columns[tag]
                return column.codes is None or (len(codes) == 1 and codes[0] in column.planes)
            case _:
                return False


def _inner(plan: Plan) -> Plan:
    return plan.part if isinstance(plan, Not) else plan


def _runs(codes: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring codes as (first, last)."""
    runs: list[tuple[int, int]] = []
    for code in sorted(set(codes)):
        if runs and runs[-1][1] == code - 1:
            runs[-1] = (runs[-1][0], code)
        else:
            runs.append((code, code))
    return runs


def _opened(runs: list[tuple[int, int]], column: Column) -> list[tuple[int, int]]:
    """A run up to the last code goes on to the greatest there could be: one bound is enough then."""
    assert column.codes is not None
    last = len(column.histogram) - 1
    return [(low, np.iinfo(column.codes.dtype).max if high >= last else high) for low, high in runs]
