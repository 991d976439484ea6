"""A quick stage for simulation studies: customers who answer by the starter bank's law, without files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from kequn.core.data.starter.block import block_of
from kequn.core.data.starter.causes import CHANNELS, Touches, chances, gains, minds
from kequn.core.data.starter.draws import BLOCK, Bools, Floats, Ints, day, stream
from kequn.core.data.starter.products import NUMBER


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: who bought and by how many yuan their assets grew; ``…_alone`` is the same had nobody been contacted."""

    bought: Bools
    bought_alone: Bools
    growth: Floats
    growth_alone: Floats


@dataclass(frozen=True, slots=True)
class World:
    """Customers worth addressing: their chances, what a contact would add, and what is known of them beforehand.

    ``wealth`` (yuan) and ``tier`` serve as covariate and stratum; ``household`` is -1 for those alone; ``spillover`` is
    the share of a treated member's gain that reaches untreated members.
    """

    names: tuple[str, ...]
    alone: Floats
    gain: Floats
    wealth: Floats
    tier: Ints
    fresh: Floats
    household: Ints
    kind: Ints
    spillover: float

    def __len__(self) -> int:
        return len(self.alone)

    def sample(self, size: int, *, seed: int) -> World:
        """Return a world of ``size`` customers drawn at random, members of a household together."""
        rng = stream(seed, "sample")
        cluster = np.where(self.household >= 0, self.household, -1 - np.arange(len(self)))
        _, place = np.unique(cluster, return_inverse=True)
        kept = np.sort(np.argsort(rng.random(place.max() + 1)[place], kind="stable")[:size])
        return World(
            names=tuple(self.names[i] for i in kept), alone=self.alone[kept], gain=self.gain[kept],
            wealth=self.wealth[kept], tier=self.tier[kept], fresh=self.fresh[kept], household=self.household[kept],
            kind=self.kind[kept], spillover=self.spillover,
        )  # fmt: skip

    def chances(self, treated: Bools) -> Floats:
        """Everybody's chance to buy when exactly these are contacted."""
        return chances(self.alone, self.gain * treated, treated, self.household, spillover=self.spillover)

    def effect(self, treated: Bools) -> float:
        """The true average effect on those treated: their chances with all these contacts minus those without any."""
        nobody = np.zeros_like(treated)
        return float((self.chances(treated) - self.chances(nobody))[treated].mean())

    def average_effect(self) -> float:
        """The true average effect of contacting a customer, the others left alone, over the whole world."""
        everybody, nobody = np.ones(len(self), dtype=np.bool_), np.zeros(len(self), dtype=np.bool_)
        contacted = chances(self.alone, self.gain, everybody, self.household, spillover=0.0)
        return float((contacted - self.chances(nobody)).mean())

    def observe(self, treated: Bools, *, seed: int) -> Seen:
        """Let one window pass: draw what everybody does, coherent with what they would have done uncontacted."""
        rng = stream(seed, "observe")
        answer = rng.random(len(self))
        drift = self.wealth * rng.normal(0.002, 0.06, len(self))
        alone = answer < self.chances(np.zeros_like(treated))
        bought = answer < self.chances(treated)
        return Seen(bought, alone, drift + bought * self.fresh, drift + alone * self.fresh)


def world(
    size: int,
    *,
    seed: int = 20260630,
    spillover: float = 0.0,
    channel: str = "sms",
    product: str = "WM206",
    as_of: date = date(2026, 6, 30),
    days: int = 30,
) -> World:
    """Return ``size`` active adults with at least 2,000 yuan, each to be contacted once on one channel or not at all.

    About one customer in four of the starter bank is of that sort, so a world of 20,000 takes a second or two to make;
    ``World.sample`` then draws as many campaigns from it as wanted.
    """
    parts: list[World] = []
    while sum(map(len, parts)) < size:
        parts.append(_eligible(seed, len(parts), (channel, product), as_of, days))
    return _joined(parts, size, spillover)


def _eligible(seed: int, block: int, play: tuple[str, str], as_of: date, days: int) -> World:
    part = block_of(seed, block, BLOCK, as_of)
    who = part.who
    mind = minds(part, seed=seed, start=as_of, days=days)
    touches = Touches(
        who=np.arange(BLOCK), channel=np.full(BLOCK, CHANNELS.index(play[0])), product=np.full(BLOCK, NUMBER[play[1]]),
        day=np.full(BLOCK, day(as_of) + 1), delivered=np.ones(BLOCK, dtype=np.bool_),
    )  # fmt: skip
    gain = gains(part, mind, touches)
    kept = np.flatnonzero(who.active & (who.wealth >= 2_000) & (who.age >= 18))
    return World(
        names=tuple(f"{n:08d}" for n in who.number[kept]), alone=mind.alone[kept], gain=gain[kept],
        wealth=who.wealth[kept], tier=who.tier[kept], fresh=mind.fresh[kept], household=who.household[kept],
        kind=mind.kind[kept], spillover=0.0,
    )  # fmt: skip


def _joined(parts: list[World], size: int, spillover: float) -> World:
    def column(name: str) -> Any:
        return np.concatenate([getattr(p, name) for p in parts])[:size]

    return World(
        names=tuple(n for p in parts for n in p.names)[:size], alone=column("alone"), gain=column("gain"),
        wealth=column("wealth"), tier=column("tier"), fresh=column("fresh"), household=column("household"),
        kind=column("kind"), spillover=spillover,
    )  # fmt: skip
