"""The order of the steps from the line to the gateway, and from an unknown outcome to a known one.

The flow is a generator: each ``yield`` is a point at which a worker may die or be paused. Production runs it through;
the simulation stops it anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property

from kequn.channels.base import Answer, Asking, Batching, Message, Refused, Transport, TransportError, TryLater, Unclear
from kequn.ops.delivery.contracts import Addresses, Allow, Block, DispatchReport, Gate, Pending, SettleReport, Verdict
from kequn.ops.delivery.outbox import CLAIM_MOST, Candidate, Claim, Doubt, Outbox

WATCH_SECONDS, STALE_SECONDS = 0.1, 0.5
"""How often stops and withdrawals are read while sending; and how old what was read may be when a call begins."""

Where = Mapping[str, str]
"""Addresses by customer."""


@dataclass(frozen=True)
class Line:
    """One channel as it is wired: its transport, and how many messages a second its account may send."""

    channel: str
    transport: Transport
    rate: float | None = None

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        """The threads that call the transport where it allows several calls at a time."""
        return ThreadPoolExecutor(self.transport.terms.concurrency, thread_name_prefix=f"kequn-{self.channel}")

    @property
    def claim_size(self) -> int:
        """Touches claimed at a time."""
        return min(self.transport.terms.max_batch, CLAIM_MOST)


def dispatch(
    outbox: Outbox, line: Line, report: DispatchReport, *, gate: Gate, addresses: Addresses, limit: int
) -> Iterator[str]:
    """Claim, send and settle up to ``limit`` touches of one channel, one claim's worth; add to ``report``."""
    terms = line.transport.terms
    candidates = outbox.peek(line.channel, min(limit, line.claim_size))
    if not candidates:
        return
    where = addresses([c.pending.customer_id for c in candidates], line.channel) if terms.needs_address else {}
    verdicts = _verdicts(outbox, candidates, gate, where if terms.needs_address else None)
    yield "peeked"
    claim, booked = outbox.claim(line.channel, candidates, verdicts, terms, rate=line.rate)
    _add(report, booked)
    if not claim.candidates:
        return
    yield "claimed"
    answers: dict[int, Answer] = {}
    watch = _Watch(outbox, claim)
    if isinstance(line.transport, Batching):
        steps = _in_one_piece(watch, line.transport, where, answers)
    elif terms.concurrency > 1:
        steps = _side_by_side(watch, line, where, answers)
    else:
        steps = _one_by_one(watch, line.transport, where, answers)
    for _ in steps:
        yield "sent"
    _add(report, outbox.settle(claim, answers, terms))
    yield "settled"
    _add(
        report,
        outbox.give_back(claim, [c.pending.touch_id for c in claim.candidates if c.pending.touch_id not in answers]),
    )


def settle_channel(outbox: Outbox, line: Line, report: SettleReport, *, limit: int) -> Iterator[str]:
    """Find out about unknown attempts of one channel as far as the channel allows; add to ``report``."""
    for doubt in outbox.due(line.channel, limit):
        state = yield from _settle_one(outbox, line.transport, doubt)
        match state:
            case "accepted":
                report.accepted += 1
            case "failed" | "dead":
                report.failed += 1
            case "ready":
                report.requeued += 1
            case "presumed_sent":
                report.presumed_sent += 1
            case "unknown":
                report.still_unknown += 1


def _settle_one(outbox: Outbox, transport: Transport, doubt: Doubt) -> Iterator[str]:
    guarantee = transport.terms.guarantee
    if guarantee == "answers" and isinstance(transport, Asking):
        finding = _ask(transport, doubt.key)
        yield "asked"
        return outbox.resolve(doubt, finding)
    if guarantee == "keeps_keys":
        return outbox.send_again(doubt)
    if guarantee == "opaque" and doubt.must_arrive and not doubt.is_quarantined:
        return outbox.send_again(doubt)
    return outbox.wait_for_receipt(doubt)


def _verdicts(
    outbox: Outbox, candidates: Sequence[Candidate], gate: Gate, where: Mapping[str, str] | None
) -> dict[int, Verdict]:
    pending = [c.pending for c in candidates]
    verdicts = dict(zip((p.touch_id for p in pending), gate(pending, outbox.clock()), strict=True))
    for p in pending:
        if where is not None and p.customer_id not in where and isinstance(verdicts[p.touch_id], Allow):
            verdicts[p.touch_id] = Block("UNREACHABLE")
    return verdicts


class _Watch:
    """Says whether a touch of a claim may still be begun. What it knows of stops is never older than 100 ms."""

    def __init__(self, outbox: Outbox, claim: Claim) -> None:
        self.claim = claim
        self._outbox = outbox
        self.look()

    def look(self) -> None:
        """Read stops and withdrawals."""
        self._looked, self._halted = self._outbox.steady_clock(), self._outbox.halted(self.claim)

    def look_if_due(self) -> None:
        """Read them when what is known has become too old."""
        if self._outbox.steady_clock() - self._looked >= WATCH_SECONDS:
            self.look()

    def allows(self, candidate: Candidate) -> bool:
        """Whether the lease, the stops and the expiry allow it. Reads no database: any thread may ask."""
        if self._outbox.steady_clock() - self._looked >= STALE_SECONDS or not self._outbox.may_begin(self.claim):
            return False
        return candidate.pending.touch_id not in self._halted and candidate.pending.expires_at > self._outbox.clock()


def _one_by_one(watch: _Watch, transport: Transport, where: Where, answers: dict[int, Answer]) -> Iterator[None]:
    for candidate in watch.claim.candidates:
        watch.look_if_due()
        if watch.allows(candidate):
            message = candidate.message(_to(candidate, where))
            answers[candidate.pending.touch_id] = _guarded(lambda m=message: transport.send(m))  # type: ignore[misc]
            yield


def _side_by_side(watch: _Watch, line: Line, where: Where, answers: dict[int, Answer]) -> Iterator[None]:
    """Several calls at a time; each asks the watch right before it begins, and this thread keeps the watch fresh."""

    def call(candidate: Candidate) -> Answer | None:
        if not watch.allows(candidate):
            return None
        return _guarded(lambda: line.transport.send(candidate.message(_to(candidate, where))))

    calls = {line.pool.submit(call, c): c.pending.touch_id for c in watch.claim.candidates}
    running = set(calls)
    while running:
        done, running = wait(running, timeout=WATCH_SECONDS, return_when=FIRST_EXCEPTION)
        for one in done:
            if (answer := one.result()) is not None:
                answers[calls[one]] = answer
        if running:
            watch.look()
    yield


def _in_one_piece(watch: _Watch, transport: Batching, where: Where, answers: dict[int, Answer]) -> Iterator[None]:
    begun = [c for c in watch.claim.candidates if watch.allows(c)]
    if begun:
        sent = _send_batch(transport, [c.message(_to(c, where)) for c in begun])
        answers.update((c.pending.touch_id, answer) for c, answer in zip(begun, sent, strict=True))
        yield


def _to(candidate: Candidate, where: Where) -> str:
    customer = candidate.pending.customer_id
    return where.get(customer, customer)


def _send_batch(transport: Batching, messages: list[Message]) -> list[Answer]:
    try:
        answers = transport.send_batch(messages)
    except Exception as error:  # whatever a transport does, every message has an answer
        return [_said(error)] * len(messages)
    if len(answers) != len(messages):
        return [Unclear("wrong_number_of_answers")] * len(messages)
    return answers


def _guarded(call: Callable[[], Answer]) -> Answer:
    try:
        answer = call()
    except Exception as error:  # whatever a transport does, every message has an answer
        return _said(error)
    return answer if isinstance(answer, Answer) else Unclear("no_answer")


def _said(error: Exception) -> Answer:
    if isinstance(error, TransportError):
        return Refused(error.code, error.message) if error.permanent else TryLater(error.code, text=error.message)
    return Unclear(type(error).__name__)


def _ask(transport: Asking, key: str):  # type: ignore[no-untyped-def]  # a Finding, or Unclear for anything raised
    try:
        return transport.ask(key)
    except Exception as error:  # a gateway that cannot be asked leaves the matter unknown
        return Unclear(type(error).__name__)


def _add(report: DispatchReport, more: DispatchReport) -> None:
    for name in report.__dataclass_fields__:
        setattr(report, name, getattr(report, name) + getattr(more, name))


__all__ = ["Claim", "Line", "Pending", "dispatch", "settle_channel"]
