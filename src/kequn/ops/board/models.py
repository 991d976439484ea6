"""Targets, the figures of each day, what a branch is, coaching notes, and records of work handed over or taken out."""

from __future__ import annotations

from django.db import models

from kequn.ops.board import states
from kequn.ops.board.figures import TARGETS


class Target(models.Model):
    """What a branch or a member of staff is to reach in a period (目标); a part of its parent's amount."""

    metric = models.CharField(max_length=20, choices=[(m, m) for m in TARGETS])
    period = models.CharField(max_length=8)
    """``2026-07``, ``2026-Q3``; ``campaign`` for as long as a campaign runs."""
    branch_code = models.CharField(max_length=12)
    staff_no = models.CharField(max_length=20, blank=True)
    """Empty for a branch's own."""
    campaign = models.CharField(max_length=64, blank=True)
    amount = models.BigIntegerField()
    """A number, or fen."""
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts")
    note = models.CharField(max_length=200, blank=True)
    set_by = models.CharField(max_length=40)
    set_at = models.DateTimeField()

    class Meta:
        ordering = ["period", "metric", "branch_code", "staff_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["metric", "period", "branch_code", "staff_no", "campaign"], name="target_once_per_period"
            ),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="target_not_negative"),
        ]


class DayFigure(models.Model):
    """What one member of staff did on one day with one branch's customers, and how her book stood in the evening (日指标).

    Whole numbers, money in fen, so that people add up to branches and days to months exactly. Work and customers of nobody
    have an empty ``staff_no``.
    """

    day = models.DateField()
    staff_no = models.CharField(max_length=20, blank=True)
    branch_code = models.CharField(max_length=12, blank=True)
    assigned = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    contacts = models.PositiveIntegerField(default=0)
    effective = models.PositiveIntegerField(default=0)
    appointments = models.PositiveIntegerField(default=0)
    deals = models.PositiveIntegerField(default=0)
    deals_fen = models.BigIntegerField(default=0)
    sales = models.PositiveIntegerField(default=0)
    sales_fen = models.BigIntegerField(default=0)
    matured_fen = models.BigIntegerField(default=0)
    matured_kept_fen = models.BigIntegerField(default=0)
    new_customers = models.PositiveIntegerField(default=0)
    book = models.PositiveIntegerField(default=0)
    covered_30 = models.PositiveIntegerField(default=0)
    covered_90 = models.PositiveIntegerField(default=0)
    aum_fen = models.BigIntegerField(default=0)
    aum_gain_fen = models.BigIntegerField(default=0)
    age_0 = models.PositiveIntegerField(default=0)
    age_2 = models.PositiveIntegerField(default=0)
    age_4 = models.PositiveIntegerField(default=0)
    age_8 = models.PositiveIntegerField(default=0)
    overdue = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "staff_no", "branch_code"], name="figure_once_a_day")]
        indexes = [
            models.Index(fields=["branch_code", "day"], name="figure_of_branch"),
            models.Index(fields=["staff_no", "day"], name="figure_of_staff"),
        ]


class BoardDay(models.Model):
    """One day whose figures are kept: when they were computed, and which of the bank's data were there (看板日)."""

    day = models.DateField(primary_key=True)
    computed_at = models.DateTimeField()
    data_on = models.DateField(null=True)
    """The business date of the holdings behind AUM."""
    known = models.JSONField(default=list)
    """Parts of the bank's data that were there: figures that need another one are unknown that day."""
    rows = models.PositiveIntegerField(default=0)


class BranchFact(models.Model):
    """What the bank's tables do not say of a branch (网点属性)."""

    branch_code = models.CharField(max_length=12, primary_key=True)
    floor_m2 = models.DecimalField(max_digits=9, decimal_places=1, null=True)
    escalate_above_cny = models.DecimalField(max_digits=16, decimal_places=2, null=True)
    """From this amount on a large outflow is put before the branch head; ``None``: the bank's usual amount."""
    set_by = models.CharField(max_length=40)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(floor_m2__isnull=True) | models.Q(floor_m2__gt=0), name="branch_floor_positive"
            )
        ]


class CoachingNote(models.Model):
    """What a branch head writes to one RM about her work (辅导记录); read by the two and the head's superiors."""

    key = models.CharField(max_length=64, unique=True)
    staff_no = models.CharField(max_length=20, db_index=True)
    branch_code = models.CharField(max_length=12)
    author_id = models.BigIntegerField()
    author_name = models.CharField(max_length=40)
    author_path = models.CharField(max_length=200)
    """The author's branch: her superiors sit above it."""
    about = models.CharField(max_length=10, choices=[(a, a) for a in states.ABOUT])
    subject = models.CharField(max_length=64, blank=True)
    """The task's number, the figure's or the signal's code."""
    text = models.CharField(max_length=1000)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    """When the RM said that she read it."""

    class Meta:
        ordering = ["-at", "-id"]


class CoachingAnswer(models.Model):
    """A word of the two on a coaching note (辅导回复)."""

    key = models.CharField(max_length=64, unique=True)
    note = models.ForeignKey(CoachingNote, on_delete=models.PROTECT, related_name="answers")
    author_id = models.BigIntegerField()
    author_name = models.CharField(max_length=40)
    text = models.CharField(max_length=1000)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]


class Reassignment(models.Model):
    """Open tasks that were moved from one member of staff to others at once (批量转交)."""

    key = models.CharField(max_length=64, unique=True)
    from_staff = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12)
    branch_path = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    moves = models.JSONField()
    """{staff number: [task numbers]}"""
    made_by = models.CharField(max_length=40)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]


class DeskExport(models.Model):
    """A list of customers that somebody wants to take out, and who allowed it (名单导出申请)."""

    key = models.CharField(max_length=64, unique=True)
    what = models.CharField(max_length=20)
    params = models.JSONField(default=dict)
    purpose = models.CharField(max_length=200)
    rows = models.PositiveIntegerField()
    """How many rows it had when it was asked for: what the second person is told."""
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.EXPORTS], default=states.WAITING)
    owner_id = models.BigIntegerField()
    owner_name = models.CharField(max_length=40)
    branch_path = models.CharField(max_length=200)
    export_id = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
