"""What the starter bank's customers hold and owe: positions whose month averages add up to their wealth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.draws import Bools, Floats, Ints, choose, day, happens, stream
from kequn.core.data.starter.people import MERCHANT, OWNER, PENSIONER, YOUNG, People
from kequn.core.data.starter.products import NUMBER, PRODUCTS, of_family

SLOTS = ("demand", "time", "time", "cd", "wmp", "wmp", "fund", "insurance", "bond", "gold", "trust", "pension")
"""At most one position each; slot 0 is the current account."""

HELD = np.array([
    # demand time time2 cd wmp wmp2 fund insurance bond gold trust pension; a row a tier
    [1, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00],
    [1, 0.17, 0.02, 0.00, 0.09, 0.01, 0.06, 0.02, 0.02, 0.02, 0.00, 0.02],
    [1, 0.46, 0.10, 0.02, 0.36, 0.07, 0.15, 0.10, 0.06, 0.04, 0.00, 0.06],
    [1, 0.50, 0.16, 0.18, 0.56, 0.16, 0.30, 0.20, 0.08, 0.06, 0.00, 0.11],
    [1, 0.46, 0.20, 0.32, 0.66, 0.24, 0.40, 0.30, 0.08, 0.08, 0.06, 0.13],
    [1, 0.40, 0.20, 0.30, 0.62, 0.30, 0.46, 0.36, 0.06, 0.10, 0.40, 0.12],
    [1, 0.35, 0.20, 0.30, 0.60, 0.30, 0.46, 0.36, 0.05, 0.10, 0.62, 0.10],
])  # fmt: skip
WEIGHT = np.array([0.9, 2.4, 1.4, 2.2, 2.4, 1.4, 0.9, 0.7, 0.8, 0.25, 3.0, 0.12])


@dataclass(frozen=True, slots=True)
class Positions:
    """One block's positions on ``as_of``: arrays (customers × slots); money in yuan, days since 1970, -1 for none."""

    product: Ints
    average: Floats
    balance: Floats
    opened: Ints
    matures: Ints
    cost_rate: Floats


@dataclass(frozen=True, slots=True)
class Debts:
    """One block's loans and cards: which, owed in yuan, limit, day of the month, days overdue, in instalments."""

    who: Ints
    product: Ints
    owed: Floats
    limit: Floats
    opened: Ints
    repay_day: Ints
    overdue: Ints
    instalment: Bools


def positions(seed: int, who: People, as_of: date) -> Positions:
    """Split each customer's wealth over products; the averages of a row add up to the customer's wealth."""
    rng = stream(seed, "positions", who.block)
    n = len(who)
    share = HELD[who.tier].copy()
    share[who.role == PENSIONER] *= np.array([1, 1.5, 1.5, 1, 0.8, 0.8, 0.4, 1.2, 2.4, 0.6, 0.6, 0.2])
    share[who.role == YOUNG] *= np.array([1, 0.4, 0.4, 0.3, 1, 1, 1.8, 0.5, 0.3, 1.5, 0, 0.8])
    share[np.isin(who.role, (MERCHANT, OWNER))] *= np.array([1, 0.7, 0.7, 0.9, 1.1, 1.1, 0.8, 1, 0.6, 1, 1.2, 0.6])
    held = rng.random((n, len(SLOTS))) < share
    portion = rng.gamma(np.broadcast_to(WEIGHT, (n, len(SLOTS)))) * held
    portion[:, 0] = rng.gamma(0.9, 1.0, n) * np.where(who.role == MERCHANT, 5.0, 1.0) + 0.03
    product = _products(rng, who)
    minimum = np.array([p.minimum for p in PRODUCTS], dtype=np.float64)[product]
    for _ in range(2):  # what falls below a product's minimum goes back to the current account, which raises the rest
        portion /= portion.sum(axis=1, keepdims=True)
        small = portion * who.wealth[:, None] < np.maximum(minimum, 500.0)
        small[:, 0] = False
        portion[small] = 0.0
    average = portion / portion.sum(axis=1, keepdims=True) * who.wealth[:, None]
    opened, matures = _terms(rng, who, product, day(as_of))
    balance = average.copy()
    swing = rng.normal(0, 0.09, n)
    balance[:, 0] *= np.exp(np.where(who.leaving, -0.9, swing))
    balance[:, 0] = np.where(
        who.windfall > 0, average[:, 0] + 0.85 * who.wealth * 30 / np.maximum(who.windfall, 1), balance[:, 0]
    )
    cost_rate = np.exp(
        rng.normal(-0.01, np.where(np.isin(product, of_family("fund") + of_family("gold")), 0.09, 0.0), product.shape)
    )
    return Positions(product, average, balance, opened, matures, cost_rate)


def _products(rng: np.random.Generator, who: People) -> Ints:
    columns = []
    for family in SLOTS:
        options = of_family(family)
        weights = [PRODUCTS[o].weight for o in options]
        columns.append(np.array(options)[choose(rng, weights, len(who))])
    chosen = np.stack(columns, axis=1)
    risk = np.array([p.risk for p in PRODUCTS])[chosen]
    careful = (risk > who.risk[:, None]) & (chosen == chosen[:, [6]]) & (who.risk[:, None] >= 2)
    chosen[careful] = NUMBER["FD201"]
    return chosen.astype(np.int64)


def _terms(rng: np.random.Generator, who: People, product: Ints, today: int) -> tuple[Ints, Ints]:
    """Opening days (before this month, after the customer came) and maturities of products that have a term."""
    term = np.array([p.term for p in PRODUCTS])[product]
    tenure = (today - who.opened)[:, None]
    span = np.minimum(np.where(term > 0, term - 1, 1_200), np.maximum(tenure, 31))
    gone = 31 + rng.random(product.shape) * np.maximum(span - 31, 0)
    gone[:, 0] = tenure[:, 0]
    opened = np.maximum(today - gone.astype(np.int64), who.opened[:, None])
    return opened, np.where(term > 0, opened + term, -1)


def debts(seed: int, who: People, as_of: date) -> Debts:
    """Mortgages, consumer and business loans and credit cards of one block."""
    rng = stream(seed, "debts", who.block)
    n, today = len(who), day(as_of)
    loans = who.active & happens(rng, np.array((0, 0.02, 0.10, 0.12, 0.06, 0.005, 0.08, 0.05))[who.role], n)
    business = who.active & happens(rng, np.array((0, 0, 0, 0, 0, 0, 0.22, 0.34))[who.role], n)
    card_limit = np.array((6e3, 2e4, 4e4, 8e4, 1.5e5, 3e5, 5e5))[who.tier] * rng.lognormal(0, 0.4, n)
    owed = {
        "LM001": (who.mortgage > 0, who.mortgage, who.mortgage * rng.uniform(1.0, 1.8, n)),
        "LC001": (loans, rng.lognormal(10.6, 0.6, n), np.maximum(rng.lognormal(11.4, 0.4, n), 20_000)),
        "LB001": (business, rng.lognormal(12.4, 0.7, n), rng.lognormal(13.2, 0.4, n)),
        "CC001": (who.card, card_limit * rng.beta(1.2, 4.0, n) * (rng.random(n) < 0.85), card_limit.round(-3)),
    }
    parts = []
    for code, (has, amount, limit) in owed.items():
        w = np.flatnonzero(has)
        product = np.full(len(w), NUMBER[code])
        if code == "CC001":
            product = np.where(rng.random(len(w)) < np.where(who.tier[w] >= 2, 0.5, 0.08), NUMBER["CC002"], product)
        parts.append(Debts(
            w, product, np.minimum(amount[w], limit[w]), limit[w],
            today - np.minimum(rng.integers(30, 3_000, len(w)), today - who.opened[w]),
            rng.integers(1, 29, len(w)),
            np.where(rng.random(len(w)) < 0.012, rng.integers(1, 90, len(w)), 0),
            (rng.random(len(w)) < 0.22) & (code == "CC001"),
        ))  # fmt: skip
    return Debts(*(np.concatenate([getattr(p, f) for p in parts]) for f in Debts.__slots__))
