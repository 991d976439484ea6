"""The text of a touch at rest: AES-256-GCM bound to the touch's key, since a text may hold a customer's name."""

from __future__ import annotations

import hashlib
import json
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kequn.ops.runtime import runtime

KEY_ID = b"\x01"
NONCE_BYTES = 12


def text_hash(subject: str, body: str) -> str:
    """Return the SHA-256 of a text, by which it can be shown what was sent."""
    return hashlib.sha256(json.dumps([subject, body], ensure_ascii=False).encode()).hexdigest()


def seal(subject: str, body: str, *, key: str) -> bytes:
    """Return the sealed text; it cannot be moved to another touch."""
    nonce = os.urandom(NONCE_BYTES)
    clear = json.dumps([subject, body], ensure_ascii=False).encode()
    return KEY_ID + nonce + _cipher().encrypt(nonce, clear, _bound(key))


def unseal(sealed: bytes, *, key: str) -> tuple[str, str]:
    """Return subject and body.

    Raises:
        cryptography.exceptions.InvalidTag: the bytes were changed or belong to another touch.
    """
    sealed = bytes(sealed)
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    subject, text = json.loads(_cipher().decrypt(nonce, body, _bound(key)))
    return subject, text


def _cipher() -> AESGCM:
    return AESGCM(runtime().field_key)


def _bound(key: str) -> bytes:
    return b"touch.text|" + key.encode() + KEY_ID
