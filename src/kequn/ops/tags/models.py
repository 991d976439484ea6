"""The bank's own tags, and what each refresh computed."""

from __future__ import annotations

from django.db import models

from kequn.core.spec.tag import TagSpec
from kequn.ops.fields import SpecField


class TagVersion(models.Model):
    """One immutable version of a tag that the bank added to the shipped catalogue, or put in a shipped one's place (标签版本)."""

    name = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=12)
    spec = SpecField(TagSpec)
    is_current = models.BooleanField(default=True)
    saved_by = models.CharField(max_length=40)
    saved_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(is_current=True), name="tag_one_current")
        ]


class Refresh(models.Model):
    """One computation of tags for a business date (标签刷新)."""

    as_of = models.DateField()
    n_tags = models.PositiveIntegerField()
    n_customers = models.BigIntegerField()
    seconds = models.FloatField()
    unavailable = models.JSONField(default=dict)
    failed = models.JSONField(default=dict)
    """Tag -> what went wrong; it and what is made of it are left out of the date, the others are published."""
    version = models.BigIntegerField()
    """The store's version that the refresh published."""
    started_by = models.CharField(max_length=40)
    finished_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]


class TagStatistic(models.Model):
    """Coverage and distribution of one tag on one date, computed once per version of the store."""

    name = models.CharField(max_length=64)
    as_of = models.DateField()
    fingerprint = models.CharField(max_length=12)
    computed_at = models.DateTimeField()
    """When the column was computed: a new computation makes the row stale."""
    statistics = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "as_of"], name="tag_statistic_once")]
