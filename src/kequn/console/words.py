"""The words for codes: what people read where the system keeps ``branch_head``, ``rm_task`` or ``NO_CONSENT``."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy as _p

from kequn.core.data.tables import TABLES
from kequn.core.gate.rules import RULES, STEPS
from kequn.ops.orgs.rights import ROLES

Words = str | Promise

STATES: dict[str, Words] = {
    # definitions, campaigns, approvals
    "draft": _("草稿"),
    "submitted": _("待审批"),
    "waiting": _("待审批"),
    "approved": _("已批准"),
    "refused": _("已退回"),
    "withdrawn": _("已撤回"),
    "retired": _("已停用"),
    "frozen": _("名单已冻结"),
    "running": _("进行中"),
    "stopped": _("已叫停"),
    "finished": _("已结束"),
    # jobs and loads
    "queued": _("排队中"),
    "done": _("已完成"),
    "failed": _("失败"),
    "cancelled": _("已取消"),
    "loaded": _("已加载"),
    "unchanged": _("无变化"),
    "ok": _("正常"),
    "late": _("数据过期"),
    "warned": _("有警告"),
    "empty": _("尚未加载"),
    "found": _("已找到"),
    "none": _("没有稳定的群"),
    "expired": _("已过期"),
    # touches
    "ready": _("待发送"),
    "inflight": _("发送中"),
    "unknown": _("结果未知"),
    "accepted": _("网关已收"),
    "delivered": _("已送达"),
    "undelivered": _("未送达"),
    "presumed_sent": _("推定已发"),
    "suppressed": _("发送前拦下"),
    "dead": _("多次失败"),
    # tasks
    "open": _("待处理"),
    "new": _("待处理"),
    "claimed": _("处理中"),
    "in_progress": _("处理中"),
    "overdue": _("已逾期"),
    "closed": _("已关闭"),
    "returned": _("已退回"),
    "active": _("在用"),
    "inactive": _("停用"),
    "contacted": _("已联系"),
    "allow": _("可触达"),
    "hold": _("暂缓"),
    "block": _("不可触达"),
    "removed": _("已删除"),
    "snoozed": _("稍后跟进"),
    "followed": _("跟进中"),
    "later": _("稍后跟进"),
}

CHANNELS: dict[str, Words] = {
    "sms": _("短信"),
    "email": _("邮件"),
    "app_push": _("手机银行推送"),
    "wecom": _("企业微信"),
    "call": _("电话"),
    "rm_task": _("客户经理任务"),
    "file_drop": _("文件下发"),
    "branch": _("网点"),
    "": _("全部渠道"),
    "all": _("全部渠道"),
}

FAMILIES: dict[str, Words] = {
    "demo": _("基本属性"),
    "acct": _("账户与签约"),
    "asset": _("资产"),
    "loan": _("贷款"),
    "cc": _("信用卡"),
    "txn": _("交易与资金"),
    "chan": _("渠道行为"),
    "risk": _("风险与合规"),
    "mkt": _("营销与触达"),
    "model": _("模型"),
    "value": _("价值与分层"),
    "life": _("生命周期与家庭"),
}

VOCABULARIES: dict[str, dict[str, Words]] = {
    "state": STATES,
    "channel": CHANNELS,
    "family": FAMILIES,
    "role": dict(ROLES) | {"system": _("系统")},
    "tag_type": {
        "boolean": _("是否"),
        "integer": _("整数"),
        "number": _("数值"),
        "money": _("金额"),
        "date": _("日期"),
        "text": _("分类"),
        "list": _("多值"),
    },
    "quality": {
        "not_null": _("不为空"),
        "unique": _("不重复"),
        "range": _("取值范围"),
        "codes": _("代码表"),
        "refers": _("参照存在"),
        "rows_change": _("行数变化"),
        "sum_change": _("合计变化"),
        "declared_rows": _("申报行数"),
        "declared_total": _("申报合计"),
        "column_types": _("字段类型"),
        "warn": _("警告"),
        "fail": _("不通过则整次作废"),
    },
    "sensitivity": {"C1": _("C1 一般"), "C2": _("C2 较敏感"), "S": _("S 敏感"), "X": _("X 仅用于排除")},
    "separate_consent": {
        "child_data": _("使用家长申报的子女信息"),
        "care_data": _("使用申报的需照护情形"),
        "health_data": _("使用医疗健康信息"),
    },
    "product_family": {
        "deposit": _("存款"),
        "cd": _("大额存单"),
        "bond": _("国债"),
        "cash_mgmt": _("现金管理"),
        "wmp_fixed": _("固收理财"),
        "wmp_mixed": _("混合理财"),
        "fund": _("基金"),
        "insurance": _("保险"),
        "trust_private": _("信托与私募"),
        "gold": _("贵金属"),
        "pension": _("个人养老金"),
        "consumer_loan": _("消费贷"),
        "biz_loan": _("经营贷"),
        "mortgage": _("房贷"),
        "card": _("信用卡"),
        "installment": _("分期"),
        "payment": _("支付结算"),
        "payroll": _("代发"),
        "service": _("服务与权益"),
    },
    "table": {"tags": _("其他标签")},
    "tag_purpose": {
        "marketing": _("营销与经营"),
        "gate": _("合规闸门"),
        "care": _("客户照护"),
        "service": _("服务"),
        "analysis": _("分析"),
    },
    "drift": {"stable": _("稳定"), "moderate": _("有漂移"), "large": _("漂移大")},
    "tag_use": {
        "C1": _("一般信息：可用于筛选、画像和导出，按数据范围可见。"),
        "C2": _("个人金融信息：可用于筛选；页面脱敏，导出留痕。"),
        "S": _("敏感个人信息：只有单独同意的客户才有值；用它筛选的客群须声明所依据的单独同意。"),
        "X": _("只可用于排除：不能用来挑选营销对象，只在合规闸门拦截触达；不进入画像和导出。"),
    },
    "refresh": {"daily": _("每日"), "weekly": _("每周"), "monthly": _("每月"), "on_change": _("变动时")},
    "discovery": {"clusters": _("聚类"), "lookalike": _("相似扩展"), "rules": _("规则"), "centres": _("最近中心")},
    "null": {"unknown": _("记为未知"), "zero": _("记为 0"), "false": _("记为否")},
    "kind": {
        "offer": _("推荐方案"),
        "template": _("内容模板"),
        "talk_track": _("话术"),
        "metric": _("指标"),
        "playbook": _("策略卡"),
        "contact_policy": _("触达策略"),
        "segment": _p("noun", "客群"),
        "campaign": _("营销活动"),
        "source": _("数据源"),
        "tag": _("标签"),
        "stop": _("紧急停止"),
        "lift_stop": _("解除停止"),
        "release": _("释放待查触达"),
        "list": _("上传名单"),
    },
    "job": {
        "source.load": _("加载数据"),
        "tag.refresh": _("刷新标签"),
        "tag.backfill": _("回填标签"),
        "analysis.warm": _("预备客群洞察"),
        "analysis.cube": _("计算全行指标"),
        "discovery.run": _("客群发现"),
        "discovery.publish": _("发布聚类群"),
        "discovery.expand": _("保存相似客户"),
        "export.run": _("导出"),
        "campaign.freeze": _("冻结名单"),
        "campaign.launch": _("启动活动"),
        "review.run": _("回检计算"),
    },
    "act": {
        "approval.submitted": _("提交审批"),
        "approval.withdrawn": _("撤回审批"),
        "approval.approved": _("批准"),
        "approval.refused": _("退回"),
        "campaign.saved": _("建立活动"),
        "campaign.changed": _("修改活动"),
        "campaign.submitted": _("提交审批"),
        "campaign.approved": _("批准"),
        "campaign.refused": _("退回"),
        "campaign.running": _("启动活动"),
        "campaign.stopped": _("叫停"),
        "campaign.branch_paused": _("一家机构暂停"),
        "campaign.branch_resumed": _("一家机构恢复"),
        "wave.launched": _("启动一批"),
        "campaign.finished": _("结束"),
        "audience.frozen": _("冻结名单"),
        "contact.started": _("主动联系"),
        "customer.revealed": _("查看明文"),
        "customer.viewed": _("查看客户"),
        "customer.suppressed": _("列入免打扰"),
        "consent.granted": _("登记同意"),
        "consent.withdrawn": _("登记撤回"),
        "discovery.created": _("发起客群发现"),
        "discovery.finished": _("完成客群发现"),
        "discovery.renamed": _("给聚类群改名"),
        "discovery.published": _("发布聚类群"),
        "list.kept": _("保存相似客户"),
        "segment.members_kept": _("保存客群成员"),
        "note.written": _("写专家笔记"),
        "note.edited": _("改专家笔记"),
        "note.removed": _("删专家笔记"),
        "definition.saved": _("保存内容"),
        "definition.relabelled": _("改名称"),
        "definition.retired": _("停用内容"),
        "delivery.stopped": _("叫停"),
        "delivery.resumed": _("恢复"),
        "delivery.cancelled": _("取消发送"),
        "touches.created": _("生成触达"),
        "export.requested": _("申请导出"),
        "export.written": _("写成导出"),
        "export.taken": _("下载导出"),
        "list.exported": _("导出列表"),
        "chart.exported": _("导出图表"),
        "list.uploaded": _("上传名单"),
        "list.removed": _("删除名单"),
        "people.stored": _("写入客户"),
        "review.run": _("回检"),
        "segment.saved": _("保存客群"),
        "segment.relabelled": _("改名称"),
        "segment.archived": _("停用客群"),
        "source.saved": _("保存数据源"),
        "source.loaded": _("加载数据"),
        "source.load_failed": _("加载失败"),
        "tag.refreshed": _("刷新标签"),
        "tag.saved": _("保存标签"),
        "task.assigned": _("转交任务"),
        "task.outcome": _("记录结果"),
        "task.outcome_undone": _("撤销结果"),
        "tasks.cancelled": _("取消任务"),
    },
    "op": {
        "=": "=",
        "!=": "≠",
        "<": "<",
        "<=": "≤",
        ">": ">",
        ">=": "≥",
        "between": _("介于"),
        "in": _("属于其一"),
        "contains": _("包含"),
        "contains_all": _("同时包含"),
        "during": _("在时间段内"),
        "anniversary": _("月日在时间段内"),
        "known": _("有值"),
        "unknown": _("无值"),
    },
    "place": {
        "top": _("最高的前几名"),
        "bottom": _("最低的前几名"),
        "top_percent": _("最高的百分之几"),
        "bottom_percent": _("最低的百分之几"),
        "percentile": _("百分位区间"),
    },
    "purpose": {"marketing": _("营销"), "service": _("服务"), "maturity_notice": _("到期提醒")},
    "evaluation": {"holdout": _("留对照组"), "reach_all": _("全量触达，不评估")},
    "measure": {"rate": _("转化率"), "sum": _("金额合计"), "change": _("前后变化")},
    "contact": {
        "connected": _("接通"),
        "no_answer": _("未接"),
        "declined": _("拒接"),
        "dead_number": _("空号"),
        "wrong_person": _("非本人"),
    },
    "intent": {
        "interested": _("有意向"),
        "considering": _("考虑"),
        "appointment": _("预约"),
        "not_interested": _("无意向"),
        "opt_out": _("拒绝再联系"),
        "complaint": _("投诉"),
        "deal": _("成交"),
        "": "–",
    },
    "arm": {"treated": _("触达组"), "control": _("对照组"), "treatment": _("触达组"), "holdout": _("对照组")},
    "reject": {
        "MISSING_REQUIRED": _("必填项为空"),
        "NOT_A_DATE": _("不是有效日期"),
        "NOT_A_TIME": _("不是有效时间"),
        "NOT_A_NUMBER": _("不是数字"),
        "NOT_MONEY": _("不是金额"),
        "NOT_A_BOOLEAN": _("不是是/否"),
        "NOT_COMPUTABLE": _("表达式算不出"),
        "OUT_OF_RANGE": _("超出范围"),
        "UNKNOWN_CODE": _("代码不在列表内"),
        "DUPLICATE_KEY": _("主键重复"),
        "DUPLICATE_CUSTOMER": _("客户重复"),
        "UNKNOWN_CUSTOMER": _("客户不存在"),
        "RAGGED_ROW": _("列数不符"),
        "BAD_ENCODING": _("编码错误"),
        "NUL_BYTE": _("含空字符"),
        "BAD_QUOTE": _("引号不配对"),
        "TOO_LONG": _("文字过长"),
    },
    "list_fault": {"blank": _("空行"), "mangled": _("读不出"), "duplicate": _("重复"), "unknown": _("不是本行客户")},
    "fact": {
        "size": _("客户数"),
        "bank": _("全部客户"),
        "as_of": _("数据日期"),
        "words": _("规则"),
        "marks": _("内容检查"),
        "reason": _("原因"),
        "design": _("活动设计"),
        "zh": _("中文"),
        "en": _("英文"),
        "count": _("数量"),
        "cost": _("花费"),
        "scope": _("范围"),
        "key": _("对象"),
        "campaign": _("营销活动"),
        "channel": _("渠道"),
        "wave": _("批次"),
        "touches": _("触达"),
        "unknown": _("结果未知"),
    },
    "review_kind": {"campaign": _("营销活动"), "experiment": _("实验")},
    "truth": {"true": _("是"), "false": _("否"), "True": _("是"), "False": _("否")},
    "format": {"csv": "CSV", "parquet": "Parquet", "excel": "Excel", "postgres": "PostgreSQL"},
    "load": {"replace": _("整表替换"), "append": _("按主键追加")},
    "consent_source": {
        "branch": _("网点"),
        "phone": _("电话"),
        "rm": _("客户经理"),
        "app": _("手机银行"),
        "letter": _("书面"),
        "console": _("管理台"),
    },
    "suppression": {
        "complaint": _("投诉"),
        "request": _("客户要求"),
        "legal": _("法律事务"),
        "risk": _("风险管控"),
        "vulnerable": _("特殊关怀"),
        "opt_out": _("拒绝再联系"),
        "do_not_contact": _("免打扰"),
        "other": _("其他"),
    },
    "object": {
        "approval": _("审批"),
        "customer": _("客户"),
        "load": _("加载"),
        "campaign": _("营销活动"),
        "segmentversion": _p("noun", "客群"),
        "definitionversion": _("方案与素材"),
        "sourceversion": _("数据源"),
        "tagversion": _("标签"),
        "task": _("任务"),
        "uploadedlist": _("上传名单"),
        "export": _("导出"),
        "refresh": _("标签刷新"),
        "user": _("用户"),
        "audience": _("营销名单"),
        "review": _("后评估"),
        "stop": _("紧急停止"),
        "table": _("列表"),
        "sending": _("批次"),
    },
}

TONES: dict[str, str] = {
    **dict.fromkeys(
        ("approved", "done", "loaded", "ok", "delivered", "finished", "active", "allow", "won", "reached", "found"),
        "ok",
    ),
    **dict.fromkeys(
        ("running", "inflight", "accepted", "frozen", "claimed", "in_progress", "ready", "presumed_sent"), "info"
    ),
    **dict.fromkeys(
        ("submitted", "waiting", "queued", "late", "warned", "unknown", "hold", "overdue", "caution", "S", "snoozed"),
        "warn",
    ),
    **dict.fromkeys(("failed", "refused", "stopped", "undelivered", "dead", "block", "fault", "X", "expired"), "bad"),
    **dict.fromkeys(("C2",), "gold"),
}


def word_for(vocabulary: str, code: Any) -> str:
    """Return the word for a code in the reader's language; the code itself where there is none."""
    if code is None:
        return "–"
    key = str(code)
    language = get_language() or "zh"
    if vocabulary == "reason":
        return _of_gate(key, language)
    if vocabulary == "table" and key in TABLES:
        return TABLES[key].en if language.startswith("en") else TABLES[key].zh
    return str(VOCABULARIES.get(vocabulary, {}).get(key, key))


def choices(vocabulary: str, *, blank: Words | None = None) -> list[tuple[str, Words]]:
    """Return a vocabulary as the choices of a field."""
    first: list[tuple[str, Words]] = [] if blank is None else [("", blank)]
    return first + list(VOCABULARIES[vocabulary].items())


def tone_of(code: Any) -> str:
    """Return how a state is coloured: ok, info, warn, bad, gold or mute."""
    return TONES.get(str(code), "mute")


def _of_gate(code: str, language: str) -> str:
    for rule in RULES:
        if rule.code == code:
            return rule.title.to(language)
    return dict(STEPS)[code].to(language) if code in dict(STEPS) else word_for("state", code)
