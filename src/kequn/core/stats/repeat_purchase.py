"""Repeat purchases and what they are worth: BG/NBD for how often and whether still, Gamma–Gamma for how much.

BG/NBD: Fader, Hardie & Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005) 275–284. While a customer is
alive purchases follow a Poisson process whose rate varies over customers as Gamma(r, α); after each purchase the customer
leaves with a probability that varies as Beta(a, b). Gamma–Gamma: Fader & Hardie, The Gamma-Gamma Model of Monetary Value
(2013): the mean value of a customer's purchases is Gamma(px, ν·x), with ν over customers Gamma(q, γ).

A customer is summarised by ``x`` (repeat purchases), ``t_x`` (time of the last one since the first purchase) and ``t`` (time
observed since the first purchase), all in one unit of time, and ``z`` (mean value of the repeat purchases).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import betaln, digamma, gammaln, hyp2f1

from kequn.core.errors import NotMeasurable

Floats = NDArray[np.float64]
LEAST_CUSTOMERS = 100
"""Below so many with a repeat purchase the parameters are noise."""


@dataclass(frozen=True, slots=True)
class Buying:
    """Fitted parameters of BG/NBD and the log-likelihood they reach."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class Spending:
    """Fitted parameters of Gamma–Gamma and the log-likelihood they reach."""

    p: float
    q: float
    gamma: float
    log_likelihood: float

    @property
    def mean(self) -> float:
        """Mean value of a purchase over all customers; infinite where q ≤ 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else float("inf")


def fit_buying(x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Buying:
    """Fit BG/NBD by maximum likelihood over the logarithms of its parameters, with the analytic gradient.

    Raises:
        ValueError: arrays of different length, a negative number, or ``t_x`` beyond ``t``.
        NotMeasurable: fewer than 100 customers bought again, or the likelihood has no maximum.
    """
    counts, last, seen = _customers(x, t_x, t)
    _enough(counts)
    unit = float(seen.max()) or 1.0  # of time, so that the optimiser meets parameters of one size
    (counts, last, seen), weight = _distinct(counts, last / unit, seen / unit)
    share = weight / weight.sum()
    found = minimize(
        lambda log: _negative(log, counts, last, seen, share), np.zeros(4), jac=True, method="L-BFGS-B",
        bounds=[(-12, 12)] * 4, options={"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    if not found.success or np.abs(found.x).max() > 11.9:
        raise NotMeasurable("The rhythm of repeat purchases could not be fitted.", reason=str(found.message))
    r, alpha, a, b = (float(v) for v in np.exp(found.x))
    # in the unit of the caller the density of each of x events in time is divided by the unit
    likelihood = -float(found.fun) * weight.sum() - float((counts * weight).sum()) * np.log(unit)
    return Buying(r, alpha * unit, a, b, float(likelihood))


def expected_purchases(model: Buying, x: ArrayLike, t_x: ArrayLike, t: ArrayLike, *, ahead: float) -> Floats:
    """Return the expected number of purchases in the next ``ahead`` units of time, one a customer (equation 10)."""
    counts, last, seen = _customers(x, t_x, t)
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    rest = hyp2f1(r + counts, b + counts, a + b + counts - 1, ahead / (alpha + seen + ahead))
    bought = 1 - np.exp((r + counts) * (np.log(alpha + seen) - np.log(alpha + seen + ahead))) * rest
    odds = (counts > 0) * a / (b + np.maximum(counts, 1) - 1)
    gone = odds * np.exp((r + counts) * (np.log(alpha + seen) - np.log(alpha + last)))
    return np.asarray((a + b + counts - 1) / (a - 1) * bought / (1 + gone), dtype=np.float64)


def probability_alive(model: Buying, x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> Floats:
    """Return the probability that a customer still buys; 1 for one who never bought again: nobody leaves before that."""
    counts, last, seen = _customers(x, t_x, t)
    odds = (counts > 0) * model.a / (model.b + np.maximum(counts, 1) - 1)
    gone = odds * np.exp((model.r + counts) * (np.log(model.alpha + seen) - np.log(model.alpha + last)))
    return np.asarray(1 / (1 + gone), dtype=np.float64)


def fit_spending(x: ArrayLike, z: ArrayLike) -> Spending:
    """Fit Gamma–Gamma on the customers who bought again (x > 0, z > 0), by maximum likelihood.

    Raises:
        ValueError: arrays of different length.
        NotMeasurable: fewer than 100 such customers, or the likelihood has no maximum.
    """
    every, values = np.asarray(x, dtype=np.float64), np.asarray(z, dtype=np.float64)
    if every.shape != values.shape:
        raise ValueError("one mean value a customer")
    again = (every > 0) & (values > 0)
    counts, mean = every[again], values[again]
    _enough(counts)
    unit = float(mean.mean())
    found = minimize(
        lambda log: _negative_spending(log, counts, mean / unit), np.zeros(3), jac=True, method="L-BFGS-B",
        bounds=[(-12, 12)] * 3, options={"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    if not found.success or np.abs(found.x).max() > 11.9:
        raise NotMeasurable("The value of purchases could not be fitted.", reason=str(found.message))
    p, q, gamma = (float(v) for v in np.exp(found.x))
    likelihood = -float(found.fun) * len(counts) - len(counts) * np.log(unit)
    return Spending(p, q, gamma * unit, float(likelihood))


def expected_value(model: Spending, x: ArrayLike, z: ArrayLike) -> Floats:
    """Return the expected value of a customer's next purchase: her own mean drawn towards that of all (equation 5)."""
    counts, mean = np.asarray(x, dtype=np.float64), np.asarray(z, dtype=np.float64)
    own = model.p * counts / (model.p * counts + model.q - 1)
    return np.asarray((1 - own) * model.mean + own * np.where(counts > 0, mean, 0.0), dtype=np.float64)


def _customers(x: ArrayLike, t_x: ArrayLike, t: ArrayLike) -> tuple[Floats, Floats, Floats]:
    counts, last, seen = (np.asarray(v, dtype=np.float64) for v in (x, t_x, t))
    if not counts.shape == last.shape == seen.shape:
        raise ValueError("one x, t_x and t a customer")
    if (counts < 0).any() or (last < 0).any() or (last > seen).any():
        raise ValueError("counts and times are not negative, and the last purchase is within the time observed")
    return counts, last, seen


def _enough(counts: Floats) -> None:
    again = int((counts > 0).sum())
    if again < LEAST_CUSTOMERS:
        raise NotMeasurable(
            f"Only {again} customers bought again; {LEAST_CUSTOMERS} are needed.",
            hint="Take a longer time or more customers.",
        )


def _distinct(*columns: Floats) -> tuple[tuple[Floats, ...], Floats]:
    """Customers with the same history count once, with a weight."""
    rows, weight = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return tuple(rows.T), weight.astype(np.float64)


def _negative(log: Floats, x: Floats, t_x: Floats, t: Floats, share: Floats) -> tuple[float, Floats]:
    """Mean negative log-likelihood of BG/NBD and its gradient in the logarithms of r, α, a, b.

    ln L = A1 + A2 + ln(exp A3 + [x > 0] exp A4), the form of the paper that neither overflows nor cancels.
    """
    r, alpha, a, b = np.exp(log)
    again = x > 0
    k = np.maximum(x, 1)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    alive = -(r + x) * np.log(alpha + t)
    # B(a+1, b+x-1) / B(a, b+x) = a / (b+x-1)
    gone = np.where(again, np.log(a) - np.log(b + k - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
    top = np.maximum(alive, gone)
    w = np.exp(gone - top) / (np.exp(alive - top) + np.exp(gone - top))
    value = common + top + np.log(np.exp(alive - top) + np.exp(gone - top))
    gamma_a, gamma_b = digamma(a + b) - digamma(a + b + x), digamma(b + x) - digamma(b)
    slopes = (
        digamma(r + x) - digamma(r) + np.log(alpha) - (1 - w) * np.log(alpha + t) - w * np.log(alpha + t_x),
        r / alpha - (r + x) * ((1 - w) / (alpha + t) + w / (alpha + t_x)),
        gamma_a + w / a,
        gamma_a + gamma_b - np.where(again, w / (b + k - 1), 0.0),
    )
    gradient = np.array([(share * s).sum() for s in slopes]) * np.exp(log)
    return -float((share * value).sum()), -gradient


def _negative_spending(log: Floats, x: Floats, z: Floats) -> tuple[float, Floats]:
    """Mean negative log-likelihood of Gamma–Gamma and its gradient in the logarithms of p, q, γ."""
    p, q, gamma = np.exp(log)
    shape, scale = p * x, gamma + x * z
    value = (
        gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
        + (shape - 1) * np.log(z) + shape * np.log(x) - (shape + q) * np.log(scale)
    )  # fmt: skip
    slopes = (
        x * (digamma(shape + q) - digamma(shape) + np.log(z) + np.log(x) - np.log(scale)),
        digamma(shape + q) - digamma(q) + np.log(gamma) - np.log(scale),
        q / gamma - (shape + q) / scale,
    )
    gradient = np.array([s.mean() for s in slopes]) * np.exp(log)
    return -float(value.mean()), -gradient
