"""Which state of a task may follow which, and what an RM may record."""

from __future__ import annotations

from kequn.core.spec.base import Text

OPEN, DONE, EXPIRED, CANCELLED = "open", "done", "expired", "cancelled"

TRANSITIONS: dict[str, frozenset[str]] = {
    OPEN: frozenset({DONE, EXPIRED, CANCELLED}),
    DONE: frozenset({OPEN}),  # an outcome taken back within seconds, a purchase that corrected data do not show
    EXPIRED: frozenset({OPEN}),
    CANCELLED: frozenset(),
}

KINDS: dict[str, Text] = {
    "campaign": Text(zh="名单下发", en="List sent down"),
    "contact": Text(zh="主动联系", en="Own contact"),
    "matured": Text(zh="已到期", en="Matured"),
    "maturing": Text(zh="即将到期", en="Maturing"),
    "large_in": Text(zh="大额流入", en="Large inflow"),
    "large_out": Text(zh="大额流出", en="Large outflow"),
    "risk_expiry": Text(zh="风评到期", en="Risk test expires"),
    "appointment": Text(zh="预约", en="Appointment"),
    "birthday": Text(zh="生日", en="Birthday"),
    "churn": Text(zh="流失预警", en="Churn warning"),
    "promise": Text(zh="承诺跟进", en="Promised follow-up"),
    "retest": Text(zh="重做风评", en="Risk test to renew"),
}
"""What a task is about (任务类型)."""

FOLDED = frozenset(KINDS) - {"campaign", "contact", "appointment"}
"""Kinds that a contact on the customer's main task deals with too."""

RISK_TESTS = ("retest", "risk_expiry")
"""Kinds that are about a new risk test, so that each mends an offer which waits for one."""

STAFF, BOUGHT, SYSTEM = "staff", "bought", "system"
CLOSERS: dict[str, Text] = {
    STAFF: Text(zh="人员完成", en="By staff"),
    BOUGHT: Text(zh="客户已购买", en="The customer bought"),
    SYSTEM: Text(zh="系统关闭", en="By the system"),
}
"""Who or what closed a task (关闭方式)."""

CLOSINGS: dict[str, Text] = {
    "bought": Text(zh="客户已购买，任务自动完成", en="The customer bought: done by itself"),
    "kept": Text(zh="到期资金已留存，任务自动完成", en="The matured money stayed: done by itself"),
    "renewed": Text(zh="风险测评已更新，任务自动完成", en="The risk test was renewed: done by itself"),
    "left": Text(zh="客户已销户离行", en="The customer has left the bank"),
    "died": Text(zh="客户已故，停止营销", en="The customer has died; no more contacts"),
    "gone": Text(zh="客户资料已不在行内数据中", en="The customer is no longer in the bank's data"),
    "no_owner": Text(
        zh="客户已无管户，任务转入待分配", en="The customer has no owner any more; she waits to be assigned"
    ),
    "over": Text(zh="时机已过", en="The occasion is over"),
    "refused": Text(zh="客户拒绝联系", en="The customer refused contacts"),
    "campaign": Text(zh="活动已结束", en="The campaign is over"),
    "wrong_entry": Text(zh="名单不准", en="The entry on the list was wrong"),
    "unbought": Text(
        zh="更正后的数据没有这笔购买，时限已过，不计业绩",
        en="Corrected data do not show the purchase, and its time is over: no credit",
    ),
    "folded": Text(zh="已随主任务一并处理", en="Dealt with in the contact on the main task"),
}
"""Why the system closed a task, in words (关闭原因)."""

CREDITED = ("contact", "owner")

BY_CUSTOMER = ("bought", "kept", "renewed")
"""What the customer did herself; everything else happened to her."""

CHANGES: dict[str, Text] = {
    "settled": Text(zh="按 {day} 的数据：{why}", en="By the data of {day}: {why}"),
    "credited": Text(zh="业绩 {amount} 元记给 {staff}", en="¥{amount} credited to {staff}"),
    "corrected": Text(
        zh="{day} 的数据更正后，{staff} 的业绩由 {was} 元改为 {amount} 元",
        en="The data of {day} were corrected: {staff}'s credit is ¥{amount}, no longer ¥{was}",
    ),
    "taken_back": Text(
        zh="{day} 的数据更正后没有这笔购买：收回 {staff} 的业绩 {was} 元",
        en="The corrected data of {day} do not show the purchase: ¥{was} taken back from {staff}",
    ),
    "undone": Text(
        zh="{day} 的数据更正后已不成立：{why}", en="The corrected data of {day} do not show it any more: {why}"
    ),
    "reopened": Text(zh="任务重新打开，{until} 前有效", en="The task is open again, until {until}"),
    "stays_closed": Text(zh="任务不再打开：{why}", en="The task stays closed: {why}"),
}
"""What the data did to a task, in words (任务变更)."""

MOVES: dict[str, Text] = {
    "given": Text(zh="网点转交", en="Given by the branch"),
    "stand_in": Text(zh="代管", en="Stand-in"),
    "back": Text(zh="归还", en="Given back"),
    "remote": Text(zh="转远程坐席", en="To the remote centre"),
    "given_back": Text(zh="撤销转交", en="The move was taken back"),
    "planned": Text(zh="晨间分派", en="The morning's distribution"),
}
"""Why a task went to other hands, where its customer kept her owner (转手原因)."""
MOVED = Text(zh="由{0}转给{1}：{reason}（{by}）", en="From {0} to {1}: {reason} ({by})")
NOBODY: dict[str, Text] = {
    "remote": Text(zh="远程坐席", en="the remote centre"),
    "unassigned": Text(zh="待分配", en="nobody yet"),
}
SYSTEM_NAME = Text(zh="系统", en="the system")

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

WRONG_NUMBER = frozenset({"dead_number", "wrong_person"})
"""Results of a call after which nobody calls or texts the number."""

AT_ONCE = frozenset({"opt_out", "complaint"})
"""Intents that take effect at once, by law, and so cannot be taken back."""
