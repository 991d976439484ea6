"""Keep the members of approved segments for each business date, so that the past can be asked about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from kequn.core.errors import KequnError, NoData
from kequn.core.segments import history, tables_in, understand
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences.models import SegmentVersion
from kequn.ops.audiences.queries import definitions_within, lists_within, members_of, segment_specs, tags_within
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import engine, now, runtime
from kequn.ops.tags.queries import catalogue

Progress = Callable[[int, int | None, str], None]
KIND = "segment.snapshot"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run of the time machine kept: (segment, date) pairs, and why a segment could not be kept."""

    kept: int
    failed: Mapping[str, str]


def take_snapshots(
    actor: Actor, *, as_of: date | None = None, name: str | None = None, progress: Progress | None = None
) -> Taken:
    """Keep the members of every approved segment, or of one, on a date, or on every computed date not kept yet.

    A segment that cannot be computed is named; the others are kept.

    Raises:
        NoData: the date has no tags.
    """
    actor.must("tag.refresh")
    computed = engine().manifest.dates
    if as_of is not None and as_of.isoformat() not in computed:
        raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh`.", as_of=str(as_of))
    current = SegmentVersion.objects.filter(is_current=True).order_by("name")
    work = [
        (version.spec, day)
        for version in (current.filter(name=name) if name else current)
        for day in ([as_of] if as_of else _missing(version.name))
    ]
    kept, failed = 0, {}
    for done, (spec, day) in enumerate(work):
        if progress is not None:
            progress(done, len(work), f"{spec.name} {day}")
        try:
            take_snapshot(spec, day)
            kept += 1
        except KequnError as error:
            failed[spec.name] = error.message
    if work:
        about = ("segment", name or "*")
        with transaction.atomic():
            record(actor, "segment.members_kept", about, as_of=as_of, kept=kept, failed=len(failed))
    return Taken(kept, failed)


def take_snapshot(spec: SegmentSpec, as_of: date) -> history.Snapshot:
    """Keep the members of one segment, of the whole bank, on one date.

    Raises:
        KequnError: the segment cannot be computed for the date, or another process is keeping it.
    """
    members = members_of(system_actor(), spec, as_of=as_of)
    return history.take(
        runtime().store, spec.name, as_of, members, definition=definition_of(spec, as_of), data=data_of(spec, as_of),
        now=now(),
    )  # fmt: skip


def definition_of(spec: SegmentSpec, as_of: date) -> dict[str, dict[str, str]]:
    """Return what decides who belongs on a date: the segment and those within, its tags as they were computed, its lists."""
    day = engine().manifest.dates.get(as_of.isoformat())
    computed = {name: state.fingerprint for name, state in day.tags.items()} if day else {}
    found = definitions_within(spec)
    if tags := found.get("tag"):
        found["tag"] = {name: computed.get(name, fingerprint) for name, fingerprint in tags.items()}
    return found


def data_of(spec: SegmentSpec, as_of: date) -> str:
    """Return a hash of the files that a segment reads for a date; published files never change."""
    manifest, segments = engine().manifest, segment_specs() | {spec.name: spec}
    day = manifest.dates.get(as_of.isoformat())
    if day is None:
        return ""
    rule = understand(spec, tags=catalogue(), segments=segments)
    files = [day.population]
    files += [f for name in tags_within(spec, segments) if name in day.tags for f in day.tags[name].files]
    files += [f for name in tables_in(rule) if name in manifest.tables for f in manifest.tables[name].files]
    files += sorted(lists_within(spec, segments).values())
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def queue_snapshots(as_of: date) -> None:
    """Follow a refresh: the members of the date are kept by the worker."""
    if SegmentVersion.objects.filter(is_current=True).exists():
        enqueue(system_actor(), KIND, {"as_of": as_of.isoformat()}, key=as_of.isoformat())


def queue_backfill(name: str) -> None:
    """Follow an approval: the members on all computed dates are kept by the worker, from the oldest on."""
    if engine().manifest.dates:
        enqueue(system_actor(), KIND, {"name": name}, key=name)


def snapshot_job(running: Running) -> dict[str, Any]:
    """Do a queued run of the time machine."""
    day = running.params.get("as_of")
    taken = take_snapshots(
        running.actor, as_of=date.fromisoformat(day) if day else None, name=running.params.get("name"),
        progress=running.progress,
    )  # fmt: skip
    return {"kept": taken.kept, "failed": dict(taken.failed)}


def _missing(name: str) -> list[date]:
    there = set(history.dates(runtime().store, name))
    days = (date.fromisoformat(day) for day in sorted(engine().manifest.dates))
    return [day for day in days if day not in there]
