"""A customer group that ships with kequn: its segments and what is known of working with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kequn.core.spec.base import Definition, Name, Spec, Text
from kequn.core.spec.offer import Channel

ProductFamily = Literal[
    "deposit", "cd", "bond", "cash_mgmt", "wmp_fixed", "wmp_mixed", "fund", "insurance", "trust_private", "gold", "pension",
    "consumer_loan", "biz_loan", "mortgage", "card", "installment", "payment", "payroll", "service",
]  # fmt: skip


class Card(Spec):
    """What a strategy card for the group begins with (策略卡底稿); the bank makes it its own."""

    needs: Text
    """Who they are and what they need."""
    products: tuple[ProductFamily, ...] = Field(min_length=1)
    timing: Text
    who: Text
    """Which posts do it."""
    channels: tuple[Channel, ...] = Field(min_length=1)
    """In the order of preference."""
    talk: Text
    avoid: Text
    goal: Text
    """The figures that tell whether it worked."""


class GroupSpec(Definition):
    """One of the shipped customer groups (客群包)."""

    kind: Literal["group"] = "group"
    segment: Name
    subgroups: tuple[Name, ...] = ()
    """Segments of some of its members, or beside it, in the order of the page."""
    card: Card
