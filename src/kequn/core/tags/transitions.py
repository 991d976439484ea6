"""Who moved from which value of a tag to which between two dates (迁移矩阵), and how long a value has lasted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState, Manifest, Store
from kequn.core.engine.tagfiles import column_of
from kequn.core.errors import InvalidSpec, NoData, UnknownTag
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.floor import floored
from kequn.core.tags.ladder import TierHistory

ABSENT = "absent"
"""Not a customer on that date, or without a value of the tag."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """How many customers went from which value to which: ``n[i][j]`` from the i-th state to the j-th."""

    tag: str
    earlier: date
    later: date
    states: tuple[str, ...]
    """The tag's values in their declared order, and last ``absent``."""
    n: tuple[tuple[int, ...], ...]
    left_out: int = 0
    """Cells of too few customers to be told: they stand as 0, and no sum counts them."""

    def told(self) -> Transitions:
        """Return the same without small cells."""
        told, left_out = floored(np.array(self.n, dtype=np.int64))
        return replace(self, n=tuple(map(tuple, told.tolist())), left_out=left_out)

    def moved(self, *, up: bool) -> int:
        """Return how many moved to a later state in the order of the values, or to an earlier one; absent ones left out."""
        k = len(self.states) - 1
        return sum(self.n[i][j] for i in range(k) for j in range(k) if (j > i if up else j < i))

    @property
    def began(self) -> int:
        """Customers with a value on the earlier date."""
        return sum(map(sum, self.n[:-1]))


def transitions(
    engine: Engine, spec: TagSpec, *, earlier: date, later: date, scope: NDArray[np.bool_] | None = None
) -> Transitions:
    """Return the matrix of one tag with declared values between two computed dates; ``scope`` by ordinal, all without it.

    Raises:
        InvalidSpec: a tag without declared values or with several at once, or dates in the wrong order.
        NoData, UnknownTag: the tag was not computed for one of the dates.
    """
    _in_order(spec, earlier, later)
    codes = [_codes(engine, spec, day) for day in (earlier, later)]
    size = max(len(c) for c in codes)
    before, after = (np.concatenate([c, np.full(size - len(c), len(spec.values), np.int64)]) for c in codes)
    return _counted(spec, earlier, later, before, after, scope)


def tier_transitions(
    history: TierHistory, spec: TagSpec, *, earlier: date, later: date, scope: NDArray[np.bool_] | None = None
) -> Transitions:
    """Return the matrix of tiers between two months of the ladder, for months whose tags were not computed.

    Raises:
        NoData: one of the months has no balances.
    """
    _in_order(spec, earlier, later)
    for day in (earlier, later):
        if day not in history.months:
            known = ", ".join(d.isoformat() for d in history.months)
            raise NoData(f"No balances for {day}.", hint=f"Months: {known}.", as_of=str(day))
    at = [history.months.index(day) for day in (earlier, later)]
    before, after = (
        np.where(history.present[i], history.standing.tier[i].astype(np.int64), len(spec.values)) for i in at
    )
    return _counted(spec, earlier, later, before, after, scope)


def days_in_state(store: Store, manifest: Manifest, name: str, as_of: date) -> pa.Array:
    """Return by ordinal for how many days at least a tag has had its present value, by the dates there are; null without.

    The run ends at the first earlier date with another value, or without the tag: what lies between two dates nobody saw.
    """
    days = sorted(date.fromisoformat(d) for d, s in manifest.dates.items() if name in s.tags)
    if as_of not in days:
        raise UnknownTag(f"Tag {name!r} was not computed for {as_of}.", hint="Run `kequn tag refresh`.", tag=name)
    now = _column(store, manifest.dates[as_of.isoformat()], name)
    lasted, running = np.zeros(len(now), np.int64), pc.is_valid(now).to_numpy(zero_copy_only=False)
    known = running.copy()
    for day in reversed([d for d in days if d < as_of]):
        then = _column(store, manifest.dates[day.isoformat()], name)
        same = pc.fill_null(pc.equal(now.slice(0, len(then)), then), False).to_numpy(zero_copy_only=False)
        running[: len(then)] &= same
        running[len(then) :] = False
        lasted[running] = (as_of - day).days
        if not running.any():
            break
    return pa.array(lasted, mask=~known)


def _in_order(spec: TagSpec, earlier: date, later: date) -> None:
    if not spec.values:
        raise InvalidSpec(
            f"Tag {spec.name!r} has no declared values to move between.", hint="Choose a tag such as asset_tier."
        )
    if spec.type == "list":
        raise InvalidSpec(
            f"Tag {spec.name!r} has several values at once: nobody moves from one to another.",
            hint="Choose a tag such as asset_tier.",
        )
    if earlier >= later:
        raise InvalidSpec(f"{earlier} is not before {later}.", hint="Give the earlier date first.")


def _codes(engine: Engine, spec: TagSpec, as_of: date) -> NDArray[np.int64]:
    state = engine.manifest.dates.get(as_of.isoformat())
    if state is None or spec.name not in state.tags:
        raise NoData(
            f"Tag {spec.name!r} was not computed for {as_of}.",
            hint="Compute that date first: `kequn tag refresh --as-of`.",
        )
    values = _column(engine.store, state, spec.name)
    if spec.type == "boolean":
        values = pc.if_else(values, "true", "false")
    found = pc.fill_null(pc.index_in(values, value_set=pa.array(list(spec.values))), len(spec.values))
    present = _column(engine.store, state, None).to_numpy(zero_copy_only=False)
    codes = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(present, codes, len(spec.values))


def _column(store: Store, state: DateState, name: str | None) -> pa.Array:
    population = store.path(state.population)
    if name is None:
        return pq.read_table(population).column("value").combine_chunks()
    return column_of(store, name, state.tags[name], size=pq.read_metadata(population).num_rows).combine_chunks()


def _counted(
    spec: TagSpec,
    earlier: date,
    later: date,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    scope: NDArray[np.bool_] | None,
) -> Transitions:
    k = len(spec.values) + 1
    pairs = before * k + after
    if scope is not None:
        pairs = pairs[scope[: len(pairs)]]
    n = np.bincount(pairs, minlength=k * k).reshape(k, k)
    n[k - 1, k - 1] = 0  # neither then nor now: no customer of either date
    return Transitions(
        spec.name, earlier, later, (*_states(spec)[:-1], ABSENT), tuple(tuple(int(x) for x in row) for row in n)
    )


def _states(spec: TagSpec) -> Sequence[str]:
    return [*spec.values, ABSENT]
