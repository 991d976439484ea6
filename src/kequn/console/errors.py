"""What is said when something goes wrong: by code and facts, in the reader's language, with what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from kequn.console.wordings import HINTS, MESSAGES
from kequn.core.errors import KequnError, SeveralErrors
from kequn.core.gate import BY_CODE

PLACE = re.compile(r"(?<!\{)\{(\d?)\}(?!\})")
TITLES: dict[str, str | Promise] = {
    "invalid_spec": _("内容有误"),
    "several_errors": _("内容有几处有误"),
    "unknown_tag": _("没有这个标签"),
    "unknown_segment": _("没有这个客群"),
    "segment_cycle": _("客群互相引用，成了环"),
    "tag_cycle": _("标签互相引用，成了环"),
    "bad_expression": _("表达式不被允许"),
    "bad_source": _("文件或数据源读不出来"),
    "load_failed": _("加载未完成，原有数据照常使用"),
    "no_data": _("还没有数据"),
    "store_busy": _("另一个加载或刷新正在写入"),
    "not_allowed": _("没有权限，或不在您的范围内"),
    "blocked": _("按规则不能联系"),
    "conflict": _("当前状态下不能这样做"),
    "not_measurable": _("无法诚实地给出这个数"),
    "not_approved": _("尚未批准"),
    "unknown_list": _("没有这份名单"),
    "unknown_definition": _("没有这个定义"),
    "tag_not_selectable": _("这个标签只能用于排除"),
    "tag_failed": _("标签计算失败"),
    "cancelled": _("已取消"),
    "crash": _("程序出错，已记录"),
    "gave_up": _("多次尝试后放弃"),
    "error": _("出错了"),
}


FIELDS: dict[str, str | Promise] = {
    "amount": _("金额（元）"), "amount_cny": _("金额（元）"), "next_at": _("下次联系"), "reason": _("原因"), "cause": _("原因"),
    "text": _("内容"), "period": _("期间"), "on": _("日期"), "first_day": _("从"), "last_day": _("到"),
    "deadline": _("截止"), "file": _("文件"), "purpose": _("用途"), "outcome": _("联系结果"), "channel": _("渠道"),
    "about": _("哪些客户（用自己的话）"), "title": _("标题"), "stand_in": _("代管人"), "circle": _("商圈"), "companion": _("同行人"),
    "metric": _("指标"), "note": _("备注"), "rm_phone": _("联系电话"), "task_ids": _("任务"),
    "contact": _("联系结果"), "intent": _("客户意向"), "why": _("事由"), "answer": _("写给一线的话"), "playbook": _("策略卡"),
}  # fmt: skip
"""What the desk's forms call the fields that an error names; the fields of a definition keep their names."""


@dataclass(frozen=True, slots=True)
class Said:
    """One fault as a person reads it."""

    code: str
    title: str
    text: str
    hint: str
    where: str
    right: str = ""


def said(error: KequnError) -> list[Said]:
    """Return every fault of an error in the reader's language; what has no Chinese yet is shown as it is."""
    if isinstance(error, SeveralErrors):
        return [part for each in error.errors for part in said(each)]
    nos = _nos(str(error.facts.get("codes", "")))
    title, known = str(TITLES.get(error.code, TITLES["error"])), FIELDS.get(error.where.field)
    return [
        Said(
            code=f"KQ-{error.code}",
            title=f"{title} · {known}" if known else title,
            text=nos or translated(error.message, MESSAGES),
            hint="" if nos and not error.hint.startswith("Wait") else translated(error.hint, HINTS),
            where=str(error.where) if error.where.file else "" if known else error.where.field,
            right=str(error.facts.get("right", "")),
        )
    ]


def _nos(codes: str) -> str:
    """Return why the gate says no, with the cure of each rule; empty where it was not the gate."""
    language = get_language() or "zh"
    rules = [BY_CODE[code] for code in codes.split(",") if code in BY_CODE]
    return "\n".join(f"{rule.title.to(language)} → {rule.cure.to(language)}" for rule in rules)


def said_of_job(error: dict[str, object]) -> Said:
    """Return what a failed job left behind as a fault."""
    code = str(error.get("code", "error"))
    return Said(
        code=f"KQ-{code}",
        title=str(TITLES.get(code, TITLES["error"])),
        text=translated(str(error.get("message", "")), MESSAGES),
        hint=translated(str(error.get("hint", "")), HINTS),
        where=str(error.get("where", "")),
    )


def translated(text: str, wordings: dict[str, str]) -> str:
    """Return a message in the reader's language: ``{}`` of a wording takes what stands there in the message."""
    if not text or (get_language() or "").startswith("en"):
        return text
    for pattern, chinese in _patterns(id(wordings)):
        if found := pattern.fullmatch(text):
            return _filled(chinese, [part.strip("'\"") for part in found.groups()])
    return text


def _filled(chinese: str, parts: list[str]) -> str:
    """Put parts where ``{}`` (in order) or ``{0}`` (by number) stand; other braces stay as they are."""
    rest = iter(parts)
    return PLACE.sub(lambda m: parts[int(m[1])] if m[1] else next(rest, ""), chinese)


@cache
def _patterns(which: int) -> list[tuple[re.Pattern[str], str]]:
    wordings = MESSAGES if which == id(MESSAGES) else HINTS
    most_fixed_first = sorted(wordings, key=lambda w: -len(w.replace("{}", "")))
    return [(re.compile(_regex(w), re.DOTALL | re.IGNORECASE), wordings[w]) for w in most_fixed_first]


def _regex(wording: str) -> str:
    """Return what a wording matches; pydantic's words come with a capital and a full stop of their own."""
    text = "(.*?)".join(re.escape(part) for part in re.split(r"(?<!\{)\{\}(?!\})", wording))
    return text if wording.endswith(".") else text + r"\.?"
