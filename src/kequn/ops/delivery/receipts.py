"""The inbox of receipts: kept once each, free of order, and able to settle a touch wherever it stands (回执)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from kequn.channels.base import Receipt
from kequn.ops.chunks import chunks
from kequn.ops.delivery.clocks import bank_day
from kequn.ops.delivery.contracts import ReceiptReport
from kequn.ops.delivery.models import Contact, InFlight, Outcome, Ready, ReceiptEntry, Touch, Unknown
from kequn.ops.delivery.moves import Moves

CHUNK = 200


def record(arrived: Sequence[Receipt], *, at: datetime) -> ReceiptReport:
    """Keep the receipts that are new and bring their touches up to date; chunk by chunk, each whole."""
    report = ReceiptReport()
    for some in chunks(arrived, CHUNK):
        with transaction.atomic():
            _record_chunk(some, at, report)
    return report


def _record_chunk(arrived: Sequence[Receipt], at: datetime, report: ReceiptReport) -> None:
    # the touches' rows are held, so that two copies of a receipt are not weighed at the same time
    touches = {
        t.key: t for t in Touch.objects.select_for_update().filter(key__in={r.key for r in arrived}).order_by("pk")
    }
    report.strange += sorted({r.key for r in arrived} - touches.keys())
    ours = {(r.key, r.provider, r.status, r.at): r for r in arrived if r.key in touches}
    known = set(ReceiptEntry.objects.filter(key__in=touches).values_list("key", "provider", "status", "at"))
    new = [r for identity, r in ours.items() if identity not in known]
    report.recorded += len(new)
    report.repeated += sum(r.key in touches for r in arrived) - len(new)
    ReceiptEntry.objects.bulk_create(
        ReceiptEntry(
            provider=r.provider, key=r.key, status=r.status, at=r.at, message_id=r.message_id[:80], raw=r.raw[:4000],
            received_at=at,
        )
        for r in new
    )  # fmt: skip
    fresh = [touches[key] for key in dict.fromkeys(r.key for r in new)]
    _hand_over(fresh, at)
    _conclude(fresh)


def _hand_over(touches: Sequence[Touch], at: datetime) -> None:
    """A receipt proves that the gateway had the message: a touch that still stands elsewhere was accepted."""
    ids = [t.pk for t in touches]
    moves, gone = Moves(at), []
    for table in (InFlight, Unknown):
        for row in table.objects.select_for_update(of=("self",)).filter(pk__in=ids).select_related("touch"):
            moves.end(row, "accepted", "receipt")
            gone.append((table, row.pk))
    for row in Ready.objects.select_for_update(of=("self",)).filter(pk__in=ids).select_related("touch"):
        moves.proved(row)
        gone.append((Ready, row.pk))
    for table in (InFlight, Unknown, Ready):
        table.objects.filter(pk__in=[pk for of, pk in gone if of is table]).delete()
    moves.write()
    today = bank_day(at)
    Contact.objects.bulk_create(
        [
            Contact(customer_id=t.customer_id, channel=t.channel, purpose=t.purpose, on=today, ref=t.key)
            for t in touches
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def _conclude(touches: Sequence[Touch]) -> None:
    """Book the receipts' last word: what was delivered once stays delivered; otherwise it was not."""
    entries: dict[str, list[tuple[str, datetime]]] = {}
    rows = ReceiptEntry.objects.filter(key__in=[t.key for t in touches]).order_by("at", "id")
    for key, status, at in rows.values_list("key", "status", "at"):
        entries.setdefault(key, []).append((status, at))
    Outcome.objects.bulk_create(
        [_last_word(t, entries[t.key]) for t in touches],
        update_conflicts=True,
        unique_fields=["touch", "stage"],
        update_fields=["state", "at"],
    )


def _last_word(touch: Touch, entries: Sequence[tuple[str, datetime]]) -> Outcome:
    arrived = [at for status, at in entries if status == "delivered"]
    state, at = ("delivered", min(arrived)) if arrived else ("undelivered", min(at for _, at in entries))
    return Outcome(touch=touch, stage=Outcome.Stage.RECEIPT, state=state, at=at)
