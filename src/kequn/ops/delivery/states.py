"""Which state of a touch may follow which."""

from __future__ import annotations

from kequn.core.gate import BY_CODE
from kequn.core.spec.base import Text

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

WHY_NOT: dict[str, Text] = {
    "opted_out": Text(zh="客户已拒收", en="The customer refused"),
    "complaint": Text(zh="客户投诉，已停发", en="The customer complained: stopped"),
    "withdrawn": Text(zh="发送前已撤回", en="Withdrawn before it left"),
    "expired": Text(zh="超过发送时限仍未发出", en="It did not leave in time"),
    "quota": Text(zh="这位客户的接收条数已用完", en="The customer's quota of messages is used up"),
    "bad_number": Text(zh="地址无效", en="The address is not valid"),
    "UNREACHABLE": Text(zh="没有可用地址", en="There is no address"),
    "DEFINITION_MISSING": Text(zh="方案或内容已停用", en="The offer or its text is not in use any more"),
}
"""Why a message did not leave, beside the rules of the gate."""


def why_not(reason: str) -> Text | None:
    """Return in words why a message did not leave; ``None`` for none. A code without words stands as it is."""
    codes = [code.strip() for code in reason.split(",") if code.strip()]
    said = [BY_CODE[c].title if c in BY_CODE else WHY_NOT.get(c.split(" ")[0], Text(zh=c)) for c in codes]
    return Text(zh="；".join(s.zh for s in said), en="; ".join(s.to("en") for s in said)) if said else None
