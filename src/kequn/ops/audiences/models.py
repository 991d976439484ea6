"""Segments as versions, what was computed of them, uploaded lists and exported files."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import states
from kequn.ops.fields import SpecField


class SegmentVersion(models.Model):
    """One immutable version of a segment's rule (客群版本)."""

    name = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=12)
    spec = SpecField(SegmentSpec)
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.DRAFT)
    is_current = models.BooleanField(default=False)
    """Whether this is the approved version that new campaigns use."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    branch_path = models.CharField(max_length=200)
    """Whose segment it is: seen by branches above and below."""
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    relabelled_at = models.DateTimeField(null=True)
    """When its title or description was last changed; the rule of a version never is."""
    relabelled_by = models.CharField(max_length=40, blank=True)
    from_pack = models.BooleanField(default=False)
    """Whether it came with kequn: a later kequn may bring another rule for it."""

    class Meta:
        ordering = ["name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "fingerprint"], name="segment_version_once"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(is_current=True), name="segment_one_current"),
            models.CheckConstraint(
                condition=models.Q(is_current=False) | models.Q(state=states.APPROVED),
                name="segment_current_is_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint}"

    @property
    def edition(self) -> str:
        """What is another as soon as anything of it was saved again."""
        return f"{self.pk}-{self.relabelled_at.isoformat()}" if self.relabelled_at else str(self.pk)

    @property
    def saved(self) -> tuple[str, datetime]:
        """Who saved it last, and when."""
        return (self.relabelled_by, self.relabelled_at) if self.relabelled_at else (self.owner_name, self.created_at)


class SegmentProfile(models.Model):
    """The profile of one version on one date and within one scope, kept until the store changes (画像)."""

    fingerprint = models.CharField(max_length=64)
    """Of the segment together with the segments it refers to."""
    store_version = models.BigIntegerField()
    as_of = models.DateField()
    scope = models.CharField(max_length=64)
    size = models.BigIntegerField()
    profile = models.JSONField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint", "store_version", "as_of", "scope"], name="profile_once")
        ]


class UploadedList(models.Model):
    """A list of customer numbers that somebody uploaded, matched to the bank's customers (上传名单)."""

    name = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=100)
    purpose = models.CharField(max_length=200)
    file_name = models.CharField(max_length=200)
    content_hash = models.CharField(max_length=64)
    rows = models.BigIntegerField()
    matched = models.BigIntegerField()
    unmatched = models.BigIntegerField()
    duplicates = models.BigIntegerField()
    unreadable = models.BigIntegerField(default=0)
    """Blank lines, and numbers that a spreadsheet has spoilt."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    branch_path = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_on = models.DateField()
    """From the day after on, no segment may be computed with it."""
    is_removed = models.BooleanField(default=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    rows=models.F("matched") + models.F("unmatched") + models.F("duplicates") + models.F("unreadable")
                ),
                name="list_rows_add_up",
            )
        ]


class Export(models.Model):
    """One file that somebody took out of kequn: masked, marked with her name, and hers alone (导出)."""

    kind = models.CharField(max_length=30)
    subject = models.CharField(max_length=80)
    params = models.JSONField(default=dict)
    format = models.CharField(max_length=4, choices=[("xlsx", "xlsx"), ("csv", "csv")])
    purpose = models.CharField(max_length=200)
    rows = models.BigIntegerField(null=True)
    file = models.CharField(max_length=200, blank=True)
    """Relative to the store's folder; empty until it is written and after it was removed."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    job_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    downloads = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
