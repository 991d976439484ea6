"""One customer out of the analytical store: tags in words, positions, months, contacts, channels."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from kequn.core.errors import UnknownDefinition
from kequn.core.gate import ALLOW, CHANNELS, HOLD, Candidates, Decisions, Proposal, decide
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.ops.audiences.queries import OPEN_TALK, dates, facts_about, shown_value, tags_of_one
from kequn.ops.catalog import queries as catalog
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue
from kequn.ops.workbench.contracts import ChannelState, Month, PastContact, Position, TagValue

SHOWN = frozenset({"C1", "C2"})
"""Tags of class S need a consent of their own, those of class X only hold contacts back: neither is on the page."""
CONTACTS_SHOWN = 20
CONSENTS = {1: "granted", 0: "refused", -1: "unknown"}


def tags_shown(ordinal: int) -> tuple[date | None, dict[str, tuple[TagValue, ...]]]:
    """Return the latest date and the known tags by family."""
    days = dates()
    if not days:
        return None, {}
    specs = catalogue()
    by_family: dict[str, list[TagValue]] = {}
    for name, value in sorted(tags_of_one(ordinal, days[0]).items()):
        spec = specs.get(name)
        if spec is not None and value is not None and spec.sensitivity in SHOWN:
            words = (shown_value(spec, value, "zh"), shown_value(spec, value, "en"))
            by_family.setdefault(spec.family, []).append(
                TagValue(name, spec.family, spec.title.zh, spec.title.to("en"), value, *words)
            )
    return days[0], {family: tuple(found) for family, found in by_family.items()}


def positions_of(ordinal: int) -> tuple[Position, ...]:
    """Return the positions at the latest date, the largest first."""
    bank = engine()
    if not bank.has("holding"):
        return ()
    names = catalog.products()
    query = (
        "SELECT product_code, family, balance, matures_on FROM holding WHERE ordinal = ?"
        " AND as_of = (SELECT max(as_of) FROM holding) AND balance <> 0 ORDER BY balance DESC"
    )
    found = []
    for code, family, balance, matures_on in bank.rows(query, [ordinal]):
        product = names.get(code)
        name, name_en = (product.name, product.name_en) if product else (code, code)
        found.append(Position(code, name, name_en, family, _yuan(balance), matures_on))
    return tuple(found)


def months_of(ordinal: int) -> tuple[Month, ...]:
    """Return money in and out by month, the last twelve with any, oldest first."""
    bank = engine()
    if not bank.has("transaction"):
        return ()
    query = (
        "SELECT date_trunc('month', booked_on)::DATE AS month,"
        " COALESCE(sum(amount) FILTER (WHERE direction = 'in'), 0),"
        " COALESCE(sum(amount) FILTER (WHERE direction = 'out'), 0), count(*)"
        " FROM \"transaction\" WHERE ordinal = ? AND category <> 'own_transfer' GROUP BY 1 ORDER BY 1 DESC LIMIT 12"
    )
    rows = bank.rows(query, [ordinal])
    return tuple(Month(month, _yuan(in_), _yuan(out), n) for month, in_, out, n in reversed(rows))


def contacts_of(ordinal: int) -> tuple[PastContact, ...]:
    """Return the latest contacts that the bank's systems report."""
    bank = engine()
    if not bank.has("contact"):
        return ()
    query = (
        "SELECT contacted_on, channel, COALESCE(campaign, ''), COALESCE(outcome, '') FROM contact WHERE ordinal = ?"
        " ORDER BY contacted_on DESC LIMIT ?"
    )
    return tuple(PastContact(*row) for row in bank.rows(query, [ordinal, CONTACTS_SHOWN]))


def channels_of(ordinal: int, *, now: datetime) -> tuple[ChannelState, ...]:
    """Return what may be used to reach a customer now for marketing, with all reasons against; none without a policy."""
    try:
        policy = catalog.policy()
    except UnknownDefinition:
        return ()
    who = np.array([ordinal], dtype=np.uint32)
    facts = facts_about(who, policy=policy, now=now)
    decisions = decide(Candidates.each(who, CHANNELS, OPEN_TALK), facts, policy, now=now, purpose="marketing")
    states = []
    for row, channel in enumerate(CHANNELS):
        known = len(facts) > 0
        expires = facts.consent_expires[0, row] if known else np.datetime64("NaT")
        states.append(
            ChannelState(
                channel=channel,
                consent=CONSENTS[int(facts.consent[0, row])] if known else "unknown",  # type: ignore[arg-type]
                expires_on=None if np.isnat(expires) else expires.astype(object),
                is_allowed=bool(decisions.verdict[row] == ALLOW),
                codes=decisions.codes(row),
                hold_until=decisions.held_until(row) if decisions.verdict[row] == HOLD else None,
            )
        )
    return tuple(states)


def decide_for_rm(
    ordinal: int, channel: str, proposal: Proposal, *, policy: ContactPolicySpec, now: datetime
) -> Decisions:
    """Return the gate's verdict on a contact that the customer's own RM starts: her own open opportunity is no obstacle."""
    who = np.array([ordinal], dtype=np.uint32)
    facts = facts_about(who, policy=policy, now=now)
    facts = replace(facts, in_progress=np.zeros(len(facts), dtype=bool))
    return decide(Candidates.each(who, [channel], proposal), facts, policy, now=now, purpose="marketing")


def _yuan(fen: Any) -> Decimal:
    return (Decimal(int(fen or 0)) / 100).quantize(Decimal("0.01"))
