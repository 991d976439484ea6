"""Create touches, dispatch and settle them, record receipts, stop and resume (触达)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import F

from kequn.channels.base import Receipt, Transport
from kequn.channels.signature import is_genuine
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.spec.merge import MergeText, compile_text
from kequn.ops.chunks import chunks
from kequn.ops.customers.services import addresses as customer_addresses
from kequn.ops.delivery import accounts, quarantine, receipts
from kequn.ops.delivery.clocks import bank_day
from kequn.ops.delivery.contracts import (
    BY_HAND,
    NOTICE,
    Addresses,
    Allow,
    Block,
    DispatchReport,
    Gate,
    Hold,
    NewTouch,
    ReceiptReport,
    SettleReport,
)
from kequn.ops.delivery.dispatch import Line, dispatch, settle_channel
from kequn.ops.delivery.models import Contact, InFlight, Outcome, Ready, Sending, Stop, Touch
from kequn.ops.delivery.outbox import Outbox, raise_versions
from kequn.ops.delivery.sealing import seal, text_hash
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import now

__all__ = ["Allow", "Block", "Hold", "NewTouch"]

ENTRY_POINTS = "kequn.channels"
CHUNK = 1_000
SCOPES = ("all", "channel", "campaign", "wave")
TO_CREATE = {BY_HAND: "material.send", NOTICE: "notice.send"}
"""The right to put touches in line that belong to no campaign."""

_lines: dict[str, Line] = {}
_installed: dict[str, Gate | Addresses] = {}
_secrets: tuple[str, ...] = ()


class NoGate(Conflict):
    """Nothing is sent before the compliance gate is installed."""

    code = "no_gate"


# wiring


def register(channel: str, transport: Transport, *, rate: float | None = None) -> None:
    """Say who sends on a channel, and how many messages a second its account may send at most."""
    _lines[channel] = Line(channel, transport, rate)


def unregister(channel: str) -> None:
    """Take a channel out of service; its touches wait."""
    _lines.pop(channel, None)


def register_installed_channels() -> list[str]:
    """Register the transports of installed packages: entry points ``kequn.channels``, channel = factory."""
    found = []
    for entry in entry_points(group=ENTRY_POINTS):
        register(entry.name, entry.load()())
        found.append(entry.name)
    return found


def channels() -> dict[str, Transport]:
    """Return the transports in service by channel."""
    return {channel: line.transport for channel, line in _lines.items()}


def install_gate(gate: Gate) -> None:
    """Install the compliance gate that decides again at the moment of sending; without one nothing is sent."""
    _installed["gate"] = gate


def install_addresses(addresses: Addresses) -> None:
    """Replace the look-up of addresses (a bank whose numbers stay in another system; tests)."""
    _installed["addresses"] = addresses


def install_receipt_secrets(secrets: Iterable[str]) -> None:
    """Set the active secrets of the gateways' receipts; two while one is being replaced."""
    global _secrets  # noqa: PLW0603 - set once by the server
    _secrets = tuple(s for s in secrets if s)


# touches


def touch_key(wave_ref: str, customer_id: str, channel: str) -> str:
    """Return the key of a touch: the same for every attempt, also after a restored backup."""
    return hashlib.sha256(f"touch|{wave_ref}|{customer_id}|{channel}".encode()).hexdigest()[:32]


def create_touches(actor: Actor, wave_ref: str, rows: Iterable[NewTouch]) -> int:
    """Put touches in line, each once: a second call with the same ones adds nothing. Return how many were added.

    Texts are rendered and hashed here, never later. Rows are written in chunks of 1,000, each chunk whole; a call that
    was cut off is simply repeated.

    Raises:
        NotAllowed: no right ``campaign.launch``; for what is sent by hand ``material.send``, for notices ``notice.send``.
        InvalidSpec: a merge field without a value, or an unknown one.
        Conflict: the wave belongs to another campaign.
    """
    if not any(actor.may(right) for right in TO_CREATE.values()):
        actor.must("campaign.launch")
    added, source, compiled = 0, iter(rows), {}
    while chunk := list(islice(source, CHUNK)):
        for campaign in {row.campaign for row in chunk}:
            actor.must(TO_CREATE.get(campaign, "campaign.launch"))
        added += _create_chunk(actor, wave_ref, chunk, compiled)
    if added:
        record(actor, "touches.created", ("wave", wave_ref), added=added)
    return added


def _create_chunk(actor: Actor, wave_ref: str, chunk: list[NewTouch], compiled: dict[str, MergeText]) -> int:
    prepared = {touch_key(wave_ref, row.customer_id, row.channel): (row, _rendered(row, compiled)) for row in chunk}
    moment = now()
    with transaction.atomic():
        sending = _sending(actor, wave_ref, chunk[0].campaign, moment)
        if other := next((row.campaign for row in chunk if row.campaign != sending.campaign), None):
            raise Conflict(
                f"Wave {wave_ref!r} belongs to campaign {sending.campaign!r}, not to {other!r}.",
                hint="Give the other campaign a wave of its own.", wave=wave_ref,
            )  # fmt: skip
        known = set(Touch.objects.filter(key__in=list(prepared)).values_list("key", flat=True))
        touches = Touch.objects.bulk_create(
            _touch(sending, key, *prepared[key], moment) for key in prepared if key not in known
        )
        Ready.objects.bulk_create(
            Ready(
                touch_id=touch.pk, sending=sending, channel=touch.channel, priority=touch.priority,
                not_before=prepared[touch.key][0].not_before or moment,
            )
            for touch in touches
        )  # fmt: skip
        Sending.objects.filter(pk=sending.pk).update(n_touches=F("n_touches") + len(touches))
    return len(touches)


def _sending(actor: Actor, ref: str, campaign: str, moment: datetime) -> Sending:
    Sending.objects.get_or_create(
        ref=ref, defaults={"campaign": campaign, "created_by": actor.username, "created_at": moment}
    )
    return Sending.objects.select_for_update().get(ref=ref)  # one writer a wave: what is known stays known


def _rendered(row: NewTouch, compiled: dict[str, MergeText]) -> tuple[str, str]:
    if row.values is None:
        return row.subject, row.body
    values = row.values
    for text in (row.subject, row.body):
        if text not in compiled:
            compiled[text] = compile_text(text, allowed=values.keys())
    return compiled[row.subject].render(values), compiled[row.body].render(values)


def _touch(sending: Sending, key: str, row: NewTouch, text: tuple[str, str], moment: datetime) -> Touch:
    subject, body = text
    if not body.strip():
        raise InvalidSpec("A touch has no text.", hint="Check the template.", customer=row.customer_id)
    return Touch(
        sending=sending, customer_id=row.customer_id, channel=row.channel, key=key, purpose=row.purpose,
        template=row.template, offer=row.offer, priority=row.priority, expires_at=row.expires_at, cost_cny=row.cost_cny,
        must_arrive=row.must_arrive, text_hash=text_hash(subject, body), text=seal(subject, body, key=key),
        created_at=moment,
    )  # fmt: skip


# the dispatcher's rounds


def dispatch_once(
    limit: int = 500, *, only: Collection[str] | None = None, outbox: Outbox | None = None
) -> DispatchReport:
    """Send up to ``limit`` touches of each channel that is in service (or of ``only`` some); return what happened.

    Raises:
        NoGate: no compliance gate is installed.
    """
    gate = _installed.get("gate")
    if gate is None:
        raise NoGate("No compliance gate is installed.", hint="Start the process through kequn.server.")
    outbox = outbox or Outbox()
    total = DispatchReport()
    for line in [line for line in _lines.values() if only is None or line.channel in only]:
        left = limit
        while left > 0:
            report = DispatchReport()
            for _ in dispatch(outbox, line, report, gate=gate, addresses=_addresses(), limit=left):
                pass
            total += report
            left -= report.moved
            if report.moved == 0 or report.given_back:
                break
    return total


def settle_unknown(
    limit: int = 500, *, only: Collection[str] | None = None, outbox: Outbox | None = None
) -> SettleReport:
    """Take over what dead workers left, and find out about unknown outcomes as far as each channel allows."""
    outbox = outbox or Outbox()
    report = SettleReport()
    transports = channels()
    report.swept = outbox.sweep(lambda channel: transports[channel].terms if channel in transports else None)
    for line in [line for line in _lines.values() if only is None or line.channel in only]:
        for _ in settle_channel(outbox, line, report, limit=limit):
            pass
    return report


def _addresses() -> Addresses:
    return _installed.get("addresses") or _from_customers


def _from_customers(customer_ids: Collection[str], channel: str) -> Mapping[str, str]:
    return customer_addresses(system_actor(), customer_ids, channel)


# receipts


def record_receipts(actor: Actor, arrived: Iterable[Receipt]) -> ReceiptReport:
    """Keep receipts and let them settle their touches. Any order and any number of copies end in the same state.

    A receipt for a key we never sent is an alarm in the trail, not a row.
    """
    actor.must("delivery.run")
    report = receipts.record(list(arrived), at=now())
    if report.strange:
        record(actor, "receipt.strange", ("receipts", report.strange[0]), n=len(report.strange))
    return report


def is_signed(*, time: str, signature: str, body: bytes, at: datetime | None = None) -> bool:
    """Whether a gateway's call carries the signature of an active secret, at most 300 seconds old by the wall clock."""
    return is_genuine(_secrets, time=time, signature=signature, body=body, now=at or datetime.now(UTC))


# stop, resume, withdraw


def stop(actor: Actor, scope: str, key: str = "", *, reason: str = "") -> Stop:
    """Stop everything (``all``), a channel, a campaign or a wave: at most the claim under way still leaves.

    Raises:
        NotAllowed: no right ``campaign.stop``, or no such scope.
    """
    actor.must("campaign.stop")
    _check_scope(scope, key)
    with transaction.atomic():
        row, is_new = Stop.objects.get_or_create(
            scope=scope, key=key, defaults={"reason": reason[:200], "by": actor.username, "at": now()}
        )
        if is_new:
            record(actor, "delivery.stopped", (scope, key or "all"), reason=reason[:200])
    return row


def resume(actor: Actor, scope: str, key: str = "", *, reason: str = "") -> bool:
    """Lift a stop; only a checker may. Return whether there was one.

    Raises:
        NotAllowed: no right ``approval.decide``, or no such scope.
    """
    actor.must("approval.decide")
    _check_scope(scope, key)
    with transaction.atomic():
        lifted, _ = Stop.objects.filter(scope=scope, key=key).delete()
        if lifted:
            if scope == "wave":
                accounts.release_brake(key)
            record(actor, "delivery.resumed", (scope, key or "all"), reason=reason[:200])
    return bool(lifted)


def cancel(actor: Actor, scope: str, key: str, *, reason: str = "") -> int:
    """Cancel for good what still waits of a campaign or a wave; return how many touches."""
    actor.must("campaign.stop")
    if scope not in ("campaign", "wave"):
        raise NotAllowed(f"Only a campaign or a wave is cancelled, not {scope!r}.", hint="Use a stop.")
    field = {"campaign": "sending__campaign", "wave": "sending__ref"}[scope]
    with transaction.atomic():
        n = _cancel(Ready.objects.filter(**{field: key}), reason or "cancelled")
        InFlight.objects.filter(**{f"touch__{field}": key}).update(is_withdrawn=True)
        record(actor, "delivery.cancelled", (scope, key), n=n, reason=reason[:200])
    return n


def cancel_for_customer(
    actor: Actor, customer_id: str, channel: str | None = None, *, reason: str = "opted_out"
) -> int:
    """Stop what waits for a customer who refused: marketing only, on one channel or on all. Return how many touches.

    What a worker has claimed but not yet begun is stopped as well, within 100 ms.
    """
    if not (actor.may("consent.edit") or actor.may("delivery.run")):
        raise NotAllowed("Your role may not do this (consent.edit).", right="consent.edit")
    of = {"touch__customer_id": customer_id, "touch__purpose": "marketing"} | ({"channel": channel} if channel else {})
    with transaction.atomic():
        n = _cancel(Ready.objects.filter(**of), reason)
        # after the claims that held those rows have committed: what they took is in flight now
        InFlight.objects.filter(**of).update(is_withdrawn=True)
        record(actor, "delivery.withdrawn", ("customer", customer_id), channel=channel or "all", n=n, reason=reason)
    return n


def record_contact(
    actor: Actor, customer_id: str, channel: str, *, ref: str, purpose: str = "marketing", at: datetime | None = None
) -> bool:
    """Count a contact that was made outside the outbox, such as an RM's call, now or ``at``. Return whether it is new."""
    if not (actor.may("task.work") or actor.may("delivery.run")):
        raise NotAllowed("Your role may not do this (task.work).", right="task.work")
    with transaction.atomic():
        _, is_new = Contact.objects.get_or_create(
            ref=ref,
            defaults={"customer_id": customer_id, "channel": channel, "purpose": purpose, "on": bank_day(at or now())},
        )
        if is_new:
            raise_versions([customer_id])
    return is_new


def book_by_hand(actor: Actor, ref: str, row: NewTouch) -> bool:
    """Book a text that a member of staff puts into the customer's chat herself, once a ``ref``. Return whether it is new.

    It stands with the customer's other touches as presumed sent, for nobody can be asked whether it left, and counts.

    Raises:
        NotAllowed: no right ``material.send``.
    """
    actor.must(TO_CREATE[BY_HAND])
    moment, key = now(), touch_key(ref, row.customer_id, row.channel)
    with transaction.atomic():
        sending = _sending(actor, ref, BY_HAND, moment)
        if Touch.objects.filter(key=key).exists():
            return False
        touch = _touch(sending, key, row, _rendered(row, {}), moment)
        touch.save()
        Outcome.objects.create(touch=touch, stage=Outcome.Stage.HANDED, state="presumed_sent", attempt=1, at=moment)
        Sending.objects.filter(pk=sending.pk).update(n_touches=F("n_touches") + 1, n_handed=F("n_handed") + 1)
        record_contact(actor, row.customer_id, row.channel, ref=key, purpose=row.purpose)
    return True


def take_back_contact(actor: Actor, ref: str) -> None:
    """Count a contact no more that was recorded by mistake and taken back within seconds."""
    actor.must("task.work")
    Contact.objects.filter(ref=ref).delete()


# a restored backup


def beat(file: Path) -> int:
    """Raise the number that tells a restored backup from the present, in the database and in a file beside it.

    Raises:
        RestoredPast: the file is ahead of the database.
    """
    return quarantine.beat(file)


def check_heartbeat(file: Path) -> None:
    """Refuse to go on in a restored past.

    Raises:
        RestoredPast: the file is ahead of the database.
    """
    quarantine.check(file)


def quarantine_restored(actor: Actor, file: Path) -> int:
    """After a restore: move all that may have been sent since the backup to the unknown; return how many touches.

    Opt-outs made since the backup have to be replayed first.
    """
    actor.must("user.manage")
    moved = quarantine.quarantine(file, at=now())
    record(actor, "delivery.quarantined", ("delivery", "all"), n=moved)
    return moved


def release_quarantined(actor: Actor, campaign: str, *, send: bool) -> int:
    """Decide about a campaign's quarantined touches that no gateway can answer for: send them, or presume them sent."""
    actor.must("approval.decide")
    n = quarantine.release(campaign, send=send, at=now())
    record(actor, "delivery.released", ("campaign", campaign), n=n, sent=send)
    return n


def _cancel(waiting, reason: str) -> int:  # type: ignore[no-untyped-def]  # a queryset of Ready rows
    rows = list(waiting.select_for_update(of=("self",)))
    Outcome.objects.bulk_create(
        Outcome(
            touch_id=row.touch_id, stage=Outcome.Stage.HANDED, attempt=row.attempt, reason=reason[:120], at=now(),
            state="presumed_sent" if row.is_doubtful else "cancelled",
        )
        for row in rows
    )  # fmt: skip
    for some in chunks(rows, CHUNK):
        Ready.objects.filter(pk__in=[row.pk for row in some]).delete()
    return len(rows)


def _check_scope(scope: str, key: str) -> None:
    if scope not in SCOPES or (scope == "all") != (key == ""):
        raise NotAllowed(
            f"There is no such stop: {scope!r} {key!r}.", hint="Use all, or channel, campaign or wave with its name."
        )
