"""What other apps may hold of a person: masked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaskedPerson:
    """A customer as pages, lists and exports show her."""

    customer_id: str
    name: str
    phone: str
    document_no: str
    email: str
    customer_no: str
    branch_code: str
    rm_no: str


@dataclass(frozen=True, slots=True)
class BankMove:
    """The bank's own change of a customer's owner, as a load brings it."""

    customer_id: str
    branch_code: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Words that a person typed, fit to be kept: numbers of people hidden, and what was odd about them."""

    text: str
    flags: tuple[str, ...]
    """``number``: a phone, card or document number was hidden; ``markup``: it holds what looks like a script or a tag."""
