"""Approved material that an RM sends to one customer by her own hand: confirmed by her, through the gate and the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from kequn.core.errors import Conflict, InvalidSpec, KequnError, NotAllowed, UnknownDefinition, Where
from kequn.core.gate import ALLOW, BY_CODE, HOLD, Content, Decisions, Proposal, cures_of, proposal_from
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.core.spec.merge import compile_text
from kequn.core.spec.offer import OfferSpec, TemplateSpec
from kequn.ops.audiences.queries import bank_today, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.services import FIELDS, offer_fields
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import person_for
from kequn.ops.customers.services import merge_fields
from kequn.ops.delivery import services as delivery
from kequn.ops.delivery.contracts import BY_HAND, Allow, Block, Hold, NewTouch, Pending, Verdict
from kequn.ops.delivery.queries import sent_by_hand, was_sent_by_hand
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branches_numbered
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.customer import decide_for_rm

CHANNELS = ("wecom", "sms")
"""By which an RM sends material; a call or a visit is no message."""
LEAVES_WITHIN = timedelta(hours=12)
AGAIN_AFTER = timedelta(minutes=10)
"""The same material to the same customer is taken for a second tap within this time."""
PRIORITY = 90
LATER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Material:
    """An approved template that may be chosen (素材)."""

    name: str
    fingerprint: str
    channel: str
    title: Text
    offer: str


@dataclass(frozen=True, slots=True)
class MaterialPreview:
    """A material as this customer would see it, and whether it may leave now."""

    material: Material
    subject: str
    body: str
    codes: tuple[str, ...]
    """Every rule of the gate that says no; none: it may leave."""
    cures: tuple[Text, ...]
    """What would let it leave, one a code."""
    hold_until: datetime | None
    in_service: bool
    """Whether the channel is connected."""


def materials_for(actor: Actor, customer_id: str) -> list[Material]:
    """Return the material in use that may be sent by hand, by title: approved, in its current version, and not over.

    A text that speaks of an offer and names none is a campaign's: only a campaign says which offer it is about.

    Raises:
        NotAllowed: no right ``material.send``, or the customer is not within the actor's scope.
    """
    actor.must("material.send")
    person_for(actor, customer_id)
    return [
        _material(row)
        for row in catalog.in_use("template")
        if row.spec.channel in CHANNELS and not row.spec.serves and not is_over(row.spec) and _stands_alone(row.spec)
    ]


def preview_material(actor: Actor, customer_id: str, name: str) -> MaterialPreview:
    """Return what the customer would see, and what the gate says now.

    Raises:
        NotAllowed: as `materials_for`.
        UnknownDefinition: no approved material of this name may be sent.
        InvalidSpec: a field of the text has no value for her.
    """
    actor.must("material.send")
    person = person_for(actor, customer_id)
    material, template = _in_use(name)
    subject, body = filled(material_values(actor, person, material), template)
    decisions = _decided(customer_id, material, template, moment=now())
    codes, cures, hold_until = gate_words(decisions)
    return MaterialPreview(
        material=material,
        subject=subject,
        body=body,
        codes=codes,
        cures=cures,
        hold_until=hold_until,
        in_service=material.channel in delivery.channels(),
    )


def send_material(actor: Actor, customer_id: str, name: str, *, key: str, fingerprint: str) -> Any:
    """Send one material to one customer, as previewed; the same ``key`` again sends nothing more.

    ``fingerprint`` is that of the version the RM looked at: nothing leaves that she did not see. The gate decides now and
    once more when it is sent; the contact counts against the caps and stands in the customer's line of contacts.

    Raises:
        NotAllowed: as `materials_for`.
        UnknownDefinition, InvalidSpec: as `preview_material`.
        Conflict: another version is in use, the channel is not connected, or it was sent a moment ago.
        Blocked: the gate says no, with every reason; or not now, with until when.
    """
    actor.must("material.send")
    person, ref = person_for(actor, customer_id), _ref(actor, key)
    if (before := sent_by_hand(ref)) is not None:
        return before
    material, template = _in_use(name)
    if material.fingerprint != fingerprint:
        raise Conflict("The material was changed since you looked at it.", hint="Look at it again, then send.")
    if material.channel not in delivery.channels():
        raise Conflict(
            f"The channel {material.channel} is not connected.", hint="Ask the administrator, or use another one."
        )
    moment = now()
    refuse_blocked(_decided(customer_id, material, template, moment=moment), catalog.policy())
    subject, body = filled(material_values(actor, person, material), template)
    touch = NewTouch(
        customer_id=customer_id, channel=material.channel, campaign=BY_HAND, template=fingerprint, subject=subject,
        body=body, offer=material.offer, priority=PRIORITY, expires_at=moment + LEAVES_WITHIN,
    )  # fmt: skip
    with transaction.atomic():
        if was_sent_by_hand(customer_id, fingerprint, since=moment - AGAIN_AFTER):
            raise Conflict("This was sent to the customer a moment ago.", hint="Look at the line of contacts.")
        if delivery.create_touches(actor, ref, [touch]):
            record(actor, "material.sent", ("customer", customer_id), template=name, channel=material.channel)
    return sent_by_hand(ref)


def gate_by_hand(touches: Sequence[Pending], moment: datetime) -> list[Verdict]:
    """Return the gate's verdict at the moment of sending on touches that RMs send by hand, one each, in order."""
    templates = {row.fingerprint: row for row in catalog.in_use("template")}
    return [_at_sending(touch, templates.get(touch.template), moment) for touch in touches]


def _at_sending(touch: Pending, row: Any, moment: datetime) -> Verdict:
    if row is None or row.spec.serves or is_over(row.spec):
        return Block("CONTENT_NOT_APPROVED")
    try:
        decisions = _decided(touch.customer_id, _material(row), row.spec, moment=moment, without=[touch.key])
    except KequnError:
        return Block("DEFINITION_MISSING")
    return verdict_of(decisions, moment)


def gate_words(decisions: Decisions | None) -> tuple[tuple[str, ...], tuple[Text, ...], datetime | None]:
    """Return what a preview says of a gate's decision on one touch: its codes, the cure of each, until when it is held."""
    codes = ("UNKNOWN_CUSTOMER",) if decisions is None else decisions.codes(0)
    return codes, cures_of(codes), None if decisions is None else decisions.held_until(0)


def verdict_of(decisions: Decisions | None, moment: datetime) -> Verdict:
    """Return a gate's decision on one touch as the dispatcher takes it; ``None``: the bank does not know the customer."""
    if decisions is None:
        return Block("UNKNOWN_CUSTOMER")
    if decisions.verdict[0] == ALLOW:
        return Allow()
    codes = ",".join(decisions.codes(0))
    if decisions.verdict[0] == HOLD:
        return Hold(decisions.held_until(0) or moment + LATER, codes)
    return Block(codes)


def refuse_blocked(decisions: Decisions | None, policy: ContactPolicySpec) -> None:
    """Refuse what the gate does not let pass now; ``None``: the bank does not know the customer.

    Raises:
        Blocked: with every reason, and its cure or until when it waits.
    """
    if decisions is not None and decisions.verdict[0] == ALLOW:
        return
    codes, cures, until = gate_words(decisions)
    raise Blocked(
        "; ".join(BY_CODE[code].title.to("en") for code in codes) + ".",
        hint=f"Wait until {until.astimezone(ZoneInfo(policy.zone)):%m-%d %H:%M}."
        if until
        else " ".join(cure.to("en") for cure in cures),
        codes=",".join(codes),
    )


class Blocked(Conflict):
    """The compliance gate says no; the codes are all the rules that do."""

    code = "blocked"


def _in_use(name: str) -> tuple[Material, TemplateSpec]:
    row = catalog.current("template", name)
    if row is None or row.spec.channel not in CHANNELS or row.spec.serves:
        raise UnknownDefinition(f"There is no approved material {name!r}.", hint="Choose another one.", name=name)
    if is_over(row.spec):
        raise UnknownDefinition(
            f"The material {name!r} is past its last day.", hint="Ask head office to renew it.", name=name
        )
    return _material(row), row.spec


def _material(row: Any) -> Material:
    spec: TemplateSpec = row.spec
    return Material(row.name, row.fingerprint, spec.channel, spec.title, spec.product or "")


def _stands_alone(spec: TemplateSpec) -> bool:
    """Whether no field waits for a campaign to name the offer."""
    return bool(spec.product) or not offer_fields(spec)


def is_over(spec: TemplateSpec) -> bool:
    """Whether a text is past its last day."""
    return spec.valid_until is not None and spec.valid_until < bank_today()


def _decided(
    customer_id: str, material: Material, template: TemplateSpec, *, moment: datetime, without: Sequence[str] = ()
) -> Decisions | None:
    """Return the gate's verdict; ``None`` for a customer whom the bank's data do not have."""
    ordinal = int(ordinals([customer_id])[0])
    if ordinal < 0:
        return None
    content = {material.channel: Content(approved=True, has_opt_out=bool(template.opt_out.strip()))}
    proposal = Proposal(product_known=True, content=content)
    if material.offer:
        offer = catalog.spec_of("offer", material.offer)
        assert isinstance(offer, OfferSpec)
        proposal = proposal_from(engine(), offer, content)
    return decide_for_rm(ordinal, material.channel, proposal, policy=catalog.policy(), now=moment, without=without)


def filled(values: Mapping[str, str], template: TemplateSpec) -> tuple[str, str]:
    """Return subject and body with the merge fields filled, and nothing else of the customer.

    Raises:
        InvalidSpec: a field has no value.
    """
    body = f"{template.body}{template.opt_out}"
    try:
        return tuple(compile_text(text, allowed=FIELDS).render(values) for text in (template.subject, body))  # type: ignore[return-value]
    except InvalidSpec as error:
        raise InvalidSpec(
            error.message, hint="This material cannot be sent to her.", where=Where(field="template")
        ) from error


def person_values(actor: Actor, person: MaskedPerson) -> dict[str, str]:
    """Return what a text may merge of a customer and of her branch."""
    named = merge_fields(actor, [person.customer_id]).get(person.customer_id, {})
    return {
        "bank_name": settings.BANK_NAME,
        "family_name": named.get("family_name", ""),
        "branch_name": branches_numbered([person.branch_code]).get(person.branch_code, ""),
    }


def material_values(actor: Actor, person: MaskedPerson, material: Material) -> dict[str, str]:
    """Return what a material may merge; a field without a value is absent."""
    values = person_values(actor, person) | {"rm_name": actor.display_name}
    row = catalog.current("offer", material.offer) if material.offer else None
    if row is not None:
        product = catalog.products().get(row.spec.product)
        values |= {"product_name": product.name} if product else {}
        values |= {"benefit": row.spec.benefit.zh} if row.spec.benefit else {}
        values |= {"valid_until": f"{row.spec.valid_until:%Y-%m-%d}"} if row.spec.valid_until else {}
    return {name: value for name, value in values.items() if value}


def _ref(actor: Actor, key: str) -> str:
    if not key.strip() or not actor.staff_no:
        raise NotAllowed("Material is sent by a member of staff with a key of the form.", right="material.send")
    return f"hand:{actor.staff_no}:{hashlib.sha256(key.encode()).hexdigest()[:24]}"
