"""Mark an entry of a list as wrong, ask and propose, answer, and make of an adopted insight a note, a segment, a playbook."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.core.spec.base import Text
from kequn.core.spec.reading import spec_of
from kequn.ops.audiences.queries import segment_named
from kequn.ops.audiences.services import save_segment
from kequn.ops.catalog.queries import latest_definitions
from kequn.ops.catalog.services import save_definition
from kequn.ops.customers.contracts import Cleaned
from kequn.ops.customers.services import clean
from kequn.ops.feedback import states
from kequn.ops.feedback.models import Feedback, WrongEntry
from kequn.ops.feedback.queries import (
    campaigns_to_write_on,
    feedback_one,
    segment_of_campaign,
    segments_to_write_on,
    wrong_entries_for,
)
from kequn.ops.governance.services import record
from kequn.ops.insights.services import add_note
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import task_for
from kequn.ops.workbench.services import reopen_task, withdraw_task

LONGEST = 1000
LONGEST_REASON = 200
AGAIN_AFTER = timedelta(minutes=10)
"""The same words of one person are taken for a second press within this time."""


# -- wrong entries ------------------------------------------------------------------------------------------------------


def mark_wrong(actor: Actor, task_id: int, reason: str, *, key: str, text: str = "") -> WrongEntry:
    """Mark the entry behind one's own task as wrong; the task closes. The same ``key`` again gives the first mark.

    Raises:
        NotAllowed: the task is not in the actor's scope.
        InvalidSpec: a reason that is not in the list; ``other`` without words.
        Conflict: the task is closed already.
    """
    actor.must("feedback.write")
    actor.must("task.work")
    task = task_for(actor, task_id)
    if (before := WrongEntry.objects.filter(key=_own(actor, key)).first()) is not None:
        return before
    if reason not in states.REASONS:
        raise InvalidSpec(f"There is no reason {reason!r}: {', '.join(states.REASONS)}.", where=Where(field="reason"))
    words = clean(text, longest=LONGEST_REASON, field="text")
    if reason == "other" and not words.text:
        raise InvalidSpec("Say what is wrong with the entry.", where=Where(field="text"))
    fields = {
        "task_id": task.pk, "customer_id": task.customer_id, "kind": task.kind, "campaign": task.campaign, "reason": reason,
        "text": words.text, "flags": list(words.flags), "was_tried": task.attempts > 0, "author_id": actor.user_id,
        "author_name": actor.display_name, "staff_no": actor.staff_no, "branch_code": task.branch_code, "at": now(),
    }  # fmt: skip
    try:
        with transaction.atomic():
            row = WrongEntry.objects.create(key=_own(actor, key), **fields)
            withdraw_task(actor, task_id)
            record(actor, "list.marked_wrong", task, reason=reason, campaign=task.campaign)
    except IntegrityError:
        same = WrongEntry.objects.filter(key=_own(actor, key)).first()
        if same is None:
            raise Conflict("The entry was marked as wrong already.", hint="Reload.", task=task_id) from None
        return same
    return row


def unmark_wrong(actor: Actor, entry_id: int) -> WrongEntry:
    """Take one's own mark back: the task is open again. Doing it twice is no error.

    Raises:
        NotAllowed: it is not there, or somebody else's.
        Conflict: the task is no longer there to be worked.
    """
    actor.must("feedback.write")
    row = WrongEntry.objects.filter(pk=entry_id, author_id=actor.user_id).first()
    if row is None or actor.user_id is None:
        raise NotAllowed("There is no such mark of yours.", entry=entry_id)
    with transaction.atomic():
        if WrongEntry.objects.filter(pk=row.pk, undone_at__isnull=True).update(undone_at=now()):
            reopen_task(actor, row.task_id)
            record(actor, "list.mark_undone", ("task", row.task_id), campaign=row.campaign)
    row.refresh_from_db()
    return row


def mark_of_task(actor: Actor, task_id: int) -> WrongEntry | None:
    """Return the mark on a task, where there is one in sight."""
    return wrong_entries_for(actor, task_id=task_id).first()


# -- questions and insights ---------------------------------------------------------------------------------------------


def send_feedback(
    actor: Actor, kind: str, text: str, *, key: str, campaign: str = "", segment: str = "", about: str = ""
) -> Feedback:
    """Send a question or an insight up. The same ``key``, or the same words within minutes, gives the first one.

    Args:
        about: the group in the author's own words, for an insight on customers that are no segment yet.

    Raises:
        InvalidSpec: no such kind, no text, or an insight about nobody.
        NotAllowed: the campaign or segment is not in the actor's sight.
    """
    actor.must("feedback.write")
    if (before := Feedback.objects.filter(key=_own(actor, key)).first()) is not None:
        return before
    if kind not in states.KINDS:
        raise InvalidSpec(f"There is no kind {kind!r}: {', '.join(states.KINDS)}.", where=Where(field="kind"))
    words, group = _said(text, "text"), clean(about, longest=100, field="about")
    if campaign and campaign not in {s.name for s in campaigns_to_write_on(actor)}:
        raise NotAllowed(f"There is no campaign {campaign!r} in your scope.", campaign=campaign)
    if segment and segment not in {s.name for s in segments_to_write_on(actor)}:
        raise NotAllowed(f"There is no segment {segment!r} in your scope.", segment=segment)
    if kind == states.INSIGHT and not (campaign or segment or group.text):
        raise InvalidSpec(
            "Say which customers it is about.", hint="Choose a campaign, or describe the group.", where=Where(field="about")
        )  # fmt: skip
    fields = {
        "kind": kind, "campaign": campaign, "segment": segment or segment_of_campaign(campaign), "about": group.text,
        "text": words.text, "flags": sorted({*words.flags, *group.flags}), "author_id": actor.user_id,
        "author_name": actor.display_name, "staff_no": actor.staff_no, "branch_code": actor.branch_code,
        "branch_path": actor.branch_path, "created_at": now(),
    }  # fmt: skip
    same = {name: fields[name] for name in ("kind", "campaign", "segment", "about", "text", "author_id")}
    recent = Feedback.objects.filter(**same, created_at__gt=now() - AGAIN_AFTER).first()
    if recent is not None:
        return recent
    try:
        with transaction.atomic():
            row = Feedback.objects.create(key=_own(actor, key), **fields)
            record(actor, "feedback.sent", row, kind=kind, campaign=campaign, segment=row.segment)
    except IntegrityError:
        return Feedback.objects.get(key=_own(actor, key))
    return row


def answer_feedback(
    actor: Actor, feedback_id: int, answer: str, *, state: str = states.ANSWERED, expected: str = states.NEW
) -> Feedback:
    """Answer a question or an insight; with ``declined`` an insight is turned down, with the reason as answer.

    Args:
        expected: the state in which the answerer read it.

    Raises:
        NotAllowed: no right, or not in sight.
        InvalidSpec: no words; a question is neither adopted nor declined.
        Conflict: somebody else answered meanwhile; her answer stands.
    """
    if state == states.ADOPTED:
        raise InvalidSpec("An insight is adopted by `adopt_insight`.", where=Where(field="state"))
    actor.must("feedback.answer")
    row = feedback_one(actor, feedback_id)
    words = _said(answer, "answer")
    with transaction.atomic():
        _move(actor, row, state, expected=expected, answer=words.text)
    return row


def adopt_insight(
    actor: Actor, feedback_id: int, *, segment: str = "", answer: str, expected: str = states.NEW
) -> Feedback:
    """Adopt an insight: it becomes an expert note on a segment, under its author's own name.

    Args:
        segment: the segment it is noted on; the one it is about, when left out.

    Raises:
        InvalidSpec: a question; or it names no segment and none is given.
        Conflict: somebody else answered meanwhile.
    """
    actor.must("feedback.answer")
    row = feedback_one(actor, feedback_id)
    subject = segment or row.segment
    if not subject:
        raise InvalidSpec("Choose the segment that the insight is about.", where=Where(field="segment"))
    name = segment_named(actor, subject).name
    words = _said(answer, "answer")
    with transaction.atomic():
        _move(actor, row, states.ADOPTED, expected=expected, answer=words.text, segment=name)
        about = f"{row.about}：" if row.about else ""
        note = add_note(actor, "segment", name, about + row.text, written_by=(row.author_id, row.author_name))
        Feedback.objects.filter(pk=row.pk).update(note_id=note.pk)
    row.refresh_from_db()
    return row


def draft_segment(actor: Actor, feedback_id: int, *, name: str, title: str = "") -> Feedback:
    """Start a segment from an adopted insight: within the segment it is noted on, its author as owner, to be narrowed in the builder.

    Raises:
        InvalidSpec: the name is none.
        Conflict: the insight is not adopted, or has its draft already under another name.
    """
    actor.must("segment.edit")
    row = _adopted(actor, feedback_id)
    if row.segment_draft:
        if row.segment_draft != name:
            raise Conflict(
                f"The insight became segment {row.segment_draft!r} already.", hint="Open it.", segment=row.segment_draft
            )
        return row
    base = segment_named(actor, row.segment).spec
    spec = spec_of(
        {
            "kind": "segment", "name": name.strip(), "title": title.strip()[:60] or row.about or f"{base.title.zh}·{row.author_name}",
            "description": _by(row), "owner": row.author_name, "where": {"segment": row.segment},
        }
    )  # fmt: skip
    saved = save_segment(actor, spec)  # type: ignore[arg-type]  # of the kind that was asked for
    with transaction.atomic():
        Feedback.objects.filter(pk=row.pk, segment_draft="").update(segment_draft=saved.name)
        record(actor, "feedback.became_segment", row, segment=saved.name)
    row.refresh_from_db()
    return row


def draft_playbook(actor: Actor, feedback_id: int, *, playbook: str) -> Feedback:
    """Write an adopted insight into a new version of a playbook, with its author's name; the version is a draft.

    Raises:
        InvalidSpec: there is no such playbook.
        Conflict: the insight is not adopted.
    """
    actor.must("catalog.edit")
    row = _adopted(actor, feedback_id)
    before = next((v for v in latest_definitions(actor, kind="playbook") if v.name == playbook), None)
    if before is None:
        raise InvalidSpec(
            f"There is no playbook {playbook!r}." if playbook else "Choose a playbook.", where=Where(field="playbook")
        )
    if row.playbook_version is not None:
        return row
    what = before.spec.what
    added = Text(zh=f"{what.zh}\n{_by(row)}", en=f"{what.en}\n{_by(row)}" if what.en else "")
    saved = save_definition(actor, before.spec.model_copy(update={"what": added}))
    with transaction.atomic():
        Feedback.objects.filter(pk=row.pk, playbook_version__isnull=True).update(playbook_version=saved.pk)
        record(actor, "feedback.became_playbook", row, playbook=playbook, version=saved.pk)
    row.refresh_from_db()
    return row


def mark_seen(actor: Actor, row: Feedback) -> None:
    """Keep that the author has opened the answer."""
    if actor.user_id is not None and row.author_id == actor.user_id and row.state != states.NEW:
        Feedback.objects.filter(pk=row.pk, seen_at__isnull=True).update(seen_at=now())


def _move(actor: Actor, row: Feedback, state: str, *, expected: str, answer: str, **fields: str) -> None:
    """Set the answer where nobody else did since it was read."""
    if row.kind == states.QUESTION and state in states.FOR_INSIGHTS:
        raise InvalidSpec("A question is answered, not adopted or declined.", where=Where(field="state"))
    if state in states.TRANSITIONS.get(expected, frozenset()):
        moved = Feedback.objects.filter(pk=row.pk, state=expected).update(
            state=state, answer=answer, answered_by=actor.display_name, answered_at=now(), seen_at=None, **fields
        )
        if moved:
            row.refresh_from_db()
            record(actor, f"feedback.{state}", row, kind=row.kind, campaign=row.campaign)
            return
    row.refresh_from_db()
    raise Conflict(
        f"{row.answered_by or row.author_name} was faster: this is {row.state} now.",
        hint="Read that answer first; yours is still in the form.",
        feedback=row.pk,
    )


def _adopted(actor: Actor, feedback_id: int) -> Feedback:
    row = feedback_one(actor, feedback_id)
    if row.state != states.ADOPTED:
        raise Conflict("The insight is not adopted.", hint="Adopt it first.", feedback=feedback_id)
    return row


def _by(row: Feedback) -> str:
    return f"专家判断（{row.author_name}，{row.created_at:%Y-%m-%d}）：{row.text}"


def _said(text: str, field: str) -> Cleaned:
    words = clean(text, longest=LONGEST, field=field)
    if not words.text:
        raise InvalidSpec("Write a few words.", where=Where(field=field))
    return words


def _own(actor: Actor, key: str) -> str:
    """Keys are the browser's; two people cannot collide."""
    if not key.strip():
        raise InvalidSpec("A record needs a key.", hint="Send one with the request.", where=Where(field="key"))
    return f"{actor.user_id}:{key}"[:64]
