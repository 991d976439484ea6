"""The starter bank's holdings on the last day of a window: what ran on, came due, moved, and was bought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Floats, Ints, day, fen, stream
from kequn.core.data.starter.history import HoldingRows, debt_rows, joined
from kequn.core.data.starter.products import PRODUCTS

BOUGHT_SLOT = 40


@dataclass(frozen=True, slots=True)
class Purchases:
    """Who bought what, on which day and second, with how many yuan from within the bank and fresh from elsewhere."""

    who: Ints
    product: Ints
    day: Ints
    second: Ints
    internal: Floats
    fresh: Floats

    @property
    def amount(self) -> Floats:
        """Yuan paid for the product."""
        return self.internal + self.fresh


def later_rows(part: Block, bought: Purchases, *, last: date, seed: int) -> HoldingRows:
    """Positions of one block on ``last``; what came due meanwhile is on demand unless it was spent."""
    end, first = day(last), day(last.replace(day=1))
    who, held = part.who, part.held
    rng = stream(seed, f"later {last}", who.block)
    balance, average = _running(part, rng, end, first)
    share = np.clip((end - bought.day + 1) / (end - first + 1), 0.0, 1.0)  # part of this month the purchase was held
    balance[bought.who, 0] -= bought.internal
    average[bought.who, 0] -= bought.internal * share
    paid = held.balance.copy()
    paid[:, 0] = balance[:, 0]  # money on demand comes and goes, the rest cost what it cost
    there = (average > 0.004) & (who.closed < 0)[:, None]
    there[:, 0] |= (balance[:, 0] > 0.004) & (who.closed < 0)
    w, slot = np.nonzero(there)
    none, no = np.full(len(w), -1, dtype=np.int64), np.zeros(len(w), dtype=np.bool_)
    running = HoldingRows(
        who=w, product=held.product[w, slot], slot=slot, as_of=np.full(len(w), end),
        balance=fen(np.maximum(balance[w, slot], 0.0)), average=fen(np.maximum(average[w, slot], 0.0)),
        cost=fen(np.maximum(paid[w, slot], 0.0) * held.cost_rate[w, slot]), limit=none,
        opened=np.where(slot == 0, who.opened[w], held.opened[w, slot]), matures=held.matures[w, slot], repay_day=none,
        overdue=none, instalment=no,
    )  # fmt: skip
    return joined([running, _new_rows(bought, share, end), debt_rows(part, end, 0)])


def _running(part: Block, rng: np.random.Generator, end: int, first: int) -> tuple[Floats, Floats]:
    """Balances and month averages of what was held before; matured money goes to the current account."""
    who, held = part.who, part.held
    balance = held.balance.copy()
    balance[:, 0] *= np.exp(rng.normal(0.0, 0.05, len(who)) + who.growth)
    balance[:, 6] *= np.exp(rng.normal(0.002, 0.02, len(who)))
    average = balance.copy()
    due = (held.matures >= 0) & (held.matures <= end) & (held.average > 0)
    kept = np.clip((held.matures - first) / (end - first + 1), 0.0, 1.0)
    average[:, 0] += np.where(due, held.balance * (1 - kept), 0.0).sum(axis=1)
    balance[:, 0] += np.where(due, held.balance, 0.0).sum(axis=1)
    average, balance = np.where(due, 0.0, average), np.where(due, 0.0, balance)
    return balance, average


def _new_rows(bought: Purchases, share: Floats, end: int) -> HoldingRows:
    n = len(bought.who)
    term = np.array([p.term for p in PRODUCTS])[bought.product]
    none = np.full(n, -1, dtype=np.int64)
    return HoldingRows(
        who=bought.who, product=bought.product, slot=np.full(n, BOUGHT_SLOT), as_of=np.full(n, end),
        balance=fen(bought.amount), average=fen(bought.amount * share), cost=fen(bought.amount), limit=none,
        opened=bought.day, matures=np.where(term > 0, bought.day + term, -1), repay_day=none, overdue=none,
        instalment=np.zeros(n, dtype=np.bool_),
    )  # fmt: skip
