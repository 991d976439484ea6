"""How many of an audience can be contacted, what stands in the way of the others, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kequn.core.gate.decide import Decisions
from kequn.core.gate.facts import CHANNELS, UNKNOWN, Facts
from kequn.core.gate.rules import BIT, BY_CODE, RULES, Rule

FEW = 10  # below this an opaque reason's count could point at somebody


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule and how many it stops; ``None`` where the number is too small to be told."""

    code: str
    n: int | None
    """All who fail it."""
    n_alone: int | None
    """Those whom nothing else stops: what curing it would gain."""
    n_missing: int | None
    """Those who fail it only because a fact is not known."""

    @property
    def rule(self) -> Rule:
        """The rule with its words."""
        return BY_CODE[self.code]


@dataclass(frozen=True, slots=True)
class ChannelRate:
    """One channel's contactable rate (可触达率)."""

    channel: str
    n: int
    n_contactable: int
    reasons: tuple[Reason, ...]
    """Most frequent first."""

    @property
    def rate(self) -> float | None:
        """Contactable of all; ``None`` of nobody."""
        return self.n_contactable / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Contactable:
    """The contactable rate of an audience: by channel, and by any of them."""

    n: int
    n_contactable: int
    """Customers whom at least one channel reaches, at once or after quiet hours."""
    channels: tuple[ChannelRate, ...]
    reasons: tuple[Reason, ...]
    """Of the customers whom no channel reaches: what stops them on every channel."""

    @property
    def rate(self) -> float | None:
        """Contactable of all; ``None`` of nobody."""
        return self.n_contactable / self.n if self.n else None


def contactable(decisions: Decisions) -> Contactable:
    """Return the contactable rate by channel and over all channels, with reasons; quiet hours do not count."""
    who, row = np.unique(decisions.candidates.ordinals, return_inverse=True)
    reached = np.zeros(len(who), dtype=bool)
    np.logical_or.at(reached, row, decisions.passes)
    everywhere = np.full(len(who), ~np.uint64(0))
    np.bitwise_and.at(everywhere, row, decisions.failing)
    missing = np.full(len(who), ~np.uint64(0))
    np.bitwise_and.at(missing, row, decisions.missing)
    return Contactable(
        n=len(who),
        n_contactable=int(reached.sum()),
        channels=tuple(_on(decisions, position) for position in np.unique(decisions.candidates.channels)),
        reasons=_reasons(everywhere, missing),
    )


def unknown_facts(facts: Facts) -> dict[str, float]:
    """Return the share of customers for whom a fact is not known, for each fact of which some is not; greatest first.

    Which facts: the columns of ``Facts``; consent and reachability by channel, as in ``consent.sms``.
    """
    if not len(facts):
        return {}
    flags = ("status", "deceased", "suppressed", "staff", "vulnerable", "personalisation_off", "overdue", "risk_level",
             "open_complaint")  # fmt: skip
    shares = {name: float((getattr(facts, name) == UNKNOWN).mean()) for name in flags}
    shares["born"] = float(np.isnat(facts.born).mean())
    for position, channel in enumerate(CHANNELS):
        shares[f"consent.{channel}"] = float((facts.consent[:, position] == UNKNOWN).mean())
        shares[f"reachable.{channel}"] = float((facts.reachable[:, position] == UNKNOWN).mean())
    shares["touches"] = 1.0 if facts.touches is None else 0.0
    return dict(sorted(((k, v) for k, v in shares.items() if v), key=lambda kv: (-kv[1], kv[0])))


def _on(decisions: Decisions, position: int) -> ChannelRate:
    rows = decisions.candidates.channels == position
    return ChannelRate(
        channel=CHANNELS[position],
        n=int(rows.sum()),
        n_contactable=int(decisions.passes[rows].sum()),
        reasons=_reasons(decisions.failing[rows], decisions.missing[rows]),
    )


def _reasons(failing: np.ndarray, missing: np.ndarray) -> tuple[Reason, ...]:
    masks, counts = np.unique(failing, return_counts=True)
    unknown, n_unknown = np.unique(missing, return_counts=True)
    waits = sum(1 << BIT[rule.code] for rule in RULES if rule.verdict == "hold")
    found = []
    for rule in RULES:
        bit = 1 << BIT[rule.code]
        n = int(counts[(masks & np.uint64(bit)) != 0].sum())
        alone = int(counts[(masks & ~np.uint64(waits)) == np.uint64(bit)].sum())
        without = int(n_unknown[(unknown & np.uint64(bit)) != 0].sum())
        if n and rule.verdict == "block":
            told = not rule.opaque
            found.append((n, Reason(rule.code, _told(n, rule), _told(alone, rule), without if told else None)))
    return tuple(reason for _, reason in sorted(found, key=lambda pair: -pair[0]))


def _told(n: int, rule: Rule) -> int | None:
    return None if rule.opaque and n < FEW else n
