"""What holds for any customers: restrictions only restrict, rows do not know each other, nights are quiet."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.gate import (
    BLOCK,
    CHANNELS,
    Candidates,
    Content,
    Facts,
    Proposal,
    Touches,
    blank_facts,
    contactable,
    decide,
    is_quiet,
    next_allowed,
)
from kequn.core.spec.campaign import Cap, ContactPolicySpec

ZONES = ["Asia/Shanghai", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC",
         "America/Sao_Paulo", "Africa/Cairo"]  # fmt: skip
CONTENT = {c: Content(approved=True, has_opt_out=True) for c in CHANNELS}
POLICY = ContactPolicySpec(
    name="house", title="触达策略", caps=(Cap(channel="sms", days=7, times=2), Cap(days=30, times=3))
)
PROPOSALS = (
    Proposal(product_known=True, family="time", content=CONTENT),
    Proposal(product_known=True, family="fund", risk_level=3, has_benefit=True, content=CONTENT),
    Proposal(product_known=False),
)


def any_facts(seed: int, n: int) -> Facts:
    """Return customers of every kind, most of them welcome in most respects."""
    rng = np.random.default_rng(seed)

    def flags(shape=n, share=0.8, most=0):
        values = rng.choice([-1, 0, 1], shape)
        return np.where(rng.random(shape) < share, most, values).astype(np.int8)

    def days(shape=n, since="2026-01-01", span=400):
        found = np.datetime64(since) + rng.integers(0, span, shape)
        return np.where(rng.random(shape) < 0.1, np.datetime64("NaT", "D"), found)

    k = int(rng.integers(0, 3 * n + 1))
    grid = (n, len(CHANNELS))
    return replace(
        blank_facts(np.arange(n)),
        status=rng.choice([-1, 0, 0, 0, 1, 2, 3], n).astype(np.int8), born=days(since="1930-01-01", span=32_000),
        deceased=flags(), suppressed=flags(), staff=flags(), vulnerable=flags(), personalisation_off=flags(),
        overdue=flags(), risk_level=rng.choice([-1, 1, 2, 3, 4, 5], n).astype(np.int8), risk_expires=days(),
        open_complaint=flags(), last_complaint=np.where(rng.random(n) < 0.8, np.datetime64("NaT", "D"), days()),
        consent=flags(grid, most=1), consent_expires=days(grid), reachable=flags(grid, most=1),
        listed=rng.random(n) < 0.05, listed_for_marketing=rng.random(n) < 0.05, in_progress=rng.random(n) < 0.05,
        zones=tuple(ZONES), zone=rng.integers(-1, len(ZONES), n).astype(np.int16),
        touches=Touches(rng.integers(0, n, k), rng.integers(-1, len(CHANNELS), k).astype(np.int8),
                        np.datetime64("2026-05-20") + rng.integers(0, 45, k)),
    )  # fmt: skip


def any_candidates(seed: int, n: int, size: int) -> Candidates:
    rng = np.random.default_rng(seed + 1)
    return Candidates(
        rng.integers(0, n + 2, size).astype(np.uint32), rng.integers(0, len(CHANNELS), size).astype(np.int8),
        rng.integers(0, len(PROPOSALS), size).astype(np.int16), PROPOSALS,
    )  # fmt: skip


seeds = st.integers(0, 2**32)
purposes = st.sampled_from(["marketing", "service", "maturity_notice"])
moments = st.floats(0, 90).map(lambda days: datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=days))


@settings(deadline=None, max_examples=40)
@given(seeds, purposes, moments)
def test_rows_are_decided_alone_and_in_any_order(seed, purpose, now):
    facts, candidates = any_facts(seed, 30), any_candidates(seed, 30, 60)
    found = decide(candidates, facts, POLICY, now=now, purpose=purpose)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = decide(candidates.take(order), facts, POLICY, now=now, purpose=purpose)
    assert np.array_equal(shuffled.failing, found.failing[order])
    assert np.array_equal(shuffled.verdict, found.verdict[order])
    for row in range(0, 60, 7):
        alone = decide(candidates.take([row]), facts, POLICY, now=now, purpose=purpose)
        assert (alone.failing[0], alone.verdict[0]) == (found.failing[row], found.verdict[row])
        assert alone.held_until(0) == found.held_until(row)


RESTRICTIONS = {
    "deceased": 1, "suppressed": 1, "staff": 1, "vulnerable": 1, "personalisation_off": 1, "overdue": 1,
    "open_complaint": 1, "listed": True, "listed_for_marketing": True, "in_progress": True, "status": 3, "consent": 0,
    "reachable": 0, "risk_level": -1,
}  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(seeds, purposes, st.sampled_from(sorted(RESTRICTIONS)), moments)
def test_a_restriction_never_allows_more(seed, purpose, column, now):
    facts, candidates = any_facts(seed, 30), any_candidates(seed, 30, 60)
    rng = np.random.default_rng(seed)
    values = getattr(facts, column).copy()
    values[rng.random(values.shape) < 0.5] = RESTRICTIONS[column]
    before = decide(candidates, facts, POLICY, now=now, purpose=purpose)
    after = decide(candidates, replace(facts, **{column: values}), POLICY, now=now, purpose=purpose)
    assert not (after.passes & ~before.passes).any()


@settings(deadline=None, max_examples=30)
@given(seeds, moments)
def test_more_touches_and_tighter_caps_never_allow_more(seed, now):
    facts, candidates = any_facts(seed, 30), any_candidates(seed, 30, 60)
    before = decide(candidates, facts, POLICY, now=now, purpose="marketing")
    ledger = facts.touches
    doubled = Touches(*(np.concatenate([c, c]) for c in (ledger.rows, ledger.channels, ledger.days)))
    after = decide(candidates, replace(facts, touches=doubled), POLICY, now=now, purpose="marketing")
    assert not (after.passes & ~before.passes).any()
    tight = POLICY.model_copy(update={"caps": (*POLICY.caps, Cap(days=60, times=1))})
    assert not (decide(candidates, facts, tight, now=now, purpose="marketing").passes & ~before.passes).any()


@settings(deadline=None, max_examples=40)
@given(seeds, moments)
def test_forgetting_a_fact_never_allows_more(seed, now):
    facts, candidates = any_facts(seed, 30), any_candidates(seed, 30, 60)
    before = decide(candidates, facts, POLICY, now=now, purpose="marketing")
    for column in ("status", "deceased", "suppressed", "staff", "vulnerable", "personalisation_off", "overdue",
                   "risk_level", "open_complaint", "consent", "reachable"):  # fmt: skip
        blank = np.full_like(getattr(facts, column), -1)
        after = decide(candidates, replace(facts, **{column: blank}), POLICY, now=now, purpose="marketing")
        assert not (after.passes & ~before.passes).any(), column


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 4 * 366 * 86_400), st.sampled_from(ZONES), st.times(), st.times())
def test_the_next_allowed_instant_is_never_quiet_and_never_far(seconds, zone, start, end):
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    policy = POLICY.model_copy(update={"quiet_from": start, "quiet_until": end})
    found = next_allowed(now, policy, zone)
    assert not is_quiet(found, policy, zone)
    assert now <= found <= now + timedelta(days=2, hours=3)
    if not is_quiet(now, policy, zone):
        assert found == now


def test_the_clock_that_goes_back_makes_the_night_longer():
    policy = POLICY.model_copy(update={"quiet_from": time(21), "quiet_until": time(1, 30)})
    zone = ZoneInfo("America/New_York")  # on 2026-11-01 the hour from one to two comes twice
    first = datetime(2026, 11, 1, 1, 40, tzinfo=zone)
    again = datetime(2026, 11, 1, 1, 10, tzinfo=zone).replace(fold=1)
    assert not is_quiet(first, policy, str(zone))
    assert is_quiet(again, policy, str(zone))
    assert next_allowed(again, policy, str(zone)) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_the_contactable_rate_counts_what_the_decisions_say(seed):
    facts = any_facts(seed, 40)
    candidates = Candidates.each(facts.ordinals, ["sms", "call", "rm_task"], PROPOSALS[0])
    now = datetime(2026, 7, 1, 4, tzinfo=UTC)
    decisions = decide(candidates, facts, POLICY, now=now, purpose="marketing")
    found = contactable(decisions)
    reached = decisions.passes.reshape(3, 40)
    assert [c.n_contactable for c in sorted(found.channels, key=lambda c: CHANNELS.index(c.channel))] == [
        int(n) for n in reached[np.argsort([CHANNELS.index(c) for c in ("sms", "call", "rm_task")])].sum(axis=1)
    ]
    assert found.n_contactable == int(reached.any(axis=0).sum())
    assert found.n == 40
    for channel in found.channels:
        rows = candidates.channels == CHANNELS.index(channel.channel)
        for reason in channel.reasons:
            n = int(decisions.fails(reason.code)[rows].sum())
            if reason.rule.opaque:
                assert reason.n_missing is None
                assert reason.n == (n if n >= 10 else None)
            else:
                assert (reason.n, reason.n >= reason.n_alone, reason.n >= reason.n_missing) == (n, True, True)


def test_curing_a_reason_that_stands_alone_gains_what_was_told():
    facts = any_facts(7, 2_000)
    candidates = Candidates.each(facts.ordinals, ["sms"], PROPOSALS[0])
    now = datetime(2026, 7, 1, 4, tzinfo=UTC)
    before = contactable(decide(candidates, facts, POLICY, now=now, purpose="marketing"))
    cured = replace(facts, personalisation_off=np.zeros(2_000, np.int8))
    after = contactable(decide(candidates, cured, POLICY, now=now, purpose="marketing"))
    told = next(r.n_alone for r in before.channels[0].reasons if r.code == "PERSONALISATION_OFF")
    assert after.n_contactable - before.n_contactable == told > 0


@pytest.mark.slow
def test_replay_of_a_hundred_thousand_touches_sends_not_one_trap():
    """One customer in three carries exactly one trap; none passes, each is named, and a second run says the same."""
    n = 100_000
    rng = np.random.default_rng(20260630)
    clean = any_clean(n)
    trap = np.where(rng.random(n) < 1 / 3, rng.integers(0, len(TRAPS), n), -1)
    facts = clean
    for position, (_, spring) in enumerate(TRAPS):
        facts = spring(facts, np.flatnonzero(trap == position))
    candidates = Candidates.each(facts.ordinals, ["sms"], PROPOSALS[1])
    now = datetime(2026, 7, 1, 4, tzinfo=UTC)
    found = decide(candidates, facts, POLICY, now=now, purpose="marketing")
    assert not found.passes[trap >= 0].any()
    assert found.passes[trap < 0].all()
    for position, (code, _) in enumerate(TRAPS):
        assert found.fails(code)[trap == position].all(), code
    again = decide(candidates, facts, POLICY, now=now, purpose="marketing")
    assert np.array_equal(found.failing, again.failing)
    assert found.version == again.version
    assert (found.verdict[trap >= 0] == BLOCK).all()


def any_clean(n: int) -> Facts:
    no = np.zeros(n, np.int8)
    yes = np.ones((n, len(CHANNELS)), np.int8)
    return replace(
        blank_facts(np.arange(n)), status=no, born=np.full(n, np.datetime64("1985-01-01")), deceased=no, suppressed=no,
        staff=no, vulnerable=no, personalisation_off=no, overdue=no, risk_level=no + np.int8(3),
        risk_expires=np.full(n, np.datetime64("2027-01-01")), open_complaint=no, consent=yes,
        consent_expires=np.full((n, len(CHANNELS)), np.datetime64("2027-01-01")), reachable=yes,
        touches=Touches(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, "datetime64[D]")),
    )  # fmt: skip


def _set(column, value):
    def spring(facts, rows):
        values = getattr(facts, column).copy()
        values[rows] = value
        return replace(facts, **{column: values})

    return spring


def _touch(channel, day, times):
    def spring(facts, rows):
        who = np.repeat(rows, times)
        old = facts.touches
        code = CHANNELS.index(channel) if channel in CHANNELS else -1
        return replace(facts, touches=Touches(
            np.concatenate([old.rows, who]), np.concatenate([old.channels, np.full(len(who), code, np.int8)]),
            np.concatenate([old.days, np.full(len(who), np.datetime64(day))]),
        ))  # fmt: skip

    return spring


DAY = np.datetime64
TRAPS = [
    ("DECEASED", _set("deceased", 1)), ("DECEASED", _set("deceased", -1)),
    ("MINOR", _set("born", DAY("2008-07-02"))), ("MINOR", _set("born", DAY("NaT", "D"))),
    ("MINOR", _set("born", DAY("1900-01-01"))), ("MINOR", _set("born", DAY("2030-01-01"))),
    ("NO_CONSENT", _set("consent", -1)), ("OPTED_OUT", _set("consent", 0)),
    ("CONSENT_EXPIRED", _set("consent_expires", DAY("2026-06-30"))),
    ("PERSONALISATION_OFF", _set("personalisation_off", 1)), ("PERSONALISATION_OFF", _set("personalisation_off", -1)),
    ("SUPPRESSED", _set("suppressed", 1)), ("SUPPRESSED", _set("suppressed", -1)), ("SUPPRESSED", _set("staff", 1)),
    ("SUPPRESSED", _set("staff", -1)), ("SUPPRESSED", _set("listed", True)),
    ("SUPPRESSED", _set("listed_for_marketing", True)),
    ("COMPLAINT", _set("open_complaint", 1)), ("COMPLAINT", _set("open_complaint", -1)),
    ("COMPLAINT", _set("last_complaint", DAY("2026-06-20"))),
    ("NOT_ACTIVE", _set("status", 2)), ("NOT_ACTIVE", _set("status", 3)), ("NOT_ACTIVE", _set("status", -1)),
    ("RISK_TEST_MISSING", _set("risk_level", -1)), ("UNSUITABLE", _set("risk_level", 2)),
    ("RISK_TEST_EXPIRED", _set("risk_expires", DAY("2026-06-30"))),
    ("RISK_TEST_EXPIRED", _set("risk_expires", DAY("NaT", "D"))),
    ("VULNERABLE_R3", _set("born", DAY("1960-01-01"))), ("VULNERABLE_R3", _set("vulnerable", 1)),
    ("VULNERABLE_R3", _set("vulnerable", -1)),
    ("NO_ADDRESS", _set("reachable", 0)), ("NO_ADDRESS", _set("reachable", -1)),
    ("FREQUENCY", _touch("sms", "2026-06-28", 2)), ("FREQUENCY", _touch("call", "2026-06-10", 3)),
    ("FREQUENCY", _touch("branch", "2026-06-10", 4)), ("FREQUENCY", _touch("sms", "2026-07-01", 2)),
    ("IN_PROGRESS", _set("in_progress", True)),
]  # fmt: skip
