"""Discoveries and experts' notes, within an actor's scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q, QuerySet

from kequn.core.errors import InvalidSpec, NotAllowed, Where
from kequn.core.insight.features import unusable
from kequn.core.segments import count_by, sensitive_tags, tags_in, understand
from kequn.core.spec.base import Text
from kequn.core.spec.discovery import LookAlikeSearch
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import lineage
from kequn.ops.audiences.queries import (
    Ordinals,
    bank_for,
    list_for,
    members_of,
    scope_key,
    segment_for,
    segment_named,
    segment_specs,
)
from kequn.ops.insights.models import Discovery, ExpertNote
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

__all__ = [
    "Choice", "answer_for", "choices_for", "current_of", "defining_tags", "discoveries_for", "discovery_for", "last_column", "note_for",
    "notes_for", "seeds_for", "sizes_for",
]  # fmt: skip

COUNTED = ("n", "bank_n")
"""Of a cell of a profile: how many customers have the value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One tag of the picker."""

    spec: TagSpec
    coverage: float
    """Share of the bank's customers with a value on the date."""
    refused: Text | None
    """Why no model may use it; ``None`` where it may."""


def discoveries_for(actor: Actor) -> QuerySet[Discovery]:
    """Return what an actor sees: who may run discoveries those of her own branches; and everybody the clusters in force that
    her branches or those above published."""
    actor.must("discovery.view")
    rows = Discovery.objects.filter(_in_sight(actor))
    if not (actor.may("discovery.run") or actor.may("approval.decide")):
        return rows.filter(is_current=True)
    return rows if actor.sees_all_branches else rows.filter(_own(actor) | Q(is_current=True))


def discovery_for(actor: Actor, discovery_id: int) -> Discovery:
    """Return one discovery.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    row = discoveries_for(actor).filter(pk=discovery_id).first()
    if row is None:
        raise NotAllowed("There is no such discovery in your scope.", discovery=discovery_id)
    return row


def current_of(name: str) -> Discovery | None:
    """Return the discovery that makes the published tag of a name; ``None`` where there is none."""
    return Discovery.objects.filter(name=name, is_current=True).first()


def sizes_for(actor: Actor, discovery: Discovery) -> dict[str, int]:
    """Return code -> customers within the actor's scope: as found, or, where it was looked for among more customers than she
    reaches, of the published tag on its latest date."""
    if not _is_of_more(actor, discovery):
        return {c["code"]: c["size"] for c in discovery.clusters}
    day = last_date(discovery.tag)
    if day is None:
        return {c["code"]: 0 for c in discovery.clusters}
    everybody = SegmentSpec.model_validate({"name": "everybody", "title": "全部客户", "where": {"all": []}})
    found = count_by(bank_for(actor), everybody, tag=discovery.tag, tags=catalogue(), segments={}, as_of=day)
    return {c["code"]: found.get(c["code"], 0) for c in discovery.clusters}


def answer_for(actor: Actor, discovery: Discovery) -> dict[str, Any] | None:
    """Return what a discovery found, as an actor may read it; ``None`` while there is no answer.

    Where it was looked for among more customers than she reaches, sizes are those within her scope, and what else counts
    customers of other branches is left out: who moved, the segments in common, how many have a telling value.
    """
    result: dict[str, Any] | None = discovery.result
    if result is None:
        return None
    clusters = discovery.clusters
    if not _is_of_more(actor, discovery):
        return result | {"clusters": clusters} if clusters else result
    sizes = sizes_for(actor, discovery)
    whole = sum(sizes.values())
    left = {
        "clusters": [
            {
                **c,
                "size": sizes[c["code"]],
                "share": sizes[c["code"]] / whole if whole else None,
                "common": [],
                "telling": [
                    {**d, "cell": {k: v for k, v in d["cell"].items() if k not in COUNTED}} for d in c["telling"]
                ],
            }
            for c in clusters
        ],
        "customers": whole,
        "segments": [],
        "continued": None,
    }
    return result | left


def _is_of_more(actor: Actor, discovery: Discovery) -> bool:
    """Whether the customers it was looked for among reach beyond the actor's scope."""
    return bool(scope_key(actor)) and not discovery.branch_path.startswith(actor.branch_path)


def last_date(tag: str) -> date | None:
    """Return the latest business date on which a tag has values."""
    days = [day for day, state in engine().manifest.dates.items() if tag in state.tags]
    return date.fromisoformat(max(days)) if days else None


def last_column(tag: str) -> str | None:
    """Return the file of a tag's values on its latest date."""
    day = last_date(tag)
    return engine().manifest.dates[day.isoformat()].tags[tag].file if day else None


def choices_for(actor: Actor, as_of: date) -> list[Choice]:
    """Return the tags that were computed for a date, with what speaks against using them, by family and name."""
    actor.must("discovery.run")
    state = engine().manifest.dates.get(as_of.isoformat())
    specs = catalogue()
    there = state.tags if state else {}
    return [
        Choice(specs[name], there[name].known / max(state.customers if state else 0, 1), unusable(specs[name]))
        for name in sorted(there, key=lambda n: (specs[n].family if n in specs else "", n))
        if name in specs
    ]


def seeds_for(actor: Actor, search: LookAlikeSearch, *, as_of: date) -> Ordinals:
    """Return the ordinals of the seeds within the actor's scope.

    Raises:
        UnknownSegment, NotAllowed: the segment or list is not there, or not in sight.
        InvalidSpec: they were chosen by sensitive information, which nobody may be guessed to share.
    """
    rule = _seed_rule(actor, search)
    sensitive = sensitive_tags(rule, tags=catalogue(), segments=segment_specs() | {rule.name: rule})
    if sensitive:
        raise InvalidSpec(
            f"These seeds were chosen by sensitive information ({', '.join(sensitive)}).",
            hint="Who is like them would be guessed to share it without a consent. Choose other seeds.",
            where=Where(field="segment"),
        )
    return members_of(actor, rule, as_of=as_of)


def defining_tags(actor: Actor, search: LookAlikeSearch) -> frozenset[str]:
    """Return the tags by which the seeds were chosen, with all those tags are made of and all that is made of them.

    A list says nothing of how it was made: of that, none.
    """
    specs, others = catalogue(), segment_specs()
    rule = _seed_rule(actor, search)
    named = tags_in(understand(rule, tags=specs, segments=others | {rule.name: rule}))
    found = {n for name in named for n in _related(specs, name)}
    return frozenset(found)


def notes_for(actor: Actor, subject_kind: str, subject: str) -> QuerySet[ExpertNote]:
    """Return the notes on one thing that are in sight: of the actor's branches and of those above, oldest first.

    Raises:
        NotAllowed: the thing itself is not in the actor's sight.
    """
    _must_see(actor, subject_kind, subject)
    rows = ExpertNote.objects.filter(_in_sight(actor), subject_kind=subject_kind, subject=subject, is_removed=False)
    return rows.prefetch_related("versions")


def note_for(actor: Actor, note_id: int) -> ExpertNote:
    """Return one's own note.

    Raises:
        NotAllowed: it is not there, or somebody else's.
    """
    row = ExpertNote.objects.filter(pk=note_id, author_id=actor.user_id, is_removed=False).first()
    if row is None or actor.user_id is None:
        raise NotAllowed("There is no such note of yours.", note=note_id)
    return row


def _must_see(actor: Actor, subject_kind: str, subject: str) -> None:
    if subject_kind == "segment":
        segment_named(actor, subject)
        return
    number, _, code = subject.partition(":")
    row = discovery_for(actor, int(number) if number.isdecimal() else 0)
    if subject_kind == "cluster" and code not in {c["code"] for c in row.clusters}:
        raise NotAllowed("There is no such cluster in your scope.", cluster=subject)


def _seed_rule(actor: Actor, search: LookAlikeSearch) -> SegmentSpec:
    if search.segment:
        return segment_for(actor, segment_named(actor, search.segment).pk).spec
    row = list_for(actor, search.list or "")
    where = {"name": "seeds", "title": row.title, "where": {"list": row.name}}
    return SegmentSpec.model_validate(where)


def _related(specs: Mapping[str, TagSpec], name: str) -> set[str]:
    if name not in specs:
        return {name}
    found = lineage(specs[name], specs)
    return {name, *found.all_made_of, *found.all_used_by}


def _own(actor: Actor) -> Q:
    return Q(branch_path__startswith=actor.branch_path)


def _in_sight(actor: Actor) -> Q:
    """What belongs to the actor's branches, or to one above them."""
    parts = actor.branch_path.strip("/").split("/")
    above = ["/", *("/" + "/".join(parts[:n]) + "/" for n in range(1, len(parts) + 1))]
    return Q() if actor.sees_all_branches else Q(branch_path__in=above) | Q(branch_path__startswith=actor.branch_path)
