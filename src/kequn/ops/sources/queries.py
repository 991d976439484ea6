"""Sources, loads, rejects and how fresh the data are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, QuerySet

from kequn.core.data.rejects import Reject, rejects
from kequn.core.errors import NotAllowed
from kequn.core.spec.base import Text
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
    """``ok``, ``warned`` (a check did not hold), ``late`` (past its due time), ``failed`` (the last load), ``empty`` (never
    loaded)."""
    due: datetime | None
    """When the next load has to be there."""
    served: Load | None
    """The load whose data are in use."""


@dataclass(frozen=True, slots=True)
class SourceFault:
    """A source that is late or failed, as everything that stands on it shows it."""

    name: str
    title: Text
    table: str
    light: str
    due: datetime | None
    served_at: datetime | None
    """Since when the data in use are there."""


@dataclass(frozen=True, slots=True)
class CheckHistory:
    """One quality check over the last loads."""

    check: str
    column: str
    severity: str
    results: tuple[tuple[Load, bool | None, str, str], ...]
    """(load, whether it held, found, expected), the oldest first."""


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
    """Return how each source stands now."""
    return _statuses(sources_for(actor))


def _statuses(specs: list[SourceSpec]) -> list[SourceStatus]:
    manifest, moment = runtime().store.manifest(), now()
    zone = ZoneInfo(manifest.zone)
    last = _newest(Load.objects.exclude(state=Load.State.RUNNING))
    good = last
    if any(load.state == Load.State.FAILED for load in last.values()):  # else the last load is the one that serves
        good = _newest(Load.objects.filter(state__in=[Load.State.LOADED, Load.State.UNCHANGED]))
    found = []
    for spec in specs:
        latest, served = last.get(spec.name), good.get(spec.name)
        table = manifest.tables.get(spec.table)
        loaded_on = served.started_at.astimezone(zone).date() if served else None
        due = _due(spec, loaded_on, zone)
        warned = latest is not None and any(check["passed"] is False for check in latest.checks)
        if served is None:
            light = "failed" if latest else "empty"
        elif latest and latest.state == Load.State.FAILED:
            light = "failed"
        else:
            light = "late" if due and moment > due else "warned" if warned else "ok"
        found.append(
            SourceStatus(
                spec=spec, last=latest, rows=table.rows if table else 0, as_of=table.as_of if table else None,
                age_days=(moment.astimezone(zone).date() - loaded_on).days if loaded_on else None, light=light, due=due,
                served=served,
            )
        )  # fmt: skip
    return found


def _newest(loads: QuerySet[Load]) -> dict[str, Load]:
    """The newest load of each source, in one question however many there are."""
    ids = loads.order_by().values("source").annotate(newest=Max("id")).values("newest")
    return {load.source: load for load in Load.objects.filter(pk__in=ids)}


def _due(spec: SourceSpec, loaded_on: date | None, zone: ZoneInfo) -> datetime | None:
    """When the load after the last good one has to be there: at its hour, or by the end of the day."""
    if loaded_on is None:
        return None
    day = loaded_on + timedelta(days=spec.freshness_days)
    if spec.due_at is None:
        return datetime.combine(day + timedelta(days=1), time(0), zone)
    return datetime.combine(day, time.fromisoformat(spec.due_at), zone)


def faults_of(tables: Collection[str] | None = None) -> list[SourceFault]:
    """Return the sources that are late or whose last load failed, of some tables or of all.

    For pages and services of anybody whose figures stand on them: it tells of sources, not of customers.
    """
    specs = [v.spec for v in SourceVersion.objects.filter(is_current=True)]
    chosen = _ordered(spec for spec in specs if tables is None or spec.table in tables)
    return [
        SourceFault(s.spec.name, s.spec.title, s.spec.table, s.light, s.due, s.served.started_at if s.served else None)
        for s in (_statuses(chosen) if chosen else [])
        if s.light in ("failed", "late")
    ]


def rejects_by_day(actor: Actor, source: str, *, days: int = 30) -> list[tuple[date, dict[str, int]]]:
    """Return how many rows of a source were rejected for which reason on each day with loads, the newest first."""
    actor.must("source.view")
    zone = ZoneInfo(runtime().store.manifest().zone)
    found: dict[date, dict[str, int]] = {}
    for load in Load.objects.filter(source=source, started_at__gte=now() - timedelta(days=days)).order_by("-id"):
        day = found.setdefault(load.started_at.astimezone(zone).date(), {})
        for reason, n in load.reasons.items():
            day[reason] = day.get(reason, 0) + n
    return list(found.items())


def checks_over_time(actor: Actor, source: str, *, loads: int = 14) -> list[CheckHistory]:
    """Return what each quality check of a source found at its last loads, the oldest first."""
    actor.must("source.view")
    rows = list(
        Load.objects.filter(source=source).exclude(state__in=[Load.State.RUNNING, Load.State.UNCHANGED])[:loads]
    )
    found: dict[tuple[str, str, str], list[tuple[Load, bool | None, str, str]]] = {}
    for row in reversed(rows):
        for check in row.checks:
            key = (check["check"], check["column"], check["severity"])
            found.setdefault(key, []).append((row, check["passed"], check["found"], check["expected"]))
    return [CheckHistory(*key, tuple(results)) for key, results in sorted(found.items())]


def data_date() -> date | None:
    """Return the latest business date for which tags were computed: the date of every number on the screen."""
    dates = runtime().store.manifest().dates
    return date.fromisoformat(max(dates)) if dates else None


def _ordered(specs: object) -> list[SourceSpec]:
    rank = {table: n for n, table in enumerate(ORDER)}
    return sorted(specs, key=lambda s: (rank.get(s.table, len(ORDER)), s.name))  # type: ignore[call-overload,no-any-return]
