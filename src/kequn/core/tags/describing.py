"""How a tag is filled: coverage, the distribution of its values, and a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import DateState
from kequn.core.engine.tagfiles import column_of
from kequn.core.errors import NoData, UnknownTag
from kequn.core.spec.tag import TagSpec

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_CODES = 50
FEW = 12
"""A whole number with at most so many different values is counted value by value."""
FEN = 100
EPOCH = date(1970, 1, 1)

Value = bool | int | float | Decimal | date | str


@dataclass(frozen=True, slots=True)
class Bar:
    """One value, or one bin ``low`` ≤ x < ``high``, and how many customers have it. A list's codes can add up to more
    than all."""

    code: str
    n: int
    low: Value | None = None
    high: Value | None = None


@dataclass(frozen=True, slots=True)
class TagStatistics:
    """One tag on one business date (覆盖率、分布). Money is in yuan."""

    tag: str
    as_of: date
    customers: int
    """Customers of the bank on the date."""
    known: int
    coverage: float
    """``known`` of ``customers``, 0–1."""
    kind: str
    """``codes``, ``bins`` or ``months``: what the bars are."""
    distribution: tuple[Bar, ...]
    others: int
    """Customers whose codes are none of the bars, where there are too many codes to show."""
    minimum: Value | None
    maximum: Value | None
    mean: float | Decimal | None
    quantiles: dict[str, Value]
    """Level ("0.5") -> value, of numbers, money and dates."""
    computed_at: datetime
    is_current: bool
    """Whether it was computed by the spec given, not by an earlier version of it."""


def statistics(engine: Engine, spec: TagSpec, as_of: date) -> TagStatistics:
    """Return how one tag is filled among the bank's customers of a date.

    Raises:
        NoData: no tags were computed for the date.
        UnknownTag: this one was not.
    """
    state = _state(engine, as_of)
    return _described(engine, spec, as_of, state, _present(engine, state))


def all_statistics(engine: Engine, specs: Mapping[str, TagSpec], as_of: date) -> dict[str, TagStatistics]:
    """Return the statistics of all tags of ``specs`` that were computed for a date.

    Raises:
        NoData: no tags were computed for the date.
    """
    state = _state(engine, as_of)
    present = _present(engine, state)
    return {n: _described(engine, s, as_of, state, present) for n, s in specs.items() if n in state.tags}


def _state(engine: Engine, as_of: date) -> DateState:
    state = engine.manifest.dates.get(as_of.isoformat())
    if state is None:
        raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh`.", as_of=str(as_of))
    return state


def _present(engine: Engine, state: DateState) -> pa.ChunkedArray:
    return pq.read_table(engine.store.path(state.population)).column("value")


def _described(engine: Engine, spec: TagSpec, as_of: date, state: DateState, present: pa.ChunkedArray) -> TagStatistics:
    if spec.name not in state.tags:
        raise UnknownTag(
            f"Tag {spec.name!r} was not computed for {as_of}.", hint="Run `kequn tag refresh`.", tag=spec.name
        )
    tag = state.tags[spec.name]
    column = column_of(engine.store, spec.name, tag, size=len(present))
    values = column.filter(present).drop_null().combine_chunks()
    kind, bars, others = _bars(spec, values)
    low, high, mean, quantiles = _numbers(spec, values)
    return TagStatistics(
        tag=spec.name,
        as_of=as_of,
        customers=state.customers,
        known=len(values),
        coverage=len(values) / state.customers if state.customers else 0.0,
        kind=kind,
        distribution=bars,
        others=others,
        minimum=low,
        maximum=high,
        mean=mean,
        quantiles=quantiles,
        computed_at=tag.computed_at,
        is_current=tag.fingerprint == spec.fingerprint(),
    )


def _bars(spec: TagSpec, values: pa.Array) -> tuple[str, tuple[Bar, ...], int]:
    match spec.type:
        case "boolean":
            yes = int(pc.sum(values).as_py() or 0)
            return "codes", (Bar("true", yes), Bar("false", len(values) - yes)), 0
        case "text" | "list":
            return _codes(spec, values)
        case "date":
            return "months", _months(values), 0
        case _:
            return _bins(spec, values)


def _codes(spec: TagSpec, values: pa.Array) -> tuple[str, tuple[Bar, ...], int]:
    flat = pc.list_flatten(values) if spec.type == "list" else values
    counted = {e["values"]: e["counts"] for e in pc.value_counts(flat).to_pylist()}
    declared = [Bar(code, counted.pop(code, 0)) for code in spec.values]
    rest = sorted(counted.items(), key=lambda c: (-c[1], c[0]))
    shown = [Bar(code, n) for code, n in rest[:MAX_CODES]]
    return "codes", (*declared, *shown), sum(n for _, n in rest[MAX_CODES:])


def _months(values: pa.Array) -> tuple[Bar, ...]:
    counted = pc.value_counts(pc.strftime(values, format="%Y-%m"))
    return tuple(Bar(e["values"], e["counts"]) for e in sorted(counted.to_pylist(), key=lambda c: c["values"]))


def _bins(spec: TagSpec, values: pa.Array) -> tuple[str, tuple[Bar, ...], int]:
    numbers = values.to_numpy(zero_copy_only=False)
    if spec.type == "integer" and not spec.bins:
        found, counts = np.unique(numbers, return_counts=True)
        if len(found) <= FEW:
            return "codes", tuple(Bar(str(v), int(n), int(v)) for v, n in zip(found, counts, strict=True)), 0
    cuts = cuts_of(spec, numbers)
    counts = np.bincount(np.searchsorted(cuts, numbers, side="right"), minlength=len(cuts) + 1)
    edges: list[Value | None] = [None, *(value_of(spec, c) for c in cuts), None]
    bars = [Bar(label_of(lo, hi), int(n), lo, hi) for lo, hi, n in zip(edges[:-1], edges[1:], counts, strict=True)]
    return "bins", tuple(bars), 0


def cuts_of(spec: TagSpec, numbers: NDArray[Any]) -> NDArray[Any]:
    """Return where a number's bins change: as declared (money in fen), else the quintiles of these numbers."""
    if spec.bins:
        return np.array([float(b) for b in spec.bins]) * (FEN if spec.type == "money" else 1)
    if not len(numbers):
        return np.zeros(0)
    return np.unique(np.quantile(numbers, (0.2, 0.4, 0.6, 0.8), method="higher"))


def label_of(low: Value | None, high: Value | None) -> str:
    """Return how a bin ``low`` ≤ x < ``high`` is written."""
    if low is None:
        return "all" if high is None else f"< {_shown(high)}"
    return f"≥ {_shown(low)}" if high is None else f"{_shown(low)} – {_shown(high)}"


def _shown(value: Value) -> str:
    return f"{value:.0f}" if isinstance(value, Decimal) and value == value.to_integral_value() else str(value)


def _numbers(
    spec: TagSpec, values: pa.Array
) -> tuple[Value | None, Value | None, float | Decimal | None, dict[str, Value]]:
    if spec.type in ("boolean", "text", "list") or not len(values):
        return None, None, None, {}
    numbers = (values.cast(pa.int32()) if spec.type == "date" else values).to_numpy(zero_copy_only=False)
    quantiles = np.quantile(numbers, LEVELS, method="lower")
    mean: float | Decimal | None = None
    if spec.type != "date":
        average = float(numbers.mean())
        mean = _yuan(average) if spec.type == "money" else average
    return (
        value_of(spec, numbers.min()),
        value_of(spec, numbers.max()),
        mean,
        {str(level): value_of(spec, q) for level, q in zip(LEVELS, quantiles, strict=True)},
    )


def value_of(spec: TagSpec, number: Any) -> Value:
    """Return a stored number as people read it: money in yuan."""
    match spec.type:
        case "money":
            return _yuan(number)
        case "date":
            return EPOCH + timedelta(days=int(number))
        case "integer":
            return int(number)
        case _:
            return float(number)


def _yuan(fen: float) -> Decimal:
    return (Decimal(str(float(fen))) / FEN).quantize(Decimal("0.01"))
