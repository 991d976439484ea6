"""Before launch: which lift a list of this size can show."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from kequn.core.errors import NotMeasurable
from kequn.core.measure.lift import SMALLEST_ARM
from kequn.core.stats import mde_mean, mde_rate


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest lift that will be found with the given power (最小可检测提升)."""

    n_treated: int
    n_control: int
    mde: float | None
    """In the unit of the goal (a share for a rate); ``None`` where even 100% would not be found."""
    relative: float | None
    """``mde`` ÷ the baseline."""
    baseline: float | None
    sd: float | None
    power: float
    alpha: float
    explained: float
    """Share of the variance that covariates are expected to take away (CUPED)."""
    source: str
    """Where baseline or sd come from."""

    @property
    def kind(self) -> str:
        """``rate`` or ``mean``."""
        return "rate" if self.sd is None else "mean"


def detectable(
    n_treated: int,
    n_control: int,
    *,
    baseline: float | None = None,
    sd: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    explained: float = 0.0,
    source: str = "",
) -> Detectable:
    """Return the smallest lift that groups of these sizes can show.

    Args:
        n_treated: customers to be contacted.
        n_control: customers held out.
        baseline: for a rate, the rate without the campaign; for a mean, the mean (for ``relative`` only).
        sd: for a mean, the standard deviation between customers; leave out for a rate.
        power: chance of finding a lift of that size.
        alpha: chance of finding one where there is none (two-sided).
        explained: for a mean, the share of variance explained by covariates.
        source: words on where baseline or sd come from, passed through.

    Raises:
        NotMeasurable: no control group, a group that is too small, or neither a baseline rate nor an sd.
    """
    if not n_control:
        raise NotMeasurable(
            "Nobody is held out, so no lift can be shown.", hint="Set a holdout rate.", reason="no_control"
        )
    small = min(n_treated, n_control)
    if small < SMALLEST_ARM:
        which = "control" if n_control <= n_treated else "treated"
        raise NotMeasurable(
            f"The {which} group would have {small} customers; {SMALLEST_ARM} are the least.",
            hint="Join branches, widen the segment or raise the holdout rate.",
            reason=f"{which}_too_small", n=small, least=SMALLEST_ARM,
        )  # fmt: skip
    mde = _mde(n_treated, n_control, baseline, sd, power=power, alpha=alpha, explained=explained)
    return Detectable(
        n_treated=n_treated, n_control=n_control, mde=mde,
        relative=mde / baseline if mde is not None and baseline is not None and baseline > 0 else None,
        baseline=baseline, sd=sd, power=power, alpha=alpha, explained=explained, source=source,
    )  # fmt: skip


def _mde(
    n_treated: int,
    n_control: int,
    baseline: float | None,
    sd: float | None,
    *,
    power: float,
    alpha: float,
    explained: float,
) -> float | None:
    if sd is not None and sd > 0:
        return mde_mean(n_treated, n_control, sd * sqrt(1 - explained), alpha=alpha, power=power)
    if sd is None and baseline is not None and 0 < baseline < 1:
        return mde_rate(n_treated, n_control, baseline, alpha=alpha, power=power)
    raise NotMeasurable(
        "There is no past figure to plan with: the goal never happened, or never varied, in the period before.",
        hint="Load more history, or choose a goal that happens.",
        reason="no_baseline",
    )
