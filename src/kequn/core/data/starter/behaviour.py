"""What the starter bank's customers do besides money: app and branch events, contacts, service calls, consents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from kequn.core.data.starter.draws import Bools, Floats, Ints, choose, choose_by, day, happens, repeated, stream
from kequn.core.data.starter.people import YOUNG, People

EVENTS = (
    "LOGIN",
    "PAGE_WMP",
    "PAGE_FUND",
    "PAGE_LOAN",
    "PAGE_INS",
    "PAGE_DEP",
    "BUY_CFM",
    "BRCH_IN",
    "LIVE",
    "WECOM_MSG",
    "PREPAY_Q",
    "PUSH_CLK",
)
LOGIN, WMP, FUND, LOAN, INS, DEP, CONFIRM, BRANCH, LIVE, WECOM, PREPAY, PUSH = range(12)

CONTACT_CHANNELS = ("SMS", "PUSH", "WECOM", "CALL", "EMAIL", "RM", "FILE")
RESPONSE = np.array((0.05, 0.06, 0.12, 0.14, 0.03, 0.24))
OUTCOMES = ("DLV", "FAIL", "CLICK", "ANSWER", "NOANS", "REFUSE", "INTENT", "READ")
BENEFITS = ("", "PTS", "CASH", "RATE", "GIFT", "SERV")
CAMPAIGNS = ("开门红理财节", "春季定投", "代发专享", "信用卡分期", "到期续作", "乐享生活", "存款季", "财富开放日")

CONSENT_CHANNELS = ("SMS", "EMAIL", "PUSH", "WECOM", "CALL", "RM")
TOLD = np.array((0.88, 0.38, 0.66, 0.40, 0.62, 0.80))
GRANTED = np.array((0.86, 0.72, 0.80, 0.90, 0.66, 0.95))


@dataclass(frozen=True, slots=True)
class Events:
    """Rows of the events file: who, day, second of the day, kind (position in ``EVENTS``)."""

    who: Ints
    day: Ints
    second: Ints
    kind: Ints


@dataclass(frozen=True, slots=True)
class Contacts:
    """Rows of the contacts file; ``answered_on`` -1 where nothing came back."""

    who: Ints
    day: Ints
    hour: Ints
    channel: Ints
    purpose: Ints
    campaign: Ints
    outcome: Ints
    answered_on: Ints
    answer_hour: Ints
    benefit: Ints


@dataclass(frozen=True, slots=True)
class Services:
    """Rows of the service file: kind 0 call, 1 complaint, 2 request; topic; whether still open."""

    who: Ints
    day: Ints
    kind: Ints
    topic: Ints
    open: Bools


@dataclass(frozen=True, slots=True)
class Consents:
    """Rows of the consents file: channel, granted, days."""

    who: Ints
    channel: Ints
    granted: Bools
    given: Ints
    expires: Ints


def events(seed: int, who: People, *, start: date, end: date) -> Events:
    """Make one block's events of a span: logins, product pages, visits, live shows, messages."""
    rng = stream(seed, f"events {start}", who.block)
    days = day(end) - day(start) + 1
    months = days / 30.4
    login = np.where(
        who.app & who.active, np.where(who.role == YOUNG, 4.2, 2.6) * who.lively, np.where(who.app, 0.03, 0.0)
    )
    looking = who.app & (who.tier >= 1) & who.active
    rates = np.zeros((len(who), len(EVENTS)))
    rates[:, LOGIN] = login
    rates[:, WMP] = looking * (0.30 + 0.25 * (who.tier >= 2)) * who.lively
    rates[:, FUND] = looking * np.where(who.risk >= 3, 0.28, 0.05)
    rates[:, LOAN] = looking * np.where(who.mortgage > 0, 0.02, 0.07)
    rates[:, INS] = looking * np.where(who.child_age >= 0, 0.10, 0.04)
    rates[:, DEP] = looking * np.where(who.age >= 45, 0.25, 0.08)
    rates[:, CONFIRM] = looking * 0.06 * who.lively
    rates[:, BRANCH] = who.active * np.where(who.age >= 55, 0.30, 0.06)
    rates[:, LIVE] = looking * np.where(who.tier >= 2, 0.10, 0.03)
    rates[:, WECOM] = wecom(who) * 0.35 * who.active
    rates[:, PREPAY] = (who.mortgage > 0) * 0.05
    rates[:, PUSH] = looking * 0.12
    counts = rng.poisson(rates * months).astype(np.int64)
    cell, _ = repeated(counts.ravel())
    w, kind = np.divmod(cell, len(EVENTS))
    on = day(start) + rng.integers(0, days, len(w))
    hour = np.where(
        kind == BRANCH, rng.uniform(9, 17, len(w)), np.clip(rng.normal(who.age[w] * -0.06 + 19, 3.5, len(w)), 6, 23.9)
    )
    keep = (on >= who.opened[w]) & ((who.closed[w] < 0) | (on < who.closed[w]))
    second = (hour * 3600).astype(np.int64)
    order = np.lexsort((second[keep], on[keep], w[keep]))
    return Events(*(a[keep][order] for a in (w, on, second, kind)))


def wecom(who: People) -> Bools:
    """Who has added the bank or an RM in WeCom."""
    return np.asarray(who.active & (who.number % 10 < np.where(who.managed, 7, 2)), dtype=np.bool_)


def contacts(seed: int, who: People, *, start: date, end: date) -> Contacts:
    """Make one block's contacts of a span: campaigns by every channel, more for richer and managed customers."""
    rng = stream(seed, f"contacts {start}", who.block)
    days = day(end) - day(start) + 1
    rate = np.array((0.12, 1.2, 2.2, 2.8, 2.6, 2.0, 1.5))[who.tier] * np.where(who.active, 1.0, 0.4) * days / 365
    w, _ = repeated(rng.poisson(rate).astype(np.int64))
    n = len(w)
    table = np.array([[55, 22, 6, 8, 6, 0], [30, 20, 16, 12, 5, 17]], dtype=np.float64)
    channel = choose_by(rng, table, who.managed[w].astype(np.int64))
    purpose = choose(rng, (0.80, 0.12, 0.08), n)
    on = day(start) + rng.integers(0, days, n)
    answered = happens(rng, RESPONSE[channel] * favourite(who, w, channel), n)
    wrong = ~answered & happens(rng, np.where(channel == 3, 0.55, 0.04), n)
    good = np.array((2, 2, 7, 3, 2, 6))[channel]
    outcome = np.where(
        answered,
        good,
        np.where(wrong, np.where(channel == 3, 4, 1), np.where((channel >= 3) & (rng.random(n) < 0.5), 5, 0)),
    )
    answered_on = np.where(answered, np.minimum(on + np.minimum(rng.geometric(0.5, n) - 1, 6), day(end)), -1)
    keep = on >= who.opened[w]
    answer_hour = np.where(answered, rng.integers(9, 22, n), -1)
    benefit = choose(rng, (0.45, 0.2, 0.15, 0.1, 0.05, 0.05), n)
    hour, campaign = rng.integers(9, 20, n), rng.integers(0, len(CAMPAIGNS), n)
    parts = (w, on, hour, channel, purpose, campaign, outcome, answered_on, answer_hour, benefit)
    order = np.lexsort((on[keep], w[keep]))
    return Contacts(*(a[keep][order] for a in parts))


def favourite(who: People, w: Ints, channel: Ints) -> Floats:
    """How much more or less a customer answers on a channel than others do: each has one that suits."""
    best = (who.number[w] * 7 + who.age[w]) % len(RESPONSE)
    return np.asarray(np.where(best == channel, 2.2, 0.8) * np.where(who.active[w], 1.0, 0.15), dtype=np.float64)


def services(seed: int, who: People, *, start: date, end: date) -> Services:
    """Make one block's service calls, requests and complaints of a span."""
    rng = stream(seed, f"service {start}", who.block)
    days = day(end) - day(start) + 1
    rates = np.stack((0.20 * who.active, 0.012 * (0.3 + who.active), 0.08 * who.active), axis=1) * days / 365
    cell, _ = repeated(rng.poisson(rates).astype(np.int64).ravel())
    w, kind = np.divmod(cell, 3)
    on = day(start) + rng.integers(0, days, len(w))
    keep = on >= who.opened[w]
    w, kind, on = w[keep], kind[keep], on[keep]
    return Services(
        w, on, kind, rng.integers(0, 4, len(w)), (kind == 1) & (on > day(end) - 40) & happens(rng, 0.5, len(w))
    )


def consents(seed: int, who: People, *, as_of: date) -> Consents:
    """Make one block's consents: patchy by channel, some refused, some withdrawn later, some run out."""
    rng = stream(seed, "consents", who.block)
    n, k = len(who), len(CONSENT_CHANNELS)
    today = day(as_of)
    applies = np.stack((np.ones(n, bool), np.ones(n, bool), who.app, wecom(who), np.ones(n, bool), who.managed), axis=1)
    told = applies & (rng.random((n, k)) < TOLD * np.where(who.active, 1.0, 0.35)[:, None])
    w, channel = np.nonzero(told)
    granted = rng.random(len(w)) < GRANTED[channel]
    given = np.maximum(today - rng.integers(20, 1_000, len(w)), who.opened[w])
    expires = np.where(happens(rng, 0.5, len(w)), given + 1_096, -1)
    undone = granted & happens(rng, 0.03, len(w)) & (given < today - 30)
    later = given[undone] + 1 + (rng.random(int(undone.sum())) * (today - given[undone] - 1)).astype(np.int64)
    n_undone = int(undone.sum())
    who_all, channels = np.concatenate((w, w[undone])), np.concatenate((channel, channel[undone]))
    yes = np.concatenate((granted, np.zeros(n_undone, dtype=np.bool_)))
    days = np.concatenate((given, later))
    until = np.concatenate((expires, np.full(n_undone, -1)))
    order = np.lexsort((days, channels, who_all))
    return Consents(who_all[order], channels[order], yes[order], days[order], until[order])


def separate_consents(seed: int, who: People, *, as_of: date) -> tuple[Ints, Ints, Bools, Ints]:
    """Make one block's separate consents: who, which purpose (0 children's data, 1 care), granted, on which day."""
    rng = stream(seed, "separate consents", who.block)
    asked = np.stack((who.child_age >= 0, who.vulnerable), axis=1)
    told = asked & happens(rng, 0.85, 2 * len(who)).reshape(-1, 2)
    w, purpose = np.nonzero(told)
    given = np.maximum(day(as_of) - rng.integers(20, 900, len(w)), who.opened[w])
    return w, purpose, happens(rng, 0.88, len(w)), given
