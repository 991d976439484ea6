"""What is offered, what is said, and the content of a message."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Definition, Name, Spec, Text

Channel = Literal["sms", "email", "app_push", "wecom", "call", "rm_task", "file_drop"]
"""The channels of a touch. `rm_task` is work for the customer's relationship manager."""


class OfferSpec(Definition):
    """Product + benefit, made to one audience (推荐方案)."""

    kind: Literal["offer"] = "offer"
    product: str = Field(min_length=1)
    """Code of a product in the product table; its risk level decides suitability."""
    benefit: Text | None = None
    unit_cost_cny: Decimal = Field(default=Decimal(0), ge=0)
    """Cost of the benefit per customer who takes it."""
    valid_until: date | None = None


class TemplateSpec(Definition):
    """The text of one channel (内容模板). ``{{ field }}`` merges a field of ``FIELDS``; anything else is refused."""

    kind: Literal["template"] = "template"
    channel: Channel
    language: Literal["zh", "en"] = "zh"
    subject: str = ""
    body: str = Field(min_length=1, max_length=4000)
    opt_out: str = ""
    """How to refuse further messages; required for marketing on sms and email."""
    product: Name | None = None
    """The offer it is about; none: it is about nothing in particular, and may be sent to anybody who agreed."""
    valid_until: date | None = None
    """The last day on which it may be sent by hand."""
    serves: Literal["", "owner_notice"] = ""
    """The one service it is written for: it is sent as that and as nothing else, also to who refused marketing."""

    @model_validator(mode="after")
    def _offers_nothing(self) -> TemplateSpec:
        if self.serves and self.product:
            raise ValueError("a service text offers nothing: leave out `product` or `serves`")
        return self


class Objection(Spec):
    """A customer's objection and the approved answer."""

    says: Text
    answer: Text


class TalkTrackSpec(Definition):
    """What an RM says: five steps, approved and versioned (话术)."""

    kind: Literal["talk_track"] = "talk_track"
    opening: Text
    fact: Text
    value: Text
    disclosure: Text
    close: Text
    objections: tuple[Objection, ...] = ()
    forbidden: tuple[str, ...] = ()
    product: Name | None = None
    """The offer it is about."""
    valid_until: date | None = None
    """The last day on which it may be said."""
