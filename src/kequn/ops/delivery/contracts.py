"""What other apps may hold of delivery, and what they may plug into it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

BY_HAND = "@hand"
"""In the place of a campaign's name: a touch that a member of staff sends herself. No campaign can be called so."""
NOTICE = "@notice"
"""In the place of a campaign's name: the word owed to a customer whose relationship manager changed."""


@dataclass(frozen=True, slots=True)
class NewTouch:
    """A touch to be created (计划触达). ``body`` and ``subject`` are the rendered text, unless ``values`` is given:

    then they are texts with ``{{ field }}`` and are rendered at once with these values.
    """

    customer_id: str
    channel: str
    campaign: str
    template: str
    """Fingerprint of the approved template or talk track."""
    body: str
    expires_at: datetime
    subject: str = ""
    values: Mapping[str, str] | None = None
    offer: str = ""
    purpose: str = "marketing"
    priority: int = 60
    """0–100; the higher goes first."""
    not_before: datetime | None = None
    cost_cny: Decimal = Decimal(0)
    must_arrive: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A touch about to be claimed, as the gate sees it when it decides again at the moment of sending."""

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


@dataclass(frozen=True, slots=True)
class Allow:
    """The touch may be sent now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The touch waits: quiet hours, a full cap."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """The touch is not sent at all."""

    reason: str
    """The codes of the rules that say no."""


Verdict = Allow | Hold | Block


class Gate(Protocol):
    """The compliance gate at the moment of sending. Delivery knows no rules: the app above it installs one."""

    def __call__(self, touches: Sequence[Pending], now: datetime) -> Sequence[Verdict]:
        """Return one verdict a touch, in order. The contacts made so far are in ``queries.contacts_since``."""


class Addresses(Protocol):
    """Finds where a channel reaches customers, at the moment of sending."""

    def __call__(self, customer_ids: Collection[str], channel: str) -> Mapping[str, str]:
        """Return the address by surrogate id; those without are absent."""


@dataclass(frozen=True, slots=True)
class ContactMade:
    """One contact that counts: sent, on its way, or of unknown fate."""

    customer_id: str
    channel: str
    purpose: str
    on: date
    ref: str


@dataclass(slots=True)
class DispatchReport:
    """What one round of the dispatcher did, in touches."""

    claimed: int = 0
    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    retried: int = 0
    held: int = 0
    suppressed: int = 0
    cancelled: int = 0
    dead: int = 0
    given_back: int = 0

    def __add__(self, other: DispatchReport) -> DispatchReport:
        return DispatchReport(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))

    @property
    def moved(self) -> int:
        """How many touches stand elsewhere than before; 0 means that there was nothing to do."""
        return self.claimed + self.held + self.suppressed + self.cancelled


@dataclass(slots=True)
class SettleReport:
    """What one round of settling did, in touches."""

    swept: int = 0
    """Claims whose worker died or was too slow."""
    accepted: int = 0
    failed: int = 0
    requeued: int = 0
    presumed_sent: int = 0
    still_unknown: int = 0

    @property
    def moved(self) -> int:
        """How many touches stand elsewhere than before."""
        return self.swept + self.accepted + self.failed + self.requeued + self.presumed_sent


@dataclass(slots=True)
class ReceiptReport:
    """What came of a batch of receipts."""

    recorded: int = 0
    repeated: int = 0
    strange: list[str] = field(default_factory=list)
    """Keys that we never sent: an alarm."""
