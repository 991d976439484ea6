"""Which sources the bank has defined, and what each load brought."""

from __future__ import annotations

from django.db import models

from kequn.core.spec.source import SourceSpec
from kequn.ops.fields import SpecField


class SourceVersion(models.Model):
    """One immutable version of a source's definition (数据源版本)."""

    name = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=12)
    spec = SpecField(SourceSpec)
    is_current = models.BooleanField(default=True)
    saved_by = models.CharField(max_length=40)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(is_current=True), name="source_one_current"),
        ]


class Load(models.Model):
    """One run of a source: read = loaded + rejected + skipped (加载)."""

    class State(models.TextChoices):
        RUNNING = "running"
        LOADED = "loaded"
        UNCHANGED = "unchanged"
        FAILED = "failed"

    load_id = models.CharField(max_length=32, unique=True)
    source = models.CharField(max_length=64, db_index=True)
    fingerprint = models.CharField(max_length=12)
    table = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    n_read = models.BigIntegerField(default=0)
    n_loaded = models.BigIntegerField(default=0)
    n_rejected = models.BigIntegerField(default=0)
    n_skipped = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict)
    """Canonical column -> [sum in the source, sum stored], as decimal text."""
    reasons = models.JSONField(default=dict)
    checks = models.JSONField(default=list)
    """What each quality check found: kind, column, severity, whether it held, rows, found, expected."""
    columns = models.JSONField(default=dict)
    """The source's columns with their types as they were read."""
    as_of = models.DateField(null=True)
    error = models.JSONField(null=True)
    seconds = models.FloatField(default=0)
    started_by = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
