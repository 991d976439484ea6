"""Claim: the 95% intervals of ``measure.lift`` cover the truth of the design in 93–97% of reseeded campaigns.

Customers answer by the starter bank's law. Each run draws customers from a pool, holds out a stratified control group by
a new salt, lets the window pass and measures; the truth is the average effect of contacting these customers, known from
their chances with and without a contact. With spill-over inside households the same intervals are shown with their
bias, and beside them the design that removes it: whole households held out, errors clustered by household.

    python bench/lift_coverage.py --runs 2000 --json var/coverage.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kequn.core.data.starter import World, world
from kequn.core.measure import Lift, draw_holdout, estimate, lift
from kequn.core.stats import Interval, t_quantile

POOL, SIZE, RATE, LEVEL = 60_000, 10_000, 0.15, 0.95
SPILLOVER = 0.5
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One estimator over all runs, in percentage points (rates) or yuan a customer (growth)."""

    design: str
    estimator: str
    runs: int
    covered: float
    """Share of runs whose interval holds the truth."""
    below: float
    """Share whose interval lies wholly below the truth."""
    above: float
    truth: float
    bias: float
    """Mean estimate − mean truth."""
    sd: float
    """Standard deviation of the estimates around the truth."""
    se: float
    """Mean reported standard error."""
    found: float
    """Share of runs that call the campaign effective."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run as the review sees it, and the truth it does not see."""

    who: World
    treated: Bools
    bought: Floats
    growth: Floats
    effect: float
    effect_cny: float
    growth_with: Floats
    growth_without: Floats
    household: npt.NDArray[np.int64]


def main() -> None:
    """Run the study and print its table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=2_000)
    options.add_argument("--size", type=int, default=SIZE)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    started = time.process_time()
    found = study(runs=chosen.runs, size=chosen.size)
    print(table(found))
    seconds = time.process_time() - started
    print(f"\n{chosen.runs} runs of {chosen.size:,} customers, {RATE:.0%} held out, {seconds:.0f} CPU s")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps([asdict(row) for row in found], indent=1), encoding="utf-8")


def study(*, runs: int, size: int = SIZE, pool: int = POOL) -> list[Coverage]:
    """Return the coverage of every estimator without spill-over, and with it."""
    quiet, noisy = world(pool), world(pool, spillover=SPILLOVER)
    rows = _cover("no spill-over", quiet, ESTIMATORS, runs=runs, size=size, by_household=False)
    rows += _cover("spill-over", noisy, RATES, runs=runs, size=size, by_household=False)
    return rows + _cover("spill-over, whole households", noisy, CLUSTERED, runs=runs, size=size, by_household=True)


def table(rows: list[Coverage]) -> str:
    """Return the rows as a Markdown table."""
    head = "| design | estimator | covered | below / above | truth | bias | sd | mean s.e. | called effective |"
    lines = [head, "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for r in rows:
        digits = 2 if "growth" in r.estimator else 3
        figures = " | ".join(f"{v:,.{digits}f}" for v in (r.truth, r.bias, r.sd, r.se))
        shares = f"{r.covered:.1%} | {r.below:.1%} / {r.above:.1%}"
        lines.append(f"| {r.design} | {r.estimator} | {shares} | {figures} | {r.found:.0%} |")
    return "\n".join(lines)


def _cover(
    design: str, pool: World, estimators: dict[str, Estimator], *, runs: int, size: int, by_household: bool
) -> list[Coverage]:
    seen: dict[str, list[tuple[float, float, float, float, float]]] = {name: [] for name in estimators}
    for run in range(runs):
        campaign = _campaign(pool, size, run, by_household=by_household)
        for name, measured in estimators.items():
            found, truth = measured(campaign)
            seen[name].append((found.point, found.low, found.high, found.se, truth))
    return [_summary(design, name, np.array(rows)) for name, rows in seen.items()]


def _campaign(pool: World, size: int, run: int, *, by_household: bool) -> Campaign:
    who = pool.sample(size, seed=run)
    household = np.where(who.household >= 0, who.household, -1 - np.arange(len(who)))
    treated = ~(_households_held(household, run) if by_household else _held(who, run))
    everybody, nobody = np.ones(len(who), dtype=bool), np.zeros(len(who), dtype=bool)
    gain = who.chances(everybody) - who.chances(nobody)
    seen = who.observe(treated, seed=run)
    return Campaign(
        who=who, treated=treated, bought=seen.bought.astype(float), growth=seen.growth,
        effect=float(gain.mean()), effect_cny=float((gain * who.fresh).mean()),
        growth_with=who.observe(everybody, seed=run).growth, growth_without=seen.growth_alone, household=household,
    )  # fmt: skip


def _held(who: World, run: int) -> Bools:
    return draw_holdout(who.names, who.tier, rate=RATE, salt=f"run {run}")


def _households_held(household: npt.NDArray[np.int64], run: int) -> Bools:
    homes, place = np.unique(household, return_inverse=True)
    return draw_holdout([str(home) for home in homes], rate=RATE, salt=f"run {run}")[place]


def _summary(design: str, estimator: str, rows: Floats) -> Coverage:
    unit = 1.0 if "growth" in estimator else 100.0
    point, low, high, se, truth = rows.T
    return Coverage(
        design=design, estimator=estimator, runs=len(rows),
        covered=float(((low <= truth) & (truth <= high)).mean()),
        below=float((high < truth).mean()), above=float((low > truth).mean()),
        truth=float(truth.mean() * unit), bias=float((point - truth).mean() * unit),
        sd=float((point - truth).std() * unit), se=float(se.mean() * unit), found=float((low > 0).mean()),
    )  # fmt: skip


Estimator = Callable[[Campaign], tuple[Lift, float]]


def _known(c: Campaign) -> Floats:
    """What is known beforehand, as the bank stores it: a very long tail."""
    return c.who.wealth[:, None]


def _rate(c: Campaign) -> tuple[Lift, float]:
    return lift(c.bought, c.treated, kind="rate"), c.effect


def _rate_adjusted(c: Campaign) -> tuple[Lift, float]:
    return lift(c.bought, c.treated, kind="rate", strata=c.who.tier, covariates=_known(c)), c.effect


def _rate_clustered(c: Campaign) -> tuple[Lift, float]:
    return lift(c.bought, c.treated, kind="rate", clusters=c.household), c.effect


def _growth(c: Campaign) -> tuple[Lift, float]:
    return lift(c.growth, c.treated, kind="mean"), c.effect_cny


def _growth_adjusted(c: Campaign) -> tuple[Lift, float]:
    return lift(c.growth, c.treated, kind="mean", strata=c.who.tier, covariates=_known(c)), c.effect_cny


def _growth_uncapped(c: Campaign) -> tuple[Lift, float]:
    """What ``lift`` does not do: the covariate with its whole tail."""
    found = estimate(c.growth, c.treated, covariates=_known(c))
    half = t_quantile(LEVEL, found.df) * found.se
    interval = Interval(found.point, found.point - half, found.point + half, found.se)
    return replace(lift(c.growth, c.treated, kind="mean"), interval=interval), c.effect_cny


def _growth_winsorised(c: Campaign) -> tuple[Lift, float]:
    return lift(c.growth, c.treated, kind="mean", winsorise=0.99), c.effect_cny


def _growth_capped(c: Campaign) -> tuple[Lift, float]:
    """Against the effect on the capped figures themselves: what the interval really promises."""
    found = lift(c.growth, c.treated, kind="mean", strata=c.who.tier, covariates=_known(c), winsorise=0.99)
    assert found.winsorised is not None
    low, high = found.winsorised.low, found.winsorised.high
    return found, float((np.clip(c.growth_with, low, high) - np.clip(c.growth_without, low, high)).mean())


RATES: dict[str, Estimator] = {"rate": _rate, "rate, strata + CUPED": _rate_adjusted}
ESTIMATORS: dict[str, Estimator] = RATES | {
    "growth": _growth,
    "growth, strata + CUPED": _growth_adjusted,
    "growth, CUPED, covariate uncapped (not used)": _growth_uncapped,
    "growth, winsorised 99%": _growth_winsorised,
    "growth, winsorised 99% + strata + CUPED, truth capped too": _growth_capped,
}
HELD = (
    "rate",
    "rate, strata + CUPED",
    "growth",
    "growth, strata + CUPED",
    "growth, winsorised 99% + strata + CUPED, truth capped too",
)
"""The estimators that the product uses, and that the claim is about."""
CLUSTERED: dict[str, Estimator] = {"rate": _rate, "rate, clustered": _rate_clustered}

if __name__ == "__main__":
    main()
