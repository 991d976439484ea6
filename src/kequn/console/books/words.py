"""The words for the codes of a book: columns, quick filters, rounds, corrections, visits."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy as _p

Words = str | Promise

COLUMNS: dict[str, Words] = {
    "tier": _("层级"),
    "stage": _("生命周期"),
    "aum": _("AUM（元）"),
    "change": _("30 天变动（元）"),
    "contact": _("最近联系"),
    "due": _("任务到期"),
    "matures": _("产品到期"),
    "products": _("产品数"),
    "risk_expires": _("风评到期"),
    "birthday": _("生日"),
    "silent": _("静默天数"),
    "circles": _("商圈"),
    "staff": _("客户经理"),
    "branch": _("网点"),
}
NUMBERS = frozenset({"aum", "change", "products", "silent"})

PRODUCTS: dict[str, Words] = {
    "demand": _("活期"), "time": _("定期"), "cd": _("大额存单"), "wmp": _("理财"), "fund": _("基金"), "insurance": _("保险"),
    "bond": _("国债"), "gold": _("贵金属"), "trust": _("信托"), "pension": _("个人养老金"), "mortgage": _("房贷"),
    "credit_card": _("信用卡"),
}  # fmt: skip
CONTACTS: dict[str, Words] = {
    "within7": _("7 天内联系过"), "within30": _("30 天内联系过"), "silent30": _("30 天未联系"), "silent90": _("90 天未联系"),
    "silent180": _("180 天未联系"), "never": _("从未联系"),
}  # fmt: skip
DUES: dict[str, Words] = {
    "overdue": _("任务已逾期"), "today": _("任务今日到期"), "week": _("任务 7 天内到期"), "none": _("没有任务"),
}  # fmt: skip
REACH: dict[str, Words] = {"call": _("可电话联系"), "wecom": _("可企微联系"), "sms": _("可发短信")}

QUICK: tuple[tuple[Words, dict[str, str]], ...] = (
    (_("90 天未联系"), {"contact": "silent90"}),
    (_("30 天内有到期"), {"maturing": "30", "sort": "matures"}),
    (_("资产下降"), {"change_max": "-10000", "sort": "change"}),
    (_("任务 7 天内到期"), {"due": "week", "sort": "due"}),
)
"""Filters one tap away; this month's birthdays are added by the page."""

WORDS: dict[str, dict[str, Words]] = {
    "stock_take": {"open": _("进行中"), "done": _("已完成"), "closed": _("已关闭")},
    "line": {
        "todo": _("待盘"), "confirmed": _("已确认"), "corrected": _("已更正"), "grouped": _("已入组"), "given_up": _("已放弃"),
        "gone": _("已不在名下"),
    },
    "visit": {
        "planned": _("未出发"), "ready": _("可拜访"), "blocked": _("不可拜访"), "dropped": _("已取消"), "met": _("已见到"),
        "not_met": _("未遇"),
    },
    "correction": {"proposed": _("待交回"), "sent": _("已交回"), "dismissed": _("不交回")},
    "suggestion": {
        "confirm": _("建议确认"), "correct": _("建议更正"), "group": _("建议入组"), "give_up": _("建议放弃"),
    },
    "ground": {
        "closed": _("已销户或已故"), "asleep_and_empty": _("半年无主动交易，余额不足 100 元"), "asleep": _("半年无主动交易"),
        "duplicate": _("名下有电话或证件相同的客户"), "dead_number": _("上次拨打为空号"), "wrong_person": _("上次接听非本人"),
        "no_phone": _("没有登记电话"), "moved": _("常住城市与网点不同"), "merchant": _("近月收单活跃"),
    },
    "phone": {
        "": _p("phone", "未核实"), "connected": _p("phone", "接通过"), "dead_number": _p("phone", "空号"),
        "wrong_person": _p("phone", "非本人"), "no_phone": _p("phone", "没有登记"),
    },
}  # fmt: skip

ACTS: dict[str, Words] = {
    "view.saved": _("保存视图"), "view.removed": _("删除视图"), "circle.created": _("新建商圈"), "circle.changed": _("修改商圈"),
    "circle.removed": _("删除商圈"), "circle.joined": _("加入商圈"), "circle.left": _("移出商圈"), "stocktake.opened": _("发起盘点"),
    "stocktake.decided": _("盘点一户"), "stocktake.taken_back": _("退回重盘"), "stocktake.closed": _("关闭盘点"),
    "stocktake.done": _("完成盘点"), "stocktake.deadline_moved": _("调整盘点期限"), "correction.proposed": _("提出更正"),
    "correction.dismissed": _("搁置更正"), "corrections.handed_over": _("交回更正清单"), "visits.planned": _("安排拜访"),
    "visits.added": _("增加拜访"), "visits.ordered": _("调整路线"), "visits.moved": _("改期拜访"), "visits.cancelled": _("取消拜访"),
    "visit.ready": _("拜访过闸门"), "visit.blocked": _("拜访被拦下"), "visit.dropped": _("取消一户拜访"),
    "visit.taken_up": _("恢复一户拜访"), "customer.printed": _("打印客户单页"),
}  # fmt: skip
