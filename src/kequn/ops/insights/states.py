"""What a discovery can come to; none of them leads on to another."""

from __future__ import annotations

QUEUED, FOUND, NONE, FAILED = "queued", "found", "none", "failed"

TRANSITIONS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({FOUND, NONE, FAILED}),
    FOUND: frozenset(),
    NONE: frozenset(),
    FAILED: frozenset({FOUND, NONE}),
}
