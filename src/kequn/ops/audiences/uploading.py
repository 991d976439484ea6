"""Uploaded lists: matched, kept for a purpose until a day, and taken away again."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

from django.db import transaction

from kequn.core.data.identity import ordinal_finder
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.core.segments.lists import drop_list, match_list, save_list
from kequn.core.segments.upload import read_list
from kequn.ops.audiences.contracts import UploadedListReport
from kequn.ops.audiences.dictionary import Ordinals
from kequn.ops.audiences.models import UploadedList
from kequn.ops.audiences.queries import bank_today, list_for
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now, runtime

LONGEST_LIST = timedelta(days=366)
FAULTS_TOLD = 200


def upload_list(
    actor: Actor,
    file: Path | bytes,
    file_name: str,
    *,
    name: str,
    title: str,
    purpose: str,
    expires_on: date,
    column: str | int | None = None,
) -> UploadedListReport:
    """Match a file of customer numbers and keep it as a list, or in the place of the one of this name; all or nothing.

    Raises:
        BadSource: the file cannot be read, or it is not clear which column is meant.
        InvalidSpec: no purpose, an expiry that is past or more than a year away, or nobody on it is a customer.
        NotAllowed: the name belongs to somebody outside the actor's branches.
    """
    actor.must("list.upload")
    _check_list(actor, name, purpose, expires_on)
    store, key = runtime().store, runtime().pseudonym_key
    found = match_list(read_list(file, file_name, column=column), ordinal_finder(store, key))
    if not found.matched:
        raise InvalidSpec("Nobody on this list is a customer.", hint="Is it the right column?", lines=found.lines)
    unreadable = found.blanks + found.mangled
    fields = {
        "title": title[:100] or name, "purpose": purpose[:200], "file_name": Path(file_name).name[:200],
        "content_hash": _hash_of(file), "rows": found.lines, "matched": found.matched,
        "unmatched": found.unmatched, "duplicates": found.duplicates, "unreadable": unreadable, "owner_id": actor.user_id,
        "owner_name": actor.display_name, "branch_path": actor.branch_path, "created_at": now(),
        "expires_on": expires_on, "is_removed": False,
    }  # fmt: skip
    with transaction.atomic():
        row, _ = UploadedList.objects.update_or_create(name=name, defaults=fields)
        record(actor, "list.uploaded", row, name=name, purpose=purpose[:200], matched=found.matched, rows=found.lines)
        save_list(store, name, found.ordinals, unmatched=found.unmatched, now=now())
    return UploadedListReport(
        list_id=row.pk, name=name, lines=found.lines, matched=found.matched, unmatched=found.unmatched,
        duplicates=found.duplicates, blanks=found.blanks, mangled=found.mangled, faults=found.faults[:FAULTS_TOLD],
    )  # fmt: skip


def keep_list(
    actor: Actor, members: Ordinals, *, name: str, title: str, purpose: str, expires_on: date, origin: str
) -> UploadedList:
    """Keep customers that kequn itself picked as a list, all or nothing; ``origin`` says from what they were picked.

    Raises:
        InvalidSpec: no purpose, or an expiry that is past or more than a year away.
        Conflict: the name is in use, so that no segment changes under its users.
    """
    actor.must("list.upload")
    _check_list(actor, name, purpose, expires_on)
    if UploadedList.objects.filter(name=name, is_removed=False).exists():
        raise Conflict(f"There is a list {name!r} already.", hint="Choose another name.", list=name)
    fields = {
        "title": title[:100] or name, "purpose": purpose[:200], "file_name": origin[:200],
        "content_hash": hashlib.sha256(members.astype("<u4").tobytes()).hexdigest(), "rows": len(members),
        "matched": len(members), "unmatched": 0, "duplicates": 0, "unreadable": 0, "owner_id": actor.user_id,
        "owner_name": actor.display_name, "branch_path": actor.branch_path, "created_at": now(),
        "expires_on": expires_on, "is_removed": False,
    }  # fmt: skip
    with transaction.atomic():
        row, _ = UploadedList.objects.update_or_create(name=name, defaults=fields)
        record(actor, "list.kept", row, name=name, purpose=purpose[:200], matched=len(members), origin=origin)
        save_list(runtime().store, name, members, unmatched=0, now=now())
    return row


def remove_list(actor: Actor, name: str) -> UploadedList:
    """Take a list away: no segment can be computed with it any more.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    actor.must("list.upload")
    row = list_for(actor, name)
    with transaction.atomic():
        UploadedList.objects.filter(pk=row.pk).update(is_removed=True)
        record(actor, "list.removed", row, name=name)
        drop_list(runtime().store, name, now=now())
    row.refresh_from_db()
    return row


def remove_expired_lists(actor: Actor) -> int:
    """Take away the lists whose last day is over (the worker, daily); return how many."""
    actor.must("job.run")
    expired = UploadedList.objects.filter(is_removed=False, expires_on__lt=bank_today())
    names = list(expired.values_list("name", flat=True))
    for name in names:
        drop_list(runtime().store, name, now=now())
    expired.update(is_removed=True)
    return len(names)


def _hash_of(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return hashlib.sha256(file).hexdigest()
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _check_list(actor: Actor, name: str, purpose: str, expires_on: date) -> None:
    today = bank_today()
    if not purpose.strip():
        raise InvalidSpec(
            "Say what the list is for.", hint="The purpose is kept with it.", where=Where(field="purpose")
        )
    if not today <= expires_on <= today + LONGEST_LIST:
        raise InvalidSpec(
            f"A list is kept until a day between {today} and {today + LONGEST_LIST}.", where=Where(field="expires_on")
        )
    before = UploadedList.objects.filter(name=name).first()
    if before is not None and not actor.sees_all_branches and not before.branch_path.startswith(actor.branch_path):
        raise NotAllowed(f"The name {name!r} is taken.", hint="Choose another name.", list=name)
