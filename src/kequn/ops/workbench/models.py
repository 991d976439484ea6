"""An RM's tasks and what came of them."""

from __future__ import annotations

from django.db import models

from kequn.ops.workbench import states


class Task(models.Model):
    """Work for an RM with a due time: contact this customer, for this reason, with this offer (任务)."""

    key = models.CharField(max_length=64, unique=True)
    """What makes a second creation the same task: the touch's key, or the request's."""
    customer_id = models.CharField(max_length=32, db_index=True)
    staff_no = models.CharField(max_length=20)
    branch_code = models.CharField(max_length=12, blank=True, db_index=True)
    kind = models.CharField(max_length=10, choices=[("campaign", "campaign"), ("contact", "contact")])
    """``contact`` is one the RM started herself: it has passed the gate and is exempt from control groups."""
    campaign = models.CharField(max_length=64, blank=True, db_index=True)
    channel = models.CharField(max_length=12, default="call")
    title_zh = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200, blank=True)
    why_zh = models.TextField(blank=True)
    why_en = models.TextField(blank=True)
    offer = models.CharField(max_length=64, blank=True)
    talk_track = models.CharField(max_length=12, blank=True)
    """Fingerprint of the approved version."""
    priority = models.PositiveSmallIntegerField(default=60)
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-priority", "due_at", "id"]
        indexes = [models.Index(fields=["staff_no", "state", "due_at"], name="task_of_staff")]

    def __str__(self) -> str:
        return f"{self.title_zh} ({self.state})"


class FollowUp(models.Model):
    """One recorded contact by an RM, with its outcome (跟进)."""

    key = models.CharField(max_length=64, unique=True)
    """The request's own key: pressing twice records once."""
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="follow_ups")
    customer_id = models.CharField(max_length=32, db_index=True)
    staff_no = models.CharField(max_length=20)
    contact = models.CharField(max_length=16, choices=[(c, c) for c in states.CONTACTS])
    intent = models.CharField(max_length=16, choices=[(i, i) for i in states.INTENTS], blank=True)
    amount_cny = models.DecimalField(max_digits=16, decimal_places=2, null=True)
    next_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    before = models.JSONField(default=dict)
    """The task as it was, to be put back within seconds."""
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=(models.Q(contact="connected") & ~models.Q(intent=""))
                | (~models.Q(contact="connected") & models.Q(intent="")),
                name="follow_up_intent_of_the_reached",
            ),
            models.CheckConstraint(
                condition=models.Q(amount_cny__isnull=True) | models.Q(amount_cny__gt=0),
                name="follow_up_amount_positive",
            ),
        ]
