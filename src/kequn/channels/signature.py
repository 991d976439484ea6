"""Signatures between kequn and a gateway: HMAC-SHA-256 over time and body."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

TIME_HEADER = "X-Kequn-Time"
SIGNATURE_HEADER = "X-Kequn-Signature"
TOLERANCE_SECONDS = 300
MAX_BODY_BYTES = 256 * 1024


def sign(secret: str, time: str, body: bytes) -> str:
    """Return ``v1=`` and the hexadecimal HMAC-SHA-256 of ``<time>.<body>``; ``time`` is whole seconds since 1970."""
    return "v1=" + hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(secrets: Sequence[str], *, time: str, signature: str, body: bytes, now: datetime) -> bool:
    """Whether a body was signed with one of the active secrets, within 300 seconds of ``now``.

    No secret, an empty one, a body over 256 kB or a time that is no number: not genuine.
    """
    if len(body) > MAX_BODY_BYTES or not (time.isascii() and time.isdigit() and len(time) <= 12):
        return False
    if abs(now.timestamp() - int(time)) > TOLERANCE_SECONDS:
        return False
    given = signature.encode()
    # all secrets are tried, so that the time taken does not tell which one is near
    matches = [hmac.compare_digest(sign(secret, time, body).encode(), given) for secret in secrets if secret]
    return any(matches)
