"""Outcomes: one number a customer over the window of a metric, from the bank's tables and tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from kequn.core.data.tables import TABLES, Table
from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, NotMeasurable, Where
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.segment import ColumnTest
from kequn.core.spec.value import read_value

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The metric over the period before, of the same length: what planning stands on."""

    mean: float
    sd: float
    n: int
    from_on: date
    until_on: date


def outcomes(
    engine: Engine,
    metric: MetricSpec,
    ordinals: npt.ArrayLike,
    *,
    start_on: date,
    days: int,
    base: date | None = None,
    complete_through: date | None = None,
) -> Floats:
    """Return the metric of each customer over ``days`` days from ``start_on``, the first day on which contacts could act.

    ``rate`` gives 0 or 1, ``sum`` and ``change`` the stored unit (money in fen). Who left the bank keeps what happened
    before and has 0 of a tag afterwards; a tag that is unknown for a customer of the bank gives NaN.

    Args:
        base: the day from which a ``change`` is counted, the day of the freeze; the day before ``start_on`` by default.
        complete_through: the last day of which the caller knows that its data are there; else the metric's table tells
            by its latest date, or by having been loaded after the window's end.

    Raises:
        NotMeasurable: the window is not over, or there are no data for it.
        InvalidSpec: the metric names a column that its table does not have, or a value that does not fit it.
    """
    end_on = start_on + timedelta(days=days - 1)
    if metric.measure == "change":
        return _change(engine, metric, ordinals, base or start_on - timedelta(days=1), end_on)
    _check_window(engine, metric, start_on, end_on, complete_through)
    return _counted(engine, metric, ordinals, start_on, end_on)


def baseline(engine: Engine, metric: MetricSpec, ordinals: npt.ArrayLike, *, as_of: date, days: int) -> Baseline:
    """Return the metric's mean and spread over the ``days`` days that end with ``as_of``.

    Raises:
        NotMeasurable: there are no data for that period.
    """
    start_on = as_of - timedelta(days=days - 1)
    y = outcomes(engine, metric, ordinals, start_on=start_on, days=days, complete_through=as_of)
    y = y[~np.isnan(y)]
    if len(y) < 2:
        raise _not_measurable("no_data", f"The metric {metric.name!r} is known for nobody before {as_of}.", metric)
    return Baseline(float(y.mean()), float(y.std(ddof=1)), len(y), start_on, as_of)


def covariates(engine: Engine, metric: MetricSpec, ordinals: npt.ArrayLike, *, as_of: date) -> Floats | None:
    """Return n × k numbers known at the freeze: ``adjust_by``, and the tag itself for ``change``; ``None`` without any.

    A tag that some customers do not have is 0 for them and brings a second column that says so. Numbers, money,
    booleans and dates (as days) can serve.

    Raises:
        InvalidSpec: a text or list tag.
    """
    tags = dict.fromkeys((*metric.adjust_by, *([metric.tag] if metric.tag and metric.measure == "change" else [])))
    if not tags:
        return None
    columns = []
    for tag in tags:
        value, _ = _tag(engine, tag, ordinals, as_of)
        missing = np.isnan(value)
        columns.append(np.where(missing, 0.0, value))
        if missing.any():
            columns.append(missing.astype(np.float64))
    return np.stack(columns, axis=1)


def _counted(engine: Engine, metric: MetricSpec, ordinals: npt.ArrayLike, start_on: date, end_on: date) -> Floats:
    table = TABLES[str(metric.table)]
    assert table.on is not None  # a metric's tables all have many rows a customer
    inside = exp.column(table.on).between(exp.convert(start_on), exp.convert(end_on))
    tests = [_test(table, test, number, metric) for number, test in enumerate(metric.where)]
    value: exp.Expr = exp.Count(this=exp.Star())
    if metric.measure == "sum":
        column = table.by_name.get(str(metric.column))
        if column is None or column.type not in ("integer", "number", "money"):
            raise _no_column(table, str(metric.column), metric, "column", among=("integer", "number", "money"))
        value = exp.cast(exp.Sum(this=exp.column(column.name, quoted=True)), "DOUBLE")
    query = (
        exp.select(exp.column("ordinal"), exp.alias_(value, "value"))
        .from_(exp.table_(table.name, quoted=True))
        .where(inside, *tests)
        .group_by("ordinal")
    )
    found = engine.columns(query)
    y = _placed(ordinals, np.asarray(found["ordinal"]), _numbers(found["value"]))
    y = np.where(np.isnan(y), 0.0, y)
    return (y >= metric.at_least).astype(np.float64) if metric.measure == "rate" else y


def _change(engine: Engine, metric: MetricSpec, ordinals: npt.ArrayLike, before: date, after: date) -> Floats:
    for day in (before, after):
        if day.isoformat() not in engine.manifest.dates:
            latest = max(engine.manifest.dates, default="")
            reason = "window_open" if day == after and (not latest or latest < day.isoformat()) else "no_data"
            raise _not_measurable(
                reason, f"The tag {metric.tag!r} was not computed for {day}.", metric, day=day,
                hint=f"Load the data of {day} and run `kequn tag refresh --as-of {day}`.",
            )  # fmt: skip
    old, _ = _tag(engine, str(metric.tag), ordinals, before)
    new, here = _tag(engine, str(metric.tag), ordinals, after)
    return np.where(here, new, 0.0) - old


def _tag(engine: Engine, tag: str, ordinals: npt.ArrayLike, as_of: date) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return (values with NaN for unknown, who was a customer that day)."""
    found = engine.arrow(engine.tags_query(as_of, [tag]))
    kind = found.schema.field(tag).type
    column = found[tag]
    if pa.types.is_date(kind):
        column = column.cast(pa.date32()).cast(pa.int32())
    elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InvalidSpec(
            f"Tag {tag!r} is {kind} and cannot be a number.",
            hint="Use a tag of numbers, money, yes/no or a date.",
            tag=tag,
        )
    values = column.cast(pa.float64()).to_numpy()
    who = found["ordinal"].to_numpy()
    return _placed(ordinals, who, values), np.isin(np.asarray(ordinals), who)


def _placed(ordinals: npt.ArrayLike, who: npt.NDArray[Any], values: Floats) -> Floats:
    """Return the values in the order of ``ordinals``; NaN where there is none."""
    wanted = np.asarray(ordinals, dtype=np.int64)
    who = who.astype(np.int64)  # ordinals are unsigned; -1 for "none" is not
    size = int(max(wanted.max(initial=-1), who.max(initial=-1))) + 1
    dense = np.full(size, np.nan)
    dense[who] = values
    return dense[wanted]


def _numbers(column: Any) -> Floats:
    return np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan))


def _check_window(
    engine: Engine, metric: MetricSpec, start_on: date, end_on: date, complete_through: date | None
) -> None:
    state = engine.manifest.tables.get(str(metric.table))
    if state is None or not state.files:
        raise _not_measurable(
            "no_data", f"The table {metric.table!r} of the metric {metric.name!r} was never loaded.", metric
        )
    zone = ZoneInfo(engine.manifest.zone)
    loaded = state.loaded_at.astimezone(zone).date() - timedelta(days=1) if state.loaded_at else None
    known = max(day for day in (complete_through, state.as_of, loaded, date.min) if day is not None)
    if known < end_on:
        raise _not_measurable(
            "window_open", f"The window ends on {end_on}; the data of {metric.table!r} reach {known}.", metric,
            day=end_on, known=known, hint="Wait until the window is over and its data are loaded.",
        )  # fmt: skip
    table = TABLES[str(metric.table)]
    inside = exp.column(str(table.on)).between(exp.convert(start_on), exp.convert(end_on))
    if not engine.rows(exp.select("1").from_(exp.table_(table.name, quoted=True)).where(inside).limit(1)):
        raise _not_measurable(
            "no_data", f"The table {table.name!r} has no row from {start_on} to {end_on}.", metric,
            hint=f"Load the data of {table.name!r} for that window.",
        )  # fmt: skip


def _not_measurable(reason: str, message: str, metric: MetricSpec, *, hint: str = "", **facts: Any) -> NotMeasurable:
    plain: dict[str, Any] = {k: str(v) for k, v in facts.items()}
    return NotMeasurable(message, hint=hint, reason=reason, metric=metric.name, **plain)


def _test(table: Table, test: ColumnTest, number: int, metric: MetricSpec) -> exp.Expr:
    """One test on a row; a row without the value fails every test but ``unknown``."""
    known = table.by_name.get(test.column)
    if known is None or known.stored is None or known.type == "customer":
        raise _no_column(table, test.column, metric, f"where[{number}].column")
    column = exp.column(known.stored, quoted=True)
    if test.op in ("known", "unknown"):
        is_null = column.is_(exp.null())
        return is_null if test.op == "unknown" else exp.not_(is_null)
    several: Sequence[Any] = test.value if isinstance(test.value, tuple) else (test.value,)
    values = [exp.convert(read_value(known.type, v)) for v in several if v is not None]
    if test.op == "between":
        return exp.func("COALESCE", column.between(values[0], values[1]), exp.false())
    if test.op == "in":
        return exp.func("COALESCE", column.isin(*values), exp.false())
    if test.op == "contains":
        return exp.func("COALESCE", exp.func("CONTAINS", column, values[0], dialect="duckdb"), exp.false())
    return exp.func("COALESCE", _COMPARE[test.op](this=column, expression=values[0]), exp.false())


_COMPARE = {"=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}


def _no_column(table: Table, name: str, metric: MetricSpec, field: str, *, among: Sequence[str] = ()) -> InvalidSpec:
    usable = [c.name for c in table.columns if c.stored and c.type != "customer" and (not among or c.type in among)]
    return InvalidSpec(
        f"Metric {metric.name!r}: the table {table.name!r} has no usable column {name!r}.",
        hint=f"Use one of {', '.join(usable)}.",
        where=Where(field=field),
        column=name,
    )
