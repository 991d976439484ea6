"""Wrong entries, questions and insights within an actor's scope: an RM's own, a branch head's branches, head office all."""

from __future__ import annotations

from collections import Counter

from django.db.models import Count, Q, QuerySet

from kequn.core.errors import NotAllowed
from kequn.core.spec.base import Text
from kequn.core.stats.intervals import proportion_interval
from kequn.ops.audiences.queries import latest_segments
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.feedback import states
from kequn.ops.feedback.contracts import ListFigures, Subject
from kequn.ops.feedback.models import Feedback, WrongEntry
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.workbench.queries import tasks_for

SMALL = 30
"""Below so many entries looked at, a share says little."""
MOST_SUBJECTS = 50
RIGHTS = ("feedback.write", "feedback.answer")


def feedback_for(actor: Actor, *, kind: str | None = None, state: str | None = None) -> QuerySet[Feedback]:
    """Return questions and insights in sight, the newest first."""
    _must_take_part(actor)
    rows = Feedback.objects.all()
    if actor.role in OWN_BOOK:
        rows = rows.filter(author_id=actor.user_id)
    elif not actor.sees_all_branches:
        rows = rows.filter(branch_path__startswith=actor.branch_path)
    wanted = {"kind": kind, "state": state}
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def feedback_one(actor: Actor, feedback_id: int) -> Feedback:
    """Return one question or insight.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = feedback_for(actor).filter(pk=feedback_id).first()
    if row is None:
        raise NotAllowed("There is no such feedback in your scope.", feedback=feedback_id)
    return row


def unseen_answers(actor: Actor) -> QuerySet[Feedback]:
    """Return the actor's own feedback whose answer she has not opened yet."""
    if actor.user_id is None or not actor.may("feedback.write"):
        return Feedback.objects.none()
    return Feedback.objects.filter(author_id=actor.user_id, seen_at__isnull=True).exclude(state=states.NEW)


def waiting_feedback(actor: Actor) -> QuerySet[Feedback]:
    """Return the questions and insights that wait for an answer which the actor may give."""
    return feedback_for(actor, state=states.NEW) if actor.may("feedback.answer") else Feedback.objects.none()


def wrong_entries_for(actor: Actor, *, campaign: str | None = None, task_id: int | None = None) -> QuerySet[WrongEntry]:
    """Return the entries marked as wrong that are in sight; what was taken back is not among them."""
    rows = WrongEntry.objects.filter(undone_at__isnull=True)
    if actor.role in OWN_BOOK:
        rows = rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    elif (codes := branch_codes_for(actor)) is not None:
        rows = rows.filter(branch_code__in=codes)
    rows = rows.filter(campaign=campaign) if campaign is not None else rows
    return rows.filter(task_id=task_id) if task_id is not None else rows


def list_figures(actor: Actor, campaign: str) -> ListFigures:
    """Return what the front line says of one campaign's list, within the actor's branches."""
    tasks = tasks_for(system_actor(), state=None, campaign=campaign)
    if actor.role in OWN_BOOK:
        tasks = tasks.filter(staff_no=actor.staff_no)
    elif (codes := branch_codes_for(actor)) is not None:
        tasks = tasks.filter(branch_code__in=codes)
    counts = tasks.order_by().values("branch_code").annotate(n=Count("pk"), tried=Count("pk", filter=Q(attempts__gt=0)))
    given, looked = Counter[str](), Counter[str]()
    for row in counts:
        given[row["branch_code"]], looked[row["branch_code"]] = row["n"], row["tried"]
    reasons, wrong = Counter[str](), Counter[str]()
    marks = wrong_entries_for(actor, campaign=campaign).order_by().values("branch_code", "reason", "was_tried")
    for row in marks.annotate(n=Count("pk")):
        reasons[row["reason"]] += row["n"]
        wrong[row["branch_code"]] += row["n"]
        looked[row["branch_code"]] += 0 if row["was_tried"] else row["n"]
    k, n = wrong.total(), looked.total()
    return ListFigures(
        campaign=campaign,
        given=given.total(),
        looked_at=n,
        wrong=k,
        share=proportion_interval(k, n) if n else None,
        is_small=n < SMALL,
        reasons=tuple(sorted(reasons.items(), key=lambda r: (-r[1], r[0]))),
        branches=tuple(sorted(((b, wrong[b], looked[b]) for b in wrong), key=lambda r: (-r[1], r[0]))),
    )


def lists_in_doubt(actor: Actor) -> list[ListFigures]:
    """Return the figures of every list in sight that somebody marked an entry of, the most wrong first."""
    if not actor.may("campaign.view"):
        _must_take_part(actor)
    names = wrong_entries_for(actor).exclude(campaign="").order_by().values_list("campaign", flat=True).distinct()
    return sorted((list_figures(actor, name) for name in names), key=lambda f: (-f.wrong, f.campaign))


def campaigns_to_write_on(actor: Actor) -> list[Subject]:
    """Return the campaigns the actor may write about: those she sees, for an RM those that gave her tasks."""
    if actor.may("campaign.view"):
        return [Subject(c.name, c.spec.title) for c in campaigns_for(actor)[:MOST_SUBJECTS]]
    if not actor.may("task.view"):
        return []
    rows = tasks_for(actor, state=None).exclude(campaign="").order_by("-campaign")
    found = rows.values_list("campaign", "title_zh", "title_en").distinct()[:MOST_SUBJECTS]
    return [Subject(name, Text(zh=zh or name, en=en)) for name, zh, en in found]


def segments_to_write_on(actor: Actor) -> list[Subject]:
    """Return the segments the actor sees; none for an RM, whose customers come by campaigns."""
    if not actor.may("segment.view"):
        return []
    return [Subject(s.name, s.spec.title) for s in latest_segments(actor)]


def segment_of_campaign(name: str) -> str:
    """Return the segment that a campaign's list was drawn from, empty where there is no such campaign; for services."""
    row = campaigns_for(system_actor()).filter(name=name).first()
    return row.spec.segment if row else ""


def _must_take_part(actor: Actor) -> None:
    if not any(map(actor.may, RIGHTS)):
        actor.must(RIGHTS[0])
