"""Save, submit and retire segments; profile them; upload lists; write exports."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import F
from pydantic import TypeAdapter

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.insight import Profile, profile
from kequn.core.segments import tags_in, understand
from kequn.core.segments.behaving import build_postings
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import exports, states
from kequn.ops.audiences.contactability import tell_follow_ups, tell_touches
from kequn.ops.audiences.listing import (
    MEMBER_COLUMNS,
    listable_tags,
    member_rows,
    members_to_list,
    pins_of_members,
    tag_columns,
)
from kequn.ops.audiences.models import Export, SegmentProfile, SegmentVersion
from kequn.ops.audiences.queries import (
    bank_for,
    changed,
    check_segment,
    closure,
    definitions_within,
    export_for,
    kept_key,
    latest_date,
    members_of,
    preview_segment,
    scope_key,
    segment_for,
    segment_specs,
)
from kequn.ops.audiences.snapshots import data_of, queue_backfill, queue_snapshots, snapshot_job, take_snapshots
from kequn.ops.audiences.uploading import keep_list, remove_expired_lists, remove_list, upload_list
from kequn.ops.governance.services import Approval, record, submit, withdraw
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, now
from kequn.ops.tags.queries import catalogue

__all__ = [
    "MEMBER_COLUMNS",
    "archive_segment",
    "data_of",
    "decide_segment",
    "keep_list",
    "listable_tags",
    "member_rows",
    "members_to_list",
    "pins_of_members",
    "prepare_behaviours",
    "profile_segment",
    "queue_snapshots",
    "register_export",
    "remove_expired_exports",
    "remove_expired_lists",
    "remove_list",
    "request_export",
    "save_segment",
    "snapshot_job",
    "submit_segment",
    "tag_columns",
    "take_export",
    "take_snapshots",
    "tell_follow_ups",
    "tell_touches",
    "upload_list",
]

LINK_VALID = timedelta(hours=24)
_profiles = TypeAdapter(Profile)


# -- definitions --------------------------------------------------------------------------------------------------------


def save_segment(actor: Actor, spec: SegmentSpec, *, edition: str = "", from_pack: bool = False) -> SegmentVersion:
    """Keep a segment as a version. The same rule gives the same version, with its title and description as now given.

    Args:
        edition: of the newest version as the writer saw it (``SegmentVersion.edition``); empty: whatever is there.
        from_pack: it is one that ships with kequn.

    Raises:
        KequnError: the rule names what is not there, or cannot be tested so.
        NotAllowed: the name belongs to a segment outside the actor's sight.
        Conflict: somebody saved it since.
    """
    actor.must("segment.edit")
    check_segment(spec)
    _must_be_mine(actor, spec.name)
    fields = {
        "spec": spec, "owner_id": actor.user_id, "owner_name": actor.display_name, "created_at": now(),
        "branch_path": actor.branch_path, "from_pack": from_pack,
    }  # fmt: skip
    fingerprint = spec.fingerprint()
    try:
        with transaction.atomic():
            _must_be_as_seen(spec.name, edition)
            version = SegmentVersion.objects.create(name=spec.name, fingerprint=fingerprint, **fields)
            record(actor, "segment.saved", version, name=spec.name, fingerprint=fingerprint)
    except IntegrityError:
        return _relabel(actor, spec, edition)
    return version


def submit_segment(actor: Actor, version_id: int) -> SegmentVersion:
    """Ask for approval of a version; the checker is shown its words and its size."""
    actor.must("segment.edit")
    version = segment_for(actor, version_id)
    if version.state in (states.SUBMITTED, states.APPROVED):
        return version
    check_segment(version.spec)
    summary = _summary(actor, version.spec)
    with transaction.atomic():
        _move(version, states.SUBMITTED)
        submit(actor, "segment", version.name, version.fingerprint, title=version.spec.title.zh, summary=summary)
    return version


def archive_segment(actor: Actor, version_id: int) -> SegmentVersion:
    """Take a version out of use; audiences frozen from it stay.

    Raises:
        Conflict: another segment refers to it.
    """
    actor.must("segment.edit")
    version = segment_for(actor, version_id)
    if version.state == states.RETIRED:
        return version
    others = segment_specs()
    users = [name for name, spec in others.items() if name != version.name and version.name in closure(spec, others)]
    last = (
        not SegmentVersion.objects.filter(name=version.name)
        .exclude(pk=version.pk)
        .exclude(state=states.RETIRED)
        .exists()
    )
    if users and last:
        raise Conflict(
            f"Other segments refer to {version.name!r}: {', '.join(sorted(users))}.",
            hint="Change or archive those first.",
        )
    with transaction.atomic():
        _move(version, states.RETIRED, is_current=False)
        withdraw(actor, "segment", version.name, version.fingerprint)
        record(actor, "segment.archived", version, name=version.name)
    return version


def decide_segment(actor: Actor, approval: Approval) -> None:
    """Follow a decision: the approved version becomes the one in use. Runs within the decision's transaction."""
    del actor
    version = SegmentVersion.objects.filter(name=approval.name, fingerprint=approval.fingerprint).first()
    if version is None:
        raise Conflict("What was to be approved is gone.", name=approval.name)
    if approval.state == Approval.State.REFUSED:
        _move(version, states.REFUSED, decided_at=now())
        return
    _must_be_as_submitted(version, approval)
    SegmentVersion.objects.filter(name=version.name, is_current=True).update(is_current=False)
    _move(version, states.APPROVED, is_current=True, decided_at=now())
    queue_backfill(version.name)


def _must_be_as_submitted(version: SegmentVersion, approval: Approval) -> None:
    """Raise where a tag or a list it reads, or a segment within it, was changed since the checker was shown its size."""
    spec = version.spec
    now_ = definitions_within(spec)
    if others := changed(approval.summary.get("versions", {}), now_):
        raise Conflict(
            f"What the segment reads was changed since: {', '.join(name for _, name in others)}.",
            hint="Refuse it; its maker submits it again.", segment=version.name,
        )  # fmt: skip


def _summary(actor: Actor, spec: SegmentSpec) -> dict[str, Any]:
    shown = preview_segment(actor, spec)
    return {
        "size": shown.size, "bank": shown.bank, "as_of": shown.as_of.isoformat(),
        "words": {"zh": shown.words_zh, "en": shown.words_en},
        "versions": definitions_within(spec),
    }  # fmt: skip


def _must_be_mine(actor: Actor, name: str) -> None:
    first = SegmentVersion.objects.filter(name=name).order_by("id").first()
    if first is not None and not actor.sees_all_branches and not first.branch_path.startswith(actor.branch_path):
        raise NotAllowed(f"The name {name!r} is taken.", hint="Choose another name.", segment=name)


def _must_be_as_seen(name: str, edition: str) -> None:
    """Raise where the newest version is another than its writer saw; within her transaction."""
    newest = SegmentVersion.objects.select_for_update().filter(name=name).exclude(state=states.RETIRED).first()
    if edition and newest is not None and newest.edition != edition:
        who, at = newest.saved
        moment = at.astimezone(ZoneInfo(engine().manifest.zone))
        raise Conflict(
            f"{who} saved version {newest.fingerprint} at {moment:%m-%d %H:%M} while you were writing.",
            hint="Open the newest version beside this page and bring your change into it.",
        )


def _relabel(actor: Actor, spec: SegmentSpec, edition: str) -> SegmentVersion:
    with transaction.atomic():
        _must_be_as_seen(spec.name, edition)
        version = SegmentVersion.objects.select_for_update().get(name=spec.name, fingerprint=spec.fingerprint())
        back = {"state": states.DRAFT} if version.state == states.RETIRED else {}
        if version.spec == spec and not back:
            return version
        by = {"relabelled_at": now(), "relabelled_by": actor.display_name}
        SegmentVersion.objects.filter(pk=version.pk).update(spec=spec, **by, **back)
        record(actor, "segment.relabelled", version, name=spec.name)
    version.refresh_from_db()
    return version


def _move(version: SegmentVersion, state: str, **fields: object) -> None:
    if state not in states.TRANSITIONS[version.state]:
        raise Conflict(f"A version that is {version.state} cannot become {state}.", version=version.pk)
    moved = SegmentVersion.objects.filter(pk=version.pk, state=version.state).update(state=state, **fields)
    if not moved:
        raise Conflict("Somebody was faster.", hint="Reload.", version=version.pk)
    version.refresh_from_db()


# -- behaviours ---------------------------------------------------------------------------------------------------------


def prepare_behaviours(_: date) -> None:
    """Build the postings by which behaviours are counted; where there is no space for them, SQL goes on answering."""
    with suppress(OSError):
        build_postings(engine().store, engine().manifest)


# -- profiles -----------------------------------------------------------------------------------------------------------


def profile_segment(actor: Actor, version_id: int, *, as_of: date | None = None) -> Profile:
    """Return the profile kept for this version, date and state of the data, computed first where there is none."""
    actor.must("segment.view")
    version, day = segment_for(actor, version_id), as_of or latest_date()
    kept = SegmentProfile.objects.filter(**_profile_key(actor, version.spec, day)).first()
    return _read(kept.profile) if kept is not None else compute_profile(actor, version_id, as_of=day)


def compute_profile(actor: Actor, version_id: int, *, as_of: date) -> Profile:
    """Compute a profile and keep it; profiles of earlier states of the data go."""
    spec = segment_for(actor, version_id).spec
    key = _profile_key(actor, spec, as_of)
    who = members_of(actor, spec, as_of=as_of)
    tags = catalogue()
    defining = tags_in(understand(spec, tags=tags, segments=segment_specs() | {spec.name: spec}))
    found = profile(bank_for(actor), who, tags=tags, as_of=as_of, defining=defining)
    row = {"size": found.size, "profile": found.as_json(), "computed_at": now()}
    with transaction.atomic():
        older = SegmentProfile.objects.filter(fingerprint=key["fingerprint"], as_of=as_of, scope=key["scope"])
        older.exclude(store_version=key["store_version"]).delete()
        SegmentProfile.objects.update_or_create(**key, defaults=row)
    return found


def _profile_key(actor: Actor, spec: SegmentSpec, as_of: date) -> dict[str, Any]:
    segments = segment_specs() | {spec.name: spec}
    rule, pinned = understand(spec, tags=catalogue(), segments=segments), closure(spec, segments)
    within = json.dumps([sorted(pinned.items()), kept_key(rule, as_of)])
    return {
        "fingerprint": f"{spec.fingerprint()}-{blake2b(within.encode(), digest_size=16).hexdigest()}",
        "store_version": engine().manifest.version,
        "as_of": as_of,
        "scope": scope_key(actor),
    }


def _read(kept: dict[str, Any]) -> Profile:
    return _profiles.validate_python({k: v for k, v in kept.items() if k != "share"}, strict=False)


# -- exports ------------------------------------------------------------------------------------------------------------


def register_export(kind: str, builder: exports.Builder, *, right: str = "export.run") -> None:
    """Say who builds the sheets of one kind of export, and what right it takes; called by an app when it is ready."""
    exports.builders[kind] = builder
    exports.rights[kind] = right


def request_export(actor: Actor, kind: str, params: dict[str, Any], *, purpose: str, format: str = "xlsx") -> Export:
    """Queue an export. Its rows are gathered by the worker, as this actor and within her scope.

    Raises:
        InvalidSpec: no purpose, an unknown kind or format.
    """
    actor.must(exports.rights.get(kind, "export.run"))
    if not purpose.strip():
        raise InvalidSpec("Say what the file is for.", hint="The purpose is printed on it and kept.")
    if kind not in exports.builders or format not in ("xlsx", "csv"):
        raise InvalidSpec(f"There is no export {kind!r} as {format!r}.", hint="Formats are xlsx and csv.")
    moment = now()
    with transaction.atomic():
        row = Export.objects.create(
            kind=kind, subject=str(params.get("subject", ""))[:80], params=params, format=format, purpose=purpose[:200],
            owner_id=actor.user_id, owner_name=actor.display_name, created_at=moment, expires_at=moment + LINK_VALID,
        )  # fmt: skip
        job = enqueue(actor, "export.run", {"export": row.pk}, key=f"export:{row.pk}")
        Export.objects.filter(pk=row.pk).update(job_id=job.pk)
        record(actor, "export.requested", row, kind=kind, about=row.subject, purpose=purpose[:200], format=format)
    row.refresh_from_db()
    return row


def export_job(running: Running) -> dict[str, Any]:
    """Do a queued export; the file is written beside and put in place when it is whole."""
    actor = running.actor
    row = Export.objects.get(pk=running.params["export"])
    actor.must(exports.rights[row.kind])
    sheets = exports.builders[row.kind](actor, row.params)
    if sum(len(s.rows) for s in sheets if any(s.header)) > exports.MOST_ROWS:
        raise Conflict(f"More than {exports.MOST_ROWS:,} rows.", hint="Narrow the segment.")
    relative = f"exports/{row.pk}-{running.token[:12]}.{row.format}"
    path = engine().store.path(relative)
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = exports.watermark(actor, at=row.created_at, purpose=row.purpose, export_id=row.pk)
    write = exports.write_xlsx if row.format == "xlsx" else exports.write_csv
    written = write(path, sheets, mark=mark)
    with transaction.atomic():
        Export.objects.filter(pk=row.pk).update(rows=written, file=relative)
        record(actor, "export.written", row, kind=row.kind, rows=written)
    return {"export": row.pk, "rows": written}


def take_export(actor: Actor, export_id: int) -> Path:
    """Return the file of one's own export to be downloaded, and record that it was taken."""
    row, path = export_for(actor, export_id)
    actor.must(exports.rights.get(row.kind, "export.run"))
    with transaction.atomic():
        Export.objects.filter(pk=row.pk).update(downloads=F("downloads") + 1)
        record(actor, "export.taken", row, kind=row.kind, rows=row.rows)
    return path


def remove_expired_exports(actor: Actor) -> int:
    """Remove the files whose links are no longer valid (the worker, daily); return how many."""
    actor.must("job.run")
    expired = Export.objects.filter(expires_at__lte=now()).exclude(file="")
    for row in expired:
        engine().store.path(row.file).unlink(missing_ok=True)
    return expired.update(file="")
