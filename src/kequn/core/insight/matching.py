"""One grouping against another: which of the new groups is which of the old ones, and how much groups have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kequn.core.errors import Conflict

NOBODY = 255
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Match:
    """A new group and the old one it continues; ``None`` where there is no counterpart."""

    new: int
    old: int | None
    jaccard: float
    """Customers in both ÷ customers in either, among those in both groupings."""


@dataclass(frozen=True, slots=True)
class Matching:
    """New groups matched with old ones, one to one, and who moved where."""

    pairs: tuple[Match, ...]
    migration: tuple[tuple[int, ...], ...]
    """``migration[old][new]``: customers who are in both groupings."""
    agreement: float
    """Share of those customers whose new group continues their old one."""


@dataclass(frozen=True, slots=True)
class Common:
    """How much a group and a segment have in common."""

    segment: str
    size: int
    both: int
    jaccard: float


def match_groups(old: Labels, new: Labels, *, n_old: int, n_new: int) -> Matching:
    """Return which new group continues which old one: the one-to-one matching with the most customers in common.

    The Hungarian method (Kuhn 1955) on the table of counts: labels of a refit are in no order, and matching each group
    with its nearest could give two groups the same forerunner.

    Args:
        old, new: group of each customer, in the same order; 255 for nobody.
    """
    known = (old != NOBODY) & (new != NOBODY)
    table = np.bincount(old[known].astype(np.int64) * n_new + new[known], minlength=n_old * n_new)
    counts = table.reshape(n_old, n_new)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    partner = {int(c): int(r) for r, c in zip(rows, columns, strict=True) if counts[r, c] > 0}
    pairs = tuple(Match(n, partner.get(n), _jaccard(counts, partner.get(n), n)) for n in range(n_new))
    stayed = sum(int(counts[o, n]) for n, o in partner.items())
    return Matching(
        pairs, tuple(tuple(int(v) for v in row) for row in counts), stayed / int(known.sum()) if known.any() else 0.0
    )


def in_common(
    labels: Labels, segments: Mapping[str, npt.NDArray[Any]], *, k: int, most: int = 3
) -> tuple[tuple[Common, ...], ...]:
    """Return for each group the segments most like it, by Jaccard index, best first.

    Args:
        segments: name -> ordinals of the members.
    """
    sizes = np.bincount(labels[labels != NOBODY], minlength=k)
    found: list[list[Common]] = [[] for _ in range(k)]
    for name, members in segments.items():
        here = labels[members[members < len(labels)]]
        both = np.bincount(here[here != NOBODY], minlength=k)
        for group in range(k):
            either = int(sizes[group]) + len(members) - int(both[group])
            share = int(both[group]) / either if either else 0.0
            found[group].append(Common(name, len(members), int(both[group]), share))
    return tuple(
        tuple(sorted((c for c in one if c.both), key=lambda c: (-c.jaccard, c.segment))[:most]) for one in found
    )


def renamed(codes: tuple[str, ...], old_codes: tuple[str, ...], matching: Matching) -> tuple[str, ...]:
    """Return codes for the new groups: that of the group it continues, else one that was not in use.

    Raises:
        Conflict: there are more groups than codes can tell apart.
    """
    carried = {p.new: old_codes[p.old] for p in matching.pairs if p.old is not None}
    free = (f"c{i}" for i in range(1, NOBODY) if f"c{i}" not in set(old_codes))
    found = []
    for group in range(len(codes)):
        code = carried.get(group) or next(free, None)
        if code is None:
            raise Conflict("There are no codes left for new clusters.", hint="Publish under another name.")
        found.append(code)
    return tuple(found)


def _jaccard(counts: npt.NDArray[Any], old: int | None, new: int) -> float:
    if old is None:
        return 0.0
    either = int(counts[old].sum() + counts[:, new].sum() - counts[old, new])
    return int(counts[old, new]) / either if either else 0.0
