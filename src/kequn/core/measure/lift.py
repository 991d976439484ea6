"""Lift: what the campaign changed, as assigned, with its interval; or why that cannot be said."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from kequn.core.errors import NotMeasurable
from kequn.core.measure.estimate import Bools, Codes, Estimate, Floats, estimate
from kequn.core.stats import (
    Interval,
    SampleRatio,
    difference_interval,
    ratio_interval,
    sample_ratio,
    t_quantile,
)

Kind = Literal["rate", "mean"]
SMALLEST_ARM = 30  # below this no interval is worth its name
TAIL = 0.99  # covariates are drawn in at this quantile
FEWEST_EVENTS = 10  # below this an adjusted rate's standard error is itself a guess, so the plain interval is used


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm as it came out."""

    n: int
    total: float
    """Sum of the outcome; for a rate the number of customers who did it."""
    missing: int = 0
    """Assigned to the arm, but without an outcome."""

    @property
    def mean(self) -> float:
        """Average outcome; for a rate the rate."""
        return self.total / self.n


@dataclass(frozen=True, slots=True)
class Winsorised:
    """Limits to which extreme outcomes of both arms were drawn in, and how many were."""

    low: float
    high: float
    n_drawn_in: int


@dataclass(frozen=True, slots=True)
class Lift:
    """The effect on those assigned to contact against the control group (提升), in the unit of the outcome."""

    kind: Kind
    interval: Interval
    p_value: float
    treated: Arm
    control: Arm
    relative: Interval | None
    """Lift ÷ the control group's figure; ``None`` where that has no meaning."""
    plain: Interval
    """The unadjusted, unwinsorised difference, shown beside the headline."""
    split: SampleRatio | None
    """Whether the arms are as large as planned; ``None`` where no plan was given."""
    n_covariates: int = 0
    n_strata: int = 1
    n_clusters: int | None = None
    winsorised: Winsorised | None = None

    @property
    def point(self) -> float:
        """The estimate."""
        return self.interval.point

    @property
    def low(self) -> float:
        """Lower limit."""
        return self.interval.low

    @property
    def high(self) -> float:
        """Upper limit."""
        return self.interval.high

    @property
    def se(self) -> float:
        """Standard error."""
        return self.interval.se

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes no effect."""
        return self.low > 0 or self.high < 0

    @property
    def is_broken(self) -> bool:
        """Whether the arms are not of the planned sizes, so that the effect must not be believed."""
        return self.split is not None and self.split.mismatch


def lift(
    outcome: npt.ArrayLike,
    treated: npt.ArrayLike,
    *,
    kind: Kind,
    strata: npt.ArrayLike | None = None,
    covariates: npt.ArrayLike | None = None,
    clusters: npt.ArrayLike | None = None,
    winsorise: float | tuple[float, float] | None = None,
    planned_control: float | None = None,
    level: float = 0.95,
) -> Lift:
    """Return the difference treated − control with its interval, by intention to treat.

    Args:
        outcome: one number a customer; 0 or 1 for a rate. NaN is an outcome that was not seen.
        treated: whether the customer was assigned to contact (not: whether contacted).
        kind: ``rate`` takes Newcombe's score interval, narrowed or widened by what the adjustment does to the standard
            error; ``mean`` takes Student's t with Satterthwaite's degrees of freedom.
        strata: integer codes of the draw.
        covariates: n × k, known before the first contact.
        clusters: integer codes of what may share an outcome, such as households.
        winsorise: a share such as 0.99, whose quantile among the figures that are not 0, both arms together, is the cap
            (the mirrored one too where there are losses), or the two limits themselves, best taken from before the
            campaign. Means only.
        planned_control: the share of customers that was to be held out.

    Raises:
        NotMeasurable: no control group, or an arm is too small.
    """
    y, arm = np.asarray(outcome, dtype=np.float64), np.asarray(treated, dtype=bool)
    seen = ~np.isnan(y)
    arms = _arms(y, arm, seen)
    _measurable(*arms)
    split = None if planned_control is None else _split(arm, planned_control)
    y, arm = y[seen], arm[seen]
    capped, limits = _winsorised(y, winsorise) if kind == "mean" else (y, None)
    x = _covariates(covariates, seen)
    adjusted = estimate(capped, arm, strata=_codes(strata, seen), covariates=x, clusters=_codes(clusters, seen))
    plain_estimate = estimate(y, arm)
    plain = _plain(kind, *arms, plain_estimate, level)
    if kind == "rate":
        found = _rate_interval(plain, adjusted, plain_estimate, *arms, clustered=clusters is not None)
    else:
        found = _t_interval(adjusted, level)
    was_adjusted = kind == "mean" or found is not plain
    return Lift(
        kind=kind,
        interval=found,
        p_value=_p_value(found, adjusted.df if was_adjusted else plain_estimate.df),
        treated=arms[0],
        control=arms[1],
        relative=_relative(kind, adjusted if was_adjusted else plain_estimate, level),
        plain=plain,
        split=split,
        n_covariates=0 if x is None or not was_adjusted else x.shape[1],
        n_strata=adjusted.strata if was_adjusted else 1,
        n_clusters=None if clusters is None else len(np.unique(np.asarray(clusters)[seen])),
        winsorised=limits,
    )


def lifts(
    outcome: npt.ArrayLike, arms: Sequence[Hashable] | npt.NDArray[np.generic], *, control: Hashable, **how: object
) -> dict[Hashable, Lift]:
    """Return the lift of each arm of several against one control group; arms are compared one at a time."""
    y, label = np.asarray(outcome, dtype=np.float64), np.asarray(arms)
    per_row = {k: np.asarray(how.pop(k)) for k in ("strata", "covariates", "clusters") if how.get(k) is not None}
    found: dict[Hashable, Lift] = {}
    for name in sorted(set(label.tolist()) - {control}, key=str):
        rows = (label == name) | (label == control)
        parts = {k: v[rows] for k, v in per_row.items()}
        found[name] = lift(y[rows], label[rows] == name, **parts, **how)  # type: ignore[arg-type]  # lift's own keywords
    return found


def _arms(y: Floats, arm: Bools, seen: Bools) -> tuple[Arm, Arm]:
    def one(rows: Bools) -> Arm:
        there = rows & seen
        return Arm(int(there.sum()), float(y[there].sum()), int((rows & ~seen).sum()))

    return one(arm), one(~arm)


def _measurable(treated: Arm, control: Arm) -> None:
    if not control.n + control.missing:
        raise NotMeasurable(
            "Everybody was to be contacted, so there is nothing to compare with.",
            hint="Hold out a control group next time.",
            reason="no_control",
        )
    small = min(treated.n, control.n)
    if small < SMALLEST_ARM:
        which = "control" if control.n <= treated.n else "treated"
        raise NotMeasurable(
            f"The {which} group has only {small} customers with an outcome; {SMALLEST_ARM} are the least.",
            hint="Join branches or extend the period.",
            reason=f"{which}_too_small",
            n=small,
            least=SMALLEST_ARM,
        )


def _split(arm: Bools, planned_control: float) -> SampleRatio:
    return sample_ratio([int(arm.sum()), int((~arm).sum())], [1 - planned_control, planned_control])


def _winsorised(y: Floats, share: float | tuple[float, float] | None) -> tuple[Floats, Winsorised | None]:
    if share is None:
        return y, None
    low, high = share if isinstance(share, tuple) else _limits(y, share)
    return np.clip(y, low, high), Winsorised(low, high, int(((y < low) | (y > high)).sum()))


def _limits(y: Floats, share: float) -> tuple[float, float]:
    """Quantiles of the figures that are not 0: where few do anything, the quantile of all would cap every one."""
    moved = y[y != 0]
    if not len(moved):
        return 0.0, 0.0
    losses = bool((moved < 0).any())
    return float(np.quantile(moved, 1 - share)) if losses else 0.0, float(np.quantile(moved, share))


def _covariates(covariates: npt.ArrayLike | None, seen: Bools) -> Floats | None:
    """The covariates of the rows with an outcome, their tails drawn in.

    A few very rich customers would have so much pull that the standard error comes out too small: with uncapped wealth 89%
    of intervals cover, with capped wealth 96% (``bench/lift_coverage.py``). What is known before may be reshaped at will.
    """
    if covariates is None:
        return None
    x = np.asarray(covariates, dtype=np.float64)
    x = (x[:, None] if x.ndim == 1 else x)[seen]
    if not x.size:
        return None
    x = np.stack([np.clip(column, *_limits(column, TAIL)) for column in x.T], axis=1)
    return x[:, np.ptp(x, axis=0) > 0]


def _codes(values: npt.ArrayLike | None, seen: Bools) -> Codes | None:
    return None if values is None else np.unique(np.asarray(values)[seen], return_inverse=True)[1].astype(np.int64)


def _plain(kind: Kind, treated: Arm, control: Arm, found: Estimate, level: float) -> Interval:
    if kind == "mean":
        return _t_interval(found, level)
    return difference_interval(treated.total, treated.n, control.total, control.n, level)


def _rate_interval(
    plain: Interval, adjusted: Estimate, unadjusted: Estimate, treated: Arm, control: Arm, *, clustered: bool
) -> Interval:
    """The score interval around the adjusted difference, scaled by what adjusting does to the standard error."""
    fewest = min(treated.total, control.total, treated.n - treated.total, control.n - control.total)
    is_same = adjusted.strata == 1 and adjusted.point == unadjusted.point and not clustered
    if is_same or fewest < FEWEST_EVENTS:
        return plain
    factor = adjusted.se / unadjusted.se
    point, level = adjusted.point, plain.level
    low, high = point - factor * (plain.point - plain.low), point + factor * (plain.high - plain.point)
    return Interval(point, max(-1.0, low), min(1.0, high), adjusted.se, level)


def _t_interval(found: Estimate, level: float) -> Interval:
    half = t_quantile(level, found.df) * found.se
    return Interval(found.point, found.point - half, found.point + half, found.se, level)


def _relative(kind: Kind, found: Estimate, level: float) -> Interval | None:
    ratio = ratio_interval(
        found.treated, found.var_treated, found.control, found.var_control, covariance=found.covariance, level=level
    )
    least = -1.0 if kind == "rate" else -inf  # a rate cannot fall by more than all of it
    return ratio and Interval(ratio.point - 1, max(least, ratio.low - 1), ratio.high - 1, ratio.se, level)


def _p_value(found: Interval, df: float) -> float:
    if not found.se:
        return 1.0 if not found.point else 0.0
    return float(2 * stats.t.sf(abs(found.point) / found.se, df))
