"""The profile of a segment (画像): each tag's values in it against the bank, and where it differs most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Index
from kequn.core.engine.index.bits import Words, from_ordinals
from kequn.core.errors import NoData, UnknownTag
from kequn.core.insight.bins import Numbers
from kequn.core.insight.cells import Counts, counted
from kequn.core.insight.commonest import commonest_inside
from kequn.core.insight.indexed import answered, counted_inside
from kequn.core.insight.tgi import Index as Intervals
from kequn.core.insight.tgi import familywise, tgi
from kequn.core.spec.tag import TagSpec

LEVEL = 0.95
SMALL = 5
"""Cells with fewer customers of the segment than this, and more than none, are not shown: they are nearly persons."""
EXPECTED = 5
VALUES_AT_ONCE = 12_000_000
TOP = 10
TOP_PER_FAMILY = 3
FEWER = 3
"""Of the top differences: those of which members have less than the bank, while there are others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value or bin of a tag. Shares are among customers whose value is known; TGI is 100 at the bank's level."""

    value: str
    zh: str
    en: str
    n: int | None
    share: float | None
    bank_n: int | None
    bank_share: float | None
    tgi: float | None
    low: float | None
    high: float | None
    reliable: bool
    """At least the minimum of the segment known, and at least 5 customers expected here by the bank's share."""
    stands_out: bool
    """Reliable, and 100 lies outside even an interval wide enough for all cells of the profile together (95%)."""
    suppressed: bool


@dataclass(frozen=True, slots=True)
class TagProfile:
    """One tag in the segment and in the bank."""

    tag: str
    zh: str
    en: str
    family: str
    type: str
    known: int
    coverage: float
    bank_known: int
    bank_coverage: float
    cells: tuple[Cell, ...]
    numbers: Numbers | None
    bank_numbers: Numbers | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One of the cells in which the segment differs most from the bank."""

    tag: str
    zh: str
    en: str
    family: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Profile:
    """A segment described by tags (画像), as of a date."""

    as_of: date
    size: int
    customers: int
    outside: int
    """Members given who are not customers on that date; they are not counted in ``size``."""
    minimum: int
    tags: tuple[TagProfile, ...]
    top_differences: tuple[Difference, ...]
    not_computed: tuple[str, ...]
    """Tags asked for that have no values for that date."""

    @property
    def share(self) -> float | None:
        """Members ÷ customers of the bank."""
        return self.size / self.customers if self.customers else None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; dates in ISO form."""
        return {**asdict(self), "as_of": self.as_of.isoformat(), "share": self.share}


def profile(
    engine: Engine,
    members: npt.NDArray[Any],
    *,
    tags: Mapping[str, TagSpec],
    as_of: date,
    only: Collection[str] | None = None,
    defining: Collection[str] = (),
    minimum: int = 30,
    indexed: bool = True,
) -> Profile:
    """Return the profile of the customers with these ordinals against all customers on ``as_of``.

    Tags of class X are left out unless ``only`` names them. ``defining`` tags, by which the segment was made, are
    profiled but never among the top differences: that they differ is no news.

    Args:
        indexed: counted in the index; otherwise in columns that DuckDB reads, with the same result.

    Raises:
        NoData: no tags were computed for that date.
        UnknownTag: ``only`` names a tag that is not in the catalogue.
    """
    asked, present = _present(engine, tags, only, as_of)
    if indexed:
        index = engine.index(as_of)
        plane = from_ordinals(members, index.size)
        distinct = index.loops.count(plane) + len(np.unique(members[members >= index.size]))
        (size, customers), counts = _counted_by_index(engine, index, plane & index.population, present, numbers=True)
    else:
        distinct = len(np.unique(members))
        (size, customers), counts = _counted(engine, members, present, as_of)
    missing = tuple(name for name in asked if name not in present)
    return _made(counts, present, as_of, (size, customers, distinct - size), minimum, defining, missing)


def draft_profile(
    engine: Engine,
    plane: Words,
    *,
    tags: Mapping[str, TagSpec],
    as_of: date,
    only: Collection[str] | None = None,
    defining: Collection[str] = (),
    minimum: int = 30,
) -> Profile:
    """Return the profile of a plane of the index, as `profile` does but without means and quantiles: while it is edited.

    It takes about one reading of the index's codes.
    """
    index = engine.index(as_of)
    asked, present = _present(engine, tags, only, as_of)
    inside = plane & index.population
    (size, customers), counts = _counted_by_index(engine, index, inside, present, numbers=False)
    outside = index.loops.count(plane) - size
    missing = tuple(name for name in asked if name not in present)
    return _made(counts, present, as_of, (size, customers, outside), minimum, defining, missing)


def _present(
    engine: Engine, tags: Mapping[str, TagSpec], only: Collection[str] | None, as_of: date
) -> tuple[list[str], dict[str, TagSpec]]:
    """The tags asked for, and those of them that have values for the date."""
    state = engine.manifest.dates.get(as_of.isoformat())
    if state is None:
        raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh`.", as_of=str(as_of))
    asked = _asked(tags, only)
    return asked, {name: tags[name] for name in asked if name in state.tags}


def _made(
    counts: Mapping[str, Counts],
    tags: Mapping[str, TagSpec],
    as_of: date,
    sizes: tuple[int, int, int],
    minimum: int,
    defining: Collection[str],
    missing: tuple[str, ...],
) -> Profile:
    size, customers, outside = sizes
    profiles = _profiles(counts, tags, size, customers, minimum)
    top = top_differences(profiles, defining=defining)
    return Profile(as_of, size, customers, outside, minimum, profiles, top, missing)


def top_differences(
    profiles: Iterable[TagProfile],
    *,
    defining: Collection[str] = (),
    most: int = TOP,
    per_family: int = TOP_PER_FAMILY,
) -> tuple[Difference, ...]:
    """Return the cells that stand out, most first: one a tag and few a family, so that no one subject fills the list.

    They are ranked by the limit of the interval that is nearer to 100 (as a ratio), not by TGI itself, which is largest
    where numbers are smallest. What members have more of goes first: "nobody of them is retired" has a ratio without
    bound, and in a large bank such cells would be all that is told; they are at most ``FEWER`` while there is other news.
    """
    best = []
    for tag in profiles:
        said = tag.cells[:1] if tag.type == "boolean" else tag.cells  # "no" only mirrors "yes"
        candidates = [(_is_more(cell), _distance(cell), cell) for cell in said if cell.stands_out]
        if candidates and tag.tag not in defining:
            more, distance, cell = max(candidates, key=lambda found: (*found[:2], found[2].tgi or 0))
            best.append((more, distance, Difference(tag.tag, tag.zh, tag.en, tag.family, cell)))
    best.sort(key=lambda found: (-found[1], found[2].tag))
    taken: Counter[str] = Counter()
    chosen: dict[str, Difference] = {}
    fewer = min(FEWER, most // 3)
    limits = (True, most - fewer), (False, most), (True, most)
    for wanted, limit in limits:
        for more, _, difference in best:
            fits = len(chosen) < limit and taken[difference.family] < per_family
            if more is wanted and fits and difference.tag not in chosen:
                taken[difference.family] += 1
                chosen[difference.tag] = difference
    order = {difference.tag: (not more, place) for place, (more, _, difference) in enumerate(best)}
    return tuple(sorted(chosen.values(), key=lambda difference: order[difference.tag]))


def _is_more(cell: Cell) -> bool:
    return (cell.low or 0.0) > 100


def _asked(tags: Mapping[str, TagSpec], only: Collection[str] | None) -> list[str]:
    if only is None:
        return [name for name, tag in tags.items() if tag.sensitivity != "X"]
    for name in only:
        if name not in tags:
            raise UnknownTag(f"Tag {name!r} is not in the catalogue.", hint="See `kequn tag list`.", tag=name)
    return list(dict.fromkeys(only))


def _counted_by_index(
    engine: Engine, index: Index, plane: Words, tags: Mapping[str, TagSpec], *, numbers: bool
) -> tuple[tuple[int, int], dict[str, Counts]]:
    """As `_counted`; of a text of very many values the commonest are kept, any other tag that the index lacks is read as a column."""
    mine = answered(index, tags)
    counts = counted_inside(index, plane, {name: tags[name] for name in mine}, numbers=numbers)
    many = {n: t for n, t in tags.items() if t.type == "text" and index.columns[n].kind == "text"}
    counts |= commonest_inside(engine, index, plane, many)
    if others := {name: tag for name, tag in tags.items() if name not in counts}:
        counts |= _counted(engine, index.loops.decode(plane), others, index.as_of)[1]
    return (index.loops.count(plane), index.customers), {name: counts[name] for name in tags}


def _counted(
    engine: Engine, members: npt.NDArray[Any], tags: Mapping[str, TagSpec], as_of: date
) -> tuple[tuple[int, int], dict[str, Counts]]:
    """Size and customers, and the counts of each tag, read some columns at a time so that memory stays bounded."""
    names = list(tags)
    at_once = max(1, VALUES_AT_ONCE // max(engine.manifest.ordinals, 1))
    chosen = np.zeros(max(engine.manifest.ordinals, int(members.max(initial=0)) + 1), dtype=bool)
    chosen[members] = True
    counts: dict[str, Counts] = {}
    size = customers = 0
    for start in range(0, max(len(names), 1), at_once):
        some = names[start : start + at_once]
        table = engine.arrow(engine.tags_query(as_of, some))
        inside = chosen[table.column("ordinal").to_numpy()]
        size, customers = int(inside.sum()), len(inside)
        counts |= {name: counted(tags[name], table.column(name), inside) for name in some}
    return (size, customers), counts


def _profiles(
    counts: Mapping[str, Counts], tags: Mapping[str, TagSpec], size: int, customers: int, minimum: int
) -> tuple[TagProfile, ...]:
    x, bank_x = (np.concatenate([np.zeros(0), *(getattr(c, f) for c in counts.values())]) for f in ("inside", "bank"))
    n = np.concatenate([np.zeros(0), *(np.full(len(c.keys), c.known) for c in counts.values())])
    bank_n = np.concatenate([np.zeros(0), *(np.full(len(c.keys), c.bank_known) for c in counts.values())])
    found = tgi(x, n, bank_x, bank_n, level=LEVEL)
    strict = tgi(x, n, bank_x, bank_n, level=familywise(LEVEL, len(x)))
    reliable = (n >= minimum) & (n * bank_x >= EXPECTED * bank_n)
    stands_out = reliable & ((strict.low > 100) | (strict.high < 100))
    made, start = [], 0
    for name, c in counts.items():
        part = slice(start, start + len(c.keys))
        flags = list(zip(reliable[part].tolist(), stands_out[part].tolist(), strict=True))
        cells = _cells(c, Intervals(found.point[part], found.low[part], found.high[part]), flags)
        made.append(_tag_profile(tags[name], c, cells, size, customers))
        start += len(c.keys)
    return tuple(made)


def _tag_profile(tag: TagSpec, c: Counts, cells: tuple[Cell, ...], size: int, customers: int) -> TagProfile:
    coverage = c.known / size if size else 0.0
    bank_coverage = c.bank_known / customers if customers else 0.0
    title, en = tag.title.zh, tag.title.to("en")
    few, bank_few = c.known < SMALL, c.bank_known < SMALL
    return TagProfile(
        tag.name,
        title,
        en,
        tag.family,
        tag.type,
        c.known,
        coverage,
        c.bank_known,
        bank_coverage,
        cells,
        None if few else c.numbers,
        None if bank_few else c.bank_numbers,
    )


def _cells(c: Counts, index: Intervals, flags: list[tuple[bool, bool]]) -> tuple[Cell, ...]:
    hidden = _hidden(c.inside, c.bank)
    return tuple(
        _cell(c, i, index, reliable=flags[i][0], stands_out=flags[i][1], hidden=i in hidden) for i in range(len(c.keys))
    )


def _hidden(inside: npt.NDArray[Any], bank: npt.NDArray[Any]) -> set[int]:
    """Small cells, and where there is just one the next smallest too: else it could be had by subtraction."""
    small = {i for i, (n, bank_n) in enumerate(zip(inside, bank, strict=True)) if 0 < n < SMALL or 0 < bank_n < SMALL}
    if len(small) == 1:
        others = [i for i in np.argsort(inside, kind="stable").tolist() if i not in small and inside[i] > 0]
        small |= set(others[:1])
    return small


def _cell(c: Counts, i: int, index: Intervals, *, reliable: bool, stands_out: bool, hidden: bool) -> Cell:
    n, bank_n = int(c.inside[i]), int(c.bank[i])
    bank_shown = not hidden or bank_n >= SMALL
    return Cell(
        value=c.keys[i],
        zh=c.titles[i].zh,
        en=c.titles[i].to("en"),
        n=None if hidden else n,
        share=None if hidden or not c.known else n / c.known,
        bank_n=bank_n if bank_shown else None,
        bank_share=bank_n / c.bank_known if bank_shown and c.bank_known else None,
        tgi=None if hidden else _plain(index.point[i]),
        low=None if hidden else _plain(index.low[i]),
        high=None if hidden else _plain(index.high[i]),
        reliable=reliable and not hidden,
        stands_out=stands_out and not hidden,
        suppressed=hidden,
    )


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _distance(cell: Cell) -> float:
    near = cell.low if cell.low is not None and cell.low > 100 else cell.high
    return abs(math.log(max(near or 0.0, 1e-9) / 100))
