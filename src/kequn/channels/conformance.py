"""check_channel: the tests that every transport has to pass, callable from a plug-in's own tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kequn.channels.base import (
    GUARANTEES,
    Accepted,
    Answer,
    Asking,
    Batching,
    Conformance,
    Fault,
    Message,
    NotSeen,
    Refused,
    Transport,
    TransportError,
    TryLater,
    Unclear,
)

HOSTILE = (
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@sum",
    "\u3000＝1+1",
    "王\r\nBcc: all@bank.example",
    "a\x00b\x1b[2J",
    "\u202edesrever",
    "😀" * 300,
    "{{ family_name }} {% raw %} ${x} %s %(y)s",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    ".\r\n.\r\nQUIT",
)
"""Texts that have broken senders before: formulas, header breaks, control characters, merge marks, SMTP dots."""

Make = Callable[[], Transport]


def check_channel(
    make: Make,
    *,
    channel: str,
    to: str,
    received: Callable[[str], int],
    broken: Make | None = None,
) -> Conformance:
    """Return which checks a transport passes and which it fails.

    Args:
        make: returns a new transport connected to a working gateway.
        channel: the channel's name.
        to: an address that the gateway takes.
        received: how many times the gateway counts the message with a key as received.
        broken: returns a transport whose gateway is down.
    """
    result = Conformance()
    made: list[Transport] = []

    def kept(factory: Make) -> Make:
        def build() -> Transport:
            made.append(factory())
            return made[-1]

        return build

    for name, check in _checks(kept(make), channel, to, received=received, broken=kept(broken) if broken else None):
        try:
            check()
        except AssertionError as found:
            result.faults.append(Fault(name, str(found)))
        except Exception as error:  # a transport may do anything; whatever it does is a finding
            result.faults.append(Fault(name, f"raised {type(error).__name__}: {error}"))
        else:
            result.passed.append(name)
    for transport in made:
        getattr(transport, "close", lambda: None)()
    return result


def _answer(transport: Transport, message: Message) -> Answer:
    try:
        return transport.send(message)
    except TransportError as error:
        return Refused(error.code) if error.permanent else TryLater(error.code)


def _key(n: int) -> str:
    return f"{n:032x}"


def _checks(
    make: Make, channel: str, to: str, *, received: Callable[[str], int], broken: Make | None
) -> Iterator[tuple[str, Callable[[], None]]]:
    def message(n: int, body: str = "您好", subject: str = "") -> Message:
        return Message(key=_key(n), channel=channel, to=to, body=body, subject=subject or "通知", customer_ref=_key(n))

    def declares_terms() -> None:
        terms = make().terms
        assert terms.guarantee in GUARANTEES, f"unknown guarantee {terms.guarantee!r}"
        assert terms.max_batch >= 1, "max_batch below 1"
        assert terms.concurrency >= 1, "concurrency below 1"
        assert terms.longest_call.total_seconds() > 0, "longest_call is not positive"
        assert terms.settling >= terms.longest_call * 0, "settling is negative"
        assert terms.guarantee != "opaque" or terms.max_batch <= 10, "an opaque channel claims at most 10 at a time"

    def answers_where_it_says_so() -> None:
        transport = make()
        can_ask = isinstance(transport, Asking)
        assert can_ask or transport.terms.guarantee != "answers", "`answers` without a method `ask`"

    def hands_over_one_message() -> None:
        answer = make().send(message(1))
        assert isinstance(answer, Accepted), f"answered {answer}"
        assert received(_key(1)) == 1, f"the gateway counts {received(_key(1))}"

    def counts_the_same_key_once() -> None:
        if make().terms.guarantee != "keeps_keys":
            return
        first, again = make().send(message(2)), make().send(message(2))
        assert isinstance(first, Accepted), f"first answered {first}"
        assert isinstance(again, Accepted), f"again answered {again}"
        assert received(_key(2)) == 1, f"the gateway counts {received(_key(2))}"

    def knows_what_it_was_sent() -> None:
        transport = make()
        if not isinstance(transport, Asking):
            return
        transport.send(message(3))
        found = transport.ask(_key(3))
        assert isinstance(found, Accepted), f"asked about a sent key, it says {found}"
        missing = transport.ask(_key(4))
        assert isinstance(missing, NotSeen), f"asked about a key never sent, it says {missing}"

    def takes_hostile_text() -> None:
        transport = make()
        for n, text in enumerate(HOSTILE, start=100):
            answer = _answer(transport, message(n, body=text, subject=text))
            assert isinstance(answer, Accepted | Refused), f"{text[:20]!r}: {answer}"
            expected = 1 if isinstance(answer, Accepted) else 0
            assert received(_key(n)) == expected, f"{text[:20]!r}: the gateway counts {received(_key(n))}"

    def answers_one_each_in_order() -> None:
        transport = make()
        if not isinstance(transport, Batching):
            return
        answers = transport.send_batch([message(n) for n in (20, 21, 22)])
        assert len(answers) == 3, f"{len(answers)} answers to 3 messages"
        for n, answer in zip((20, 21, 22), answers, strict=True):
            assert isinstance(answer, Accepted), f"message {n}: {answer}"
            assert received(_key(n)) == 1, f"message {n}: the gateway counts {received(_key(n))}"

    def is_certain_when_nobody_listens() -> None:
        if broken is None:
            return
        answer = _answer(broken(), message(30))
        assert isinstance(answer, TryLater), f"a gateway that is down: {answer}"

    def says_unclear_rather_than_guess() -> None:
        if broken is None:
            return
        transport = broken()
        if isinstance(transport, Asking):
            found = transport.ask(_key(31))
            assert isinstance(found, Unclear), f"asked while the gateway is down, it says {found}"

    for check in (
        declares_terms,
        answers_where_it_says_so,
        hands_over_one_message,
        counts_the_same_key_once,
        knows_what_it_was_sent,
        takes_hostile_text,
        answers_one_each_in_order,
        is_certain_when_nobody_listens,
        says_unclear_rather_than_guess,
    ):
        yield check.__name__, check
