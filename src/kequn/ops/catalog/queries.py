"""Versions of definitions, the approved one of each name, and the bank's products."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from kequn.core.errors import NotAllowed, UnknownDefinition
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import ContactPolicySpec, PlaybookSpec
from kequn.core.spec.metric import MetricSpec
from kequn.ops.catalog.content import marks
from kequn.ops.catalog.contracts import Mark, Product
from kequn.ops.catalog.models import CatalogSpec, DefinitionVersion
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.contracts import TagUser

KINDS = (
    "offer",
    "template",
    "talk_track",
    "metric",
    "playbook",
    "contact_policy",
    "ownership_policy",
    "assignment",
    "pool",
    "desk_policy",
)


def definitions_for(actor: Actor, *, kind: str | None = None, state: str | None = None) -> QuerySet[DefinitionVersion]:
    """Return all versions, the newest of each name first."""
    actor.must("catalog.view")
    rows = DefinitionVersion.objects.all()
    rows = rows.filter(kind=kind) if kind else rows
    return rows.filter(state=state) if state else rows


def latest_definitions(actor: Actor, *, kind: str | None = None) -> list[DefinitionVersion]:
    """Return the newest version of each name (the catalog page's rows)."""
    newest: dict[tuple[str, str], DefinitionVersion] = {}
    for row in definitions_for(actor, kind=kind):
        newest.setdefault((row.kind, row.name), row)
    return list(newest.values())


def definition_for(actor: Actor, version_id: int) -> DefinitionVersion:
    """Return one version.

    Raises:
        NotAllowed: there is none such.
    """
    row = definitions_for(actor).filter(pk=version_id).first()
    if row is None:
        raise NotAllowed("There is no such definition.", version=version_id)
    return row


def versions_of(actor: Actor, kind: str, name: str) -> QuerySet[DefinitionVersion]:
    """Return the history of one definition, the newest first."""
    return definitions_for(actor, kind=kind).filter(name=name).order_by("-id")


def marks_for(actor: Actor, spec: CatalogSpec) -> tuple[Mark, ...]:
    """Return what the content check finds, for a text being written."""
    actor.must("catalog.view")
    return marks(spec)


def current(kind: str, name: str) -> DefinitionVersion | None:
    """Return the approved version in use, ``None`` where none was approved."""
    return DefinitionVersion.objects.filter(kind=kind, name=name, is_current=True).first()


def current_of_kind(kind: str) -> list[Any]:
    """Return the specs of a kind that are in use, the latest decided first."""
    rows = DefinitionVersion.objects.filter(kind=kind, is_current=True).order_by("-decided_at", "-id")
    return [row.spec for row in rows]


def in_use(*kinds: str) -> list[DefinitionVersion]:
    """Return the approved versions in use of some kinds, by name."""
    return list(DefinitionVersion.objects.filter(kind__in=kinds, is_current=True).order_by("kind", "name"))


def newest(kind: str, name: str) -> DefinitionVersion | None:
    """Return the version in use, else the newest that was not retired: what a campaign in the making refers to."""
    rows = DefinitionVersion.objects.filter(kind=kind, name=name).exclude(state="retired")
    return current(kind, name) or rows.order_by("-id").first()


def spec_of(kind: str, name: str) -> CatalogSpec:
    """Return the spec in use.

    Raises:
        UnknownDefinition: none of this name was approved.
    """
    row = current(kind, name)
    if row is None:
        waiting = newest(kind, name)
        message = (
            f"The {kind.replace('_', ' ')} {name!r} was not approved." if waiting else f"There is no {kind} {name!r}."
        )
        hint = "Submit it and have it approved." if waiting else "Save it first, or correct the name."
        raise UnknownDefinition(message, hint=hint, kind=kind, name=name)
    return row.spec


def pinned(kind: str, name: str, fingerprint: str) -> CatalogSpec:
    """Return the very version that something running was built on.

    Raises:
        UnknownDefinition: there is none such.
    """
    row = DefinitionVersion.objects.filter(kind=kind, name=name, fingerprint=fingerprint).first()
    if row is None:
        raise UnknownDefinition(f"The {kind} {name!r} has no version {fingerprint}.", kind=kind, name=name)
    return row.spec


def by_fingerprint(kind: str, fingerprint: str) -> CatalogSpec | None:
    """Return a version that a task or touch names by its fingerprint alone."""
    row = DefinitionVersion.objects.filter(kind=kind, fingerprint=fingerprint).first()
    return row.spec if row else None


def is_approved_version(kind: str, name: str, fingerprint: str) -> bool:
    """Whether this very version was approved and not retired since."""
    return DefinitionVersion.objects.filter(kind=kind, name=name, fingerprint=fingerprint, state="approved").exists()


def policy() -> ContactPolicySpec:
    """Return the contact policy in force: the approved one that was decided last.

    Raises:
        UnknownDefinition: none was approved; nobody may be contacted then.
    """
    row = (
        DefinitionVersion.objects.filter(kind="contact_policy", is_current=True).order_by("-decided_at", "-id").first()
    )
    if row is None:
        raise UnknownDefinition(
            "There is no approved contact policy.", hint="Save one and have it approved.", kind="contact_policy"
        )
    return row.spec


def products_for(actor: Actor) -> list[Product]:
    """Return the bank's products as loaded, by family and code; none before the first load."""
    actor.must("catalog.view")
    return list(products().values())


def products() -> dict[str, Product]:
    """Return the bank's products by code, for other services."""
    bank = engine()
    if not bank.has("product"):
        return {}
    stored = {row[0] for row in bank.rows("SELECT column_name FROM (DESCRIBE product)")}
    wanted = ("product_code", "name", "name_en", "family", "risk_level", "minimum_amount", "remaining_quota")
    select = ", ".join(c if c in stored else f"NULL AS {c}" for c in wanted)
    rows = bank.rows(f"SELECT {select} FROM product ORDER BY family, product_code")
    return {
        code: Product(code, name or code, english or "", family or "", risk, _yuan(minimum), _yuan(quota))
        for code, name, english, family, risk, minimum, quota in rows
    }


def _yuan(fen: int | None) -> Decimal | None:
    return None if fen is None else (Decimal(int(fen)) / 100).quantize(Decimal("0.01"))


def metrics_using(name: str) -> list[TagUser]:
    """Return the metrics that read a tag: the one they measure, or one they are adjusted by."""
    rows = [newest("metric", n) for n in _names("metric")]
    return [
        TagUser("metric", row.name, row.spec.title)
        for row in rows
        if row and isinstance(row.spec, MetricSpec) and name in (row.spec.tag, *row.spec.adjust_by)
    ]


def playbooks_for_segments(segments: Collection[str]) -> list[tuple[str, Text]]:
    """Return name and title of the playbooks that are for one of some segments."""
    rows = [newest("playbook", n) for n in _names("playbook")]
    return [(r.name, r.spec.title) for r in rows if r and isinstance(r.spec, PlaybookSpec) and r.spec.where in segments]


def _names(kind: str) -> list[str]:
    return sorted(set(DefinitionVersion.objects.filter(kind=kind).values_list("name", flat=True)))
