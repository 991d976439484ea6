"""One customer out of the analytical store and the gate: tags in words, contacts, what may be used to reach her."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np

from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.gate import ALLOW, CHANNELS, HOLD, Candidates, Decisions, Facts, Proposal, decide
from kequn.core.spec.campaign import ContactPolicySpec, Purpose
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import OPEN_TALK, dates, facts_about, shown_value, tags_of_one
from kequn.ops.runtime import engine
from kequn.ops.workbench.contracts import ChannelState, PastContact, TagValue

SHOWN = frozenset({"C1", "C2"})
"""Tags of class S need a consent of their own, those of class X only hold contacts back: neither is on the page."""
CONTACTS_SHOWN = 50
SERVICE_SHOWN = 20
CONSENTS = {1: "granted", 0: "refused", -1: "unknown"}


def tags_shown(ordinal: int, specs: Mapping[str, TagSpec]) -> tuple[date | None, dict[str, TagValue]]:
    """Return the latest date and the known tags by name; ``specs`` is the catalogue."""
    days = dates()
    if not days or ordinal < 0:
        return None, {}
    found: dict[str, TagValue] = {}
    for name, value in sorted(tags_of_one(ordinal, days[0]).items()):
        spec = specs.get(name)
        if spec is not None and value is not None and spec.sensitivity in SHOWN:
            words = (shown_value(spec, value, "zh"), shown_value(spec, value, "en"))
            found[name] = TagValue(name, spec.family, spec.title.zh, spec.title.to("en"), value, *words)
    return days[0], found


def contacts_of(ordinal: int) -> tuple[PastContact, ...]:
    """Return the latest contacts that the bank's systems report, of every post and channel."""
    bank = engine()
    if not bank.has("contact"):
        return ()
    there = columns_of(bank, "contact")
    more = ", ".join(f"COALESCE({c}, '')" if c in there else "''" for c in ("post", "staff_no", "note"))
    query = (
        f"SELECT contacted_on, channel, COALESCE(campaign, ''), COALESCE(outcome, ''), {more} FROM contact"
        " WHERE ordinal = ? ORDER BY contacted_on DESC LIMIT ?"
    )
    return tuple(PastContact(*row) for row in bank.rows(query, [ordinal, CONTACTS_SHOWN]))


def service_of(ordinal: int) -> list[tuple[date, str, str, str]]:
    """Return the latest service calls, requests and complaints: (day, kind, topic, status)."""
    bank = engine()
    if not bank.has("service"):
        return []
    query = (
        "SELECT happened_on, kind, COALESCE(topic, ''), COALESCE(status, '') FROM service WHERE ordinal = ?"
        " ORDER BY happened_on DESC LIMIT ?"
    )
    return bank.rows(query, [ordinal, SERVICE_SHOWN])  # type: ignore[return-value]


def household_of(ordinal: int) -> list[int] | None:
    """Return the ordinals of a customer's household, herself among them; ``None`` where the bank's data have none."""
    bank = engine()
    if not bank.has("customer") or "household_no" not in columns_of(bank, "customer"):
        return None
    query = (
        "SELECT ordinal FROM customer WHERE household_no = (SELECT household_no FROM customer WHERE ordinal = ?)"
        " ORDER BY ordinal LIMIT 20"
    )
    return [row[0] for row in bank.rows(query, [ordinal])]


def document_expiry(ordinal: int) -> date | None:
    """Return when the customer's document expires, as far as the bank says."""
    bank = engine()
    if not bank.has("customer") or "document_expires_on" not in columns_of(bank, "customer"):
        return None
    rows = bank.rows("SELECT document_expires_on FROM customer WHERE ordinal = ?", [ordinal])
    return rows[0][0] if rows else None


def columns_of(bank: Engine, table: str) -> frozenset[str]:
    """Return the columns that the bank's source of a table fills."""
    mapped = bank.manifest.tables[table].columns
    return frozenset(mapped or TABLES[table].stored_columns())


# -- the gate -----------------------------------------------------------------------------------------------------------


def for_rm(facts: Facts) -> Facts:
    """Return the facts as the customer's own RM meets them: the opportunity she works herself is no obstacle to her."""
    return replace(facts, in_progress=np.zeros(len(facts), dtype=bool))


def decide_for_rm(
    ordinal: int,
    channel: str,
    proposal: Proposal,
    *,
    policy: ContactPolicySpec,
    now: datetime,
    without: Sequence[str] = (),
    purpose: Purpose = "marketing",
) -> Decisions:
    """Return the gate's verdict on a contact that the customer's own RM starts."""
    facts = for_rm(facts_about(np.array([ordinal], dtype=np.uint32), policy=policy, now=now, without=without))
    return decide(Candidates.each([ordinal], [channel], proposal), facts, policy, now=now, purpose=purpose)


def channels_of(ordinal: int, facts: Facts, policy: ContactPolicySpec, *, now: datetime) -> tuple[ChannelState, ...]:
    """Return what may be used to reach a customer now for marketing, with all reasons against."""
    decisions = decide(Candidates.each([ordinal], CHANNELS, OPEN_TALK), facts, policy, now=now, purpose="marketing")
    known, states = len(facts) > 0, []
    for row, channel in enumerate(CHANNELS):
        expires: Any = facts.consent_expires[0, row] if known else np.datetime64("NaT")
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
