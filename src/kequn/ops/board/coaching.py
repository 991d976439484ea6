"""Coaching notes: a branch head to one RM about her work, and the RM's answer; nobody else reads them but superiors."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, Q, QuerySet

from kequn.core.errors import InvalidSpec, NotAllowed, Where
from kequn.ops.board import states
from kequn.ops.board.models import CoachingAnswer, CoachingNote
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_for
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import task_for

LONGEST = 500


def notes_for(actor: Actor, *, staff_no: str = "") -> QuerySet[CoachingNote]:
    """Return the notes an actor may read: those she wrote, those written to her, those of heads of branches below hers."""
    mine = Q(author_id=actor.user_id)
    if actor.staff_no:
        mine |= Q(staff_no=actor.staff_no)
    if actor.may("coaching.write"):
        below = Q() if actor.sees_all_branches else Q(author_path__startswith=actor.branch_path)
        mine |= below & ~Q(author_path=actor.branch_path)
    rows = CoachingNote.objects.filter(mine).prefetch_related(Prefetch("answers"))
    return rows.filter(staff_no=staff_no) if staff_no else rows


def note_for(actor: Actor, note_id: int) -> CoachingNote:
    """Return one note.

    Raises:
        NotAllowed: not there, or not the actor's to read; the two look the same.
    """
    row = notes_for(actor).filter(pk=note_id).first()
    if row is None:
        raise NotAllowed("There is no such coaching note.", note=note_id)
    return row


def unread_for(actor: Actor) -> int:
    """Return how many notes to the actor she has not said to have read."""
    return CoachingNote.objects.filter(staff_no=actor.staff_no, read_at__isnull=True).count() if actor.staff_no else 0


def write_note(
    actor: Actor, staff_no: str, text: str, *, key: str, about: str = "work", subject: str = ""
) -> CoachingNote:
    """Write to one RM of one's branches about a task, a figure, a signal or the work as a whole. The same ``key`` writes once.

    Numbers that could be a customer's phone, card or document do not stand in it.

    Raises:
        InvalidSpec: no text, or about nothing known, or a task that is not named.
        NotAllowed: no such RM in the actor's branches, or a task outside her scope.
    """
    actor.must("coaching.write")
    if about not in states.ABOUT:
        raise InvalidSpec(
            f"There is nothing called {about!r}.", hint=", ".join(states.ABOUT), where=Where(field="about")
        )
    person = staff_for(actor, role="rm").filter(staff_no=staff_no).exclude(staff_no="").first()
    if person is None or actor.user_id is None:
        raise NotAllowed("There is no such RM in your branches.", staff=staff_no)
    if about == "task":
        if not subject.isdecimal():
            raise InvalidSpec(
                "Choose the task that the note is about.",
                hint="Open a task, and write from there.",
                where=Where(field="about"),
            )
        task_for(actor, int(subject))
    fields = {
        "staff_no": staff_no, "branch_code": person.branch.code, "author_id": actor.user_id, "author_name": actor.display_name[:40],
        "author_path": actor.branch_path, "about": about, "subject": subject[:64], "text": _clean(text), "at": now(),
    }  # fmt: skip
    own = f"{actor.username}:{key}"[:64]
    try:
        with transaction.atomic():
            row = CoachingNote.objects.create(key=own, **fields)
            record(actor, "coaching.written", row, staff=staff_no, about=about, of=subject[:64])
    except IntegrityError:
        return CoachingNote.objects.get(key=own)
    return row


def answer_note(actor: Actor, note_id: int, text: str, *, key: str) -> CoachingAnswer:
    """Say something to a note: its two people alone do; the RM's word also says that she read it.

    Raises:
        NotAllowed: not the actor's to read, or neither hers nor to her.
        InvalidSpec: no text.
    """
    row = note_for(actor, note_id)
    if actor.user_id is None or (row.author_id != actor.user_id and not _is_to(actor, row)):
        raise NotAllowed("The two whom the note concerns answer it.", hint="Write a note of your own.", note=note_id)
    own = f"{actor.username}:{key}"[:64]
    try:
        with transaction.atomic():
            answer = CoachingAnswer.objects.create(
                key=own,
                note=row,
                author_id=actor.user_id,
                author_name=actor.display_name[:40],
                text=_clean(text),
                at=now(),
            )
            _read(actor, row)
            record(actor, "coaching.answered", row)
    except IntegrityError:
        return CoachingAnswer.objects.get(key=own)
    return answer


def acknowledge_note(actor: Actor, note_id: int) -> CoachingNote:
    """Say that one read a note that was written to one; twice is once.

    Raises:
        NotAllowed: not there, or not written to the actor.
    """
    row = note_for(actor, note_id)
    if not _is_to(actor, row):
        raise NotAllowed("There is no such coaching note to you.", note=note_id)
    with transaction.atomic():
        if _read(actor, row):
            record(actor, "coaching.read", row)
    row.refresh_from_db()
    return row


def _is_to(actor: Actor, row: CoachingNote) -> bool:
    return bool(actor.staff_no) and row.staff_no == actor.staff_no


def _read(actor: Actor, row: CoachingNote) -> bool:
    unread = CoachingNote.objects.filter(pk=row.pk, read_at__isnull=True)
    return _is_to(actor, row) and unread.update(read_at=now()) > 0


def _clean(text: str) -> str:
    if not text.strip():
        raise InvalidSpec("Write what the note says.", where=Where(field="text"))
    if len(text.strip()) > LONGEST:
        raise InvalidSpec(f"A note has at most {LONGEST} characters.", hint="Write two.", where=Where(field="text"))
    return clean(text, longest=LONGEST).text
