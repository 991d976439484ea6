"""The customer groups that ship with kequn, on the bank's own data."""

from __future__ import annotations

from datetime import date
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.ops.audiences import groups

router = Router(tags=["segments 客群"])


class GroupOut(Schema):
    """One group; ``missing`` are tags it tests that have no values yet."""

    name: str
    title: str
    title_en: str
    members: int | None
    segments: int
    loaded: int
    missing: list[str]


class PartOut(Schema):
    """A segment of a group."""

    name: str
    title: str
    members: int | None
    missing: list[str]
    is_loaded: bool
    standing: str
    """absent, same, older (from an earlier kequn, not edited at the bank) or edited."""


class SharedOut(Schema):
    """Another group and the members in common."""

    name: str
    members: int
    shared: int


class GroupPageOut(Schema):
    """One group: its card, segments and overlap."""

    name: str
    as_of: date | None
    customers: int
    card: dict[str, Any]
    parts: list[PartOut]
    shared: list[SharedOut]


class SavedOut(Schema):
    """A segment that was saved."""

    name: str
    fingerprint: str
    state: str


class LoadedOut(Schema):
    """What was saved; of the others those that an earlier kequn brought, and those edited at the bank."""

    saved: list[SavedOut]
    older: list[str]
    edited: list[str]


@router.get("", response=list[GroupOut], summary="The shipped groups with their sizes")
def list_groups(request: Request) -> list[dict[str, Any]]:
    return [
        {"name": r.group.spec.name, "title": r.group.spec.title.zh, "title_en": r.group.spec.title.en,
         "members": r.part.size, "segments": len(r.group.segments), "loaded": r.loaded, "missing": list(r.part.missing)}
        for r in groups.group_rows_for(request.actor)
    ]  # fmt: skip


@router.get("/{name}", response=GroupPageOut, summary="One group: card, sub-groups, overlap with the others")
def show_group(request: Request, name: str) -> dict[str, Any]:
    found = groups.group_for(request.actor, name)
    return {
        "name": name, "as_of": found.as_of, "customers": found.customers, "card": plain(found.group.spec.card),
        "parts": [
            {"name": p.spec.name, "title": p.spec.title.zh, "members": p.size, "missing": list(p.missing),
             "is_loaded": p.version is not None, "standing": p.standing}
            for p in found.parts
        ],
        "shared": [{"name": g.spec.name, "members": size, "shared": n} for g, size, n in found.shared],
    }  # fmt: skip


@router.post("/{name}/load", response=LoadedOut, summary="Save the segments of a group as the bank's own")
def load_group(request: Request, name: str, submit: bool = False, renew: bool = False) -> dict[str, Any]:
    found = groups.load_groups(request.actor, (name,), submit=submit, renew=renew)
    saved = [{"name": v.name, "fingerprint": v.fingerprint, "state": v.state} for v in found.saved]
    return {"saved": saved, "older": found.older, "edited": found.edited}
