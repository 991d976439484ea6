"""What those who talk to customers tell head office: wrong entries of lists, questions, insights, and the answers."""

from __future__ import annotations

from django.db import models

from kequn.ops.feedback import states


class WrongEntry(models.Model):
    """One entry of a list that an RM marked as wrong, with her reason (名单不准)."""

    key = models.CharField(max_length=64, unique=True)
    """The request's own key: pressing twice marks once."""
    task_id = models.BigIntegerField()
    customer_id = models.CharField(max_length=32)
    kind = models.CharField(max_length=12)
    """Of the task: ``campaign`` for a list sent down, else the occasion."""
    campaign = models.CharField(max_length=64, blank=True, db_index=True)
    reason = models.CharField(max_length=16, choices=[(r, r) for r in states.REASONS])
    text = models.CharField(max_length=200, blank=True)
    flags = models.JSONField(default=list)
    """What was hidden or odd in the text: see ``customers.masking.clean``."""
    was_tried = models.BooleanField()
    """Whether the customer had been contacted on the task before."""
    author_id = models.BigIntegerField(null=True)
    author_name = models.CharField(max_length=40, blank=True)
    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task_id"], condition=models.Q(undone_at__isnull=True), name="wrong_entry_once_a_task"
            ),
            models.CheckConstraint(
                condition=~models.Q(reason="other") | ~models.Q(text=""), name="wrong_entry_other_says_what"
            ),
        ]


class Feedback(models.Model):
    """A question or an insight from the front line, and head office's answer (一线反馈)."""

    key = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=[(k, k) for k in states.KINDS])
    campaign = models.CharField(max_length=64, blank=True)
    segment = models.CharField(max_length=64, blank=True)
    about = models.CharField(max_length=100, blank=True)
    """The group in the author's own words, where no campaign or segment stands for it."""
    text = models.TextField()
    flags = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=[(s, s) for s in states.STATES], default=states.NEW)
    author_id = models.BigIntegerField(null=True)
    author_name = models.CharField(max_length=40, blank=True)
    staff_no = models.CharField(max_length=20, blank=True)
    branch_code = models.CharField(max_length=12, blank=True)
    branch_path = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=40, blank=True)
    answered_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    """When the author saw the latest answer."""
    note_id = models.BigIntegerField(null=True)
    """The expert note that an adopted insight became."""
    segment_draft = models.CharField(max_length=64, blank=True)
    playbook_version = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["author_id", "state"], name="feedback_of_author")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state=states.NEW) | (~models.Q(answer="") & models.Q(answered_at__isnull=False)),
                name="feedback_answer_says_something",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=states.INSIGHT) | ~models.Q(state__in=[states.ADOPTED, states.DECLINED]),
                name="feedback_insights_are_adopted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.state})"
