"""Definitions as forms: each kind is a list of fields with dotted paths, and the form edits a spec and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kequn.console.errors import Said, said
from kequn.console.words import choices
from kequn.core.errors import KequnError, SeveralErrors
from kequn.core.spec.base import Definition
from kequn.core.spec.ownership import AssignmentSpec, OwnershipPolicySpec, PoolSpec
from kequn.core.spec.reading import parse_spec

Words = str | Promise
PLAYS = 4
"""Rows for channels; a row without a channel does not count."""
NEEDS = 4
"""Rows for what a segment needs; a row without a segment does not count."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a definition: ``text`` has Chinese and English, ``words`` is plain, ``pairs`` has two parts a line."""

    path: str
    title: Words
    form: str = "words"
    help: Words = ""
    options: str = ""
    """A vocabulary of ``words``, or the name of a list that the view gives (``products``, ``segments`` …)."""
    required: bool = False
    wide: bool = False


@dataclass(slots=True)
class Shown:
    """A field as the page shows it."""

    field: Field
    value: str = ""
    english: str = ""
    values: list[str] = field(default_factory=list)
    options: list[tuple[str, Words]] = field(default_factory=list)
    faults: list[Said] = field(default_factory=list)


TITLE = (
    Field("title", _("名称"), "text", required=True),
    Field("name", _("标识"), help=_("小写字母、数字、下划线；保存后不改"), required=True),
    Field("description", _("说明"), "text"),
)
KINDS: dict[str, tuple[Field, ...]] = {
    "offer": (
        *TITLE,
        Field("product", _("产品"), "choice", options="products", required=True, help=_("产品的风险等级决定适当性")),
        Field("benefit", _("权益"), "text", help=_("随产品给客户的：积分、券、利率、服务")),
        Field("unit_cost_cny", _("每户权益成本（元）"), "number"),
        Field("valid_until", _("有效至"), "date"),
    ),
    "template": (
        *TITLE,
        Field("channel", _("渠道"), "choice", options="channel", required=True),
        Field("language", _("语言"), "choice", options="content_language"),
        Field("subject", _("主题"), help=_("邮件用")),
        Field("body", _("正文"), "long", required=True, wide=True, help=_("可用 {{ family_name }} 等字段；其他写法会被拒绝")),
        Field("opt_out", _("退订方式"), help=_("营销短信和邮件必填，例如：拒收请回复R")),
        Field(
            "serves", _("用途"), "choice", options="serves",
            help=_("换管户告知是服务通知：须含 {{ rm_name }} 和 {{ rm_phone }}，不得夹带推荐，不用于活动"),
        ),
    ),
    "talk_track": (
        *TITLE,
        Field("product", _("产品"), "choice", options="products"),
        Field("opening", _("① 开场"), "longtext", required=True, wide=True),
        Field("fact", _("② 事实"), "longtext", required=True, wide=True, help=_("客户自己的、可对客表述的事实")),
        Field("value", _("③ 价值"), "longtext", required=True, wide=True),
        Field("disclosure", _("④ 提示"), "longtext", required=True, wide=True, help=_("风险与费用")),
        Field("close", _("⑤ 收尾"), "longtext", required=True, wide=True),
        Field("objections", _("异议与回答"), "pairs", wide=True, help=_("每行一条：客户说 => 我们答")),
        Field("forbidden", _("禁用语"), "lines", wide=True, help=_("每行一句")),
    ),
    "metric": (
        *TITLE,
        Field("measure", _("算法"), "choice", options="measure", required=True),
        Field("table", _("行为"), "choice", options="behaviour", help=_("转化率、金额合计要选")),
        Field("column", _("合计字段"), help=_("金额合计要填，例如 amount")),
        Field("tag", _("标签"), "choice", options="tags", help=_("前后变化要选")),
        Field("at_least", _("至少几次"), "integer"),
        Field("value_cny", _("每个转化的毛利（元）"), "number"),
        Field("margin_rate", _("年利差"), "number"),
        Field("higher_is_better", _("越高越好"), "truth"),
    ),
    "playbook": (
        *TITLE,
        Field("where", _("客群"), "choice", options="segments", required=True),
        Field("why.metric", _("要动的指标"), "choice", options="metrics", required=True),
        Field("why.baseline", _("现状"), "number"),
        Field("why.target", _("目标"), "number"),
        Field("why.due", _("到何时"), "date"),
        Field("why.hypothesis", _("为什么会有效"), "longtext", required=True, wide=True),
        Field("what", _("客户是谁，要什么"), "longtext", required=True, wide=True),
        Field("who", _("谁来做，怎样交接"), "longtext", required=True, wide=True),
        Field("when", _("何时做"), "longtext", required=True, wide=True),
        Field("offer", _("推荐方案"), "choice", options="offers", required=True),
        Field("how", _("怎么做：渠道依次"), "plays", wide=True),
        Field("how_much_cny", _("预算（元）"), "number", required=True),
        Field("control_rate", _("对照组比例"), "number", help=_("0.1 即一成")),
        Field("window_days", _("观察天数"), "integer"),
        Field("stop_loss_complaints_per_10k", _("止损：每万户投诉"), "number"),
    ),
    "contact_policy": (
        *TITLE,
        Field("caps", _("频次上限"), "caps", wide=True, help=_("每行一条：渠道 天数 次数；渠道写 all 表示全部")),
        Field("quiet_from", _("静默开始"), "time"),
        Field("quiet_until", _("静默结束"), "time"),
        Field("complaint_days", _("投诉后冷静天数"), "integer"),
        Field("adult_age", _("成年年龄"), "integer"),
    ),
    "ownership_policy": (
        *TITLE,
        Field("book_limit", _("每人名下上限（户）"), "integer", help=_("网点负责人可为个人另设")),
        Field("owner_from_cny", _("资产多少元起应有管户"), "number", help=_("不到的由线上和远程坐席服务")),
        Field("claims_a_day", _("每天可认领（户）"), "integer"),
        Field("protected_days", _("认领后保护（天）"), "integer"),
        Field("take_back.warn_days", _("久未联系：提醒管户（天）"), "integer", help=_("下面几项都留空，就不收回任何人的客户")),
        Field("take_back.escalate_days", _("久未联系：上报网点负责人（天）"), "integer"),
        Field("take_back.take_back_days", _("久未联系：收回（天）"), "integer"),
        Field("take_back.counts_from", _("久未联系：从哪天起算"), "date", help=_("此前的空档不算：规则先告知，后执行")),
        Field("on_conflict", _("与行内不一致时"), "choice", options="on_conflict"),
        Field("notice_days", _("换管户告知期限（天）"), "integer"),
        Field("remote_after_days", _("无人管户几个工作日后转远程"), "integer"),
        Field("wecom_moves", _("企微继承：最多几次"), "integer", help=_("企业微信允许 90 天内最多两次")),
        Field("wecom_days", _("企微继承：多少天内"), "integer"),
    ),
    "assignment": (
        *TITLE,
        Field(
            "order", _("规则先后"), "ranked", options="assign_order", wide=True,
            help=_("从第一条起，每条只留下合适的人；没有人合适就不起作用"),
        ),
        Field(
            "needs", _("客户需要"), "needs", wide=True, options="segments",
            help=_("客群的成员需要会什么专长或语言的客户经理，每行填一项"),
        ),
        Field("earlier_days", _("原管户算多久以内（天）"), "integer"),
        Field("nearest_within", _("就近网点的范围"), "choice", options="nearest_within"),
        Field("fill_percent", _("按规则最多填到上限的百分之几"), "integer", help=_("其余留给认领")),
    ),
    "pool": (
        *TITLE,
        Field("segment", _("客群"), "choice", options="segments", required=True),
        Field("families", _("哪些产品算复购"), "many", options="families", wide=True, help=_("都不选，就是任何购买都算")),
        Field("repurchase_days", _("隔多少天以内再买算复购"), "integer"),
        Field("stay_days", _("不再符合客群后保留（天）"), "integer"),
        Field("churn_percent", _("资产比入池时下降百分之几算流失"), "integer"),
    ),
}  # fmt: skip
SPECS: dict[str, type[Definition]] = {
    "ownership_policy": OwnershipPolicySpec, "assignment": AssignmentSpec, "pool": PoolSpec,
}  # fmt: skip
"""Kinds whose form begins with what holds where nothing is said."""


def beginning(kind: str) -> dict[str, Any]:
    """Return what a new document of a kind begins with: its defaults."""
    fields = SPECS[kind].model_fields if kind in SPECS else {}
    found = {name: field.default for name, field in fields.items() if not field.is_required()}
    return {name: value for name, value in found.items() if name not in ("spec", "kind") and value is not None}


def shown(kind: str, values: dict[str, Any], lists: dict[str, list[tuple[str, Words]]]) -> list[Shown]:
    """Return the fields of a kind with what they hold; ``values`` is the document (plain values) being edited."""
    return [_shown(each, _get(values, each.path), lists) for each in KINDS[kind]]


def document(kind: str, form: QueryDict, *, before: Definition | None = None) -> dict[str, Any]:
    """Return the document that a form holds; empty fields are left out, and what the form does not show stays as it was."""
    made: dict[str, Any] = before.model_dump(mode="json", by_alias=True, exclude_defaults=True) if before else {}
    made["kind"] = kind
    for each in KINDS[kind]:
        value = _read(each, form)
        _drop(made, each.path)
        if value not in (None, "", [], {}):
            _put(made, each.path, value)
    return made


def read(made: dict[str, Any]) -> Definition:
    """Return the spec of a document.

    Raises:
        KequnError: what is wrong, with the field's path.
    """
    return parse_spec(json.dumps(made, ensure_ascii=False))[0]


def pinned(fields: list[Shown], error: KequnError) -> list[Said]:
    """Put each fault at its field; return those that are about none."""
    rest: list[Said] = []
    for fault in error.errors if isinstance(error, SeveralErrors) else (error,):
        place = fault.where.field + "."
        homes = [f for f in fields if fault.where.field and place.startswith(f.field.path + ".")]
        homes = homes or [f for f in fields if f.field.path.startswith(place)]  # of a group of fields: at its first
        for part in said(fault):
            (homes[0].faults if homes else rest).append(part)
    return rest


def play_rows(plays: Any) -> list[dict[str, str]]:
    """Return the rows of the channels, empty ones up to the number that fits."""
    rows = [
        {k: str(p.get(k) or "") for k in ("channel", "template", "talk_track", "unit_cost_cny")} for p in plays or []
    ]
    return rows + [{"channel": "", "template": "", "talk_track": "", "unit_cost_cny": ""}] * (PLAYS - len(rows))


def read_plays(form: QueryDict, prefix: str) -> list[dict[str, Any]]:
    """Return the channels that a form names, in order."""
    plays = []
    for n in range(PLAYS):
        row = {
            k: form.get(f"{prefix}.{n}.{k}", "").strip() for k in ("channel", "template", "talk_track", "unit_cost_cny")
        }
        if not row["channel"]:
            continue
        row.pop("template" if row["channel"] == "rm_task" else "talk_track")
        plays.append({k: _number(v) if k == "unit_cost_cny" else v for k, v in row.items() if v})
    return plays


def need_rows(needs: Any) -> list[dict[str, str]]:
    """Return the rows of what segments need, with empty ones up to the number that fits."""
    rows = [{k: str(n.get(k) or "") for k in ("segment", "skill", "language")} for n in needs or []]
    return rows + [{"segment": "", "skill": "", "language": ""}] * max(NEEDS - len(rows), 1)


def _rows(form: QueryDict, prefix: str) -> list[int]:
    """Return the numbers of the rows that a form sent under a prefix, in order."""
    found = {key.removeprefix(f"{prefix}.").partition(".")[0] for key in form if key.startswith(f"{prefix}.")}
    return sorted(int(n) for n in found if n.isdecimal() and len(n) < 4)


def _shown(each: Field, value: Any, lists: dict[str, list[tuple[str, Words]]]) -> Shown:
    made = Shown(each)
    if each.form in ("text", "longtext"):
        text = value if isinstance(value, dict) else {"zh": value or ""}
        made.value, made.english = text.get("zh", ""), text.get("en", "")
    elif each.form == "pairs":
        made.value = "\n".join(f"{_zh(p['says'])} => {_zh(p['answer'])}" for p in value or [])
    elif each.form == "lines":
        made.value = "\n".join(value or [])
    elif each.form == "caps":
        made.value = "\n".join(f"{c.get('channel') or 'all'} {c['days']} {c['times']}" for c in value or [])
    elif each.form == "plays":
        made.options = lists.get("plays", [])
        made.values = play_rows(value)  # type: ignore[assignment]  # rows of a small table
    elif each.form in ("ranked", "many"):
        made.values = [str(v) for v in value or []]
    elif each.form == "needs":
        made.values = need_rows(value)  # type: ignore[assignment]  # rows of a small table
    elif each.form == "truth":
        made.value = "false" if value is False else "true"
        made.options = [("true", _("是")), ("false", _("否"))]
    else:
        made.value = "" if value is None else str(value)
    if each.options:
        made.options = lists[each.options] if each.options in lists else choices(each.options)
    if each.form == "ranked":
        made.values += [""] * (len(made.options) - len(made.values))
    return made


def _read(each: Field, form: QueryDict) -> Any:
    text = form.get(each.path, "").strip()
    match each.form:
        case "text" | "longtext":
            english = form.get(f"{each.path}.en", "").strip()
            return {"zh": text, "en": english} if text else None
        case "number":
            return _number(text) if text else None
        case "integer":
            return _number(text) if text else None
        case "truth":
            return text != "false"
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "pairs":
            parts = [line.partition("=>") for line in text.splitlines() if line.strip()]
            return [{"says": says.strip(), "answer": answer.strip()} for says, _arrow, answer in parts]
        case "caps":
            return [_cap(line.split()) for line in text.splitlines() if line.strip()]
        case "plays":
            return read_plays(form, each.path)
        case "many":
            return [v for v in form.getlist(each.path) if v]
        case "ranked":
            return [v for n in _rows(form, each.path) if (v := form.get(f"{each.path}.{n}", "").strip())]
        case "needs":
            return [need for n in _rows(form, each.path) if (need := _need(form, f"{each.path}.{n}")).get("segment")]
    return text


def _need(form: QueryDict, prefix: str) -> dict[str, str]:
    parts = {k: form.get(f"{prefix}.{k}", "").strip() for k in ("segment", "skill", "language")}
    return {k: v for k, v in parts.items() if v}


def _cap(words: list[str]) -> dict[str, Any]:
    channel, days, times = [*words, "", "", ""][:3]
    cap: dict[str, Any] = {"days": _number(days), "times": _number(times)}
    return cap if channel in ("all", "") else {"channel": channel, **cap}


def _number(text: str) -> Any:
    text = text.replace(",", "")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _zh(value: Any) -> str:
    return str(value.get("zh", "")) if isinstance(value, dict) else str(value)


def _get(values: dict[str, Any], path: str) -> Any:
    found: Any = values
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        values = values.setdefault(step, {})
    values[last] = value


def _drop(values: dict[str, Any], path: str) -> None:
    """Take a value out, and what was only around it."""
    first, _dot, rest = path.partition(".")
    if rest and isinstance(values.get(first), dict):
        _drop(values[first], rest)
        if values[first]:
            return
    values.pop(first, None)
