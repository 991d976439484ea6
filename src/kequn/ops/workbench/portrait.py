"""One customer as a whole, masked (客户全景)."""

from __future__ import annotations

from kequn.ops.audiences.queries import ordinals
from kequn.ops.customers.queries import person_for
from kequn.ops.delivery.queries import touches_for
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench.contracts import Customer360, PastContact
from kequn.ops.workbench.customer import (
    CONTACTS_SHOWN,
    channels_of,
    contacts_of,
    months_of,
    positions_of,
    tags_shown,
)
from kequn.ops.workbench.queries import follow_ups_for, tasks_for


def customer_360(actor: Actor, customer_id: str) -> Customer360:
    """Return one customer of the actor's own reach, masked; that she looked is recorded.

    Raises:
        NotAllowed: not there, or not in her book or branches; the two look the same.
    """
    actor.must("customer.view")
    person = person_for(actor, customer_id)
    ordinal = int(ordinals([customer_id])[0])
    known = ordinal >= 0
    as_of, tags = tags_shown(ordinal) if known else (None, {})
    page = Customer360(
        person=person,
        as_of=as_of,
        tags=tags,
        positions=positions_of(ordinal) if known else (),
        months=months_of(ordinal) if known else (),
        contacts=_contacts(actor, customer_id, ordinal),
        channels=channels_of(ordinal, now=now()) if known else (),
        tasks=list(tasks_for(actor, state=None, customer_id=customer_id)[:CONTACTS_SHOWN])
        if actor.may("task.view")
        else [],
        follow_ups=list(follow_ups_for(actor, customer_id=customer_id)[:CONTACTS_SHOWN])
        if actor.may("task.view")
        else [],
    )
    record(actor, "customer.viewed", ("customer", customer_id))
    return page


def _contacts(actor: Actor, customer_id: str, ordinal: int) -> tuple[PastContact, ...]:
    loaded = contacts_of(ordinal) if ordinal >= 0 else ()
    touches = touches_for(actor, customer_id=customer_id)[:CONTACTS_SHOWN]
    own = [PastContact((t.at or t.created_at).date(), t.channel, t.sending.campaign, t.state) for t in touches]
    return tuple(sorted((*loaded, *own), key=lambda c: c.on, reverse=True)[:CONTACTS_SHOWN])
