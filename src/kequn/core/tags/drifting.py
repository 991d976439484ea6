"""How far a tag's distribution moved between two dates: the same bins on both, and the stability index over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.engine.duck import Engine
from kequn.core.engine.tagfiles import column_of
from kequn.core.errors import NoData, NotMeasurable
from kequn.core.spec.tag import TagSpec
from kequn.core.stats.drift import Grade, grade, psi
from kequn.core.stats.floor import floored
from kequn.core.tags.describing import EPOCH, MAX_CODES, cuts_of, label_of, value_of

MISSING, OTHERS = "unknown", "others"
TENTHS = tuple(i / 10 for i in range(1, 10))


@dataclass(frozen=True, slots=True)
class Shift:
    """One value or bin: how many customers it had then and has now."""

    code: str
    then: int
    now: int


@dataclass(frozen=True, slots=True)
class Drift:
    """A tag on two dates (漂移). Customers without a value are a bin of their own: a source that broke shows in it."""

    tag: str
    earlier: date
    later: date
    index: float
    grade: Grade
    shifts: tuple[Shift, ...]
    left_out: int = 0
    """Figures of too few customers to be told: they stand as 0; the index counts them."""

    def told(self) -> Drift:
        """Return the same without small figures."""
        then, fewer_then = floored(np.array([s.then for s in self.shifts], dtype=np.int64))
        now, fewer_now = floored(np.array([s.now for s in self.shifts], dtype=np.int64))
        told = zip(self.shifts, then.tolist(), now.tolist(), strict=True)
        return replace(self, shifts=tuple(Shift(s.code, a, b) for s, a, b in told), left_out=fewer_then + fewer_now)


def drift(engine: Engine, spec: TagSpec, *, earlier: date, later: date) -> Drift:
    """Return how a tag's distribution among the bank's customers moved.

    Numbers are compared in the declared bins, in tenths of the earlier date where none are declared; dates by their days
    from the business date, since a date that stays the same grows older; a list's codes count each for themselves.

    Raises:
        NoData: the tag was not computed for one of the dates.
        NotMeasurable: there were no customers on one of them.
    """
    (then, absent_then), (now, absent_now) = (_values(engine, spec, day) for day in (earlier, later))
    codes, counts_then, counts_now = _counted(spec, then, now, earlier, later)
    before, after = [*counts_then, absent_then], [*counts_now, absent_now]
    if not sum(before) or not sum(after):
        raise NotMeasurable(f"There were no customers on {earlier if not sum(before) else later}.")
    shifts = tuple(Shift(c, b, a) for c, b, a in zip([*codes, MISSING], before, after, strict=True))
    index = psi(before, after)
    return Drift(spec.name, earlier, later, index, grade(index), shifts)


def _values(engine: Engine, spec: TagSpec, as_of: date) -> tuple[pa.Array, int]:
    state = engine.manifest.dates.get(as_of.isoformat())
    if state is None or spec.name not in state.tags:
        hint = f"Compute that date first: `kequn tag refresh --as-of {as_of}`."
        raise NoData(f"Tag {spec.name!r} was not computed for {as_of}.", hint=hint, tag=spec.name)
    present = pq.read_table(engine.store.path(state.population)).column("value")
    column = column_of(engine.store, spec.name, state.tags[spec.name], size=len(present))
    here = column.filter(present).combine_chunks()
    return here.drop_null(), here.null_count


def _counted(
    spec: TagSpec, then: pa.Array, now: pa.Array, earlier: date, later: date
) -> tuple[list[str], list[int], list[int]]:
    if spec.type in ("boolean", "text", "list"):
        return _by_code(spec, then, now)
    if spec.type == "date":
        return _by_bin(spec, _days(then, earlier), _days(now, later))
    return _by_bin(spec, then.to_numpy(zero_copy_only=False), now.to_numpy(zero_copy_only=False))


def _by_code(spec: TagSpec, then: pa.Array, now: pa.Array) -> tuple[list[str], list[int], list[int]]:
    before, after = _frequencies(spec, then), _frequencies(spec, now)
    known = list(spec.values) or sorted(before.keys() | after.keys(), key=lambda c: (-before.get(c, 0), c))
    shown = known[:MAX_CODES]
    rest = [sum(n for c, n in found.items() if c not in shown) for found in (before, after)]
    columns = [[found.get(c, 0) for c in shown] for found in (before, after)]
    if any(rest):
        return [*shown, OTHERS], [*columns[0], rest[0]], [*columns[1], rest[1]]
    return shown, columns[0], columns[1]


def _frequencies(spec: TagSpec, values: pa.Array) -> dict[str, int]:
    flat = pc.list_flatten(values) if spec.type == "list" else values
    found = {e["values"]: e["counts"] for e in pc.value_counts(flat).to_pylist()}
    return {str(c).lower() if isinstance(c, bool) else str(c): n for c, n in found.items()}


def _by_bin(spec: TagSpec, then: NDArray[Any], now: NDArray[Any]) -> tuple[list[str], list[int], list[int]]:
    cuts = cuts_of(spec, then) if spec.bins else _tenths(then if len(then) else now)
    plain = spec.type == "date"
    edges = [None, *(int(c) if plain else value_of(spec, c) for c in cuts), None]
    codes = [label_of(low, high) for low, high in pairwise(edges)]
    counts = [np.bincount(np.searchsorted(cuts, v, side="right"), minlength=len(codes)) for v in (then, now)]
    return codes, [int(n) for n in counts[0]], [int(n) for n in counts[1]]


def _tenths(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.unique(np.quantile(numbers, TENTHS, method="higher")) if len(numbers) else np.zeros(0)


def _days(values: pa.Array, as_of: date) -> NDArray[np.int64]:
    since: NDArray[np.int64] = values.cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.asarray(since - (as_of - EPOCH).days, dtype=np.int64)
