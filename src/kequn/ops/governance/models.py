"""Approvals by a second person, the customer's own word, suppressions, and the trail of who did what."""

from __future__ import annotations

from django.db import models


class Approval(models.Model):
    """A checker's decision on one version of one thing (审批)."""

    class State(models.TextChoices):
        WAITING = "waiting"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    summary = models.JSONField(default=dict)
    """What the checker is shown: facts computed when it was submitted (size, cost, changes…)."""
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    maker_id = models.BigIntegerField(null=True)
    maker_name = models.CharField(max_length=40)
    checker_id = models.BigIntegerField(null=True)
    checker_name = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    submitted_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-submitted_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name", "fingerprint"],
                condition=models.Q(state__in=["waiting", "approved"]),
                name="approval_one_open_per_version",
            ),
            models.CheckConstraint(
                condition=models.Q(checker_id__isnull=True) | ~models.Q(checker_id=models.F("maker_id")),
                name="approval_two_people",
            ),
        ]


class ConsentEntry(models.Model):
    """The customer's word on marketing by one channel, given through kequn after the bank's own consents were loaded (授权同意)."""

    customer_id = models.CharField(max_length=32)
    purpose = models.CharField(max_length=20, default="marketing")
    channel = models.CharField(max_length=12)
    granted = models.BooleanField()
    at = models.DateTimeField()
    source = models.CharField(max_length=40)
    proof = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["customer_id", "channel", "-at"])]


class Suppression(models.Model):
    """A customer who must not be contacted, for a reason that need not be told (免打扰名单)."""

    customer_id = models.CharField(max_length=32)
    reason = models.CharField(max_length=20)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    added_by = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer_id", "reason"], name="suppression_once")]


class AuditEntry(models.Model):
    """Who did what to what, chained so that a change is found (留痕)."""

    at = models.DateTimeField()
    user_id = models.BigIntegerField(null=True)
    username = models.CharField(max_length=40)
    role = models.CharField(max_length=12)
    branch = models.CharField(max_length=12, blank=True)
    act = models.CharField(max_length=40, db_index=True)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80)
    facts = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    seal = models.CharField(max_length=64)
    """HMAC-SHA-256 over this entry and the seal of the one before it."""

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_kind", "object_id"])]


class AuditHead(models.Model):
    """The last seal, locked while an entry is added: one chain, also under many writers."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    entry_id = models.BigIntegerField(default=0)
    seal = models.CharField(max_length=64, default="")
