"""The contract of a channel: what it is given, what it may answer, and what it promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from kequn.core.errors import KequnError

Guarantee = Literal["keeps_keys", "answers", "receipts_only", "opaque"]
"""What a channel allows us to promise.

- ``keeps_keys``: the same key sent twice counts once; an unknown outcome is settled by sending again.
- ``answers``: it can be asked whether it has a key; an unknown outcome is settled by asking.
- ``receipts_only``: it reports what arrived, and cannot be asked.
- ``opaque``: nobody can know; an unknown outcome stays unknown and is counted.
"""
GUARANTEES: tuple[Guarantee, ...] = ("keeps_keys", "answers", "receipts_only", "opaque")

ReceiptStatus = Literal["delivered", "undelivered"]


@dataclass(frozen=True, slots=True)
class Message:
    """The rendered content of one touch, addressed (消息). It is complete: a transport renders and looks up nothing."""

    key: str
    """32 hexadecimal digits, the business identity of the touch: the same for every attempt."""
    channel: str
    to: str
    """The address on this channel; the customer's surrogate id where the channel needs none."""
    body: str
    subject: str = ""
    customer_ref: str = ""
    """The customer's surrogate id."""
    campaign: str = ""
    wave: str = ""
    offer: str = ""
    template: str = ""
    """Fingerprint of the text that was approved."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway says happened to a message (回执)."""

    provider: str
    key: str
    status: ReceiptStatus
    at: datetime
    message_id: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The gateway has the message and will not be given it again."""

    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A final no: this message will never be taken (bad number, forbidden content)."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class TryLater:
    """A certain no: this attempt did not count, another may (connection refused, too fast, out of service)."""

    code: str
    after_seconds: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody knows whether the gateway has it: time-out, reset, 500, an answer that cannot be read."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class NotSeen:
    """The gateway says that it never got the key."""


Answer = Accepted | Refused | TryLater | Unclear
"""What may come of sending."""
Finding = Accepted | Refused | NotSeen | Unclear
"""What may come of asking."""


class TransportError(KequnError):
    """A message that certainly did not leave, raised where an ``Answer`` cannot be returned.

    ``permanent`` says that trying again is useless for this message.
    """

    code = "transport_error"

    def __init__(self, message: str, *, permanent: bool, hint: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, **facts)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Terms:
    """What a channel declares about itself; the dispatcher keeps to it."""

    guarantee: Guarantee
    settling: timedelta
    """How long a request may still be on its way, or its look-up lag its intake, after the sender gave it up."""
    longest_call: timedelta
    """No call of the transport lasts longer."""
    max_batch: int = 50
    """Messages claimed at a time: for an opaque channel, what one is willing not to know after a crash."""
    concurrency: int = 1
    """Messages sent at the same time. 1: in the caller's thread."""
    needs_address: bool = True
    """Whether ``Message.to`` has to be an address; without, it is the surrogate id."""


@runtime_checkable
class Transport(Protocol):
    """Hands messages to one gateway (渠道); from several threads when ``terms.concurrency`` is over 1."""

    @property
    def terms(self) -> Terms:
        """What the channel promises."""

    def send(self, message: Message) -> Answer:
        """Hand over one message once; no retries inside.

        Raises:
            TransportError: the message certainly did not leave. Any other exception is taken as ``Unclear``.
        """


@runtime_checkable
class Asking(Protocol):
    """A transport that can say whether its gateway has a key. Required for ``answers``."""

    def ask(self, key: str) -> Finding:
        """Return what the gateway knows of a key. ``NotSeen`` only on its own word."""


@runtime_checkable
class Batching(Protocol):
    """A transport that hands over several messages in one piece, such as a file."""

    def send_batch(self, messages: list[Message]) -> list[Answer]:
        """Return one answer a message, in order."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing ``check_channel`` found wrong with a transport."""

    check: str
    found: str


@dataclass(slots=True)
class Conformance:
    """The result of ``check_channel``."""

    passed: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
