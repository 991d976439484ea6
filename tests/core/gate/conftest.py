"""A customer whom everything allows, a policy and a proposal: each trap changes one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kequn.core.gate import CHANNELS, Candidates, Content, Decisions, Facts, Proposal, Touches, blank_facts, decide
from kequn.core.gate.facts import NO, YES
from kequn.core.spec.campaign import Cap, ContactPolicySpec

NOON = datetime(2026, 7, 1, 4, tzinfo=UTC)  # 12:00 in Shanghai
NIGHT = datetime(2026, 7, 1, 14, tzinfo=UTC)  # 22:00 in Shanghai
TODAY = np.datetime64("2026-07-01")

POLICY = ContactPolicySpec(
    name="house", title="触达策略",
    caps=(Cap(channel="sms", days=7, times=2), Cap(channel="call", days=7, times=1), Cap(days=30, times=6)),
)  # fmt: skip
CONTENT = {channel: Content(approved=True, has_opt_out=True) for channel in CHANNELS}
FUND = Proposal(product_known=True, family="fund", risk_level=2, content=CONTENT)
DEPOSIT = Proposal(product_known=True, family="time", content=CONTENT)
CARD = Proposal(product_known=True, family="credit_card", content=CONTENT)


def welcome(n: int = 1) -> Facts:
    """Return facts of n adults whom nothing speaks against."""
    none = blank_facts(np.arange(n))
    no = np.full(n, NO, dtype=np.int8)
    return replace(
        none,
        status=no.copy(), born=np.full(n, np.datetime64("1985-03-01")), deceased=no.copy(), suppressed=no.copy(),
        staff=no.copy(), vulnerable=no.copy(), personalisation_off=no.copy(), overdue=no.copy(),
        risk_level=np.full(n, 3, dtype=np.int8), risk_expires=np.full(n, np.datetime64("2027-01-01")),
        open_complaint=no.copy(), consent=np.full((n, len(CHANNELS)), YES, dtype=np.int8),
        consent_expires=np.full((n, len(CHANNELS)), np.datetime64("2028-01-01")),
        reachable=np.full((n, len(CHANNELS)), YES, dtype=np.int8),
        touches=Touches(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, "datetime64[D]")),
    )  # fmt: skip


def changed(facts: Facts, row: int = 0, *, channel: str | None = None, **columns: Any) -> Facts:
    """Return the facts with one customer's values replaced; on one channel where the column has channels."""
    found = {}
    for name, value in columns.items():
        column = getattr(facts, name).copy()
        at = (row, CHANNELS.index(channel)) if column.ndim == 2 and channel else row
        column[at] = value
        found[name] = column
    return replace(facts, **found)


def touched(facts: Facts, *contacts: tuple[int, str, str]) -> Facts:
    """Return the facts with (row, channel, day) contacts."""
    rows, channels, days = zip(*contacts, strict=True)
    codes = [CHANNELS.index(c) if c in CHANNELS else -1 for c in channels]
    ledger = Touches(np.array(rows, np.int64), np.array(codes, np.int8), np.array(days, "datetime64[D]"))
    return replace(facts, touches=ledger)


def verdict(
    facts: Facts, *, channel: str = "sms", proposal: Proposal = DEPOSIT, now: datetime = NOON,
    purpose: str = "marketing", policy: ContactPolicySpec = POLICY, ordinal: int = 0,
) -> Decisions:  # fmt: skip
    """Decide on one customer."""
    return decide(Candidates.each([ordinal], [channel], proposal), facts, policy, now=now, purpose=purpose)


@pytest.fixture
def gate() -> SimpleNamespace:
    """Return the makers of facts and verdicts."""
    makers: dict[str, Callable[..., Any] | Any] = {
        "welcome": welcome, "changed": changed, "touched": touched, "verdict": verdict, "POLICY": POLICY, "FUND": FUND,
        "DEPOSIT": DEPOSIT, "CARD": CARD, "CONTENT": CONTENT, "NOON": NOON, "NIGHT": NIGHT, "TODAY": TODAY,
    }  # fmt: skip
    return SimpleNamespace(**makers)
