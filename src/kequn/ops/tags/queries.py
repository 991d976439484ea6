"""The tag catalogue, what was computed, and how each tag is filled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.db.models import QuerySet

from kequn.core.engine.store import TagState
from kequn.core.errors import UnknownTag
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import Lineage, lineage, near_tag, reason_in_words, statistics, unavailable
from kequn.core.tags import catalogue as shipped
from kequn.core.tags.ordering import closure
from kequn.core.tags.pack import read_tags
from kequn.core.tags.reading import ReadTag
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, runtime
from kequn.ops.tags.contracts import TagUser
from kequn.ops.tags.models import Refresh, TagStatistic, TagVersion

Finder = Callable[[str], Iterable[TagUser]]
_finders: dict[str, Finder] = {}
_cached: tuple[object, dict[str, TagSpec]] | None = None
_read: tuple[dict[str, TagSpec], dict[str, ReadTag]] | None = None
"""The catalogue as `catalogue` last gave it, and its texts as read."""


@dataclass(frozen=True, slots=True)
class TagRow:
    """One line of the catalogue page."""

    spec: TagSpec
    state: TagState | None
    """How it was last computed; ``None`` where it never was."""
    coverage: float | None
    """Share of the bank's customers with a value, 0–1."""
    missing: Text | None
    """Why it cannot be computed from what is loaded; ``None`` where it can."""


def catalogue() -> dict[str, TagSpec]:
    """Return all tags by name: the shipped pack, the bank's folders, and what was saved through kequn, the last winning."""
    global _cached  # noqa: PLW0603 - reading 100 files takes longer than a page may
    own = TagVersion.objects.filter(is_current=True).order_by("name")
    key = (runtime().tag_folders, tuple(own.values_list("name", "fingerprint")))
    if _cached is None or _cached[0] != key:
        _cached = (key, shipped(*runtime().tag_folders) | {v.name: v.spec for v in own})
    return _cached[1]


def _texts() -> dict[str, ReadTag]:
    """The catalogue with its texts read, once for each state of it."""
    global _read  # noqa: PLW0603 - as above
    specs = catalogue()
    kept = _read
    if kept is None or kept[0] is not specs:
        _read = kept = (specs, read_tags(specs))
    return kept[1]


def is_own(name: str) -> bool:
    """Whether the bank added the tag through kequn, alone or in a shipped one's place: such a one can be taken out again."""
    return TagVersion.objects.filter(name=name, is_current=True).exists()


def without(name: str) -> dict[str, TagSpec]:
    """Return the catalogue as it is once the bank's own definition of a tag is taken out."""
    own = TagVersion.objects.filter(is_current=True).exclude(name=name)
    return shipped(*runtime().tag_folders) | {v.name: v.spec for v in own}


def tag_rows_for(actor: Actor, *, as_of: date | None = None) -> list[TagRow]:
    """Return the catalogue with coverage on a date (the latest by default)."""
    actor.must("tag.view")
    manifest = runtime().store.manifest()
    day = manifest.dates.get((as_of or _latest(manifest.dates)).isoformat()) if manifest.dates else None
    specs = catalogue()
    missing = unavailable(specs, manifest)
    rows = []
    for name in sorted(specs):
        state = day.tags.get(name) if day else None
        coverage = state.known / day.customers if state and day and day.customers else None
        there = specs[name].over == "given" and state is not None
        why = reason_in_words(missing[name], specs[name]) if name in missing and not there else None
        rows.append(TagRow(spec=specs[name], state=state, coverage=coverage, missing=why))
    return rows


def tag_for(actor: Actor, name: str) -> TagSpec:
    """Return one tag.

    Raises:
        UnknownTag: with the nearest name.
    """
    actor.must("tag.view")
    specs = catalogue()
    if name not in specs:
        raise UnknownTag(f"Tag {name!r} is not in the catalogue.", hint=near_tag(name, specs), tag=name)
    return specs[name]


def lineage_for(actor: Actor, name: str) -> Lineage:
    """Return what a tag is made of and what is made of it."""
    return lineage(tag_for(actor, name), catalogue())


def tell_tag_users(source: str, finder: Finder) -> None:
    """Say who finds the users of a tag in an app; called by the app when it is ready."""
    _finders[source] = finder


def users_of(name: str) -> list[TagUser]:
    """Return everything that reads a tag, by kind and name."""
    specs = catalogue()
    found = [TagUser("tag", other, specs[other].title) for other in lineage(specs[name], specs).used_by]
    for finder in _finders.values():
        found += finder(name)
    return sorted(set(found), key=lambda user: (user.kind, user.name))


def users_for(actor: Actor, name: str) -> list[TagUser]:
    """Return everything that reads a tag.

    Raises:
        UnknownTag: there is no such tag; with the nearest name.
    """
    return users_of(tag_for(actor, name).name)


def versions_within(names: Iterable[str]) -> dict[str, str]:
    """Return name -> fingerprint of some tags and of all they are made of: what decides their values."""
    specs = catalogue()
    within = closure(names, {name: tag.tags for name, tag in _texts().items()})
    return {name: specs[name].fingerprint() for name in sorted(within) if name in specs}


def tables_of(names: Iterable[str]) -> set[str]:
    """Return the canonical tables that some tags stand on, those of the tags they are made of and ``customer`` included."""
    read = _texts()
    within = closure(names, {name: tag.tags for name, tag in read.items()})
    return {"customer", *(table for name in within if name in read for table, _ in read[name].columns)}


def tags_on(table: str) -> list[TagSpec]:
    """Return the tags that stand on a canonical table, by name, directly or through tags they are made of."""
    specs = catalogue()
    read = _texts()
    down = {name: tag.tags for name, tag in read.items()}
    reads = {name: {t for t, _ in tag.columns} for name, tag in read.items()}
    return [specs[n] for n in sorted(read) if any(table in reads.get(part, ()) for part in closure([n], down))]


def statistics_for(actor: Actor, name: str, as_of: date) -> dict[str, Any]:
    """Return coverage and distribution of one tag on one date, from the row kept for it where that is still true."""
    spec = tag_for(actor, name)
    day = runtime().store.manifest().dates.get(as_of.isoformat())
    state = day.tags.get(name) if day else None
    if state is None:
        raise UnknownTag(f"Tag {name!r} was not computed for {as_of}.", hint="Run `kequn tag refresh`.", tag=name)
    kept = TagStatistic.objects.filter(name=name, as_of=as_of, computed_at=state.computed_at).first()
    if kept is None:
        found = asdict(statistics(engine(), spec, as_of))
        kept, _ = TagStatistic.objects.update_or_create(
            name=name,
            as_of=as_of,
            defaults={"fingerprint": state.fingerprint, "computed_at": state.computed_at, "statistics": _plain(found)},
        )
    return kept.statistics  # type: ignore[no-any-return]


def coverage_by_date(actor: Actor, name: str) -> list[tuple[date, float]]:
    """Return the share of customers with a value on each computed date, oldest first."""
    actor.must("tag.view")
    dates = runtime().store.manifest().dates
    return [
        (date.fromisoformat(day), state.tags[name].known / state.customers)
        for day, state in sorted(dates.items())
        if name in state.tags and state.customers
    ]


def refreshes_for(actor: Actor) -> QuerySet[Refresh]:
    """Return refreshes, the newest first."""
    actor.must("tag.view")
    return Refresh.objects.all()


def _latest(dates: dict[str, Any]) -> date:
    return date.fromisoformat(max(dates))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
