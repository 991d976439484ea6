"""The gate, asked for all of a day's contacts at once: by which way the customer may be reached, and whether the offer may be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from kequn.core.desk import words_for
from kequn.core.gate import BY_CODE, RULES, Candidates, Content, Facts, Proposal, decide, proposal_from
from kequn.core.spec.campaign import ContactPolicySpec, Purpose
from kequn.core.spec.desk import DeskPolicySpec
from kequn.core.spec.offer import OfferSpec
from kequn.ops.audiences.queries import OPEN_TALK, facts_about, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.briefing import briefs_of, purpose_of
from kequn.ops.workbench.candidates import Candidate, evening, known_keys, offered
from kequn.ops.workbench.customer import decide_for_rm

WAYS = ("call", "wecom")
"""How an RM reaches a customer."""
CURED_BY_TEST = frozenset({"RISK_TEST_MISSING", "RISK_TEST_EXPIRED"})
"""What a new risk test cures."""
OWN_DOING = frozenset({"FREQUENCY"})
"""A list sent down has counted as a contact itself: its own task is not one too many."""
NOBODY = 0xFFFFFFFF
"""An ordinal that no customer has."""

Mask = npt.NDArray[np.uint64]


def gated(
    rows: list[Candidate], policy: DeskPolicySpec, *, at: datetime, as_of: date, zone: ZoneInfo
) -> list[Candidate]:
    """Return the rows with what the gate says of each at one instant, and a new risk test where an offer waits for one.

    A row is held when no way to the customer is open. ``blocked`` has the codes by way, and for the ``offer``.

    Raises:
        UnknownDefinition: no contact policy was approved, so nobody may be contacted.
    """
    rules = catalog.policy()
    who = np.array([r.ordinal if r.ordinal >= 0 else NOBODY for r in rows], dtype=np.uint32)
    facts = facts_about(np.unique(who), policy=rules, now=at)
    facts = replace(facts, in_progress=np.zeros(len(facts), dtype=bool))  # her own opportunity is no obstacle to her
    _ways(rows, who, policy, facts, rules, at)
    _offers(rows, who, facts, rules, at)
    return rows + _retests(rows, policy, facts, rules, at=at, as_of=as_of, zone=zone)


def offer_codes(customer_id: str, offer: str, channel: str) -> tuple[str, ...]:
    """Return the rules that stand against making an offer to a customer now, whatever the hour and however often she was reached.

    An offer that is not in the catalogue any more has none.

    Raises:
        UnknownDefinition: no contact policy was approved, so nobody may be contacted.
    """
    version = catalog.newest("offer", offer)
    if version is None:
        return ()
    ordinal = int(ordinals([customer_id])[0])
    if ordinal < 0:
        return ("UNKNOWN_CUSTOMER",)
    proposal = _proposal(version.spec)
    decisions = decide_for_rm(ordinal, _way(channel), proposal, policy=catalog.policy(), now=now())
    return tuple(_against_the_offer(int(decisions.failing[0])))


def _way(channel: str) -> str:
    """A visit needs what a call needs."""
    return channel if channel in WAYS else "call"


def _proposal(offer: OfferSpec) -> Proposal:
    return proposal_from(engine(), offer, dict.fromkeys(WAYS, Content(approved=True, has_opt_out=True)))


def _against_the_offer(mask: int) -> list[str]:
    """How she is reached is said of the ways; of the offer what stands against the offer itself."""
    return [code for code in _codes(mask) if code not in _OF_THE_WAY]


def _ways(
    rows: Sequence[Candidate], who: npt.NDArray[np.uint32], policy: DeskPolicySpec, facts: Facts,
    rules: ContactPolicySpec, at: datetime,
) -> None:  # fmt: skip
    said = {(r.kind, r.campaign) for r in rows}
    briefs = briefs_of({campaign for _, campaign in said})
    known = {(kind, campaign): purpose_of(policy, kind, briefs.get(campaign)) for kind, campaign in said}
    purposes = np.array(["service" if r.promised_on else known[r.kind, r.campaign] for r in rows], dtype=object)
    for purpose in sorted(set(purposes.tolist())):
        there = np.flatnonzero(purposes == purpose)
        failing = _failing(who[there], WAYS, OPEN_TALK, facts, rules, at, purpose)
        for position, masks in zip(there.tolist(), failing.T, strict=True):
            _mark(rows[position], masks)


def _mark(row: Candidate, masks: Mask) -> None:
    spared = OWN_DOING if row.campaign else frozenset()
    row.blocked = {}
    for way, mask in zip(WAYS, masks.tolist(), strict=True):
        if codes := [c for c in _codes(mask) if c not in spared]:
            row.blocked[way] = codes
    row.is_held = len(row.blocked) == len(WAYS)
    if not row.is_held and row.channel in row.blocked:
        row.channel = next(way for way in WAYS if way not in row.blocked)


def _offers(
    rows: Sequence[Candidate], who: npt.NDArray[np.uint32], facts: Facts, rules: ContactPolicySpec, at: datetime
) -> None:
    by_offer: dict[tuple[str, str], list[int]] = {}
    for position, row in enumerate(rows):
        if row.offer and not row.is_held:
            by_offer.setdefault((row.offer, _way(row.channel)), []).append(position)
    for (name, way), there in sorted(by_offer.items()):
        newest = catalog.newest("offer", name)
        if newest is None:
            continue
        failing = _failing(who[there], (way,), _proposal(newest.spec), facts, rules, at, "marketing")
        for position, mask in zip(there, failing[0].tolist(), strict=True):
            if codes := _against_the_offer(mask):
                rows[position].blocked["offer"] = codes


def _retests(
    rows: Sequence[Candidate], policy: DeskPolicySpec, facts: Facts, rules: ContactPolicySpec, *,
    at: datetime, as_of: date, zone: ZoneInfo,
) -> list[Candidate]:  # fmt: skip
    """An offer that waits for a valid risk test is no task yet; the test is, and due when the occasion is."""
    rule = policy.retest
    has_test = {r.customer_id for r in rows if r.kind in states.RISK_TESTS}
    found: dict[str, Candidate] = {}
    for row in rows:
        if rule.is_on and row.customer_id not in has_test and CURED_BY_TEST & set(row.blocked.get("offer", ())):
            found.setdefault(row.customer_id, row)
    about = offered(policy, ["retest"])["retest"]
    said = words_for("retest", on=as_of, as_of=as_of)
    day = at.astimezone(zone).date()
    tests = [
        Candidate(
            key=f"retest:{row.customer_id}:{as_of:%Y%m}", kind="retest", customer_id=row.customer_id, ordinal=row.ordinal,
            priority=rule.priority, value=row.value, due=row.due, branch=row.branch, owner=row.owner, worker=row.worker,
            is_remote=row.is_remote, talk_track=about.talk_track, due_at=evening(row.due, zone),
            expires_at=evening(date.fromordinal(day.toordinal() + rule.stands_days), zone),
            facts={"on": as_of.isoformat(), "as_of": as_of.isoformat(), "for": row.kind},
            words=(said.title.zh, said.title.en, said.why.zh, said.why.en, said.said.zh, said.said.en),
        )
        for row in found.values()
    ]  # fmt: skip
    known = known_keys([t.key for t in tests])
    tests = [t for t in tests if t.key not in known]
    if tests:
        _ways(tests, np.array([t.ordinal for t in tests], np.uint32), policy, facts, rules, at)
    return [t for t in tests if not t.is_held]


def _failing(
    who: npt.NDArray[np.uint32], ways: Sequence[str], proposal: Proposal, facts: Facts, rules: ContactPolicySpec,
    at: datetime, purpose: Purpose,
) -> Mask:  # fmt: skip
    """Return the failing rules as masks, ways × customers."""
    decisions = decide(Candidates.each(who, ways, proposal), facts, rules, now=at, purpose=purpose)
    return decisions.failing.reshape(len(ways), len(who))


_OF_THE_WAY = frozenset({"NO_ADDRESS", "QUIET_HOURS", "FREQUENCY", "CHANNEL_FULL", "NO_OPT_OUT_TEXT"})
_cache: dict[int, list[str]] = {}


def _codes(mask: int) -> list[str]:
    """The rules of a mask; a ground that must not be told stands alone, so that nothing beside it gives it away."""
    if mask not in _cache:
        codes = [rule.code for position, rule in enumerate(RULES) if mask >> position & 1]
        secret = [c for c in codes if BY_CODE[c].opaque]
        _cache[mask] = secret or codes
    return _cache[mask]
