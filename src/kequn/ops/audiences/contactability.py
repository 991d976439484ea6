"""The gate's facts: the bank's tables with what kequn knows since they were loaded laid over them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from kequn.core.engine.duck import Engine
from kequn.core.gate import CHANNELS, Content, Facts, Overlay, Proposal, empty, facts_from, rows
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.ops.audiences.dictionary import Ordinals, customer_ids_of, ordinals_of
from kequn.ops.customers.services import reachable, reachable_few
from kequn.ops.governance.queries import consent_words, suppressions_at

ADDRESSED = ("sms", "email", "call")
"""Channels whose address is personal, so that only ``ops.customers`` can say whether there is one."""
SERVICE_ONLY = frozenset({"complaint", "refused"})
"""Reasons of a suppression that stop marketing, not service."""
FEW = 2_000
"""Up to so many customers are asked for by id; above, everybody's rows are read once."""

AT_ONCE = 400
"""Up to so many, one question finds all their addresses."""

OPEN_TALK = Proposal(product_known=True, content={c: Content(approved=True, has_opt_out=True) for c in CHANNELS})
"""A talk about nothing in particular: no product, no prepared text. What it meets are the rules about the customer alone."""

Touched = Callable[[Collection[str] | None, date, Collection[str]], Iterable[tuple[str, str, date]]]
Complaint = tuple[str, date, bool]
"""(customer_id, day, is open)"""
FollowedUp = Callable[[Collection[str] | None, datetime], tuple[Iterable[Complaint], Iterable[str]]]
_touched: dict[str, Touched] = {}
_followed_up: dict[str, FollowedUp] = {}


def tell_touches(source: str, provider: Touched) -> None:
    """Name who knows marketing contacts since a day: (customer_id, channel, day), of some customers or of all.

    The third argument are references of contacts that do not count.
    """
    _touched[source] = provider


def tell_follow_ups(source: str, provider: FollowedUp) -> None:
    """Name who records complaints, and knows the customers whose opportunity somebody works at a moment."""
    _followed_up[source] = provider


def gate_facts(
    bank: Engine,
    who: Ordinals,
    *,
    policy: ContactPolicySpec,
    now: datetime,
    without: Collection[str] = (),
    ids: Sequence[str] | None = None,
    channels: Collection[str] = CHANNELS,
) -> Facts:
    """Return what the gate must know of some customers at one moment.

    ``ids`` are their surrogate ids in the same order, where the caller knows them; ``channels`` those that will be asked about.
    """
    today = now.astimezone(ZoneInfo(policy.zone)).date()
    days = max((cap.days for cap in policy.caps), default=1)
    unique, first = np.unique(who, return_index=True)
    known = None if len(unique) > FEW else customer_ids_of(bank, unique) if ids is None else [ids[i] for i in first]
    overlay = _overlay(bank, unique, known, today=today, days=days, now=now, without=without)
    return facts_from(bank, who, as_of=today, overlay=overlay, touch_days=days, channels=channels)


def _overlay(
    bank: Engine,
    who: Ordinals,
    ids: list[str] | None,
    *,
    today: date,
    days: int,
    now: datetime,
    without: Collection[str],
) -> Overlay:
    finder = _Finder(bank, ids, who)
    said = [provider(ids, now) for provider in _followed_up.values()]
    return Overlay(
        consents=_consents(finder, ids),
        suppressions=_suppressions(finder, ids, now),
        reachable=_reachable(finder, ids),
        touches=_touches(finder, ids, since=today - timedelta(days=days), without=without),
        complaints=_complaints(finder, [row for rows, _ in said for row in rows])
        if _followed_up and "service" in bank.manifest.tables
        else None,
        in_progress=_in_progress(finder, {customer_id for _, worked in said for customer_id in worked}),
    )


class _Finder:
    """Turns surrogate ids into ordinals: from the few that were asked for, or from the whole dictionary."""

    def __init__(self, bank: Engine, ids: list[str] | None, who: Ordinals) -> None:
        self.bank = bank
        self.known = dict(zip(ids, who.tolist(), strict=True)) if ids is not None else None

    def __call__(self, customer_ids: list[str]) -> list[int]:
        if self.known is not None:
            return [self.known.get(i, -1) for i in customer_ids]
        return ordinals_of(self.bank, customer_ids).tolist()  # type: ignore[no-any-return]


def _placed(finder: _Finder, ids: list[str], *columns: list[Any]) -> tuple[list[int], tuple[list[Any], ...]]:
    """Return ordinals and columns without the rows of strangers."""
    at = finder(ids)
    kept = [i for i, ordinal in enumerate(at) if ordinal >= 0]
    return [at[i] for i in kept], tuple([column[i] for i in kept] for column in columns)


def _consents(finder: _Finder, ids: list[str] | None) -> Any:
    words = list(consent_words(ids).values_list("customer_id", "channel", "granted", "at"))
    if not words:
        return empty("consents")
    who, channels, granted, moments = map(list, zip(*words, strict=True))
    ordinal, (channel, is_granted, at) = _placed(finder, who, channels, granted, moments)
    return rows("consents", ordinal=ordinal, channel=channel, granted=is_granted, at=at)


def _suppressions(finder: _Finder, ids: list[str] | None, now: datetime) -> Any:
    found = list(suppressions_at(now, ids))
    who = [customer_id for customer_id, _ in found]
    scopes = ["marketing" if reason in SERVICE_ONLY else "all" for _, reason in found]
    ordinal, (scope,) = _placed(finder, who, scopes)
    return rows("suppressions", ordinal=ordinal, scope=scope)


def _reachable(finder: _Finder, ids: list[str] | None) -> Any:
    """A customer without an address in ``ops.customers`` cannot be reached; of strangers to it nothing is known."""
    ordinals: list[int] = []
    channels: list[str] = []
    flags: list[bool] = []
    few = reachable_few(ids) if ids is not None and len(ids) <= AT_ONCE else None
    everybody = few["wecom"] if few else reachable("wecom", ids)
    for channel in ADDRESSED:
        there = few[channel] if few else reachable(channel, ids)
        for flag, group in ((True, there), (False, everybody - there)):
            found, _ = _placed(finder, sorted(group))
            ordinals += found
            channels += [channel] * len(found)
            flags += [flag] * len(found)
    return rows("reachable", ordinal=ordinals, channel=channels, reachable=flags)


def _touches(finder: _Finder, ids: list[str] | None, *, since: date, without: Collection[str]) -> Any:
    found = [row for provider in _touched.values() for row in provider(ids, since, without)]
    if not found:
        return empty("touches") if _touched else None
    who, channels, days = map(list, zip(*found, strict=True))
    ordinal, (channel, on) = _placed(finder, who, channels, days)
    return rows("touches", ordinal=ordinal, channel=channel, on=on)


def _complaints(finder: _Finder, found: list[Complaint]) -> Any:
    """kequn's own records complete the bank's; where the bank supplies none, complaints stay unknown."""
    if not found:
        return empty("complaints")
    who, days, states = map(list, zip(*found, strict=True))
    ordinal, (on, is_open) = _placed(finder, who, days, states)
    return rows("complaints", ordinal=ordinal, on=on, open=is_open)


def _in_progress(finder: _Finder, worked: set[str]) -> Any:
    ordinal, _ = _placed(finder, sorted(worked))
    return rows("in_progress", ordinal=ordinal)
