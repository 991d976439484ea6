"""Versions of what is offered, said, measured and allowed."""

from __future__ import annotations

from typing import Annotated

from django.db import models
from pydantic import Field

from kequn.core.spec.campaign import ContactPolicySpec, PlaybookSpec
from kequn.core.spec.desk import DeskPolicySpec
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.core.spec.ownership import AssignmentSpec, OwnershipPolicySpec, PoolSpec
from kequn.ops.catalog import states
from kequn.ops.fields import SpecField

OwnershipSpec = OwnershipPolicySpec | AssignmentSpec | PoolSpec | DeskPolicySpec
CatalogSpec = OfferSpec | TemplateSpec | TalkTrackSpec | MetricSpec | PlaybookSpec | ContactPolicySpec | OwnershipSpec
AnyCatalogSpec = Annotated[CatalogSpec, Field(discriminator="kind")]


class DefinitionVersion(models.Model):
    """One immutable version of an offer, template, talk track, metric, playbook or contact policy (内容版本)."""

    kind = models.CharField(max_length=20)
    name = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=12)
    spec = SpecField(AnyCatalogSpec)
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.DRAFT)
    is_current = models.BooleanField(default=False)
    """Whether this is the approved version that new campaigns use."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["kind", "name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "fingerprint"], name="definition_version_once"),
            models.UniqueConstraint(
                fields=["kind", "name"], condition=models.Q(is_current=True), name="definition_one_current"
            ),
            models.CheckConstraint(
                condition=models.Q(is_current=False) | models.Q(state=states.APPROVED),
                name="definition_current_is_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.fingerprint}"
