"""What pages may hold of a customer at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from kequn.core.data.tables import ASSETS
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import Purpose
from kequn.ops.customers.contracts import MaskedPerson


@dataclass(frozen=True, slots=True)
class TagValue:
    """One tag of a customer, in words."""

    tag: str
    family: str
    zh: str
    en: str
    value: Any
    shown_zh: str
    shown_en: str

    @property
    def shown(self) -> Text:
        """The value in words."""
        return Text(zh=self.shown_zh or "–", en=self.shown_en)


@dataclass(frozen=True, slots=True)
class Position:
    """One position of a customer."""

    product_code: str
    name: str
    name_en: str
    family: str
    balance_cny: Decimal
    matures_on: date | None


@dataclass(frozen=True, slots=True)
class Month:
    """Money in and out of a month, without transfers between the customer's own accounts."""

    month: date
    in_cny: Decimal
    out_cny: Decimal
    n: int


@dataclass(frozen=True, slots=True)
class PastContact:
    """One contact that the bank's own systems report."""

    on: date
    channel: str
    campaign: str
    outcome: str
    post: str = ""
    staff_no: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a customer had on one day, by product family."""

    on: date
    by_family: dict[str, Decimal]

    @property
    def assets_cny(self) -> Decimal:
        """The sum of the families that are assets (AUM)."""
        return sum((v for f, v in self.by_family.items() if f in ASSETS), Decimal(0))


@dataclass(frozen=True, slots=True)
class EndedPosition:
    """A position that was there and is not any more (已结清)."""

    name: str
    name_en: str
    family: str
    last_on: date
    """The last snapshot it was in."""
    balance_cny: Decimal
    matured_on: date | None


@dataclass(frozen=True, slots=True)
class Timing:
    """One rhythm of a customer's money with how sure it is (资金节律)."""

    kind: Literal["payday", "inflow", "bonus"]
    value: TagValue
    confidence: float | None
    """0–1: the share of the months, weeks or years in which it was met."""
    next_on: date | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A product family that a customer's tier holds and she does not (产品缺口)."""

    family: str
    rate: float
    """Share of the customers of her tier who hold it, 0–1."""
    peers: int
    typical_cny: Decimal | None


@dataclass(frozen=True, slots=True)
class Money:
    """What a customer has, had and moves."""

    as_of: date | None
    positions: tuple[Position, ...]
    ended: tuple[EndedPosition, ...]
    balances: tuple[Balance, ...]
    """At month ends and the latest date, oldest first."""
    months: tuple[Month, ...]
    """The last twelve with any, oldest first."""
    by_day: tuple[Decimal, ...]
    """Money that came in within a year by day of the month, 31 of them; empty without any."""
    timings: tuple[Timing, ...]
    tier: str
    missing: tuple[Missing, ...]
    """The commonest in her tier first."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Consent and contactability of one channel."""

    channel: str
    consent: Literal["granted", "refused", "unknown"]
    expires_on: date | None
    is_allowed: bool
    codes: tuple[str, ...]
    """Every rule that says no to marketing now."""
    hold_until: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands (head of the page); what was not computed is ``None``."""

    tier: TagValue | None = None
    next_tier: Text | None = None
    gap_cny: Decimal | None = None
    """What her average of this month lacks to the next tier; 0 where it is there already."""
    daily_cny: Decimal | None = None
    """The balance she needs on each day left of the month to reach it."""
    may_fall: bool = False
    stage: TagValue | None = None
    days_in_stage: int | None = None
    risk: TagValue | None = None
    risk_state: Literal["valid", "soon", "expired", "missing"] = "missing"
    risk_expires_on: date | None = None
    aum_cny: Decimal | None = None
    change_cny: Decimal | None = None
    """Within 30 days."""
    has_left: bool = False
    """Closed or deceased: there is nobody to contact."""


@dataclass(frozen=True, slots=True)
class Contacted:
    """One contact of a customer in the one line of all posts and channels (岗位信息整合)."""

    on: date
    at: datetime | None
    channel: str
    post: str
    who: str
    what: Text
    result: str
    vocabulary: Literal["intent", "contact", "state", "reported"]
    note: str = ""
    amount_cny: Decimal | None = None
    next_at: datetime | None = None
    task_id: int | None = None
    why: Text | None = None
    """Why a message did not leave."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Something open with a customer (未了事项), or of hers that ends soon (临近到期)."""

    kind: Literal["promise", "complaint", "request", "risk_test", "document", "maturing"]
    on: date
    detail: Text | None = None


@dataclass(frozen=True, slots=True)
class Household:
    """A customer's household as declared; ``members`` are those within the reader's own reach."""

    members: tuple[MaskedPerson, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One next best step, passed through the gate (下一步建议).

    ``ground`` is the bank's own reason and is never said; ``say`` may be said.
    """

    kind: Literal["complaint", "retest", "maturity", "document", "offer"]
    title: Text
    ground: Text
    say: Text | None = None
    offer: str = ""
    channels: tuple[str, ...] = ()
    """By which she may be reached with it now."""
    codes: tuple[str, ...] = ()
    """Where none is open: every rule that says no."""
    cures: tuple[Text, ...] = ()
    """What would open it, one a code."""
    hold_until: datetime | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether it may not be done now."""
        return bool(self.codes)


@dataclass(frozen=True, slots=True)
class Advice:
    """What may be done with a customer now."""

    channels: tuple[ChannelState, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """What was and is between the bank and a customer."""

    contacts: tuple[Contacted, ...]
    """The latest first."""
    matters: tuple[Matter, ...]
    """What is open with her: while it is, nobody gives her up (``working.open_matters``)."""
    ending: tuple[Matter, ...]
    """What of hers ends soon."""
    complaints: tuple[tuple[date, str, str], ...]
    """(day, topic, state), the latest first."""
    household: Household | None
    """``None``: the bank's data have no households."""
    tags: dict[str, tuple[TagValue, ...]]
    """By family."""


@dataclass(frozen=True, slots=True)
class Customer360:
    """One customer as her RM sees her first: masked, with why now (客户全景)."""

    person: MaskedPerson
    as_of: date | None
    standing: Standing
    tasks: Sequence[Any]
    """Open ones that the gate lets be worked, the most urgent first."""
    reveals: int
    """Values that the reader saw in clear within a day."""
    reveals_limit: int


@dataclass(frozen=True, slots=True)
class CampaignBrief:
    """What a task takes from its campaign."""

    title_zh: str
    title_en: str
    priority: int
    purpose: Purpose
