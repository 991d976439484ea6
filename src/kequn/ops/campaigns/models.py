"""Campaigns and the audiences that were frozen for them."""

from __future__ import annotations

from django.db import models

from kequn.core.spec.campaign import CampaignSpec
from kequn.ops.campaigns import states
from kequn.ops.fields import SpecField


class Campaign(models.Model):
    """One purpose, audience, offer, dates, budget and control group, and how far it is (营销活动)."""

    name = models.CharField(max_length=64, unique=True)
    spec = SpecField(CampaignSpec)
    fingerprint = models.CharField(max_length=12)
    state = models.CharField(max_length=10, choices=[(s, s) for s in states.TRANSITIONS], default=states.DRAFT)
    design = models.JSONField(null=True)
    """What the design said when it was submitted; the checker decided on it."""
    owner_id = models.BigIntegerField(null=True)
    owner_name = models.CharField(max_length=40, blank=True)
    branch_path = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=40, blank=True)
    approved_fingerprint = models.CharField(max_length=12, blank=True)
    launched_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    stop_reason = models.CharField(max_length=200, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-changed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state__in=sorted(states.AFTER_FREEZE | {states.APPROVED}))
                | models.Q(approved_fingerprint=models.F("fingerprint")),
                name="campaign_runs_as_approved",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Audience(models.Model):
    """Who was in a campaign when it was frozen, in which arm and why; the rows are in the analytical store (营销名单)."""

    campaign = models.OneToOneField(Campaign, on_delete=models.PROTECT, related_name="audience")
    as_of = models.DateField()
    key = models.CharField(max_length=80, unique=True)
    """Its name in the store's manifest."""
    members = models.BigIntegerField()
    """Customers of the segment on the date, before exclusions."""
    excluded = models.BigIntegerField()
    passed = models.BigIntegerField()
    treated = models.BigIntegerField()
    control = models.BigIntegerField()
    blocks = models.JSONField(default=dict)
    """{channel: {reason code: customers}}; a customer counts under every reason."""
    by_channel = models.JSONField(default=dict)
    """{channel: treated customers}."""
    pins = models.JSONField(default=dict)
    """Fingerprints of all it was made from: segment and segments within, tags, policy, offer, contents, store version."""
    frozen_by = models.CharField(max_length=40)
    frozen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(passed=models.F("treated") + models.F("control")), name="arms_add_up"
            )
        ]


class Wave(models.Model):
    """One part of a campaign's audience whose turn came: first a few, then more (批次)."""

    audience = models.ForeignKey(Audience, on_delete=models.PROTECT, related_name="waves")
    number = models.PositiveSmallIntegerField()
    from_share = models.DecimalField(max_digits=5, decimal_places=4)
    to_share = models.DecimalField(max_digits=5, decimal_places=4)
    """Customers whose bucket lies in [from, to), in both arms: the wave is a fair sample of the audience."""
    launched_by = models.CharField(max_length=40)
    launched_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    """All its touches are in line; until then a launch goes on with this wave."""

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["audience", "number"], name="wave_numbered_once"),
            models.CheckConstraint(
                condition=models.Q(from_share__gte=0, to_share__gt=models.F("from_share"), to_share__lte=1),
                name="wave_takes_a_share",
            ),
        ]


class BranchPause(models.Model):
    """A branch, with all below it, in which a campaign pauses: nothing is sent there until it is lifted (网点暂停)."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="pauses")
    branch_code = models.CharField(max_length=12)
    branch_path = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        ordering = ["branch_path"]
        constraints = [models.UniqueConstraint(fields=["campaign", "branch_code"], name="branch_paused_once")]
