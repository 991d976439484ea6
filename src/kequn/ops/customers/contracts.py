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
