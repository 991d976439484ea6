"""The decision: every candidate through the whole chain, set-wise, with all the rules that say no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.gate.checks import Case, Check, checks
from kequn.core.gate.facts import CHANNELS, Candidates, Facts
from kequn.core.gate.quiet import next_allowed
from kequn.core.gate.rules import BIT, RULES, Mask, bits_of, codes_of
from kequn.core.spec.campaign import ContactPolicySpec, Purpose

ALLOW, HOLD, BLOCK = 0, 1, 2
VERDICTS = ("allow", "hold", "block")
RULES_VERSION = sha256(
    "".join(f"{r.code}{r.step}{r.verdict}{sorted(r.purposes)}{r.explanation.zh}" for r in RULES).encode()
).hexdigest()[:12]
"""Changes with the rules' order, reach or meaning."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """One verdict a candidate, with every rule that failed (闸门结果)."""

    candidates: Candidates
    verdict: npt.NDArray[np.int8]
    """``ALLOW``, ``HOLD`` or ``BLOCK``."""
    failing: Mask
    missing: Mask
    """The failing rules that fail only because a fact is not known."""
    hold_until: npt.NDArray[np.datetime64]
    """In UTC, microseconds; NaT unless held."""
    version: str
    """Of the rules and of the policy."""

    def __len__(self) -> int:
        return len(self.verdict)

    @property
    def passes(self) -> npt.NDArray[np.bool_]:
        """Which candidates may be contacted, now or after waiting."""
        return np.asarray(self.verdict != BLOCK)

    def codes(self, row: int) -> tuple[str, ...]:
        """Return the codes of all rules that one candidate fails, in the order of the chain."""
        return codes_of(int(self.failing[row]))

    def held_until(self, row: int) -> datetime | None:
        """Return until when one candidate is held."""
        moment = self.hold_until[row]
        return None if np.isnat(moment) else moment.astype("datetime64[us]").astype(datetime).replace(tzinfo=UTC)

    def fails(self, code: str) -> npt.NDArray[np.bool_]:
        """Return which candidates fail one rule."""
        return (self.failing >> np.uint64(BIT[code]) & np.uint64(1)).astype(bool)

    def counts(self) -> dict[str, int]:
        """Return how many candidates fail each rule that anybody fails."""
        found = {rule.code: int(self.fails(rule.code).sum()) for rule in RULES}
        return {code: n for code, n in found.items() if n}

    def table(self) -> pa.Table:
        """Return one row a candidate: ordinal, channel, verdict, codes, hold_until."""
        masks, inverse = np.unique(self.failing, return_inverse=True)
        codes = pa.array([list(codes_of(int(mask))) for mask in masks], pa.list_(pa.string()))
        return pa.table(
            {
                "ordinal": pa.array(self.candidates.ordinals),
                "channel": pa.DictionaryArray.from_arrays(pa.array(self.candidates.channels), pa.array(CHANNELS)),
                "verdict": pa.DictionaryArray.from_arrays(pa.array(self.verdict), pa.array(VERDICTS)),
                "codes": codes.take(pa.array(inverse)),
                "hold_until": pa.array(self.hold_until, pa.timestamp("us", "UTC")),
            }
        )


def decide(
    candidates: Candidates, facts: Facts, policy: ContactPolicySpec, *, now: datetime, purpose: Purpose
) -> Decisions:
    """Return the verdict on every candidate at one instant; the same rows give the same verdicts in any company.

    ``now`` must know its zone. Days are those of the policy's zone; quiet hours are those of the customer's, or of the
    policy where the customer's is not known. A missing fact fails the rule that needs it. A candidate is held when time
    alone cures it, and blocked when any other rule fails too.
    """
    if now.tzinfo is None:
        raise ValueError("`now` needs a time zone")
    today = np.datetime64(now.astimezone(ZoneInfo(policy.zone)).date(), "D")
    case = Case(candidates, facts, policy, today=today, purpose=purpose)
    until = _quiet_until(case, now)
    failing, missing = _masks(checks(case, quiet=~np.isnat(until)), len(candidates), purpose)
    blocked = (failing & bits_of("block")) != 0
    held = ~blocked & ((failing & bits_of("hold")) != 0)
    verdict = np.where(blocked, BLOCK, np.where(held, HOLD, ALLOW)).astype(np.int8)
    return Decisions(
        candidates=candidates,
        verdict=verdict,
        failing=failing,
        missing=missing,
        hold_until=np.where(held, until, np.datetime64("NaT", "us")),
        version=f"{RULES_VERSION}-{policy.fingerprint()}",
    )


def _masks(found: Mapping[str, Check], n: int, purpose: Purpose) -> tuple[Mask, Mask]:
    failing, missing = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.uint64)
    for code, check in _bound_by(found, purpose):
        no, unknown = check()
        bit = np.uint64(1 << BIT[code])
        failing |= np.where(no | unknown, bit, np.uint64(0))
        missing |= np.where(unknown & ~no, bit, np.uint64(0))
    return failing, missing


def _bound_by(found: Mapping[str, Check], purpose: Purpose) -> Iterable[tuple[str, Check]]:
    return ((rule.code, found[rule.code]) for rule in RULES if purpose in rule.purposes)


def _quiet_until(case: Case, now: datetime) -> npt.NDArray[np.datetime64]:
    """When each candidate's quiet time ends; NaT where it is not quiet or the channel reaches nobody at once."""
    zones = (*case.facts.zones, case.policy.zone)
    ends = np.full(len(zones), np.datetime64("NaT", "us"))
    for position, zone in enumerate(zones):
        end = next_allowed(now, case.policy, zone)
        if end > now.astimezone(UTC):
            ends[position] = np.datetime64(end.replace(tzinfo=None), "us")
    at = np.full(len(case.row), len(zones) - 1)
    if case.facts.zone is not None:
        zone_of = case.customer(case.facts.zone)
        at = np.where(zone_of >= 0, zone_of, at)
    return np.where(case.reaches_at_once, ends[at], np.datetime64("NaT", "us"))
