"""Which state of a round, a line of it, a correction and a visit may follow which."""

from __future__ import annotations

from kequn.core.spec.base import Text

OPEN, DONE, CLOSED = "open", "done", "closed"
STOCK_TAKE: dict[str, frozenset[str]] = {
    OPEN: frozenset({DONE, CLOSED}),
    DONE: frozenset({OPEN}),  # a line was taken back
    CLOSED: frozenset(),
}
"""A round is done when its last line is decided, and closed when somebody ends it before."""

TODO, CONFIRMED, CORRECTED, GROUPED, GIVEN_UP, GONE = "todo", "confirmed", "corrected", "grouped", "given_up", "gone"
LINE: dict[str, frozenset[str]] = {
    TODO: frozenset({CONFIRMED, CORRECTED, GROUPED, GIVEN_UP, GONE}),
    CONFIRMED: frozenset({TODO}),
    CORRECTED: frozenset({TODO}),
    GROUPED: frozenset({TODO}),
    GIVEN_UP: frozenset(),  # she has left the book: nothing here brings her back
    GONE: frozenset(),
}
"""``gone``: the customer left the book before her turn came."""
RESULTS = (CONFIRMED, CORRECTED, GROUPED, GIVEN_UP)

REASONS: dict[str, Text] = {
    "moved_away": Text(zh="已搬离本地", en="Moved away"),
    "cannot_reach": Text(zh="长期联系不上", en="Cannot be reached"),
    "served_elsewhere": Text(zh="由他行或他网点服务", en="Served by another branch or bank"),
    "wants_no_manager": Text(zh="客户不愿被管户", en="Wants no manager"),
    "no_potential": Text(zh="无经营价值", en="No potential"),
    "duplicate": Text(zh="重复客户", en="Recorded twice"),
    "deceased": Text(zh="已故或已销户", en="Deceased or closed"),
    "other": Text(zh="其他", en="Other"),
}
"""Why a customer is given up (放弃原因)."""

PROPOSED, SENT, DISMISSED = "proposed", "sent", "dismissed"
CORRECTION: dict[str, frozenset[str]] = {
    PROPOSED: frozenset({SENT, DISMISSED}),
    SENT: frozenset(),
    DISMISSED: frozenset(),
}

FIELDS: dict[str, Text] = {
    "phone_invalid": Text(zh="电话失效", en="Phone is dead"),
    "branch": Text(zh="应归网点", en="Belongs to branch"),
    "city": Text(zh="现居城市", en="Lives in"),
    "merchant_street": Text(zh="商户所在市场/街道", en="Market or street of the shop"),
    "occupation": Text(zh="职业", en="Occupation"),
    "duplicate_of": Text(zh="与他人重复", en="Recorded twice"),
    "deceased": Text(zh="已故", en="Deceased"),
    "other": Text(zh="其他", en="Other"),
}
"""What an RM may say is wrong in the bank's own record. kequn never writes it there: it goes back as a list."""
NEEDS_VALUE = frozenset({"branch", "city", "merchant_street", "occupation", "other"})

PLANNED, READY, BLOCKED, DROPPED = "planned", "ready", "blocked", "dropped"
VISIT: dict[str, frozenset[str]] = {
    PLANNED: frozenset({READY, BLOCKED, DROPPED}),
    BLOCKED: frozenset({READY, DROPPED}),  # the gate is asked again
    READY: frozenset({DROPPED}),
    DROPPED: frozenset({PLANNED}),
}
"""``ready``: the gate let her through and a task is there; what came of it stands in the task's follow-ups."""

TABLES = {"stock_take": STOCK_TAKE, "line": LINE, "correction": CORRECTION, "visit": VISIT}
"""All of them, for the tests."""
