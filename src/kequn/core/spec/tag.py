"""A tag: a named, typed fact about a customer on a business date."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from kequn.core.spec.base import Definition, Name, Text

TagType = Literal["boolean", "integer", "number", "money", "date", "text", "list"]
Family = Literal["demo", "acct", "asset", "loan", "cc", "txn", "chan", "risk", "mkt", "model", "value", "life"]
Sensitivity = Literal["C1", "C2", "S", "X"]


class TagSpec(Definition):
    """How one tag comes about (标签).

    ``over`` names what the expression reads: a canonical table, or ``tags`` for a tag made of other tags. Over a table with
    many rows a customer the expression is an aggregate, ``days`` the window that ends with the business date, ``where`` a
    condition on the rows; over ``customer`` and ``tags`` it is a plain expression. ``as_of`` is the business date in both.
    Money is written in yuan in ``values``, and is integer fen in expressions.

    The window of ``days: 30`` has 30 days, the business date the last of them; rows after it never count, with or without a
    window. Over ``holding`` the date of a row is ``held_on``, since ``as_of`` is the business date; ``where: latest`` takes the
    last snapshot, ``where: month_end`` the last of each month, ``at_days_ago(30)`` the last not after 30 days before. All such
    names and functions are in ``kequn.core.tags.language``.

    ``over: given`` is a tag whose values are handed in (``publish_values``) by a model, another system or another part of
    kequn; ``given_by`` says by which, and is the reason shown while there are none. A tag of class S names in ``consent``
    the separate consent without which a customer has no value.
    """

    kind: Literal["tag"] = "tag"
    family: Family
    type: TagType
    over: Name
    expression: str = Field(default="", max_length=4096)
    where: str | None = Field(default=None, max_length=4096)
    days: int | None = Field(default=None, ge=1, le=3660)
    null: Literal["unknown", "zero", "false"] = "unknown"
    """What a customer without rows has: no value, 0, or false."""
    given_by: Text | None = None
    """Of a given tag: who hands in its values, or why nobody does."""
    sensitivity: Sensitivity = "C1"
    consent: Name | None = None
    """Of a tag of class S: the purpose in the consent ledger that allows its use (``child_data``)."""
    refresh: Literal["daily", "weekly", "monthly", "on_change"] = "daily"
    retention_days: int = Field(default=1095, ge=1)
    purpose: str = "marketing"
    values: dict[str, Text] = {}
    """The codes of a text or list tag with their words; other values are refused when the tag is computed."""
    unit: Text | None = None
    bins: tuple[Decimal, ...] = ()
    """Cut points for distributions and TGI; money in yuan. Quantiles of the bank where none are given."""
    owner: str = Field(min_length=1)

    @field_validator("null", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return "false" if value is False else value  # in YAML the bare word is a boolean

    @model_validator(mode="after")
    def _prefixed(self) -> TagSpec:
        if not self.name.startswith(f"{self.family}_"):
            raise ValueError(f"the name of a tag begins with its family: {self.family}_…")
        if (self.over == "given") != (self.given_by is not None):
            raise ValueError("`given_by` says who hands in the values of a tag `over: given`, and only of such a tag")
        if (self.over == "given") == bool(self.expression):
            raise ValueError("a tag needs an `expression`; one `over: given` has none")
        if (self.sensitivity == "S") != (self.consent is not None):
            raise ValueError("a tag of class S names in `consent` the separate consent it needs; others name none")
        if self.over in ("customer", "tags", "given") and (self.days or self.where):
            raise ValueError("`days` and `where` go with a table that has many rows a customer")
        if self.null == "zero" and self.type not in ("integer", "number", "money"):
            raise ValueError("`null: zero` goes with a number")
        if self.null == "false" and self.type != "boolean":
            raise ValueError("`null: false` goes with a boolean")
        return self
