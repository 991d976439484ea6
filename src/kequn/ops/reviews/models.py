"""What was learnt from campaigns and experiments."""

from __future__ import annotations

from django.db import models


class Review(models.Model):
    """What one campaign or experiment brought, as far as the data then told (后评估)."""

    kind = models.CharField(max_length=10, choices=[("campaign", "campaign"), ("experiment", "experiment")])
    name = models.CharField(max_length=64, db_index=True)
    key = models.CharField(max_length=120, unique=True)
    """What makes a second run the same review: audience or experiment, date, metrics, and the store's version."""
    as_of = models.DateField()
    branch_path = models.CharField(max_length=200)
    result = models.JSONField()
    pins = models.JSONField(default=dict)
    reviewed_by = models.CharField(max_length=40)
    reviewed_at = models.DateTimeField()

    class Meta:
        ordering = ["-reviewed_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} {self.as_of}"
