"""One customer on one page of paper; that it was printed is on record."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.workbench.contracts import Advice, Customer360, Money, Past
from kequn.ops.workbench.services import advice_for, customer_360, money_for, past_for


@dataclass(frozen=True, slots=True)
class CustomerSheet:
    """What stands on the page: masked, as on the screen (客户单页)."""

    head: Customer360
    money: Money
    advice: Advice
    past: Past


def customer_sheet(actor: Actor, customer_id: str) -> CustomerSheet:
    """Return one customer for a page of paper.

    Raises:
        NotAllowed: not there, or not in the actor's reach; the two look the same.
    """
    found = CustomerSheet(
        customer_360(actor, customer_id),
        money_for(actor, customer_id),
        advice_for(actor, customer_id),
        past_for(actor, customer_id),
    )
    record(actor, "customer.printed", ("customer", customer_id))
    return found
