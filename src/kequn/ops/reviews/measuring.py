"""From a frozen audience or loaded arms to results: outcomes, lift, worth and what may be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.errors import InvalidSpec, KequnError, NotMeasurable
from kequn.core.measure import Lift, conclusion, covariates, guardrail, lift, outcomes, unit_of, worth
from kequn.core.spec.metric import MetricSpec
from kequn.core.stats import sample_ratio
from kequn.ops.reviews.contracts import MetricResult, Part
from kequn.ops.tags.queries import catalogue

UNKNOWN_BRANCH = "-"
Kind = Literal["rate", "mean"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The days over which metrics are counted, and until which day the data are known to be there."""

    start_on: date
    days: int
    complete_through: date | None
    base: date | None = None
    """From which a change is counted: the day of the freeze."""

    @property
    def end_on(self) -> date:
        """The last day."""
        return self.start_on + timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Customers with what they were assigned to; all arrays go together."""

    ordinals: np.ndarray
    treated: np.ndarray
    strata: np.ndarray | None = None
    planned_control: float | None = None


def in_money(metric: MetricSpec) -> bool:
    """Whether a metric's stored unit is fen."""
    if metric.measure == "sum":
        column = TABLES[str(metric.table)].by_name.get(str(metric.column))
        return column is not None and column.type == "money"
    tag = catalogue().get(str(metric.tag))
    return metric.measure == "change" and tag is not None and tag.type == "money"


def kind_of(metric: MetricSpec) -> Kind:
    """Return which estimator goes with a metric."""
    return "rate" if metric.measure == "rate" else "mean"


def observed(bank: Engine, metric: MetricSpec, ordinals: np.ndarray, window: Window) -> np.ndarray | NotMeasurable:
    """Return one number a customer, or why there is none."""
    try:
        return outcomes(
            bank,
            metric,
            ordinals,
            start_on=window.start_on,
            days=window.days,
            base=window.base,
            complete_through=window.complete_through,
        )
    except NotMeasurable as error:
        return error


def effect(
    bank: Engine, metric: MetricSpec, y: np.ndarray | NotMeasurable, arms: Arms, *, frozen_on: date
) -> Lift | NotMeasurable:
    """Return the lift by intention to treat, stratified as drawn and adjusted by what the metric names."""
    if isinstance(y, NotMeasurable):
        return y
    try:
        return lift(
            y, arms.treated, kind=kind_of(metric), strata=arms.strata, planned_control=arms.planned_control,
            covariates=covariates(bank, metric, arms.ordinals, as_of=frozen_on) if metric_adjusts(metric) else None,
        )  # fmt: skip
    except NotMeasurable as error:
        return error
    except KequnError as error:  # a covariate that cannot be read makes the goal unmeasurable, not the review fail
        return NotMeasurable(error.message, hint=error.hint, reason="no_data")


def metric_adjusts(metric: MetricSpec) -> bool:
    """Whether a metric names covariates; a ``change`` always has its own past."""
    return bool(metric.adjust_by) or metric.measure == "change"


def result_of(
    metric: MetricSpec,
    found: Lift | NotMeasurable,
    *,
    role: Literal["goal", "guardrail"],
    arm: str = "treated",
    cost_cny: Decimal | None = None,
    n_contacted: int | None = None,
) -> MetricResult:
    """Return the effect with what may be said about it, and for a goal with a cost what it was worth."""
    money = in_money(metric)
    said = (
        conclusion(found, metric, in_money=money, n_contacted=n_contacted)
        if role == "goal"
        else guardrail(found, metric, in_money=money)
    )
    measured = found if isinstance(found, Lift) else None
    counted = measured is not None and not measured.is_broken and role == "goal" and cost_cny is not None
    return MetricResult(
        metric=metric.name,
        title_zh=metric.title.zh,
        title_en=metric.title.to("en"),
        role=role,
        arm=arm,
        unit=unit_of(metric, in_money=money),
        lift=measured,
        conclusion=said,
        worth=worth(measured, metric, cost_cny=cost_cny, in_money=money)
        if counted and measured and cost_cny is not None
        else None,
    )


def parts_by(
    labels: np.ndarray, y: np.ndarray | NotMeasurable, treated: np.ndarray, contacted: np.ndarray
) -> tuple[Part, ...]:
    """Return sizes and plain means by label, the largest part first."""
    parts = []
    for label in np.unique(labels):
        rows = labels == label
        parts.append(
            Part(
                name=str(label),
                n_treated=int((rows & treated).sum()),
                n_control=int((rows & ~treated).sum()),
                n_contacted=int((rows & contacted).sum()),
                treated=_mean(y, rows & treated),
                control=_mean(y, rows & ~treated),
            )
        )
    return tuple(sorted(parts, key=lambda p: -(p.n_treated + p.n_control)))


def _mean(y: np.ndarray | NotMeasurable, rows: np.ndarray) -> float | None:
    if isinstance(y, NotMeasurable) or not rows.any():
        return None
    seen = y[rows]
    seen = seen[~np.isnan(seen)]
    return float(seen.mean()) if len(seen) else None


def branches_of(bank: Engine, ordinals: np.ndarray) -> np.ndarray:
    """Return the branch code of each customer today."""
    asked = pa.table(
        {"ordinal": pa.array(ordinals, pa.uint32()), "position": pa.array(range(len(ordinals)), pa.uint32())}
    )
    bank.register("branches_asked", asked)
    query = "SELECT c.branch_code FROM branches_asked a LEFT JOIN customer c USING (ordinal) ORDER BY a.position"
    found = bank.arrow(query)["branch_code"].to_pylist() if bank.has("customer") else [None] * len(ordinals)
    return np.array([code or UNKNOWN_BRANCH for code in found])


def assigned(bank: Engine, experiment: str) -> tuple[np.ndarray, np.ndarray, date]:
    """Return (ordinals, arms, the day of the assignment) of an experiment that another system drew.

    Raises:
        NotMeasurable: no such experiment was loaded.
        InvalidSpec: its customers were assigned on several days, so there is no one window.
    """
    rows: Mapping[str, Any] = {}
    if bank.has("assignment"):
        query = "SELECT ordinal, arm, assigned_on FROM assignment WHERE experiment = ? ORDER BY ordinal"
        rows = bank.columns(query, [experiment])
    if not len(rows.get("ordinal", ())):
        raise NotMeasurable(
            f"No arms of the experiment {experiment!r} were loaded.", hint="Load them.", reason="no_data"
        )
    days = np.unique(rows["assigned_on"].astype("datetime64[D]"))
    if len(days) > 1:
        raise InvalidSpec(
            f"The experiment {experiment!r} was assigned on {len(days)} days.", hint="Name it apart for each day."
        )
    return np.asarray(rows["ordinal"]), np.asarray(rows["arm"]).astype(str), days[0].astype(object)


def split_of(arms: np.ndarray, shares: Mapping[str, float]) -> tuple[float, bool]:
    """Return (p value, is broken) of the arms' sizes against the planned shares."""
    names: Sequence[str] = sorted(shares)
    found = sample_ratio([int((arms == name).sum()) for name in names], [shares[name] for name in names])
    return found.p_value, found.mismatch
