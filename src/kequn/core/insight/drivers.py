"""What sets a segment apart once its age and tier are accounted for (差异动因).

A TGI compares the segment with the whole bank: a segment of older customers differs in everything in which the old differ.
Here each member is compared with customers outside the segment of the same age band and tier (*direct standardisation*): the
figure of the others is the mean of their strata, weighted as the members are spread over the strata.

    comparable = Σ_s w_s · mean_s(others),  w_s = members in stratum s ÷ members in strata that have others

Members in a stratum without others are left out, and how many remain is told. A difference of shares has Newcombe's hybrid
score interval (1998), in which the others count as n_eff = 1 ÷ Σ_s w_s²/n_s (Kish 1965), as many as a simple sample of the same
precision; a number is compared by its rank among the others (0–100), which no single large account can move, with Welch's
interval. It is a comparison of equals in what is adjusted for and in nothing else: not a cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Column, Index
from kequn.core.engine.index.bits import Ordinals, from_ordinals, unpacked
from kequn.core.insight.sampled import bands_of, traits_of
from kequn.core.insight.tgi import familywise
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.intervals import Interval, difference_interval, normal_quantile

ADJUST = ("demo_age", "asset_tier")
"""What customers are alike in who are compared; those of them that are not computed are left out, and it is told."""
BANDS = 5
SAMPLE = 25_000
"""So many members and so many others are looked at; more would not change what is said."""
FLOOR = 100
"""Fewer members, or others that count for fewer, are not compared."""
LEAST_EFFECT = 1.0
"""Points below which a difference is not worth telling however certain it is."""
SMALL = 5
LEVEL = 0.95
TOP_PER_FAMILY = 3

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Driver:
    """One thing in which members differ from comparable customers, in points of a hundred.

    ``share``: how many of a hundred have the value; ``rank``: the mean place among the others, 50 for no difference at all
    from them.
    """

    tag: str
    title: Text
    family: str
    value: str
    value_title: Text
    measure: Literal["share", "rank"]
    inside: float
    comparable: float
    others: float
    """The others as they are, not adjusted: the difference to ``comparable`` is what age and tier explain."""
    difference: Interval
    """``inside`` less ``comparable``, 95%."""
    members: int
    effective: float
    """As how many customers the others count."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """What sets a segment apart, most first."""

    as_of: date
    adjusted_for: tuple[str, ...]
    members: int
    """Members in the sample."""
    compared: float
    """Share of them who have comparable customers outside the segment."""
    drivers: tuple[Driver, ...]
    considered: int
    """Differences looked at; those told stand out even so, with 95% for all of them together."""
    too_few: bool = False
    """The segment or the rest of the bank is too small to compare."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Ordinals of members and others, the places of either, and each one's stratum."""

    ordinals: Ordinals
    inside: Ints
    outside: Ints
    strata: Ints
    many: int
    """Strata."""


def find_drivers(
    engine: Engine,
    members: npt.NDArray[Any],
    *,
    tags: Mapping[str, TagSpec],
    as_of: date,
    seed: int,
    adjust: Sequence[str] = ADJUST,
    only: Collection[str] | None = None,
    defining: Collection[str] = (),
    most: int = 10,
) -> Drivers:
    """Return in what the customers with these ordinals differ from comparable customers on ``as_of``.

    Not considered: tags of class X, the ``defining`` tags by which the segment was made, and those adjusted for. At most
    25,000 members and as many others are looked at, chosen by ``seed``; the same call has the same answer.

    Raises:
        NoData: no tags were computed for that date.
    """
    index = engine.index(as_of)
    used = tuple(name for name in adjust if name in tags and name in index.columns and _has_bands(index, name))
    sample = _sampled(index, members, used, seed)
    at_hand = len(sample.inside)
    nothing = Drivers(as_of, used, at_hand, 0.0, (), 0, too_few=True)
    if at_hand < FLOOR or len(sample.ordinals) - at_hand < FLOOR:
        return nothing
    found: list[Driver] = []
    left_out = {*defining, *used}
    for name, tag in tags.items():
        asked = tag.sensitivity != "X" if only is None else name in only
        if asked and name not in left_out and name in index.columns:
            found += _drivers(tag, index.columns[name], sample)
    told = _most(found, len(found), most)
    return Drivers(as_of, used, at_hand, _compared(sample), told, len(found))


def _has_bands(index: Index, name: str) -> bool:
    return index.columns[name].kind in ("flag", "code", "number", "day")


def _sampled(index: Index, members: npt.NDArray[Any], adjust: Sequence[str], seed: int) -> _Sample:
    plane = from_ordinals(np.asarray(members), index.size) & index.population
    rng = np.random.default_rng(seed)
    parts = []
    for words in (plane, index.population & ~plane):
        here = np.flatnonzero(unpacked(words, index.size)).astype(np.uint32)
        parts.append(np.sort(rng.choice(here, SAMPLE, replace=False)) if len(here) > SAMPLE else here)
    ordinals = np.concatenate(parts)
    strata = np.zeros(len(ordinals), dtype=np.int64)
    for name in adjust:
        bands = bands_of(index.columns[name], ordinals, BANDS)
        _, strata = np.unique(strata * (int(bands.max(initial=0)) + 1) + bands, return_inverse=True)
    inside, outside = np.split(np.arange(len(ordinals)), [len(parts[0])])
    return _Sample(ordinals, inside, outside, strata, int(strata.max(initial=-1)) + 1)


def _compared(sample: _Sample) -> float:
    inside, outside = (
        np.bincount(sample.strata[who], minlength=sample.many) for who in (sample.inside, sample.outside)
    )
    return float(inside[outside > 0].sum() / inside.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """Of the sample those whose value of a tag is known, and who can be compared: places in it, and strata as a few numbers."""

    inside: Ints
    """Members with comparable others."""
    outside: Ints
    strata: Ints
    """Of ``outside``."""
    there: npt.NDArray[np.bool_]
    """Strata with members and others."""
    others: Ints
    """How many others are in each stratum that is there."""
    weights: npt.NDArray[np.float64]
    """Share of the members in it."""
    effective: float

    @classmethod
    def of(cls, known: npt.NDArray[np.bool_], sample: _Sample) -> _Comparison | None:
        """``None`` where too few can be compared."""
        inside, outside = sample.inside[known[sample.inside]], sample.outside[known[sample.outside]]
        mine, strata = sample.strata[inside], sample.strata[outside]
        n, m = (np.bincount(each, minlength=sample.many) for each in (strata, mine))
        there = (n > 0) & (m > 0)
        members = int(m[there].sum())
        if members < FLOOR:
            return None
        weights = m[there] / members
        effective = float(1 / (weights**2 / n[there]).sum())
        return (
            None
            if effective < FLOOR
            else cls(inside[there[mine]], outside, strata, there, n[there], weights, effective)
        )

    def comparable(self, figures: npt.NDArray[Any]) -> float:
        """The mean of the others' figures, as if their strata were the members'."""
        sums = np.bincount(self.strata, weights=figures, minlength=len(self.there))[self.there]
        return float((self.weights * (sums / self.others)).sum())


def _drivers(tag: TagSpec, column: Column, sample: _Sample) -> Iterator[Driver]:
    """Yield the differences in what a tag says, but where too few can be compared, or a group of persons would be shown."""
    known, comparison = None, None
    for trait in traits_of(tag, column, sample.ordinals):
        if trait.known is not known:  # the values of one tag share it
            known, comparison = trait.known, _Comparison.of(trait.known, sample)
        if comparison is None:
            continue
        found = (_in_share if trait.value else _in_rank)(trait.figures, comparison)
        if found is not None:
            mine, comparable, others, difference = found
            yield Driver(
                tag.name, tag.title, tag.family, trait.value, trait.title, "share" if trait.value else "rank",
                100 * mine, 100 * comparable, 100 * others, difference.scaled(100), len(comparison.inside),
                comparison.effective,
            )  # fmt: skip


_Figures: TypeAlias = tuple[float, float, float, Interval]
"""Of members, of comparable others, of the others; and the difference."""


def _in_share(figures: npt.NDArray[np.float64], of: _Comparison) -> _Figures | None:
    mine, theirs = figures[of.inside], figures[of.outside]
    sums = float(mine.sum()), float(theirs.sum())
    if any(0 < n < SMALL or 0 < whole - n < SMALL for n, whole in zip(sums, (len(mine), len(theirs)), strict=True)):
        return None
    rate = min(of.comparable(theirs), 1.0)  # a weighted mean of ones may come out above by rounding
    difference = difference_interval(sums[0], len(mine), rate * of.effective, of.effective, LEVEL)
    return sums[0] / len(mine), rate, sums[1] / len(theirs), difference


def _in_rank(figures: npt.NDArray[np.float64], of: _Comparison) -> _Figures:
    mine, theirs = _ranks(figures[of.inside], figures[of.outside])
    comparable = of.comparable(theirs)
    around = of.comparable(theirs**2) - comparable**2
    se = sqrt(float(mine.var()) / len(mine) + max(around, 0.0) / of.effective)
    point, half = float(mine.mean()) - comparable, normal_quantile(LEVEL) * se
    return float(mine.mean()), comparable, float(theirs.mean()), Interval(point, point - half, point + half, se, LEVEL)


def _ranks(mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Place of each value among the others, 0–1; equal values share the middle of their places."""
    both = np.concatenate([mine, theirs])
    order = np.argsort(both)
    values, below = both[order], np.concatenate([[0], np.cumsum(order >= len(mine))])
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    ends = np.append(starts[1:], len(both))
    places = np.empty(len(both))
    places[order] = np.repeat((below[starts] + below[ends]) / (2 * len(theirs)), ends - starts)
    return places[: len(mine)], places[len(mine) :]


def _most(found: list[Driver], considered: int, most: int) -> tuple[Driver, ...]:
    """Those that stand out among all, one a tag and few a family, by the limit nearer to nothing."""
    widen = normal_quantile(familywise(LEVEL, considered)) / normal_quantile(LEVEL)
    certain: dict[str, tuple[float, Driver]] = {}
    for driver in found:
        d = driver.difference
        near = d.point - widen * (d.point - d.low) if d.point > 0 else -(d.point + widen * (d.high - d.point))
        if near > 0 and abs(d.point) >= LEAST_EFFECT and near > certain.get(driver.tag, (0.0, driver))[0]:
            certain[driver.tag] = near, driver
    taken: Counter[str] = Counter()
    told: list[Driver] = []
    for _, driver in sorted(certain.values(), key=lambda pair: (-pair[0], pair[1].tag)):
        if taken[driver.family] < TOP_PER_FAMILY and len(told) < most:
            taken[driver.family] += 1
            told.append(driver)
    return tuple(told)
