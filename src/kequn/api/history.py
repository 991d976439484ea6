"""Segments in the past: size over time, members on a date, who joined and left and why, migration."""

from __future__ import annotations

from datetime import date
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.api.segments import MembersOut
from kequn.api.shapes import plain
from kequn.core.errors import InvalidSpec
from kequn.ops.audiences import history

router = Router(tags=["segments 客群"])
migrations = Router(tags=["segments 客群"])


class SnapshotOut(Schema):
    """A segment on one kept date, within the caller's scope."""

    as_of: date
    size: int
    joined: int | None
    left: int | None
    definition: str


class HistoryOut(Schema):
    """A segment over time. ``definition_changes``: from a date on it was found by another definition."""

    name: str
    is_scoped: bool
    snapshots: list[SnapshotOut]
    definition_changes: list[dict[str, Any]]
    not_kept: list[date]


@router.get("/{name}/history", response=HistoryOut, summary="Size on each kept date, and where the definition changed")
def show_history(request: Request, name: str) -> dict[str, Any]:
    found = history.history_for(request.actor, name)
    changed = [plain(change) for change in found.definition_changes]
    return {"name": name, "is_scoped": found.is_scoped, "snapshots": list(found.snapshots),
            "definition_changes": changed, "not_kept": list(found.not_kept)}  # fmt: skip


@router.get("/{name}/history/{as_of}/members", response=MembersOut, summary="Who belonged on a date, as it was kept")
def members_on(
    request: Request, name: str, as_of: date, page: int = 1, size: int = 50, tags: str = ""
) -> dict[str, Any]:
    wanted = [t for t in tags.split(",") if t]
    found = history.members_on_page(request.actor, name, as_of, page=page, size=size, tags=wanted)
    rows = [
        {"customer_id": m.customer_id, "name": m.person.name if m.person else None,
         **dict(zip(found.tags, m.tags, strict=True))}
        for m in found.members
    ]  # fmt: skip
    return {"as_of": found.as_of, "total": found.total, "page": found.page, "tags": list(found.tags), "members": rows}


@router.get("/{name}/changes", response=dict[str, Any], summary="Who joined and left between two dates, by condition")
def changes(request: Request, name: str, before: date, after: date) -> dict[str, Any]:
    found = plain(history.changes_for(request.actor, name, before, after))
    reason = found.pop("not_told_because")
    return {**found, "not_told_because": str(reason) if reason else None}


@migrations.get("", response=list[dict[str, Any]], summary="How many customers went between segments or a tag's values")
def migration(
    request: Request, before: date | None = None, after: date | None = None, tag: str = "", segments: str = "",
    months: int = 0,
) -> Any:  # fmt: skip
    """Of ``tag``, or of ``segments`` (names with commas; the first counts where they overlap). ``months`` with ``tag``: by month."""
    if tag and months:
        return plain(history.migrations_by_month(request.actor, tag, months=min(months, 36)))
    if before is None or after is None:
        raise InvalidSpec("Name two dates, or a number of months.", hint="?before=2026-05-31&after=2026-06-30")
    if tag:
        return [plain(history.migration_of_tag(request.actor, tag, before, after))]
    names = [name for name in segments.split(",") if name]
    return [plain(history.migration_of_segments(request.actor, names, before, after))]
