"""The estimator: a difference of means as assigned, adjusted by strata and covariates, with robust standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from kequn.core.stats import welch_df

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
SMALLEST_CELL = 10  # fewer customers of an arm in a stratum give a variance there that cannot be relied upon


@dataclass(frozen=True, slots=True)
class Estimate:
    """Adjusted means of both arms and the variances of these means."""

    treated: float
    control: float
    var_treated: float
    var_control: float
    covariance: float
    df: float
    strata: int

    @property
    def point(self) -> float:
        """Treated minus control."""
        return self.treated - self.control

    @property
    def se(self) -> float:
        """Standard error of ``point``."""
        return sqrt(max(0.0, self.var_treated + self.var_control - 2 * self.covariance))


def estimate(
    outcome: Floats,
    treated: Bools,
    *,
    strata: Codes | None = None,
    covariates: Floats | None = None,
    clusters: Codes | None = None,
) -> Estimate:
    """Return the effect on those assigned, whether contacted or not.

    Each arm's mean is taken within strata, weighted by the strata's sizes in both arms together (post-stratification),
    and moved to the common mean of the covariates by the arm's own slope (Lin 2013, regression with interactions, the
    generalisation of CUPED). Variances are HC2 (MacKinnon and White 1985): squared residual ÷ (1 − leverage). With
    ``clusters`` the rows' contributions are summed within clusters first, across both arms.
    """
    cells = _merged(strata, treated)
    sizes = np.bincount(cells)
    weight = sizes / len(outcome)
    x = None if covariates is None or not covariates.shape[1] else covariates
    centre = None if x is None else _by_cell(x, cells, sizes)
    one = _arm(outcome, treated, cells, weight, x=x, centre=centre)
    nought = _arm(outcome, ~treated, cells, weight, x=x, centre=centre)
    if clusters is None:
        parts = (float(one.pull @ one.pull), float(nought.pull @ nought.pull), 0.0)
        df = welch_df(parts[0], one.df, parts[1], nought.df)
    else:
        parts, df = _clustered(one.pull, nought.pull, treated, clusters)
    return Estimate(one.mean, nought.mean, *parts, df, len(sizes))


@dataclass(frozen=True, slots=True)
class _Arm:
    mean: float
    pull: Floats
    """Each row's contribution to the error of the mean."""
    df: float


def _arm(
    outcome: Floats, rows: Bools, cells: Codes, weight: Floats, *, x: Floats | None, centre: Floats | None
) -> _Arm:
    y, cell = outcome[rows], cells[rows]
    n = np.bincount(cell, minlength=len(weight))
    mean = np.bincount(cell, y, minlength=len(weight)) / n
    residual = y - mean[cell]
    share, leverage = (weight / n)[cell], (1 / n)[cell]
    at, slopes = float(weight @ mean), 0
    if x is not None and centre is not None:
        x_mean = _by_cell(x[rows], cell, n)
        inside = x[rows] - x_mean[cell]
        turned, slopes = _inverse(inside.T @ inside)
        beta = turned @ (inside.T @ residual)
        shift = weight @ (x_mean - centre)
        at -= float(shift @ beta)
        residual = residual - inside @ beta
        spread = inside @ turned
        share = share - spread @ shift
        leverage = leverage + np.einsum("ij,ij->i", spread, inside)
    pull = share * residual / np.sqrt(np.maximum(1 - leverage, 1e-12))
    return _Arm(at, pull, max(1.0, float(len(y) - len(weight) - slopes)))


def _clustered(
    one: Floats, nought: Floats, treated: Bools, clusters: Codes
) -> tuple[tuple[float, float, float], float]:
    groups, group = np.unique(clusters, return_inverse=True)
    sum1 = np.bincount(group[treated], one, minlength=len(groups))
    sum0 = np.bincount(group[~treated], nought, minlength=len(groups))
    few = len(groups) / max(1, len(groups) - 1)
    arms = min(len(np.unique(group[treated])), len(np.unique(group[~treated])))
    return (few * float(sum1 @ sum1), few * float(sum0 @ sum0), few * float(sum1 @ sum0)), max(1.0, arms - 1.0)


def _merged(strata: Codes | None, treated: Bools) -> Codes:
    """Strata as 0 … k−1; those with too few in an arm become one, and that one joins the largest if still too small."""
    if strata is None:
        return np.zeros(len(treated), dtype=np.int64)
    cells = np.unique(strata, return_inverse=True)[1].astype(np.int64)
    cells = _join_small(cells, treated, into=int(cells.max()) + 1)
    return _join_small(cells, treated, into=int(np.bincount(cells).argmax()))


def _join_small(cells: Codes, treated: Bools, *, into: int) -> Codes:
    top = max(int(cells.max()), into) + 1
    fewest = np.minimum(np.bincount(cells[treated], minlength=top), np.bincount(cells[~treated], minlength=top))
    joined = np.where((fewest < SMALLEST_CELL)[cells], into, cells)
    return np.unique(joined, return_inverse=True)[1].astype(np.int64)


def _by_cell(x: Floats, cell: Codes, sizes: npt.NDArray[np.intp]) -> Floats:
    sums = [np.bincount(cell, x[:, column], minlength=len(sizes)) for column in range(x.shape[1])]
    return np.stack(sums, axis=1) / sizes[:, None]


def _inverse(square: Floats) -> tuple[Floats, int]:
    """Return (pseudo-inverse, rank) after scaling, so that a covariate in fen and one in years weigh alike."""
    scale = np.sqrt(np.diag(square))
    scale = np.where(scale > 0, scale, 1.0)
    scales = np.outer(scale, scale)
    inverse = np.linalg.pinv(square / scales, rcond=1e-10, hermitian=True)
    return inverse / scales, int(np.linalg.matrix_rank(square / scales, tol=1e-10, hermitian=True))
