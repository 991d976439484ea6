"""The order of the steps from the line to the gateway, and from an unknown outcome to a known one.

The flow is a generator: each ``yield`` is a point at which a worker may die or be paused. Production runs it through;
the simulation stops it anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kequn.channels.base import Answer, Asking, Batching, Message, Refused, Transport, TransportError, TryLater, Unclear
from kequn.ops.delivery.contracts import Addresses, Allow, Block, DispatchReport, Gate, Pending, SettleReport, Verdict
from kequn.ops.delivery.outbox import CLAIM_MOST, Candidate, Claim, Doubt, Outbox

WATCH_SECONDS = 0.1
"""How old the knowledge of stops and withdrawals may be when a message is begun."""


@dataclass(frozen=True, slots=True)
class Line:
    """One channel as it is wired: its transport, and how many messages a second its account may send."""

    channel: str
    transport: Transport
    rate: float | None = None

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
    looked, halted = outbox.steady_clock(), outbox.halted(claim)
    for handful in _handfuls(claim.candidates, line.transport):
        if outbox.steady_clock() - looked >= WATCH_SECONDS:
            looked, halted = outbox.steady_clock(), outbox.halted(claim)
        due = outbox.clock()
        begun = [c for c in handful if c.pending.touch_id not in halted and c.pending.expires_at > due]
        if not begun:
            continue
        if not outbox.may_begin(claim):
            break
        messages = [c.message(where.get(c.pending.customer_id, c.pending.customer_id)) for c in begun]
        for c, answer in zip(begun, _send(line.transport, messages), strict=True):
            answers[c.pending.touch_id] = answer
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


def _handfuls(candidates: Sequence[Candidate], transport: Transport) -> Iterator[Sequence[Candidate]]:
    size = len(candidates) if isinstance(transport, Batching) else transport.terms.concurrency
    for start in range(0, len(candidates), size):
        yield candidates[start : start + size]


def _send(transport: Transport, messages: list[Message]) -> list[Answer]:
    if isinstance(transport, Batching):
        return _send_batch(transport, messages)
    if len(messages) == 1 or transport.terms.concurrency == 1:
        return [_guarded(lambda m=m: transport.send(m)) for m in messages]  # type: ignore[misc]  # mypy infers no default
    with ThreadPoolExecutor(len(messages)) as pool:
        return list(pool.map(lambda m: _guarded(lambda: transport.send(m)), messages))


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
