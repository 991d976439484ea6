"""The starter bank's holdings at month ends: what each position was worth on the way to today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Bools, Floats, Ints, day, fen, month_ends, stream
from kequn.core.data.starter.people import People
from kequn.core.data.starter.positions import Positions


@dataclass(frozen=True, slots=True)
class HoldingRows:
    """Rows of the holdings file for one block: the customer's row in the block, product, slot, day and money in fen."""

    who: Ints
    product: Ints
    slot: Ints
    as_of: Ints
    balance: Ints
    average: Ints
    cost: Ints
    limit: Ints
    opened: Ints
    matures: Ints
    repay_day: Ints
    overdue: Ints
    instalment: Bools


def month_levels(seed: int, who: People, as_of: date, months: int) -> Floats:
    """Month-average assets relative to those of the latest month, one column a month, oldest first; the last is 1."""
    rng = stream(seed, "levels", who.block)
    back = np.arange(months - 1, -1, -1)
    noise = rng.normal(0, 0.05, (len(who), months)).cumsum(axis=1)
    trend = -np.outer(np.where(who.leaving, -0.16, who.growth), back)
    level = np.exp(trend + noise - noise[:, [-1]])
    for column, end in enumerate(month_ends(as_of, months)):
        if end.month in (12, 1, 2):
            level[:, column] *= 1.03
    return np.asarray(level / level[:, [-1]], dtype=np.float64)


def holding_rows(part: Block, as_of: date, months: int) -> HoldingRows:
    """Positions of one block at ``months`` month ends; before a term position was opened its money was on demand."""
    who, mine = part.who, part.held
    level = month_levels(part.seed, who, as_of, months)
    ends = month_ends(as_of, months)
    parts = [_month(who, mine, level[:, m], day(end), day(as_of)) for m, end in enumerate(ends)]
    parts += [debt_rows(part, day(end), months - 1 - m) for m, end in enumerate(ends)]
    return joined(parts)


def joined(parts: list[HoldingRows]) -> HoldingRows:
    """Join rows in the order of the file: by customer, day and position."""
    columns = {f: np.concatenate([getattr(p, f) for p in parts]) for f in HoldingRows.__slots__}
    order = np.lexsort((columns["slot"], columns["as_of"], columns["who"]))
    return HoldingRows(**{f: column[order] for f, column in columns.items()})


def _month(who: People, mine: Positions, level: Floats, end: int, today: int) -> HoldingRows:
    wealth = who.wealth * level
    average, balance = mine.average, mine.balance
    if end < today:
        alive = (mine.opened <= end) & (mine.average > 0)
        scale = np.where(mine.matures < 0, level[:, None], 1.0)
        scale[:, 0] = 0.0
        average = np.where(alive, mine.average * scale, 0.0)
        still = np.clip((today - end - 190) / 60, 0.0, 1.0)  # what some had before they left, seven months ago
        average[:, 0] = np.maximum(wealth - average.sum(axis=1), 0.02 * wealth) + who.fallen * still
        balance = average
    there = (average > 0) & ((who.opened <= end) & ((who.closed < 0) | (who.closed > end)))[:, None]
    w, slot = np.nonzero(there)
    cost = balance[w, slot] * mine.cost_rate[w, slot]
    none = np.full(len(w), -1, dtype=np.int64)
    return HoldingRows(
        who=w, product=mine.product[w, slot], slot=slot, as_of=np.full(len(w), end), balance=fen(balance[w, slot]),
        average=fen(average[w, slot]), cost=fen(cost), limit=none,
        opened=np.where(slot == 0, who.opened[w], mine.opened[w, slot]), matures=mine.matures[w, slot], repay_day=none,
        overdue=none, instalment=np.zeros(len(w), dtype=np.bool_),
    )  # fmt: skip


def debt_rows(part: Block, end: int, back: int) -> HoldingRows:
    """Loans and cards of one block on a day ``back`` months before the latest."""
    who, owed = part.who, part.owed
    there = np.flatnonzero((owed.opened <= end) & (who.opened[owed.who] <= end))
    term_loan = owed.limit[there] > 0
    amount = owed.owed[there] * (1 + 0.006 * back * term_loan)
    none = np.full(len(there), -1, dtype=np.int64)
    return HoldingRows(
        who=owed.who[there], product=owed.product[there], slot=20 + owed.product[there] % 10,
        as_of=np.full(len(there), end), balance=fen(amount), average=fen(amount), cost=none,
        limit=fen(owed.limit[there]), opened=owed.opened[there], matures=none, repay_day=owed.repay_day[there],
        overdue=np.where(back == 0, owed.overdue[there], 0), instalment=owed.instalment[there],
    )  # fmt: skip
