"""What pages may hold of a customer at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

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
    """One contact, by the bank's other systems or by kequn."""

    on: date
    channel: str
    campaign: str
    outcome: str


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
class Customer360:
    """One customer as her RM sees her: masked (客户全景)."""

    person: MaskedPerson
    as_of: date | None
    tags: dict[str, tuple[TagValue, ...]]
    """By family."""
    positions: tuple[Position, ...]
    months: tuple[Month, ...]
    """The last twelve, oldest first."""
    contacts: tuple[PastContact, ...]
    channels: tuple[ChannelState, ...]
    tasks: Sequence[Any]
    follow_ups: Sequence[Any]


@dataclass(frozen=True, slots=True)
class CampaignBrief:
    """What a task takes from its campaign."""

    title_zh: str
    title_en: str
    priority: int
