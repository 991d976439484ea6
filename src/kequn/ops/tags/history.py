"""A tag over time: its distribution on past dates, how far it drifted, who moved between its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kequn.core.errors import NoData
from kequn.core.tags import Drift, TierHistory, Transitions, drift, tier_history, tier_transitions, transitions
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.runtime import engine, runtime
from kequn.ops.tags.queries import catalogue, statistics_for, tag_for

TIER = "asset_tier"
_kept: tuple[tuple[str, int, date], TierHistory] | None = None
MOST_DATES = 12
"""So many dates, the latest of them, are shown over time."""


@dataclass(frozen=True, slots=True)
class TierMonth:
    """Customers by tier at the end of one month, and how many of them rose, fell and were under watch in it."""

    month: date
    by_tier: tuple[int, ...]
    risen: int
    fallen: int
    watched: int


def dates_of(name: str) -> list[date]:
    """Return the dates on which a tag has values, oldest first."""
    dates = runtime().store.manifest().dates
    return sorted(date.fromisoformat(d) for d, state in dates.items() if name in state.tags)


def distributions_for(actor: Actor, name: str) -> list[tuple[date, dict[str, Any]]]:
    """Return the statistics of a tag on the last dates, oldest first."""
    tag_for(actor, name)
    return [(day, statistics_for(actor, name, day)) for day in dates_of(name)[-MOST_DATES:]]


def drift_for(actor: Actor, name: str, *, earlier: date | None = None, later: date | None = None) -> Drift:
    """Return how far a tag moved between two dates; the last two by default.

    Raises:
        NoData: there are not two dates with the tag.
    """
    spec = tag_for(actor, name)
    first, second = _two(dates_of(name), earlier, later, name)
    return drift(engine(), spec, earlier=first, later=second).told()


def months_for(actor: Actor, name: str) -> list[date]:
    """Return the dates between which the transitions of a tag can be shown, oldest first.

    For the tier these are also the months of the balances, from which the ladder is known without computing tags.
    """
    tag_for(actor, name)
    found = set(dates_of(name))
    if name == TIER and engine().has("holding"):
        found |= set(_ladder().months)
    return sorted(found)


def transitions_for(actor: Actor, name: str, *, earlier: date | None = None, later: date | None = None) -> Transitions:
    """Return who of the actor's customers moved from which value to which between two dates; the last two by default.

    Raises:
        NoData: the tag is not known on one of the dates.
        InvalidSpec: the tag has no declared values.
    """
    spec, scope = tag_for(actor, name), _scope(actor)
    if name == TIER and engine().has("holding"):
        history = _ladder()
        # dates within a month tell nothing new of the tier: by default it is looked at from month to month
        first, second = _two(sorted({*history.months, *_given(earlier, later)}), earlier, later, name)
        if first in history.months and second in history.months:
            return tier_transitions(history, spec, earlier=first, later=second, scope=scope).told()
    first, second = _two(dates_of(name), earlier, later, name)
    return transitions(engine(), spec, earlier=first, later=second, scope=scope).told()


def tier_months_for(actor: Actor) -> list[TierMonth]:
    """Return the ladder month by month for the actor's customers, oldest first; empty where there are no balances."""
    actor.must("tag.view")
    if not engine().has("holding"):
        return []
    history, scope = _ladder(), _scope(actor)
    here = np.ones(history.standing.tier.shape[1], dtype=bool) if scope is None else scope
    levels = len(catalogue()[TIER].values)
    return [_month(history, i, here, levels) for i in range(len(history.months))]


def _month(history: TierHistory, i: int, scope: NDArray[np.bool_], levels: int) -> TierMonth:
    here = scope & history.present[i]
    tier, watched = history.standing.tier[i], history.standing.watch[i]
    before = history.standing.tier[i - 1] if i else tier
    both = here & history.present[i - 1] if i else here
    by_tier = tuple(int(n) for n in np.bincount(tier[here], minlength=levels))
    risen, fallen = int((tier > before)[both].sum()), int((tier < before)[both].sum())
    return TierMonth(history.months[i], by_tier, risen, fallen, int(watched[here].sum()))


def _given(*days: date | None) -> list[date]:
    return [day for day in days if day is not None]


def _ladder() -> TierHistory:
    """The ladder up to the latest date, kept for the version of the store."""
    global _kept  # noqa: PLW0603 - a page asks for it several times, and it takes a pass over the balances
    bank, day = engine(), _latest()
    key = (str(bank.store.root), bank.manifest.version, day)
    if _kept is None or _kept[0] != key:
        _kept = (key, tier_history(bank, day))
    return _kept[1]


def _two(days: Sequence[date], earlier: date | None, later: date | None, name: str) -> tuple[date, date]:
    second = later or (days[-1] if days else None)
    before = [d for d in days if second and d < second]
    first = earlier or (before[-1] if before else None)
    if first is None or second is None:
        hint = "Compute an earlier date: `kequn tag refresh --as-of`."
        raise NoData(f"Tag {name!r} is known on fewer than two dates.", hint=hint, tag=name)
    return first, second


def _latest() -> date:
    """The latest date of tags, of the balances where there are no tags."""
    dates = engine().manifest.dates
    day = date.fromisoformat(max(dates)) if dates else engine().rows("SELECT max(as_of) FROM holding")[0][0]
    return day or date.min


def _scope(actor: Actor) -> NDArray[np.bool_] | None:
    """Which ordinals are the actor's customers; ``None`` for the whole bank."""
    if actor.role != "rm" and actor.sees_all_branches:
        return None
    column, values = (
        ("rm_no", [actor.staff_no]) if actor.role == "rm" else ("branch_code", list(branch_codes_for(actor) or []))
    )
    here = np.zeros(engine().manifest.ordinals, dtype=bool)
    marks = ", ".join("?" for _ in values)
    if values and engine().has("customer"):
        rows = engine().columns(f"SELECT ordinal FROM customer WHERE {column} IN ({marks})", values)
        here[rows["ordinal"]] = True
    return here
