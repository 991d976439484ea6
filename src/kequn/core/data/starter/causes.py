"""The law by which the starter bank's customers answer contacts: what each would do with and without them.

Every customer is one of four kinds. *Persuadable* ones buy mostly when contacted, *sure things* buy anyway, *lost
causes* do not buy at all, and *do not disturb* ones would have bought, but are put off. The kind depends on the group;
how much a contact does depends on the offer, the channel, the timing (a payday or a maturity near by), the RM, and on
how tired of contacts the customer is. A treated member of a household may raise the chance of one who is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.behaviour import favourite
from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Bools, Floats, Ints, day, stream
from kequn.core.data.starter.kinds import inclination
from kequn.core.data.starter.people import employers
from kequn.core.data.starter.products import PRODUCTS

GAIN = np.array([0.18, 0.02, 0.002, -0.055])
"""What a contact of full strength adds to it, by kind."""

CHANNELS = ("sms", "app_push", "wecom", "call", "email", "rm_task", "file_drop")
STRENGTH = np.array([0.62, 0.50, 0.95, 1.00, 0.42, 1.50, 0.40])
ANSWER_FORM = np.array([0, 1, 2, 3, 4, 5, 0])
"""Which of the history's channels a channel is like, for the customer's favourite."""


@dataclass(frozen=True, slots=True)
class Touches:
    """Contacts of one block: customer's row, channel (position in ``CHANNELS``), product, day; delivered ones act."""

    who: Ints
    channel: Ints
    product: Ints
    day: Ints
    delivered: Bools


@dataclass(frozen=True, slots=True)
class Minds:
    """What one block's customers would do: kind, chance when left alone, yuan at stake from within and new to the bank.

    ``answer`` is one uniform number a customer that decides in both worlds, with contacts and without.
    """

    kind: Ints
    alone: Floats
    internal: Floats
    fresh: Floats
    answer: Floats
    tired: Floats


def minds(part: Block, *, seed: int, start: date, days: int) -> Minds:
    """Draw what one block's customers would do within ``days`` from ``start``; ``seed`` is the run's."""
    who = part.who
    rng = stream(part.seed, "minds", who.block)
    kind, monthly = inclination(part, day(start))
    alone = 1 - (1 - monthly) ** (days / 30.0)
    stake = np.maximum(who.wealth * rng.lognormal(-1.1, 0.5, len(who)), 1_000.0)
    fresh = stake * rng.beta(1.6, 2.4, len(who))
    internal = np.minimum(stake - fresh, 0.9 * part.held.balance[:, 0])
    tired = np.power(0.82, rng.poisson(np.where(who.tier >= 1, 0.35, 0.1)).astype(np.float64))
    answer = stream(seed, f"answers {start}", who.block).random(len(who))
    return Minds(kind, alone, internal.round(-2).clip(0), fresh.round(-2), answer, tired)


def gains(part: Block, mind: Minds, touches: Touches) -> Floats:
    """Return what the block's own contacts add to each customer's chance (negative for those who are put off).

    The first contact counts in full, each further one six tenths of the one before.
    """
    size = _strength(part, mind, touches) * touches.delivered
    order = np.lexsort((touches.day, touches.who))
    who = touches.who[order]
    first = np.r_[True, who[1:] != who[:-1]] if len(who) else np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(first)
    rank = np.arange(len(who)) - np.repeat(starts, np.diff(np.r_[starts, len(who)]))
    total = np.bincount(who, weights=size[order] * 0.6**rank, minlength=len(part.who))
    return np.asarray(GAIN[mind.kind] * total, dtype=np.float64)


def _strength(part: Block, mind: Minds, touches: Touches) -> Floats:
    """Strength of each contact: 1 is a call at an ordinary time with a fitting offer to somebody rested."""
    who, w = part.who, touches.who
    suits = np.clip(favourite(who, w, ANSWER_FORM[touches.channel]) / np.where(who.active[w], 1.0, 0.15), 0.95, 1.3)
    by_rm = (touches.channel == CHANNELS.index("rm_task")) & who.managed[w]
    skill = 0.7 + 0.6 * _fraction(who.branch[w] * 7 + np.floor(who.rm_draw[w] * 2).astype(np.int64))
    strength = STRENGTH[touches.channel] * suits * np.where(by_rm, skill, 1.0) * mind.tired[w]
    return np.asarray(strength * _fit(part, w, touches.product) * _timing(part, w, touches.day), dtype=np.float64)


def _fit(part: Block, w: Ints, product: Ints) -> Floats:
    """Older customers prefer deposits and bonds, the others wealth products; too much risk for somebody halves it."""
    safe = np.array([p.family in ("time", "cd", "bond", "pension") for p in PRODUCTS])[product]
    risk = np.array([p.risk for p in PRODUCTS])[product]
    old = part.who.age[w] >= 58
    fit = np.where(safe == old, 1.1, 0.85)
    return np.asarray(np.where(risk > part.who.risk[w], 0.5 * fit, fit), dtype=np.float64)


def _timing(part: Block, w: Ints, on: Ints) -> Floats:
    """Half as much again within three days after a payday, and near a maturity."""
    payday = employers(part.seed).payday[part.who.employer[w]]
    month_start = on.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    since = on - month_start + 1 - payday
    paid = (part.who.employer[w] >= 0) & (since >= 0) & (since <= 3)
    matures = part.held.matures[w]
    due = ((matures >= 0) & (np.abs(matures - on[:, None]) <= 7) & (part.held.average[w] > 5_000)).any(axis=1)
    return np.asarray(np.where(paid, 1.4, 1.0) * np.where(due, 1.5, 1.0), dtype=np.float64)


def _fraction(number: Ints) -> Floats:
    """A fixed fraction 0–1 for a number."""
    return np.asarray((number * 0.6180339887498949) % 1.0, dtype=np.float64)


def chances(mind_alone: Floats, own: Floats, treated: Bools, household: Ints, *, spillover: float) -> Floats:
    """Return everybody's chance in the world with the contacts.

    ``own`` is what the customer's own contacts add; ``spillover`` the share of the greatest gain among treated members
    of the household (-1: none) that reaches a member who was not treated. 0 leaves the untreated as they are.
    """
    gain = own.copy()
    if spillover > 0:
        gives = treated & (household >= 0) & (own > 0)
        homes, place = np.unique(household, return_inverse=True)
        best = np.zeros(len(homes))
        np.maximum.at(best, place[gives], own[gives])
        takes = ~treated & (household >= 0)
        gain[takes] += spillover * best[place[takes]]
    return np.asarray(np.clip(mind_alone + gain, 0.0005, 0.95), dtype=np.float64)
