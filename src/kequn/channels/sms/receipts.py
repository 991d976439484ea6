"""The receipts that an SMS gateway posts, read into our own form."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from kequn.channels.base import Receipt, TransportError

MOST_RECEIPTS = 1_000
KEY_LENGTH = 80


def read_receipts(body: bytes, *, provider: str) -> list[Receipt]:
    """Return the receipts of one signed call: ``{"receipts": [{"id", "status", "at", "message_id"}]}``, at most 1,000.

    ``status`` is "delivered" or "undelivered", ``at`` an ISO time with its zone.

    Raises:
        TransportError: the body is not of that form; nothing of it is used.
    """
    try:
        entries = json.loads(body)["receipts"]
        if not isinstance(entries, list) or len(entries) > MOST_RECEIPTS:
            raise ValueError("no list of at most 1,000 receipts")
        return [_receipt(entry, provider) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TransportError(
            f"The receipts cannot be read: {type(error).__name__}.",
            permanent=True,
            hint='Send {"receipts": [{"id", "status", "at"}]}.',
        ) from error


def _receipt(entry: Any, provider: str) -> Receipt:
    key, status, at = entry["id"], entry["status"], datetime.fromisoformat(entry["at"])
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH or at.tzinfo is None:
        raise ValueError("no id, or a time without zone")
    if status not in ("delivered", "undelivered"):
        raise ValueError("unknown status")
    raw = json.dumps(entry, ensure_ascii=False)[:2000]
    return Receipt(provider, key, status, at, message_id=str(entry.get("message_id", ""))[:KEY_LENGTH], raw=raw)
