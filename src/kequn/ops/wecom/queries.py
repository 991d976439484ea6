"""The customer of the chat, within an actor's scope."""

from __future__ import annotations

import hashlib
import hmac

from kequn.core.errors import NotAllowed
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import person_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import runtime
from kequn.ops.wecom.models import WecomContact

NOT_YOURS = "This contact is not one of your customers."


def customer_of_contact(actor: Actor, external_userid: str) -> MaskedPerson:
    """Return the customer behind a WeCom contact.

    Raises:
        NotAllowed: nobody is known under this id, or she is not in the actor's scope; the two look the same.
    """
    row = WecomContact.objects.filter(digest=digest_of(external_userid)).first()
    try:
        return person_for(actor, row.customer_id if row else "")
    except NotAllowed:
        raise NotAllowed(NOT_YOURS, hint="Ask your branch head if she should be.") from None


def digest_of(external_userid: str) -> str:
    """Return the keyed hash under which a WeCom id is kept."""
    return hmac.new(runtime().index_key, b"wecom " + external_userid.strip().encode(), hashlib.sha256).hexdigest()


def simulated_id(customer_id: str) -> str:
    """Return the WeCom id that the simulator gives a customer."""
    return f"wm{hmac.new(runtime().index_key, b'simulated ' + customer_id.encode(), hashlib.sha256).hexdigest()[:30]}"
