"""The outbox: intent before I/O, results by token, and nothing that is unknown ever lost (待发箱).

Each method is one short transaction or one read; none holds a lock while anything is sent. The order of the steps is in
``dispatch``. The rules kept here, by number, are listed in ``docs/delivery.md``.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q

from kequn.channels.base import Accepted, Answer, Finding, Message, NotSeen, Refused, Terms, TryLater, Unclear
from kequn.ops.delivery import accounts
from kequn.ops.delivery.clocks import bank_day, database_now, steady_now
from kequn.ops.delivery.contracts import Block, DispatchReport, Hold, Pending, Verdict
from kequn.ops.delivery.models import Contact, ContactVersion, InFlight, Ready, Stop, Unknown
from kequn.ops.delivery.moves import Moves, insert
from kequn.ops.delivery.sealing import unseal
from kequn.ops.runtime import now

LEASE_SPARE = timedelta(seconds=30)
BEGIN_MARGIN = timedelta(seconds=5)
RETRIES = 6
BACKOFF_BASE, BACKOFF_CAP = 2.0, 600.0
PRESUMED_AFTER = timedelta(hours=72)
CLAIM_MOST = 50
"""A stop takes effect within one claim."""
INFLIGHT = ("touch", "channel", "attempt", "failures", "is_doubtful", "token", "lease_until", "is_withdrawn")
CONTACT = ("customer_id", "channel", "purpose", "on", "ref")
OF_TOUCH = ("touch__key", "touch__sending_id", "touch__priority")
"""What the moves need of a touch: not its sealed text."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A waiting touch with its message, and what the gate says of it."""

    pending: Pending
    subject: str
    body: str
    version: int
    """Of the customer's contacts, before the gate looked."""

    def message(self, to: str) -> Message:
        """Return what the transport is given."""
        p = self.pending
        return Message(
            key=p.key, channel=p.channel, to=to, subject=self.subject, body=self.body, customer_ref=p.customer_id,
            campaign=p.campaign, wave=p.wave, offer=p.offer, template=p.template, expires_at=p.expires_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """Touches whose sending was announced; only the holder of the token may say how it went."""

    channel: str
    token: str
    candidates: tuple[Candidate, ...]
    deadline: float
    """On the steady clock: no sending is begun after it."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One attempt of unknown outcome, that may be asked about."""

    touch_id: int
    key: str
    token: str
    channel: str
    asked: int
    must_arrive: bool
    is_quarantined: bool


class Outbox:
    """The store's side of the protocol."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = now,
        database_clock: Callable[[], datetime] = database_now,
        steady_clock: Callable[[], float] = steady_now,
        rng: random.Random | None = None,
        lease_spare: timedelta = LEASE_SPARE,
    ) -> None:
        self.clock = clock
        self.database_clock = database_clock
        self.steady_clock = steady_clock
        self.rng = rng or random.Random()
        self.lease_spare = lease_spare

    def peek(self, channel: str, limit: int) -> list[Candidate]:
        """Return the touches next in line that nothing stops. A read: others may take them before us.

        One a customer, so that the gate weighs it against all her contacts but its own; a doubtful one goes first.
        """
        stopped = stops_in_force()
        if ("all", "") in stopped or ("channel", channel) in stopped:
            return []
        rows = Ready.objects.filter(channel=channel, not_before__lte=self.clock())
        rows = rows.exclude(_stopped(stopped)) if stopped else rows
        line = rows.order_by("-priority", "not_before", "touch_id").values_list(*_COLUMNS)[:limit]
        found = _one_a_customer(_Waiting(*row) for row in line)
        customers = [w.customer_id for w in found]
        versions = dict(ContactVersion.objects.filter(pk__in=customers).values_list("pk", "version"))
        return [_candidate(w, versions.get(w.customer_id, 0)) for w in found]

    def claim(
        self,
        channel: str,
        candidates: Sequence[Candidate],
        verdicts: Mapping[int, Verdict],
        terms: Terms,
        *,
        rate: float | None = None,
    ) -> tuple[Claim, DispatchReport]:
        """Commit the intent to send what the gate allows; book what it blocks, and put back what it holds.

        ``verdicts`` by touch id. A candidate that another took, that was stopped, or whose customer was contacted since
        the gate looked is left alone.
        """
        began = self.steady_clock()
        token = secrets.token_hex(16)
        with transaction.atomic():
            mine = self._still_waiting(candidates)
            report, allowed = self._book(mine, verdicts)
            moment = self.database_clock()
            chosen = self._chosen(channel, allowed, rate, moment)
            self._announce(token, chosen, moment + self._lease(terms))
        report.claimed = len(chosen)
        begin_within = (self._lease(terms) - terms.longest_call - BEGIN_MARGIN).total_seconds()
        return Claim(channel, token, tuple(chosen), began + begin_within), report

    def may_begin(self, claim: Claim) -> bool:
        """Whether the lease lasts long enough to begin another call (rule 5)."""
        return self.steady_clock() < claim.deadline

    def halted(self, claim: Claim) -> set[int]:
        """Return the touches of a claim that were stopped or withdrawn since; read every 100 ms while sending."""
        withdrawn = InFlight.objects.filter(token=claim.token, is_withdrawn=True).values_list("touch_id", flat=True)
        stopped = stops_in_force()
        return set(withdrawn) | {c.pending.touch_id for c in claim.candidates if _is_stopped(c.pending, stopped)}

    def settle(self, claim: Claim, answers: Mapping[int, Answer], terms: Terms) -> DispatchReport:
        """Commit what came of a claim's touches. What is no longer in the claim's hand is left alone (rule 6)."""
        report = DispatchReport()
        with transaction.atomic():
            rows = self._in_hand(claim.token, answers)
            moves, moment = Moves(self.clock()), self.database_clock()
            for row in rows:
                self._settle_row(row, answers[row.touch_id], terms, report=report, moves=moves, moment=moment)
            InFlight.objects.filter(pk__in=[r.pk for r in rows]).delete()
            moves.write()
            wire = sum(isinstance(answers[r.touch_id], TryLater | Unclear) for r in rows)
            accounts.judge(claim.channel, good=len(rows) - wire, bad=wire, at=moment)
        return report

    def give_back(self, claim: Claim, touch_ids: Collection[int]) -> DispatchReport:
        """Return touches that were claimed and not begun: no attempt was made."""
        report = DispatchReport()
        if not touch_ids:
            return report
        with transaction.atomic():
            rows = self._in_hand(claim.token, touch_ids)
            moves = Moves(self.clock())
            for row in rows:
                if row.is_withdrawn:
                    report.cancelled += 1
                    moves.not_sent(row, "cancelled", "withdrawn")
                else:
                    report.given_back += 1
                    moves.requeue(row, attempt=row.attempt - 1, doubtful=row.is_doubtful)
            InFlight.objects.filter(pk__in=[r.pk for r in rows]).delete()
            moves.write()
            accounts.give_tokens_back(claim.channel, len(rows))
        return report

    def sweep(self, terms_of: Callable[[str], Terms | None]) -> int:
        """Move claims whose lease ran out to the unknown: their worker is dead, or too late to be believed."""
        if not InFlight.objects.filter(lease_until__lt=self.database_clock()).exists():
            return 0
        with transaction.atomic():
            moment, moves = self.database_clock(), Moves(self.clock())
            rows = list(_locked(InFlight.objects.filter(lease_until__lt=moment)).select_related("touch")[:500])
            for row in rows:
                terms = terms_of(row.channel)
                moves.doubt(
                    row, "lease_expired", since=moment, ask_after=moment + (terms.settling if terms else timedelta(0))
                )
            InFlight.objects.filter(pk__in=[r.pk for r in rows]).delete()
            moves.write()
        return len(rows)

    def due(self, channel: str, limit: int) -> list[Doubt]:
        """Return the unknown attempts of a channel whose settling time has passed (rule 4)."""
        rows = Unknown.objects.filter(channel=channel, ask_after__lte=self.database_clock()).order_by("ask_after")
        columns = ("touch_id", "touch__key", "token", "channel", "asked", "touch__must_arrive", "is_quarantined")
        return [Doubt(*row) for row in rows.values_list(*columns)[:limit]]

    def resolve(self, doubt: Doubt, finding: Finding) -> str:
        """Commit what the gateway said of one attempt; of that attempt alone (rule 7). Return the new state."""
        with transaction.atomic():
            row = self._doubted(doubt)
            if row is None:
                return "gone"
            moves = Moves(self.clock())
            match finding:
                case Accepted(message_id):
                    state = moves.end(row, "accepted", "asked", message_id=message_id)
                case Refused(code):
                    state = moves.end(row, "failed", code)
                case NotSeen():
                    state = self._again(row, moves, "not_seen")
                case Unclear():
                    return self._ask_later(row, doubt)
            Unknown.objects.filter(pk=row.pk, token=row.token).delete()
            moves.write()
        return state

    def send_again(self, doubt: Doubt) -> str:
        """Put an unknown attempt back in line where a second copy does no harm, or is wanted. Return the new state."""
        with transaction.atomic():
            row = self._doubted(doubt)
            if row is None:
                return "gone"
            if row.failures + 1 >= RETRIES:
                return self._presume(row)
            moves = Moves(self.clock())
            wait = self._wait(row.failures)
            moves.requeue(row, attempt=row.attempt, doubtful=True, failures=row.failures + 1, wait=wait)
            Unknown.objects.filter(pk=row.pk, token=row.token).delete()
            moves.write()
        return "ready"

    def wait_for_receipt(self, doubt: Doubt) -> str:
        """Book an attempt as presumed sent when 72 hours brought nothing; else look again then (rule 8)."""
        with transaction.atomic():
            row = self._doubted(doubt)
            if row is None:
                return "gone"
            end = row.since + PRESUMED_AFTER
            if end <= self.database_clock():
                return self._presume(row)
            Unknown.objects.filter(pk=row.pk, token=row.token).update(ask_after=end)
        return "unknown"

    def _lease(self, terms: Terms) -> timedelta:
        """Return how long a claim lasts: longer than the longest call, with a margin (rule 12)."""
        return 2 * terms.longest_call + BEGIN_MARGIN + self.lease_spare

    # within a transaction

    def _still_waiting(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Hold and return those that stand in line as they did when they were looked at: nobody tried them meanwhile."""
        rows = _locked(Ready.objects.filter(pk__in=[c.pending.touch_id for c in candidates]))
        standing = set(rows.values_list("touch_id", "attempt", "failures", "is_doubtful"))
        return [
            c for c in candidates
            if (c.pending.touch_id, c.pending.attempt, c.pending.failures, c.pending.is_doubtful) in standing
        ]  # fmt: skip

    def _book(
        self, candidates: Iterable[Candidate], verdicts: Mapping[int, Verdict]
    ) -> tuple[DispatchReport, list[Candidate]]:
        """Write down what the gate says no to, and what expired; return the rest."""
        moment = self.clock()
        report, moves, allowed, ended = DispatchReport(), Moves(moment), [], []
        for c in candidates:
            match verdicts[c.pending.touch_id]:
                case _ if c.pending.expires_at <= moment:
                    report.cancelled += 1
                    ended.append((c, "cancelled", "expired"))
                case Block(reason):
                    report.suppressed += 1
                    ended.append((c, "suppressed", reason))
                case Hold(until, reason) if until >= c.pending.expires_at:
                    report.suppressed += 1
                    ended.append((c, "suppressed", f"{reason}, held beyond its expiry"))
                case Hold(until, _):
                    report.held += 1
                    Ready.objects.filter(pk=c.pending.touch_id).update(not_before=until)
                case _:
                    allowed.append(c)
        for c, state, reason in ended:
            moves.never_claimed(c.pending, state, reason)
        Ready.objects.filter(pk__in=[c.pending.touch_id for c, _, _ in ended]).delete()
        moves.write()
        return report, allowed

    def _chosen(
        self, channel: str, allowed: Sequence[Candidate], rate: float | None, moment: datetime
    ) -> list[Candidate]:
        stopped = stops_in_force()  # rule 10: the stop is part of the claim
        free = [c for c in allowed if not _is_stopped(c.pending, stopped)]
        if not free:
            return []
        given = accounts.allowance(channel, len(free), rate=rate, at=moment)
        chosen = self._uncontacted(free[:given])
        if rate is not None:
            accounts.give_tokens_back(channel, given - len(chosen))
        return chosen

    def _uncontacted(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return those whose customer nobody contacted since the gate looked, and count this contact at once."""
        seen = {c.pending.customer_id: c.version for c in candidates if not c.pending.is_doubtful}
        after = raise_versions(list(seen))
        fresh = {customer for customer, version in after.items() if version == seen[customer] + 1}
        return [c for c in candidates if c.pending.is_doubtful or c.pending.customer_id in fresh]

    def _announce(self, token: str, chosen: Sequence[Candidate], lease_until: datetime) -> None:
        flying = [
            (p.touch_id, p.channel, p.attempt + 1, p.failures, p.is_doubtful, token, lease_until, False)
            for p in (c.pending for c in chosen)
        ]
        insert(InFlight, INFLIGHT, flying)
        today = bank_day(self.clock())
        made = [
            (p.customer_id, p.channel, p.purpose, today, p.key)
            for p in (c.pending for c in chosen)
            if not p.is_doubtful
        ]
        insert(Contact, CONTACT, made)
        Ready.objects.filter(pk__in=[c.pending.touch_id for c in chosen]).delete()

    def _in_hand(self, token: str, touch_ids: Collection[int]) -> list[InFlight]:
        rows = InFlight.objects.filter(token=token, touch_id__in=list(touch_ids))
        return list(_locked(rows).select_related("touch").only(*INFLIGHT, *OF_TOUCH))

    def _settle_row(
        self, row: InFlight, answer: Answer, terms: Terms, *, report: DispatchReport, moves: Moves, moment: datetime
    ) -> None:
        match answer:
            case Accepted(message_id):
                report.accepted += 1
                moves.end(row, "accepted", message_id=message_id)
            case Refused(code, text):
                report.failed += 1
                knows_all_attempts = terms.guarantee == "keeps_keys" or not row.is_doubtful
                moves.end(row, "failed" if knows_all_attempts else "presumed_sent", f"{code} {text}".strip())
            case TryLater(code) if row.is_withdrawn:
                report.cancelled += 1
                moves.not_sent(row, "cancelled", f"withdrawn, {code}")
            case TryLater(code, after):
                state = self._again(row, moves, code, after=after, doubtful=row.is_doubtful)
                report.retried += state == "ready"
                report.dead += state != "ready"
            case Unclear(code):
                report.unknown += 1
                moves.doubt(row, code, since=moment, ask_after=moment + terms.settling)

    def _again(
        self, row: InFlight | Unknown, moves: Moves, code: str, *, after: float | None = None, doubtful: bool = False
    ) -> str:
        """Requeue after a certain no, up to six times. Return the new state."""
        failures = row.failures + 1
        if failures >= RETRIES:
            return moves.end(row, "presumed_sent" if doubtful else "dead", code)
        moves.requeue(
            row, attempt=row.attempt, doubtful=doubtful, failures=failures, wait=self._wait(row.failures, after)
        )
        return "ready"

    def _wait(self, failures: int, after: float | None = None) -> timedelta:
        full = min(BACKOFF_CAP, BACKOFF_BASE * 2**failures)
        return timedelta(seconds=max(self.rng.uniform(0, full), min(after or 0, BACKOFF_CAP)))

    def _doubted(self, doubt: Doubt) -> Unknown | None:
        rows = Unknown.objects.filter(touch_id=doubt.touch_id, token=doubt.token)
        return rows.select_for_update(of=("self",)).select_related("touch").first()

    def _ask_later(self, row: Unknown, doubt: Doubt) -> str:
        moment = self.database_clock()
        if row.since + PRESUMED_AFTER <= moment:
            return self._presume(row)
        wait = timedelta(seconds=min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(doubt.asked, 9)))
        Unknown.objects.filter(pk=row.pk, token=row.token).update(asked=doubt.asked + 1, ask_after=moment + wait)
        return "unknown"

    def _presume(self, row: Unknown) -> str:
        moves = Moves(self.clock())
        moves.end(row, "presumed_sent", row.why)
        Unknown.objects.filter(pk=row.pk, token=row.token).delete()
        moves.write()
        return "presumed_sent"


def stops_in_force() -> set[tuple[str, str]]:
    """Return the stops as (scope, key)."""
    return set(Stop.objects.values_list("scope", "key"))


def raise_versions(customer_ids: Sequence[str]) -> dict[str, int]:
    """Count one contact more of each customer and return the counts; holds their rows until the transaction ends.

    The ids are sorted, so that two claims never wait for one another in a ring.
    """
    if not customer_ids:
        return {}
    table = ContactVersion._meta.db_table
    rows = ", ".join(["(%s, 1)"] * len(customer_ids))
    sql = (
        f"INSERT INTO {table} (customer_id, version) VALUES {rows} "
        f"ON CONFLICT (customer_id) DO UPDATE SET version = {table}.version + 1 RETURNING customer_id, version"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, sorted(customer_ids))
        return dict(cursor.fetchall())


def _locked(rows):  # type: ignore[no-untyped-def]  # a queryset of any of the tables, given back as it came
    """Lock rows where the database can, passing over those that another holds; SQLite has one writer anyway."""
    return rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked, of=("self",))


class _Waiting(NamedTuple):
    """What is read of a touch in line."""

    touch_id: int
    key: str
    customer_id: str
    channel: str
    purpose: str
    campaign: str
    wave: str
    offer: str
    template: str
    priority: int
    expires_at: datetime
    attempt: int
    failures: int
    is_doubtful: bool
    text: bytes


_COLUMNS = (
    "touch_id", "touch__key", "touch__customer_id", "channel", "touch__purpose", "sending__campaign", "sending__ref",
    "touch__offer", "touch__template", "priority", "touch__expires_at", "attempt", "failures", "is_doubtful",
    "touch__text",
)  # fmt: skip
"""Of ``_Waiting``, in its order."""


def _candidate(waiting: _Waiting, version: int) -> Candidate:
    subject, body = unseal(waiting.text, key=waiting.key)
    return Candidate(Pending(*waiting[:-1]), subject, body, version)


def _one_a_customer(line: Iterable[_Waiting]) -> list[_Waiting]:
    first: dict[str, _Waiting] = {}
    for waiting in line:
        held = first.setdefault(waiting.customer_id, waiting)
        if waiting.is_doubtful and not held.is_doubtful:
            first[waiting.customer_id] = waiting
    return list(first.values())


def _stopped(stopped: Collection[tuple[str, str]]) -> Q:
    campaigns = [key for scope, key in stopped if scope == "campaign"]
    waves = [key for scope, key in stopped if scope == "wave"]
    return Q(sending__campaign__in=campaigns) | Q(sending__ref__in=waves)


def _is_stopped(pending: Pending, stopped: Collection[tuple[str, str]]) -> bool:
    names = (("all", ""), ("channel", pending.channel), ("campaign", pending.campaign), ("wave", pending.wave))
    return any(name in stopped for name in names)
