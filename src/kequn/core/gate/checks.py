"""The checks behind the rules: for each code, which candidates fail it and of which it is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.gate.facts import CHANNELS, COLUMN, NO, STATUSES, UNKNOWN, YES, Candidates, Facts, Proposal
from kequn.core.spec.campaign import ContactPolicySpec, Purpose

Bools = npt.NDArray[np.bool_]
Check = Callable[[], tuple[Bools, Bools]]

WORKED_BY_STAFF = frozenset({"rm_task"})
"""Channels that put work before staff; the customer is not reached at that instant."""
MUST_SAY_HOW_TO_REFUSE = ("sms", "email")
DEPOSITS = frozenset({"demand", "time", "cd"})
LOANS = frozenset({"mortgage", "consumer_loan", "biz_loan", "credit_card"})
WITHOUT_INVESTMENT_RISK = DEPOSITS | LOANS | {"custody"}
"""Every other family is an investment: C×R applies."""
CREDIBLE_AGE = 115  # older than anybody: the bank's placeholder for an unknown birth date, such as 1900-01-01
CAREFUL_FROM = 3  # R3: medium risk


class Case:
    """Candidates joined to their facts, on one day."""

    def __init__(
        self,
        candidates: Candidates,
        facts: Facts,
        policy: ContactPolicySpec,
        *,
        today: np.datetime64,
        purpose: Purpose,
    ) -> None:
        self.candidates, self.facts, self.policy = candidates, facts, policy
        self.today, self.purpose = today, purpose
        self.channel = candidates.channels.astype(np.intp)
        self.row, self.known = _located(candidates.ordinals, facts.ordinals)

    def customer(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a fact about customers, by candidate; of a stranger nothing is known."""
        if not len(column):
            return np.full(len(self.row), _nothing(column.dtype), dtype=column.dtype)
        return np.where(self.known, column[self.row], _nothing(column.dtype))

    def on_channel(self, grid: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a fact about customers and channels, by candidate."""
        if not len(grid):
            return np.full(len(self.row), _nothing(grid.dtype), dtype=grid.dtype)
        return np.where(self.known, grid[self.row, self.channel], _nothing(grid.dtype))

    def offered(self, of: Callable[[Proposal], Any]) -> npt.NDArray[Any]:
        """Return a fact about proposals, by candidate."""
        return np.array([of(p) for p in self.candidates.offered])[self.candidates.proposals]

    def said(self, of: Callable[[Proposal, str], bool]) -> Bools:
        """Return a fact about proposals and channels, by candidate."""
        grid = np.array([[of(p, c) for c in CHANNELS] for p in self.candidates.offered], dtype=bool)
        return np.asarray(grid[self.candidates.proposals, self.channel])

    def is_on(self, channels: frozenset[str] | tuple[str, ...]) -> Bools:
        """Return which candidates use one of the channels."""
        return np.isin(self.channel, [COLUMN[c] for c in channels])

    @cached_property
    def nobody(self) -> Bools:
        """False for every candidate: the rule needs no fact that could be missing."""
        return np.zeros(len(self.row), dtype=bool)

    @cached_property
    def reaches_at_once(self) -> Bools:
        """Whether the touch reaches the customer at the instant of sending."""
        return ~self.is_on(WORKED_BY_STAFF)

    @cached_property
    def age(self) -> npt.NDArray[np.int64]:
        """Completed years; -1 where there is no credible birth date."""
        years = _age(self.customer(self.facts.born), self.today)
        return np.where((years < 0) | (years > CREDIBLE_AGE), -1, years)

    @cached_property
    def family(self) -> npt.NDArray[np.str_]:
        """The product family that is offered; empty where the product is not known."""
        return self.offered(lambda p: p.family if p.product_known else "")

    @cached_property
    def is_investment(self) -> Bools:
        """Whether suitability applies; it does not to a product that fails for not being known."""
        return ~np.isin(self.family, sorted(WITHOUT_INVESTMENT_RISK | {""}))

    @cached_property
    def product_risk(self) -> npt.NDArray[np.int64]:
        """R1 … R5 as 1 … 5; -1 where it is not known."""
        return self.offered(lambda p: UNKNOWN if p.risk_level is None else p.risk_level)


def checks(case: Case, *, quiet: Bools) -> Mapping[str, Check]:
    """Return, by rule code, a function that gives (who fails, of whom it is not known)."""
    facts, policy, today = case.facts, case.policy, case.today

    def flag(column: npt.NDArray[np.int8]) -> Check:
        def check() -> tuple[Bools, Bools]:
            value = case.customer(column)
            return value == YES, (value == UNKNOWN) & case.known

        return check

    def plain(fails: Callable[[], Bools]) -> Check:
        return lambda: (fails(), case.nobody)

    return {
        "UNKNOWN_CUSTOMER": plain(lambda: ~case.known),
        "DECEASED": flag(facts.deceased),
        "MINOR": lambda: ((case.age >= 0) & (case.age < policy.adult_age), (case.age < 0) & case.known),
        "NO_CONSENT": lambda: (case.nobody, (case.on_channel(facts.consent) == UNKNOWN) & case.known),
        "CONSENT_EXPIRED": plain(lambda: _consent_expired(case)),
        "OPTED_OUT": plain(lambda: case.on_channel(facts.consent) == NO),
        "PERSONALISATION_OFF": flag(facts.personalisation_off),
        "SUPPRESSED": plain(lambda: _suppressed(case)),
        "COMPLAINT": lambda: _complaint(case),
        "NOT_ACTIVE": lambda: _not_active(case),
        "PRODUCT_UNKNOWN": plain(lambda: ~case.offered(lambda p: p.product_known)),
        "OFFER_EXPIRED": plain(
            lambda: case.offered(lambda p: p.valid_until is not None and np.datetime64(p.valid_until, "D") < today)
        ),
        "LOAN_OVERDUE": lambda: _overdue(case),
        "RISK_TEST_MISSING": lambda: (
            case.nobody, case.is_investment & (case.customer(facts.risk_level) < 1) & case.known,
        ),
        "RISK_TEST_EXPIRED": lambda: _risk_test_expired(case),
        "PRODUCT_RISK_UNKNOWN": lambda: (case.nobody, case.is_investment & (case.product_risk < 1)),
        "UNSUITABLE": plain(lambda: _unsuitable(case)),
        "VULNERABLE_R3": lambda: _vulnerable(case),
        "CONTENT_NOT_APPROVED": plain(lambda: ~case.said(lambda p, c: c in p.content and p.content[c].approved)),
        "DEPOSIT_GIFT": plain(lambda: case.offered(lambda p: p.has_benefit) & np.isin(case.family, sorted(DEPOSITS))),
        "NO_OPT_OUT_TEXT": plain(
            lambda: case.is_on(MUST_SAY_HOW_TO_REFUSE)
            & ~case.said(lambda p, c: c in p.content and p.content[c].has_opt_out)
        ),
        "NO_ADDRESS": lambda: _unreachable(case),
        "QUIET_HOURS": plain(lambda: quiet),
        "FREQUENCY": lambda: _too_often(case),
        "IN_PROGRESS": plain(lambda: case.customer(facts.in_progress)),
        "CHANNEL_FULL": plain(lambda: case.is_on(frozenset(facts.full_channels))),
    }  # fmt: skip


def _consent_expired(case: Case) -> Bools:
    expires = case.on_channel(case.facts.consent_expires)
    return np.asarray((case.on_channel(case.facts.consent) == YES) & (expires < case.today))


def _suppressed(case: Case) -> Bools:
    """Several grounds in one, the unknown among them, so that none can be told from another."""
    facts = case.facts
    found = (case.customer(facts.suppressed) != NO) | case.customer(facts.listed)
    if case.purpose == "marketing":
        gift_to_staff = (case.customer(facts.staff) != NO) & case.offered(lambda p: p.has_benefit)
        found = found | case.customer(facts.listed_for_marketing) | gift_to_staff
    return np.asarray(case.known & found)


def _complaint(case: Case) -> tuple[Bools, Bools]:
    opened = case.customer(case.facts.open_complaint)
    since = case.today - case.customer(case.facts.last_complaint)
    recent = since < np.timedelta64(case.policy.complaint_days, "D")  # NaT, no complaint, is not less than anything
    return (opened == YES) | recent, (opened == UNKNOWN) & case.known


def _not_active(case: Case) -> tuple[Bools, Bools]:
    status = case.customer(case.facts.status)
    served = [STATUSES.index("active"), STATUSES.index("dormant")]
    return (status != UNKNOWN) & ~np.isin(status, served), (status == UNKNOWN) & case.known


def _overdue(case: Case) -> tuple[Bools, Bools]:
    lends = np.isin(case.family, sorted(LOANS))
    overdue = case.customer(case.facts.overdue)
    return lends & (overdue == YES), lends & (overdue == UNKNOWN) & case.known


def _risk_test_expired(case: Case) -> tuple[Bools, Bools]:
    tested = case.is_investment & (case.customer(case.facts.risk_level) >= 1)
    expires = case.customer(case.facts.risk_expires)
    return tested & (expires < case.today), tested & np.isnat(expires)


def _unsuitable(case: Case) -> Bools:
    customer = case.customer(case.facts.risk_level)
    return np.asarray(case.is_investment & (customer >= 1) & (case.product_risk > customer))


def _vulnerable(case: Case) -> tuple[Bools, Bools]:
    risky = case.is_investment & (case.product_risk >= CAREFUL_FROM)
    flag = case.customer(case.facts.vulnerable)
    careful = (flag == YES) | (case.age >= case.policy.senior_age)
    return risky & careful, risky & ~careful & ((flag == UNKNOWN) | (case.age < 0)) & case.known


def _unreachable(case: Case) -> tuple[Bools, Bools]:
    reachable = case.on_channel(case.facts.reachable)
    return reachable == NO, (reachable == UNKNOWN) & case.known


def _too_often(case: Case) -> tuple[Bools, Bools]:
    touches = case.facts.touches
    if not case.policy.caps:
        return case.nobody, case.nobody
    if touches is None:
        return case.nobody, case.known
    full = np.zeros((len(case.facts), len(CHANNELS)), dtype=bool)
    for cap in case.policy.caps:
        counts = touches.days > case.today - np.timedelta64(cap.days, "D")
        if cap.channel is not None:
            counts = counts & (touches.channels == COLUMN[cap.channel])
        reached = np.bincount(touches.rows[counts], minlength=len(case.facts)) >= cap.times
        columns = slice(None) if cap.channel is None else slice(COLUMN[cap.channel], COLUMN[cap.channel] + 1)
        full[:, columns] |= reached[:, None]
    return case.on_channel(full), case.nobody


def _located(wanted: npt.NDArray[np.uint32], sorted_: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.intp], Bools]:
    if not len(sorted_):
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=bool)
    at = np.minimum(np.searchsorted(sorted_, wanted), len(sorted_) - 1)
    return at, sorted_[at] == wanted


def _nothing(kind: np.dtype[Any]) -> Any:
    if kind.kind == "M":
        return np.datetime64("NaT", "D")
    return False if kind.kind == "b" else UNKNOWN


def _age(born: npt.NDArray[np.datetime64], today: np.datetime64) -> npt.NDArray[np.int64]:
    """Completed years; somebody born on 29 February is a year older from 1 March in other years. NaT: -1."""
    known = ~np.isnat(born)
    day = np.where(known, born, today)
    months, month_today = day.astype("datetime64[M]"), today.astype("datetime64[M]")
    day_of = (day - months.astype("datetime64[D]")).astype(np.int64)
    today_of = int((today - month_today.astype("datetime64[D]")).astype(np.int64))
    whole = (month_today - months).astype(np.int64) - (day_of > today_of)
    return np.where(known, np.floor_divide(whole, 12), -1)
