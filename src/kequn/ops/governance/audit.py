"""The audit chain: each entry is sealed over the one before it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

from django.db import models, transaction

from kequn.ops.governance.models import AuditEntry, AuditHead
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now, runtime


def record(actor: Actor, act: str, subject: models.Model | tuple[str, object], **facts: Any) -> None:
    """Add one entry within the caller's transaction. Facts carry no names, numbers or addresses of customers.

    ``subject`` is the row acted upon, or (kind, id) where there is no row.
    """
    kind, key = subject if isinstance(subject, tuple) else (type(subject).__name__.lower(), subject.pk)
    with transaction.atomic(savepoint=False):
        heads = AuditHead.objects.select_for_update()
        head = heads.filter(pk=1).first()
        if head is None:  # the first entry of all
            AuditHead.objects.get_or_create(pk=1)
            head = heads.get(pk=1)
        entry = AuditEntry(
            at=now(),
            user_id=actor.user_id,
            username=actor.username,
            role=actor.role,
            branch=actor.branch_code,
            act=act,
            object_kind=kind,
            object_id=str(key),
            facts=json.loads(json.dumps(facts, default=str)),
            previous=head.seal,
        )
        entry.seal = _seal(entry)
        entry.save(force_insert=True)
        AuditHead.objects.filter(pk=1).update(entry_id=entry.pk, seal=entry.seal)


def first_broken(entries: Iterable[AuditEntry], head: AuditHead | None) -> int | None:
    """Return the id of the first entry that does not fit its chain, 0 when the tail was cut, ``None`` when all fit.

    ``entries`` in ascending order of id, from the first.
    """
    previous, last = "", 0
    for entry in entries:
        if entry.previous != previous or not hmac.compare_digest(entry.seal, _seal(entry)):
            return entry.pk
        previous, last = entry.seal, entry.pk
    if head is not None and (head.seal != previous or head.entry_id != last):
        return 0
    return None


def _seal(entry: AuditEntry) -> str:
    content = [
        entry.at.isoformat(), entry.user_id, entry.username, entry.role, entry.branch, entry.act,
        entry.object_kind, entry.object_id, entry.facts, entry.previous,
    ]  # fmt: skip
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return hmac.new(runtime().audit_key, text.encode(), hashlib.sha256).hexdigest()
