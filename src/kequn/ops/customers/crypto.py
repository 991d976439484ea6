"""Personal fields at rest: AES-256-GCM bound to row and column, and keyed indexes for exact look-up."""

from __future__ import annotations

import hashlib
import hmac
import os
import unicodedata

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kequn.ops.runtime import runtime

KEY_ID = b"\x01"
NONCE_BYTES = 12


def seal(value: str, *, column: str, customer_id: str) -> bytes:
    """Return key id + nonce + ciphertext; bound to its column and customer, so that it cannot be moved to another row."""
    if not value:
        return b""
    nonce = os.urandom(NONCE_BYTES)
    bound = f"{column}|{customer_id}".encode() + KEY_ID
    return KEY_ID + nonce + AESGCM(runtime().field_key).encrypt(nonce, value.encode(), bound)


def unseal(sealed: bytes, *, column: str, customer_id: str) -> str:
    """Return the clear value.

    Raises:
        cryptography.exceptions.InvalidTag: the bytes were changed or moved from another row or column.
    """
    sealed = bytes(sealed)
    if not sealed:
        return ""
    key_id, nonce, body = sealed[:1], sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    bound = f"{column}|{customer_id}".encode() + key_id
    return AESGCM(runtime().field_key).decrypt(nonce, body, bound).decode()


def blind(value: str, *, column: str) -> str:
    """Return the keyed index of a normalised value (one key per column); empty for an empty value."""
    plain = normalised(value)
    if not plain:
        return ""
    key = hmac.new(runtime().index_key, column.encode(), hashlib.sha256).digest()
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()[:40]


def normalised(value: str) -> str:
    """Return text as it is compared: full-width forms folded, no blanks or hyphens, upper case."""
    return unicodedata.normalize("NFKC", value or "").replace(" ", "").replace("-", "").upper()
