"""Sources, loads, rejects and how fresh the data are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from kequn.core.data.rejects import Reject, rejects
from kequn.core.errors import NotAllowed
from kequn.core.spec.source import SourceSpec
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now, runtime
from kequn.ops.sources.models import Load, SourceVersion

ORDER = ("branch", "staff", "product", "customer")
"""Tables that others refer to are loaded first."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source stands."""

    spec: SourceSpec
    last: Load | None
    rows: int
    as_of: date | None
    age_days: int | None
    light: str
    """``ok``, ``late`` (older than its freshness), ``failed`` (the last load), ``empty`` (never loaded)."""


def sources_for(actor: Actor) -> list[SourceSpec]:
    """Return the current definition of each source, in the order in which they are loaded."""
    actor.must("source.view")
    return _ordered(v.spec for v in SourceVersion.objects.filter(is_current=True))


def source_for(actor: Actor, name: str) -> SourceSpec:
    """Return one source.

    Raises:
        NotAllowed: there is none of that name.
    """
    for spec in sources_for(actor):
        if spec.name == name:
            return spec
    raise NotAllowed(f"There is no source {name!r}.", hint="Run `kequn load --list`.", source=name)


def versions_of(actor: Actor, name: str) -> QuerySet[SourceVersion]:
    """Return all versions of a source, the newest first."""
    actor.must("source.view")
    return SourceVersion.objects.filter(name=name).order_by("-id")


def loads_for(actor: Actor, *, source: str | None = None) -> QuerySet[Load]:
    """Return loads, the newest first."""
    actor.must("source.view")
    return Load.objects.filter(source=source) if source else Load.objects.all()


def load_for(actor: Actor, load_id: str) -> Load:
    """Return one load."""
    load = loads_for(actor).filter(load_id=load_id).first()
    if load is None:
        raise NotAllowed("There is no such load.", load=load_id)
    return load


def rejects_for(actor: Actor, load_id: str, *, limit: int = 100, offset: int = 0) -> list[Reject]:
    """Return the rejected rows of a load: file, line, column, masked value and reason."""
    return rejects(runtime().store, load_for(actor, load_id).load_id, limit=limit, offset=offset)


def statuses_for(actor: Actor) -> list[SourceStatus]:
    """Return how each source stands today."""
    manifest = runtime().store.manifest()
    today = now().date()
    found = []
    for spec in sources_for(actor):
        last = Load.objects.filter(source=spec.name).exclude(state=Load.State.RUNNING).first()
        good = Load.objects.filter(source=spec.name, state__in=[Load.State.LOADED, Load.State.UNCHANGED]).first()
        table = manifest.tables.get(spec.table)
        age = (today - good.started_at.date()).days if good else None
        light = "ok"
        if good is None:
            light = "failed" if last else "empty"
        elif last and last.state == Load.State.FAILED:
            light = "failed"
        elif age is not None and age > spec.freshness_days:
            light = "late"
        found.append(
            SourceStatus(
                spec=spec,
                last=last,
                rows=table.rows if table else 0,
                as_of=table.as_of if table else None,
                age_days=age,
                light=light,
            )
        )
    return found


def data_date() -> date | None:
    """Return the latest business date for which tags were computed: the date of every number on the screen."""
    dates = runtime().store.manifest().dates
    return date.fromisoformat(max(dates)) if dates else None


def _ordered(specs: object) -> list[SourceSpec]:
    rank = {table: n for n, table in enumerate(ORDER)}
    return sorted(specs, key=lambda s: (rank.get(s.table, len(ORDER)), s.name))  # type: ignore[call-overload,no-any-return]
