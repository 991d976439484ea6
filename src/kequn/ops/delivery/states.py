"""Which state of a touch may follow which."""

from __future__ import annotations

WAITING = ("ready", "inflight", "unknown")
"""On the way: the touch has no outcome yet."""

NOT_SENT = frozenset({"failed", "suppressed", "cancelled", "dead"})
"""The customer got nothing: the contact is given back to her caps."""

HANDED = frozenset({"accepted", "presumed_sent"})
"""The customer got it, or is counted as having got it."""

RECEIPTS = frozenset({"delivered", "undelivered"})

STATES = (
    *WAITING,
    "accepted",
    "delivered",
    "undelivered",
    "presumed_sent",
    "failed",
    "suppressed",
    "cancelled",
    "dead",
)

TRANSITIONS: dict[str, frozenset[str]] = {
    "ready": frozenset({"inflight", "suppressed", "cancelled", "unknown", "presumed_sent", "dead"}),
    "inflight": frozenset(
        {"ready", "unknown", "accepted", "failed", "cancelled", "dead", "suppressed", "presumed_sent"}
    ),
    "unknown": frozenset({"ready", "accepted", "failed", "presumed_sent"}),
    "accepted": RECEIPTS,
    "presumed_sent": RECEIPTS,
    "failed": RECEIPTS,
    "cancelled": RECEIPTS,
    "suppressed": RECEIPTS,
    "dead": RECEIPTS,
    "delivered": frozenset(),
    "undelivered": frozenset({"delivered"}),
}
"""A receipt is believed whatever we had booked; what was delivered stays delivered."""
