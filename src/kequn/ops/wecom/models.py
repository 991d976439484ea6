"""Which customer a WeCom contact is."""

from __future__ import annotations

from django.db import models


class WecomContact(models.Model):
    """One contact in WeCom, known to be a customer (企微联系人). WeCom's own id is kept as a keyed hash alone."""

    digest = models.CharField(max_length=64, primary_key=True)
    customer_id = models.CharField(max_length=32, db_index=True)
    linked_at = models.DateTimeField()
