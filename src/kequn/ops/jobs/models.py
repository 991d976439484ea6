"""Work for the machine, with a lease, progress and a way to cancel."""

from __future__ import annotations

from django.db import models


class Job(models.Model):
    """One piece of long work (作业)."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, blank=True)
    """What makes a second request the same work: an unfinished job of this kind and key is returned instead of a new one."""
    params = models.JSONField(default=dict)
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    message = models.CharField(max_length=300, blank=True)
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    """{code, message, hint, facts} of the KequnError, or code "crash"."""
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(state__in=["queued", "running"]) & ~models.Q(key=""),
                name="job_once_at_a_time",
            )
        ]

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in (self.State.DONE, self.State.FAILED, self.State.CANCELLED)

    @property
    def percent(self) -> int | None:
        """Progress in whole percent, where the total is known."""
        return min(100, 100 * self.done // self.total) if self.total else None
