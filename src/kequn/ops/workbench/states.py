"""Which state of a task may follow which, and what an RM may record."""

from __future__ import annotations

from kequn.core.spec.base import Text

OPEN, DONE, EXPIRED, CANCELLED = "open", "done", "expired", "cancelled"

TRANSITIONS: dict[str, frozenset[str]] = {
    OPEN: frozenset({DONE, EXPIRED, CANCELLED}),
    DONE: frozenset({OPEN}),  # an outcome taken back within seconds
    EXPIRED: frozenset({OPEN}),
    CANCELLED: frozenset(),
}

CONTACTS: dict[str, Text] = {
    "connected": Text(zh="接通", en="Reached"),
    "no_answer": Text(zh="未接", en="No answer"),
    "declined": Text(zh="拒接", en="Declined the call"),
    "dead_number": Text(zh="空号", en="Dead number"),
    "wrong_person": Text(zh="非本人", en="Somebody else"),
}
"""How the contact went (联系结果)."""

INTENTS: dict[str, Text] = {
    "interested": Text(zh="有意向", en="Interested"),
    "considering": Text(zh="考虑", en="Considering"),
    "appointment": Text(zh="预约", en="Appointment"),
    "not_interested": Text(zh="无意向", en="Not interested"),
    "opt_out": Text(zh="拒绝再联系", en="Wants no more contacts"),
    "complaint": Text(zh="投诉", en="Complains"),
    "deal": Text(zh="成交", en="Deal"),
}
"""What the customer wants (客户意向); only of a customer who was reached."""

GOES_ON = frozenset({"interested", "considering", "appointment"})
"""Intents after which the opportunity is worked on: other campaigns keep away."""

AT_ONCE = frozenset({"opt_out", "complaint"})
"""Intents that take effect at once, by law, and so cannot be taken back."""
