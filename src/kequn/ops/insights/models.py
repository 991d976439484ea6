"""Discoveries with what they found, and what people who know the customers wrote beside it."""

from __future__ import annotations

from typing import Any

from django.db import models

from kequn.core.spec.discovery import DiscoverySearch
from kequn.ops.fields import SpecField
from kequn.ops.insights import states


class Discovery(models.Model):
    """One search for clusters or look-alikes, and its answer (客群发现)."""

    name = models.CharField(max_length=40)
    """Of the set of clusters: discoveries of one name are refits of it."""
    title = models.CharField(max_length=100)
    search = SpecField(DiscoverySearch)
    as_of = models.DateField()
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.QUEUED)
    job_id = models.BigIntegerField(null=True)
    result = models.JSONField(null=True)
    """What pages and REST show."""
    model = models.JSONField(null=True)
    """What customers are assigned by: the space, the centres and the tree, or the weights."""
    titles = models.JSONField(default=dict)
    """Code of a cluster -> {zh, en}: what a person called it."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    branch_path = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    basis = models.CharField(max_length=10, blank=True, choices=[("rules", "rules"), ("centres", "centres")])
    """Once published: by what customers are assigned."""
    published_at = models.DateTimeField(null=True)
    published_by = models.CharField(max_length=40, blank=True)
    is_current = models.BooleanField(default=False)
    """Whether the published tag of this name is made by this discovery."""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(is_current=True), name="discovery_one_current"),
            models.CheckConstraint(
                condition=models.Q(is_current=False) | models.Q(published_at__isnull=False, state=states.FOUND),
                name="discovery_current_is_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.as_of}"

    @property
    def tag(self) -> str:
        """The tag that it is published as."""
        return f"model_cluster_{self.name}"

    @property
    def kind(self) -> str:
        """``clusters`` or ``lookalike``."""
        return str(self.search.kind)

    @property
    def clusters(self) -> list[dict[str, Any]]:
        """The clusters found, each with the title in force."""
        found = (self.result or {}).get("clusters", [])
        return [{**c, "title": self.titles.get(c["code"]) or c["title"]} for c in found]


class ExpertNote(models.Model):
    """What somebody who knows these customers says of a segment, a cluster or a discovery, under her name (专家笔记)."""

    subject_kind = models.CharField(max_length=10, choices=[(k, k) for k in ("segment", "cluster", "discovery")])
    subject = models.CharField(max_length=120)
    """Name of the segment, ``<discovery>:<code>`` of the cluster, number of the discovery."""
    text = models.TextField()
    author_id = models.BigIntegerField(null=True)
    author_name = models.CharField(max_length=40, blank=True)
    branch_path = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    is_removed = models.BooleanField(default=False)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["subject_kind", "subject"])]


class NoteVersion(models.Model):
    """A note as it read from a time on; the first when it was written."""

    note = models.ForeignKey(ExpertNote, on_delete=models.CASCADE, related_name="versions")
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
