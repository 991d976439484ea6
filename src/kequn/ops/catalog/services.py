"""Save, submit and retire definitions; take the checker's decision."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops.catalog import states
from kequn.ops.catalog.content import FIELDS, marks, offer_fields, sms_parts
from kequn.ops.catalog.models import CatalogSpec, DefinitionVersion
from kequn.ops.catalog.queries import definition_for
from kequn.ops.governance.services import Approval, record, submit, withdraw
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

__all__ = [
    "FIELDS",
    "content_marks",
    "decide_definition",
    "offer_fields",
    "retire_definition",
    "save_definition",
    "sms_parts",
    "submit_definition",
]

content_marks = marks


def save_definition(actor: Actor, spec: CatalogSpec) -> DefinitionVersion:
    """Keep a definition as a version. The same meaning gives the same version, with its title and description as now given."""
    actor.must("catalog.edit")
    fields = {"spec": spec, "owner_id": actor.user_id, "owner_name": actor.display_name, "created_at": now()}
    fingerprint = spec.fingerprint()
    try:
        with transaction.atomic():
            version = DefinitionVersion.objects.create(
                kind=spec.kind, name=spec.name, fingerprint=fingerprint, **fields
            )
            record(actor, "definition.saved", version, kind=spec.kind, name=spec.name, fingerprint=fingerprint)
    except IntegrityError:
        return _relabel(
            actor, DefinitionVersion.objects.get(kind=spec.kind, name=spec.name, fingerprint=fingerprint), spec
        )
    return version


def submit_definition(actor: Actor, version_id: int) -> DefinitionVersion:
    """Ask for approval of a version.

    Raises:
        InvalidSpec: the content check found faults.
        Conflict: it is approved or retired.
    """
    actor.must("catalog.edit")
    version = definition_for(actor, version_id)
    if version.state in (states.SUBMITTED, states.APPROVED):
        return version
    found = marks(version.spec)
    faults = [m for m in found if m.grade == "fault"]
    if faults:
        raise InvalidSpec(
            f"The content check found {len(faults)} fault(s): "
            + "; ".join(f"{m.reason.en} {m.found!r}" for m in faults),
            hint="Correct the text and save it again.",
            codes=",".join(m.code for m in faults),
        )
    with transaction.atomic():
        _move(version, states.SUBMITTED)
        summary = {"spec": version.spec.model_dump(mode="json", by_alias=True), "marks": [m.code for m in found]}
        submit(actor, version.kind, version.name, version.fingerprint, title=version.spec.title.zh, summary=summary)
    return version


def retire_definition(actor: Actor, version_id: int) -> DefinitionVersion:
    """Take a version out of use at once: running campaigns send nothing more of a retired text.

    Raises:
        NotAllowed: it is another's, and the actor does not work for the whole institution.
    """
    actor.must("catalog.edit")
    version = definition_for(actor, version_id)
    if not actor.sees_all_branches and version.owner_id != actor.user_id:
        raise NotAllowed(
            "The definition is another's.", hint="Ask its owner.", version=version_id, right="catalog.edit"
        )
    if version.state == states.RETIRED:
        return version
    with transaction.atomic():
        _move(version, states.RETIRED, is_current=False)
        withdraw(actor, version.kind, version.name, version.fingerprint)
        record(actor, "definition.retired", version, kind=version.kind, name=version.name)
    return version


def decide_definition(actor: Actor, approval: Approval) -> None:
    """Follow a decision: the approved version becomes the one in use. Runs within the decision's transaction.

    Raises:
        NotAllowed: definitions are the whole institution's, and the checker is not.
    """
    if not actor.sees_all_branches:
        raise NotAllowed(
            "Offers, texts, metrics and policies hold for the whole bank.", hint="A checker at head office decides.",
            right="approval.decide",
        )  # fmt: skip
    version = DefinitionVersion.objects.filter(
        kind=approval.kind, name=approval.name, fingerprint=approval.fingerprint
    ).first()
    if version is None:
        raise Conflict("What was to be approved is gone.", kind=approval.kind, name=approval.name)
    if approval.state == Approval.State.REFUSED:
        _move(version, states.REFUSED, decided_at=now())
        return
    DefinitionVersion.objects.filter(kind=version.kind, name=version.name, is_current=True).update(is_current=False)
    _move(version, states.APPROVED, is_current=True, decided_at=now())


def _relabel(actor: Actor, version: DefinitionVersion, spec: CatalogSpec) -> DefinitionVersion:
    back = {"state": states.DRAFT} if version.state == states.RETIRED else {}
    if version.spec == spec and not back:
        return version
    with transaction.atomic():
        DefinitionVersion.objects.filter(pk=version.pk).update(spec=spec, **back)
        record(actor, "definition.relabelled", version, kind=spec.kind, name=spec.name)
    version.refresh_from_db()
    return version


def _move(version: DefinitionVersion, state: str, **fields: object) -> None:
    if state not in states.TRANSITIONS[version.state]:
        raise Conflict(f"A version that is {version.state} cannot become {state}.", version=version.pk)
    moved = DefinitionVersion.objects.filter(pk=version.pk, state=version.state).update(state=state, **fields)
    if not moved:
        raise Conflict("Somebody was faster.", hint="Reload.", version=version.pk)
    version.refresh_from_db()
