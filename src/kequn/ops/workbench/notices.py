"""The word owed to a customer whose manager changed, sent as a message: a service text, through the gate and the outbox, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from kequn.core.errors import Conflict, InvalidSpec, KequnError, UnknownDefinition, Where
from kequn.core.gate import ALLOW, Content, Decisions, Proposal
from kequn.core.spec.base import Text
from kequn.core.spec.offer import TemplateSpec
from kequn.ops.audiences.queries import ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import owners_of, person_for
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.contracts import NOTICE, Block, NewTouch, Pending, Verdict
from kequn.ops.delivery.queries import HANDED, NOT_SENT, touches_by_key
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.ownership import queries as ownership
from kequn.ops.ownership import services as owners
from kequn.ops.ownership.queries import Notice
from kequn.ops.runtime import now
from kequn.ops.workbench.customer import decide_for_rm
from kequn.ops.workbench.material import (
    CHANNELS,
    PRIORITY,
    filled,
    gate_words,
    is_over,
    person_values,
    refuse_blocked,
    verdict_of,
)

AT_ONCE = 200
"""Notices sent in one call."""
LEAVES_WITHIN = timedelta(hours=24)
RECEIPTS_COME = timedelta(days=4)
"""So long a gateway may still say that a message did not arrive."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """An approved text for notices (告知模板)."""

    name: str
    fingerprint: str
    channel: str
    title: Text


@dataclass(frozen=True, slots=True)
class NoticePreview:
    """A notice as the customer would read it, and whether it may leave now."""

    notice_id: int
    customer_id: str
    subject: str = ""
    body: str = ""
    codes: tuple[str, ...] = ()
    """Every rule of the gate that says no; none: it may leave."""
    cures: tuple[Text, ...] = ()
    hold_until: datetime | None = None
    trouble: KequnError | None = None
    """Why there is nothing to send at all: told already, a message under way, a field without a value."""

    @property
    def may_leave(self) -> bool:
        """Whether it would be sent."""
        return self.trouble is None and not self.codes


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """What came of one notice: the key of its message, or why there is none."""

    notice_id: int
    customer_id: str
    message: str = ""
    trouble: KequnError | None = None


def notice_texts(actor: Actor) -> list[NoticeText]:
    """Return the approved texts for notices, by name."""
    actor.must("notice.send")
    return [_text(row) for row in catalog.in_use("template") if _serves(row.spec) and not is_over(row.spec)]


def preview_notices(actor: Actor, notice_ids: Collection[int], name: str) -> list[NoticePreview]:
    """Return what each customer would read and what the gate says now, the most urgent first.

    Raises:
        NotAllowed: no right ``notice.send``, or one of the notices is not hers.
        UnknownDefinition: no approved text of this name.
        InvalidSpec: none, or too many at once.
    """
    rows, (_, template) = _chosen(actor, notice_ids), _in_use(name)
    moment, found = now(), []
    for row in rows:
        try:
            subject, body = _written(actor, row, template)
        except KequnError as trouble:
            found.append(NoticePreview(row.pk, row.customer_id, trouble=trouble))
            continue
        codes, cures, until = gate_words(_decided(row.customer_id, template, moment=moment))
        found.append(NoticePreview(row.pk, row.customer_id, subject, body, codes, cures, until))
    return found


def send_notices(actor: Actor, notice_ids: Collection[int], name: str, *, fingerprint: str) -> list[NoticeSent]:
    """Send the word owed to some customers, as previewed; one with a message under way gets no second one.

    The gate decides now, as on a service message, and once more when it is sent. A refused one stays owed; a sent one is
    told when its message was handed over (`settle_notices`).

    Raises:
        NotAllowed, UnknownDefinition, InvalidSpec: as `preview_notices`.
        Conflict: another version of the text is in use, or the channel is not connected.
    """
    rows, (text, template) = _chosen(actor, notice_ids), _in_use(name)
    if text.fingerprint != fingerprint:
        raise Conflict("The text was changed since you looked at it.", hint="Look at it again, then send.")
    if text.channel not in delivery.channels():
        raise Conflict(
            f"The channel {text.channel} is not connected.", hint="Ask the administrator, or use another one."
        )
    found = []
    for row in rows:
        try:
            found.append(NoticeSent(row.pk, row.customer_id, message=_sent(actor, row, text, template)))
        except KequnError as trouble:
            found.append(NoticeSent(row.pk, row.customer_id, trouble=trouble))
    return found


def settle_notices(actor: Actor) -> int:
    """Follow the messages under way: handed over is told, not sent is owed again. Return how many moved."""
    return _settled(actor, ownership.with_messages())


def reopen_notices(actor: Actor) -> int:
    """Owe the word again where a gateway said later that its message did not arrive. Return how many; a daily chore."""
    return _settled(actor, ownership.with_messages(told_since=now() - RECEIPTS_COME))


def _settled(actor: Actor, rows: Sequence[Notice]) -> int:
    moved, touches = 0, touches_by_key([row.message for row in rows])
    for row in rows:
        touch = touches.get(row.message)
        if touch is None:
            continue
        is_lost = touch.state in NOT_SENT or touch.state == "undelivered"
        if not is_lost and (row.state == "told" or touch.state not in HANDED | {"delivered"}):
            continue
        with transaction.atomic():
            changed = owners.settle_message(
                row, arrived=not is_lost, how=touch.channel, by=touch.sending.created_by, at=touch.at or now(),
                why=(touch.reason or touch.state).split(":")[0].replace(",", " "),
            )  # fmt: skip
            if changed:
                act = "notice.not_arrived" if is_lost else "notice.told"
                record(actor, act, ("customer", row.customer_id), message=row.message, state=touch.state)
        moved += changed
    return moved


def gate_notices(touches: Sequence[Pending], moment: datetime) -> list[Verdict]:
    """Return the gate's verdict at the moment of sending on notices, one each, in order."""
    templates = {row.fingerprint: row.spec for row in catalog.in_use("template") if _serves(row.spec)}
    notices = ownership.notices_of_messages([touch.key for touch in touches])
    owner = owners_of({touch.customer_id for touch in touches})
    verdicts: list[Verdict] = []
    for touch in touches:
        notice, template = notices.get(touch.key), templates.get(touch.template)
        if notice is None or notice.state != "owed" or owner.get(touch.customer_id) != notice.staff_no:
            verdicts.append(Block("NOTICE_OVER"))
        elif template is None or is_over(template):
            verdicts.append(Block("CONTENT_NOT_APPROVED"))
        else:
            verdicts.append(_at_sending(touch, template, moment))
    return verdicts


def _at_sending(touch: Pending, template: TemplateSpec, moment: datetime) -> Verdict:
    try:
        return verdict_of(_decided(touch.customer_id, template, moment=moment, without=[touch.key]), moment)
    except KequnError:
        return Block("DEFINITION_MISSING")


def _chosen(actor: Actor, notice_ids: Collection[int]) -> list[Notice]:
    actor.must("notice.send")
    if not 0 < len(set(notice_ids)) <= AT_ONCE:
        raise InvalidSpec(f"Choose between 1 and {AT_ONCE} customers.", where=Where(field="notice"))
    return ownership.notices_numbered(actor, notice_ids)


def _sent(actor: Actor, row: Notice, text: NoticeText, template: TemplateSpec) -> str:
    if row.message:  # a second tap, a second page, a colleague: the one message stands
        return row.message
    subject, body = _written(actor, row, template)
    moment = now()
    decisions = _decided(row.customer_id, template, moment=moment)
    if decisions is None or decisions.verdict[0] != ALLOW:
        refuse_blocked(decisions, catalog.policy())
    ref = f"notice:{actor.staff_no or actor.username}:{row.pk}:{row.tries}"
    key = delivery.touch_key(ref, row.customer_id, text.channel)
    touch = NewTouch(
        customer_id=row.customer_id, channel=text.channel, campaign=NOTICE, template=text.fingerprint, subject=subject,
        body=body, purpose="service", priority=PRIORITY, expires_at=moment + LEAVES_WITHIN,
    )  # fmt: skip
    with transaction.atomic():
        if owners.begin_message(row, key):
            delivery.create_touches(actor, ref, [touch])
            record(actor, "notice.sent", ("customer", row.customer_id), template=text.name, message=key)
    row.refresh_from_db()
    if not row.message:
        raise Conflict("The customer was told meanwhile.", hint="Reload.")
    return row.message


def _written(actor: Actor, row: Notice, template: TemplateSpec) -> tuple[str, str]:
    """Return subject and body with the name and number of the manager whom the notice is about.

    Raises:
        Conflict: there is nothing to tell any more, or a message is under way.
        InvalidSpec: the manager has no telephone number, or another field has no value.
    """
    if row.state != "owed":
        raise Conflict("The customer was told already.", hint="Reload.")
    if row.message:
        raise Conflict("A message to this customer is under way.", hint="Wait for its outcome.")
    person = person_for(actor, row.customer_id)
    manager = staff_numbered([row.staff_no]).first()
    if person.rm_no != row.staff_no or manager is None or not manager.is_active:
        raise Conflict("The customer has another manager by now.", hint="Reload; the word owed is another one.")
    if not manager.phone:
        raise InvalidSpec(
            f"{manager.display_name} has no telephone number at work.",
            hint="Have it entered with the staff, then send.", where=Where(field="rm_phone"),
        )  # fmt: skip
    return filled(_values(actor, person, manager.display_name, manager.phone), template)


def _values(actor: Actor, person: MaskedPerson, rm_name: str, rm_phone: str) -> dict[str, str]:
    values = person_values(actor, person) | {"rm_name": rm_name, "rm_phone": rm_phone}
    return {name: value for name, value in values.items() if value}


def _decided(
    customer_id: str, template: TemplateSpec, *, moment: datetime, without: Sequence[str] = ()
) -> Decisions | None:
    """Return the gate's verdict on a service message; ``None`` for a customer whom the bank's data do not have."""
    ordinal = int(ordinals([customer_id])[0])
    if ordinal < 0:
        return None
    proposal = Proposal(product_known=True, content={template.channel: Content(approved=True, has_opt_out=True)})
    return decide_for_rm(
        ordinal, template.channel, proposal, policy=catalog.policy(), now=moment, without=without, purpose="service"
    )


def _serves(spec: TemplateSpec) -> bool:
    return spec.serves == "owner_notice" and spec.channel in CHANNELS


def _in_use(name: str) -> tuple[NoticeText, TemplateSpec]:
    row = catalog.current("template", name)
    if row is None or not _serves(row.spec) or is_over(row.spec):
        raise UnknownDefinition(
            f"There is no approved text {name!r} for notices.", hint="Choose another one.", name=name
        )
    return _text(row), row.spec


def _text(row) -> NoticeText:  # type: ignore[no-untyped-def]  # a row of the catalog
    return NoticeText(row.name, row.fingerprint, row.spec.channel, row.spec.title)
