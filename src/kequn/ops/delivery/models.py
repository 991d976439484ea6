"""Touches and the narrow tables that say where each of them stands.

A touch is written once and never updated. Its state is the table it stands in: ``Ready`` → ``InFlight`` → ``Outcome``,
with ``Unknown`` for those of which nobody knows yet. Moving a row between narrow tables costs less than updating an
indexed state column.
"""

from __future__ import annotations

from django.db import models

CHANNEL = 12


class Sending(models.Model):
    """What delivery knows of one wave of a campaign (批次)."""

    ref = models.CharField(max_length=64, unique=True)
    campaign = models.CharField(max_length=64, db_index=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    n_touches = models.BigIntegerField(default=0)
    n_handed = models.BigIntegerField(default=0)
    n_failed = models.BigIntegerField(default=0)
    n_unknown = models.BigIntegerField(default=0)
    """Of the touches tried since the last release: for the poison brake."""

    class Meta:
        ordering = ["-id"]


class Touch(models.Model):
    """One intended contact: customer × channel × wave (触达)."""

    sending = models.ForeignKey(Sending, on_delete=models.PROTECT, related_name="+", db_index=False)
    customer_id = models.CharField(max_length=32)
    channel = models.CharField(max_length=CHANNEL)
    key = models.CharField(max_length=32, unique=True)
    """The business identity: a hash of wave, customer and channel. Every attempt carries it."""
    purpose = models.CharField(max_length=20)
    template = models.CharField(max_length=12)
    offer = models.CharField(max_length=64, blank=True)
    priority = models.SmallIntegerField()
    expires_at = models.DateTimeField()
    cost_cny = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    must_arrive = models.BooleanField(default=False)
    """On an opaque channel: rather twice than not at all. Chosen per template, needs approval."""
    text_hash = models.CharField(max_length=64)
    """SHA-256 of subject and body as rendered when the audience was frozen."""
    text = models.BinaryField()
    """Subject and body, sealed: they may hold a customer's name."""
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "sending", "channel"], name="touch_once_per_wave_and_channel"
            ),
            models.CheckConstraint(condition=models.Q(priority__gte=0, priority__lte=100), name="touch_priority_range"),
        ]
        indexes = [models.Index(fields=["sending", "id"], name="touch_of_sending")]


class Ready(models.Model):
    """A touch that waits to be sent (待发箱)."""

    touch = models.OneToOneField(Touch, primary_key=True, on_delete=models.CASCADE, related_name="ready")
    sending = models.ForeignKey(Sending, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=CHANNEL)
    priority = models.SmallIntegerField()
    not_before = models.DateTimeField()
    attempt = models.SmallIntegerField(default=0)
    """Attempts made so far."""
    failures = models.SmallIntegerField(default=0)
    """Certain failures so far; the sixth is the last."""
    is_doubtful = models.BooleanField(default=False)
    """An earlier attempt may have arrived: it is never booked as not sent."""

    class Meta:
        indexes = [models.Index(fields=["channel", "-priority", "not_before", "touch"], name="ready_queue")]


class InFlight(models.Model):
    """The intent to send, committed before the first byte leaves (投递尝试)."""

    touch = models.OneToOneField(Touch, primary_key=True, on_delete=models.CASCADE, related_name="inflight")
    channel = models.CharField(max_length=CHANNEL)
    attempt = models.SmallIntegerField()
    failures = models.SmallIntegerField()
    is_doubtful = models.BooleanField()
    token = models.CharField(max_length=32, db_index=True)
    """The claim; a result counts only with it."""
    lease_until = models.DateTimeField(db_index=True)
    """By the database's clock."""
    is_withdrawn = models.BooleanField(default=False)
    """The customer refused, or the wave was cancelled, after the claim: not to be sent any more."""


class Unknown(models.Model):
    """An attempt of which nobody knows whether it arrived (结果未知). Left by an answer, a receipt or 72 hours."""

    touch = models.OneToOneField(Touch, primary_key=True, on_delete=models.CASCADE, related_name="unknown")
    channel = models.CharField(max_length=CHANNEL)
    attempt = models.SmallIntegerField()
    failures = models.SmallIntegerField()
    token = models.CharField(max_length=32)
    why = models.CharField(max_length=40)
    since = models.DateTimeField()
    ask_after = models.DateTimeField()
    """By the database's clock, as is ``since``."""
    asked = models.PositiveIntegerField(default=0)
    is_quarantined = models.BooleanField(default=False)
    """Found after a restored backup: released by a person where the channel cannot be asked."""

    class Meta:
        indexes = [models.Index(fields=["channel", "ask_after"], name="unknown_to_ask")]


class Outcome(models.Model):
    """How a touch ended: once for the handing over, once more for the receipt.

    Never changed, but that a later "delivered" corrects an "undelivered".
    """

    class Stage(models.IntegerChoices):
        HANDED = 1
        RECEIPT = 2

    touch = models.ForeignKey(Touch, on_delete=models.CASCADE, related_name="outcomes", db_index=False)
    stage = models.PositiveSmallIntegerField(choices=Stage)
    state = models.CharField(max_length=14)
    reason = models.CharField(max_length=120, blank=True)
    attempt = models.SmallIntegerField(default=0)
    message_id = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["touch", "stage"], name="outcome_once_per_stage")]


class Contact(models.Model):
    """One contact that counts against the customer's caps: sent, on the way, or of unknown fate; on any channel."""

    customer_id = models.CharField(max_length=32)
    channel = models.CharField(max_length=CHANNEL)
    purpose = models.CharField(max_length=20)
    on = models.DateField()
    """The bank's day."""
    ref = models.CharField(max_length=80, unique=True)
    """The touch's key, or what else made the contact (a call that an RM recorded)."""

    class Meta:
        indexes = [models.Index(fields=["customer_id", "on"], name="contact_of_customer")]


class ContactVersion(models.Model):
    """How often a customer's contacts grew: a claim fails when anybody contacted her since the gate looked (频控)."""

    customer_id = models.CharField(max_length=32, primary_key=True)
    version = models.BigIntegerField(default=0)


class Account(models.Model):
    """A channel's account at its gateway: how fast it may go, and whether it works."""

    channel = models.CharField(max_length=CHANNEL, primary_key=True)
    tokens = models.FloatField(default=0)
    refilled_at = models.DateTimeField(null=True)
    good = models.IntegerField(default=0)
    bad = models.IntegerField(default=0)
    """Of about the last 200 calls: both are halved when there are more."""
    open_until = models.DateTimeField(null=True)
    """The breaker: nothing is sent until then; after it, one message tries."""
    is_probing = models.BooleanField(default=False)


class Stop(models.Model):
    """A stop in force (紧急停止). Anyone on duty may set one; lifting it takes a checker."""

    scope = models.CharField(max_length=10)
    key = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    by = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="stop_once"),
            models.CheckConstraint(
                condition=models.Q(scope__in=["all", "channel", "campaign", "wave"]), name="stop_scope_known"
            ),
        ]


class ReceiptEntry(models.Model):
    """The inbox of receipts, each once (回执). Kept 90 days."""

    provider = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    status = models.CharField(max_length=12)
    at = models.DateTimeField()
    message_id = models.CharField(max_length=80, blank=True)
    raw = models.TextField(blank=True)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "provider", "status", "at"], name="receipt_once")]


class Heartbeat(models.Model):
    """A number that only grows, kept here and in a file beside: a file that is ahead means a restored past."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    beat = models.BigIntegerField(default=0)
