"""Why an owner changed, and which state of an assignment, a notice, a WeCom move and a remote case may follow which."""

from __future__ import annotations

from kequn.core.spec.base import Text

REASONS: dict[str, Text] = {
    "claimed": Text(zh="认领", en="Claimed"),
    "assigned": Text(zh="按规则分配", en="Assigned by rule"),
    "reassigned": Text(zh="调整管户", en="Given to another"),
    "handed_over": Text(zh="移交", en="Handed over"),
    "taken_back": Text(zh="久未联系收回", en="Taken back unworked"),
    "given_up": Text(zh="主动退回", en="Given up"),
    "loaded": Text(zh="行内系统变更", en="The bank's own change"),
}
"""Why a customer's owner changed (变更原因)."""

ABSENCES: dict[str, Text] = {
    "leave": Text(zh="休假", en="Leave"),
    "sick": Text(zh="病假", en="Sick"),
    "training": Text(zh="培训", en="Training"),
    "secondment": Text(zh="借调", en="Secondment"),
}

REMOTE_REASONS: dict[str, Text] = {
    "no_owner": Text(zh="没有管户", en="No owner"),
    "absent": Text(zh="管户不在且无人代管", en="Owner away without a stand-in"),
    "over_capacity": Text(zh="管户已满负荷", en="Owner at capacity"),
    "left": Text(zh="管户已离职", en="Owner has left"),
    "sent": Text(zh="网点转交", en="Sent by the branch"),
}
"""Why a customer is worked by the remote centre (转远程原因)."""

PREVIEWED, APPLYING, APPLIED, DROPPED = "previewed", "applying", "applied", "dropped"
ASSIGNMENT: dict[str, frozenset[str]] = {
    PREVIEWED: frozenset({APPLYING, DROPPED}),
    APPLYING: frozenset({APPLIED}),
    APPLIED: frozenset(),
    DROPPED: frozenset(),
}

LINE: dict[str, Text] = {
    "planned": Text(zh="待执行", en="Planned"),
    "applied": Text(zh="已生效", en="Applied"),
    "taken": Text(zh="期间已被他人接手", en="Taken by another meanwhile"),
    "full": Text(zh="接手人已满", en="No room left"),
    "protected": Text(zh="保护期内", en="Protected"),
    "unavailable": Text(zh="接手人已停用", en="Taker no longer active"),
}
"""What became of one customer of an assignment."""

OWED, TOLD, WAIVED = "owed", "told", "waived"
NOTICE: dict[str, frozenset[str]] = {
    OWED: frozenset({TOLD, WAIVED}),
    TOLD: frozenset({OWED}),  # the message did not arrive after all
    WAIVED: frozenset(),
}

WAITING, MOVED, REFUSED = "waiting", "moved", "refused"
WECOM: dict[str, frozenset[str]] = {
    WAITING: frozenset({MOVED, REFUSED}),
    MOVED: frozenset(),
    REFUSED: frozenset(),
}

OPEN, TAKEN, CLOSED = "open", "taken", "closed"
REMOTE: dict[str, frozenset[str]] = {
    OPEN: frozenset({TAKEN, CLOSED}),
    TAKEN: frozenset({OPEN, CLOSED}),
    CLOSED: frozenset(),
}

WARNED, ESCALATED = "warned", "escalated"
