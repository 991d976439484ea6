"""A restored backup does not know what was sent since: it is noticed, and nothing is sent before that is settled.

The database and a file beside it hold a number that only grows: first the database's is raised, then the file's. A file
that is ahead means that the database went back in time.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import F

from kequn.core.errors import Conflict
from kequn.ops.delivery.clocks import bank_day, database_now
from kequn.ops.delivery.models import Contact, Heartbeat, InFlight, Ready, Sending, Unknown
from kequn.ops.delivery.moves import Moves

CHUNK = 500


class RestoredPast(Conflict):
    """The database is older than the file beside it: a backup was restored."""

    code = "restored_past"


def beat(file: Path) -> int:
    """Raise the number in the database, then in the file; return it.

    Raises:
        RestoredPast: the file is ahead.
    """
    check(file)
    Heartbeat.objects.get_or_create(pk=1)
    Heartbeat.objects.filter(pk=1).update(beat=F("beat") + 1)
    number = Heartbeat.objects.get(pk=1).beat
    _write(file, number)
    return number


def check(file: Path) -> None:
    """Refuse to go on in a restored past.

    Raises:
        RestoredPast: the file is ahead of the database.
    """
    known = Heartbeat.objects.filter(pk=1).values_list("beat", flat=True).first() or 0
    seen = _read(file)
    if seen > known:
        raise RestoredPast(
            "This database is older than what was last sent from here: a backup was restored.",
            hint="Replay the opt-outs made since, then let an administrator quarantine what waits.",
            known=known, seen=seen,
        )  # fmt: skip


def quarantine(file: Path, *, at: datetime) -> int:
    """Move everything that may have been sent since the backup to the unknown; return how many touches.

    Channels that can be asked, or keep keys, then settle them by themselves; of the others a person decides.
    """
    moved, moment = 0, database_now()
    while rows := list(Ready.objects.filter(not_before__lte=at).select_related("touch")[:CHUNK]):
        moved += _move(rows, moment, at)
    while flying := list(InFlight.objects.select_related("touch")[:CHUNK]):
        moved += _move(flying, moment, at)
    Heartbeat.objects.get_or_create(pk=1)
    Heartbeat.objects.filter(pk=1).update(beat=max(_read(file), Heartbeat.objects.get(pk=1).beat) + 1)
    _write(file, Heartbeat.objects.get(pk=1).beat)
    return moved


def release(campaign: str, *, send: bool, at: datetime) -> int:
    """End the quarantine of a campaign's touches as a person decided; return how many."""
    moves = Moves(at)
    with transaction.atomic():
        rows = Unknown.objects.filter(is_quarantined=True, touch__sending__campaign=campaign)
        found = list(rows.select_for_update(of=("self",)).select_related("touch"))
        for row in found:
            if send:
                moves.requeue(row, attempt=row.attempt, doubtful=True)
            else:
                moves.end(row, "presumed_sent", "restored")
        Unknown.objects.filter(pk__in=[row.pk for row in found]).delete()
        moves.write()
    return len(found)


def _move(rows: list[Ready] | list[InFlight], moment: datetime, at: datetime) -> int:
    with transaction.atomic():
        Unknown.objects.bulk_create(
            Unknown(
                touch_id=row.touch_id, channel=row.channel, attempt=row.attempt, failures=row.failures,
                token=secrets.token_hex(16), why="restored", since=moment, ask_after=moment, is_quarantined=True,
            )
            for row in rows
        )  # fmt: skip
        Contact.objects.bulk_create(
            [
                Contact(
                    customer_id=row.touch.customer_id, channel=row.channel, purpose=row.touch.purpose, on=bank_day(at),
                    ref=row.touch.key,
                )
                for row in rows
            ],
            ignore_conflicts=True,
        )  # fmt: skip
        for sending_id in sorted({row.touch.sending_id for row in rows}):
            n = sum(row.touch.sending_id == sending_id for row in rows)
            Sending.objects.filter(pk=sending_id).update(n_handed=F("n_handed") + n, n_unknown=F("n_unknown") + n)
        type(rows[0]).objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _read(file: Path) -> int:
    try:
        return int(file.read_text("ascii"))
    except FileNotFoundError:
        return 0


def _write(file: Path, number: int) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(str(number), "ascii")
    part.replace(file)
