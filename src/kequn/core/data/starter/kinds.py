"""Which kind of customer each is, and how readily each buys a savings or wealth product when left alone."""

from __future__ import annotations

import numpy as np

from kequn.core.data.starter.block import Block
from kequn.core.data.starter.draws import Floats, Ints, choose_by, stream

KINDS = ("persuadable", "sure_thing", "lost_cause", "do_not_disturb")
PERSUADABLE, SURE_THING, LOST_CAUSE, DO_NOT_DISTURB = range(4)

KIND_BY_GROUP = np.array([
    # persuadable, sure thing, lost cause, do not disturb
    [0.04, 0.002, 0.953, 0.005],  # idle
    [0.26, 0.090, 0.560, 0.090],  # saver
    [0.36, 0.060, 0.500, 0.080],  # payroll
    [0.36, 0.070, 0.490, 0.080],  # public
    [0.32, 0.040, 0.570, 0.070],  # young
    [0.26, 0.100, 0.540, 0.100],  # pensioner
    [0.30, 0.050, 0.570, 0.080],  # merchant
    [0.30, 0.070, 0.510, 0.120],  # owner
    [0.02, 0.002, 0.973, 0.005],  # less than 1,000 yuan
    [0.46, 0.200, 0.270, 0.070],  # money coming due within 35 days
])  # fmt: skip
TOO_POOR, MATURING = 8, 9

BASE = np.array([0.025, 0.36, 0.004, 0.075])
"""Chance to buy a savings or wealth product within 30 days when left alone, by kind."""


def inclination(part: Block, start: int) -> tuple[Ints, Floats]:
    """Return each customer's kind, and chance to buy within thirty days from day number ``start`` when left alone."""
    rng = stream(part.seed, "kinds", part.who.block)
    kind = choose_by(rng, KIND_BY_GROUP, _group(part, start))
    return kind, BASE[kind] * rng.uniform(0.6, 1.4, len(kind))


def _group(part: Block, start: int) -> Ints:
    who, held = part.who, part.held
    due = ((held.matures >= start - 5) & (held.matures <= start + 35) & (held.average > 5_000)).any(axis=1)
    group = np.where(due & who.active, MATURING, who.role)
    return np.asarray(np.where(who.wealth < 1_000, TOO_POOR, group), dtype=np.int64)
