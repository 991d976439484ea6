"""What RMs say is wrong in the bank's own records: proposed, listed, and handed back to the bank as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.books import states
from kequn.ops.books.models import Correction, StockTakeLine
from kequn.ops.customers.queries import people_by_id, person_for
from kequn.ops.customers.services import clean, mark_phone, numbers_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import contact_title, found_wrong
from kequn.ops.workbench.services import stop_calls

NUMBER = "phone_invalid"
"""The field that says a customer's number is dead or somebody else's."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One thing that is wrong of a customer: which field, what it should be, why one thinks so."""

    field: str
    value: str = ""
    note: str = ""


def corrections_for(actor: Actor, *, state: str | None = states.PROPOSED) -> QuerySet[Correction]:
    """Return corrections, the latest first: an RM's own, of her branches for others."""
    actor.must("stocktake.run")
    rows = Correction.objects.all()
    if actor.role == "rm":
        rows = rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    elif (codes := branch_codes_for(actor)) is not None:
        rows = rows.filter(branch_code__in=codes)
    return rows.filter(state=state) if state else rows


def propose_correction(
    actor: Actor, customer_id: str, wanted: Proposal, *, line: StockTakeLine | None = None
) -> Correction:
    """Say that the bank's record of one's own customer is wrong. kequn does not change the record.

    What waits for the same field of the same customer is replaced: saying it twice is saying it once. A number that is said
    to be dead is called and texted no more until the bank has another, as after a call that found it so.

    Raises:
        NotAllowed: the customer is not in the actor's reach.
        InvalidSpec: a field that is none, or one without the value it should have.
    """
    actor.must("stocktake.run")
    person = person_for(actor, customer_id)
    checked(wanted)
    with transaction.atomic():
        if wanted.field == NUMBER and mark_phone(actor, customer_id, is_wrong=True):
            stop_calls(customer_id)
        return _proposed(actor, customer_id, person.branch_code, wanted, line)


def follow_number(actor: Actor, customer_id: str, contact: str) -> None:
    """Tell the bank of a number that a call showed to be wrong; take it back where it is right after all ("").

    Whoever works the customer says so with the result of her call; the caller holds the transaction.
    """
    waiting = Correction.objects.filter(customer_id=customer_id, field=NUMBER, state=states.PROPOSED)
    if contact:
        person = people_by_id(system_actor(), [customer_id])[customer_id]
        words = contact_title(contact)
        _proposed(actor, customer_id, person.branch_code, Proposal(NUMBER, note=f"{words.zh} {words.en}"), None)
    elif (row := waiting.first()) is not None and _settled(actor, [row.pk], states.DISMISSED):
        record(actor, "correction.dismissed", row, customer=customer_id)


def _proposed(
    actor: Actor, customer_id: str, branch_code: str, wanted: Proposal, line: StockTakeLine | None
) -> Correction:
    fields = {
        "staff_no": actor.staff_no, "branch_code": branch_code, "value": clean(wanted.value, longest=120, field="value").text,
        "note": clean(wanted.note, longest=500).text, "line": line, "at": now(),
    }  # fmt: skip
    with transaction.atomic():
        row, _ = Correction.objects.update_or_create(
            customer_id=customer_id, field=wanted.field, state=states.PROPOSED, defaults=fields
        )
        record(actor, "correction.proposed", row, customer=customer_id, field=wanted.field)
    return row


def checked(wanted: Proposal) -> None:
    """Refuse a correction that says nothing.

    Raises:
        InvalidSpec: with the field.
    """
    if wanted.field not in states.FIELDS:
        raise InvalidSpec(
            f"There is no field {wanted.field!r} to correct: {', '.join(states.FIELDS)}.", where=Where(field="field")
        )
    if wanted.field in states.NEEDS_VALUE and not wanted.value.strip():
        raise InvalidSpec("Say what it should be.", where=Where(field="value"))


def dismiss_correction(actor: Actor, correction_id: int) -> Correction:
    """Put a correction aside: it does not go to the bank (the RM herself, or her branch head). A number is right after all.

    Raises:
        Conflict: it was handed over or put aside before.
    """
    row = corrections_for(actor, state=None).filter(pk=correction_id).first()
    if row is None:
        raise NotAllowed("There is no such correction in your scope.", correction=correction_id)
    with transaction.atomic():
        if not _put_aside(actor, row):
            raise Conflict(f"The correction is {row.state}.", hint="Reload.", correction=correction_id)
    row.refresh_from_db()
    return row


def dismiss_of_line(actor: Actor, line: StockTakeLine) -> None:
    """Put aside what a line of a round proposed, when the line is taken back; the caller holds the transaction.

    A number that a call found wrong stays so, and the bank is still told.
    """
    for row in Correction.objects.filter(line=line, state=states.PROPOSED):
        if row.field == NUMBER and found_wrong(row.customer_id):
            Correction.objects.filter(pk=row.pk).update(line=None)
        else:
            _put_aside(actor, row)


def _put_aside(actor: Actor, row: Correction) -> bool:
    if not _settled(actor, [row.pk], states.DISMISSED):
        return False
    if row.field == NUMBER:
        mark_phone(actor, row.customer_id, is_wrong=False)
    record(actor, "correction.dismissed", row, customer=row.customer_id)
    return True


def hand_over_corrections(actor: Actor) -> list[dict[str, Any]]:
    """Return what waits, under the bank's own customer numbers, and mark it as handed over (whoever feeds the bank's system).

    Raises:
        NotAllowed: not the system: numbers in clear go to no one's desk.
    """
    if not actor.may("delivery.run"):
        raise NotAllowed(
            "The list with customer numbers goes to the bank's system, not to people.", right="delivery.run"
        )
    with transaction.atomic():
        rows = list(Correction.objects.select_for_update().filter(state=states.PROPOSED).order_by("id"))
        _settled(actor, [r.pk for r in rows], states.SENT)
        record(actor, "corrections.handed_over", ("correction", "all"), n=len(rows))
    numbers = numbers_of(actor, {r.customer_id for r in rows})
    return [
        {
            "customer_no": numbers.get(r.customer_id, ""), "field": r.field, "value": r.value, "note": r.note,
            "staff_no": r.staff_no, "branch_code": r.branch_code, "at": r.at.isoformat(),
        }
        for r in rows
    ]  # fmt: skip


def _settled(actor: Actor, ids: Sequence[int], state: str) -> int:
    rows = Correction.objects.filter(pk__in=list(ids), state=states.PROPOSED)
    return rows.update(state=state, settled_by=actor.username, settled_at=now())
