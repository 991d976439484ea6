"""The campaign wizard: six steps over one form that holds the whole draft, so that nothing is kept between requests."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from kequn.console.catalog.views import lists
from kequn.console.specforms import Field, Shown, play_rows, read_plays
from kequn.console.words import choices
from kequn.ops.catalog.queries import newest
from kequn.ops.tags.queries import catalogue

Words = str | Promise
STEPS: tuple[tuple[str, Words, tuple[Field, ...]], ...] = (
    (
        "goal", pgettext_lazy("campaign", "目标"),
        (
            Field("title", _("活动名称"), required=True), Field("title_en", _("英文名称")),
            Field("name", _("标识"), help=_("小写字母、数字、下划线；保存后不改"), required=True),
            Field("playbook", _("策略卡"), "choice", options="playbooks"),
            Field("goal", _("目标指标"), "choice", options="metrics", required=True),
            Field("guardrails", _("护栏指标（不能变差）"), "many", options="metrics"),
            Field("purpose", _("目的"), "choice", options="purpose"),
            Field("window_days", _("观察天数"), help=_("冻结名单之后多少天内算效果")),
            Field("description", _("说明"), wide=True),
        ),
    ),
    (
        "audience", _("名单与剔除"),
        (
            Field("segment", _("客群"), "choice", options="segments", required=True),
            Field("exclude", _("剔除这些客群的成员"), "many", options="segments"),
        ),
    ),
    (
        "plays", _("举措与渠道"),
        (
            Field("offer", _("推荐方案"), "choice", options="offers", required=True),
            Field("plays", _("渠道（依次，取闸门放行的第一个）"), "plays", wide=True),
        ),
    ),
    (
        "control", _("分组与对照"),
        (
            Field("evaluation", _("评估方式"), "choice", options="evaluation"),
            Field("rate", _("对照组比例"), help=_("0.1 即一成；从过闸门的客户中分层随机留出")),
            Field("strata", _("分层标签"), "many", options="strata"),
        ),
    ),
    (
        "budget", _("预算与时间"),
        (
            Field("budget_cny", _("预算（元）"), required=True), Field("start_on", _("开始"), "date", required=True),
            Field("end_on", _("结束"), "date", required=True), Field("priority", _("优先级"), help=_("0–100，大者先")),
        ),
    ),
    ("check", _("检查"), ()),
)  # fmt: skip
ORDER = tuple(name for name, _title, _fields in STEPS)
DEFAULTS = {"purpose": "marketing", "window_days": "30", "evaluation": "holdout", "rate": "0.1", "priority": "60"}


def values_of(spec: Any) -> dict[str, Any]:
    """Return what the form shows of a saved campaign."""
    plain = spec.model_dump(mode="json", by_alias=True)
    holdout = plain.get("holdout") or {}
    return {
        **{k: "" if v is None else v for k, v in plain.items() if not isinstance(v, dict)},
        "title": spec.title.zh, "title_en": spec.title.en, "description": spec.description.zh if spec.description else "",
        "rate": holdout.get("rate", ""), "strata": holdout.get("strata", []), "salt": holdout.get("salt", ""),
        "plays": plain["plays"],
    }  # fmt: skip


def values_from(form: QueryDict) -> dict[str, Any]:
    """Return what a form holds."""
    made: dict[str, Any] = {"salt": form.get("salt", "")}
    for _name, _title, fields in STEPS:
        for each in fields:
            if each.form == "many":
                made[each.path] = [v for v in form.getlist(each.path) if v]
            elif each.form == "plays":
                made[each.path] = read_plays(form, each.path)
            else:
                made[each.path] = form.get(each.path, "").strip()
    return made


def prefilled(playbook: str, segment: str) -> dict[str, Any]:
    """Return the values of a new campaign; those of a playbook where one is named."""
    values: dict[str, Any] = {**DEFAULTS, "segment": segment, "playbook": playbook}
    found = newest("playbook", playbook) if playbook else None
    if found:
        spec: Any = found.spec
        values |= {
            "segment": spec.where, "goal": spec.why.metric, "offer": spec.offer, "window_days": str(spec.window_days),
            "rate": str(spec.control_rate), "budget_cny": str(spec.how_much_cny), "title": spec.title.zh, "title_en": spec.title.en,
            "plays": [p.model_dump(mode="json") for p in spec.how],
        }  # fmt: skip
    return values


def document(values: dict[str, Any]) -> dict[str, Any]:
    """Return the campaign that the values make, as plain values; what is empty is left out."""
    get = values.get
    made: dict[str, Any] = {
        "kind": "campaign", "name": get("name"), "title": {"zh": get("title") or "", "en": get("title_en") or ""},
        "plays": get("plays") or [],
    }  # fmt: skip
    for key in (
        "playbook",
        "goal",
        "guardrails",
        "purpose",
        "segment",
        "exclude",
        "offer",
        "evaluation",
        "start_on",
        "end_on",
    ):
        made[key] = get(key)
    for key in ("window_days", "budget_cny", "priority"):
        made[key] = number(get(key))
    if get("description"):
        made["description"] = get("description")
    if get("evaluation") == "holdout" and get("purpose") == "marketing":
        made["holdout"] = {
            "rate": number(get("rate")),
            "salt": get("salt") or get("name") or "salt",
            "strata": get("strata") or [],
        }
    return {k: v for k, v in made.items() if v not in (None, "", [])}


def shown(step: str, values: dict[str, Any]) -> list[Shown]:
    """Return the fields of one step with what they hold."""
    fields = next(fields for name, _title, fields in STEPS if name == step)
    options = choices_of()
    made = []
    for each in fields:
        value = values.get(each.path, "")
        row = Shown(each, options=options.get(each.options, []))
        if each.form == "many":
            row.values = [str(v) for v in value or []]
        elif each.form == "plays":
            row.values = play_rows(value)  # type: ignore[assignment]  # rows of a small table
        else:
            row.value = "" if value is None else str(value)
        made.append(row)
    return made


def carried(step: str, values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of the other steps as hidden ones."""
    hidden = [("salt", str(values.get("salt") or ""))]
    for name, _title, fields in STEPS:
        for each in fields if name != step else ():
            value = values.get(each.path)
            if each.form == "many":
                hidden += [(each.path, str(v)) for v in value or []]
            elif each.form == "plays":
                for n, play in enumerate(value or []):
                    hidden += [(f"{each.path}.{n}.{k}", str(v)) for k, v in play.items() if v is not None]
            else:
                hidden.append((each.path, "" if value is None else str(value)))
    return hidden


def step_of(field: str) -> str:
    """Return the step on which a field of the document is."""
    first = field.split(".", maxsplit=1)[0]
    first = {"holdout": "rate"}.get(first, first)
    return next((name for name, _title, fields in STEPS if any(f.path == first for f in fields)), "goal")


def label_of(field: str) -> Words:
    """Return what the form calls a field of the document; empty where it is none of the form's."""
    first = {"holdout": "rate"}.get(field.split(".", maxsplit=1)[0], field.split(".", maxsplit=1)[0])
    return next((f.title for _name, _title, fields in STEPS for f in fields if f.path == first), "")


def choices_of() -> dict[str, list[tuple[str, Any]]]:
    """Return what the wizard's fields choose from."""
    language = get_language() or "zh"
    offered = lists()
    strata = [
        (n, s.title.to(language)) for n, s in catalogue().items()
        if s.sensitivity in ("C1", "C2") and (s.type == "boolean" or s.values or s.bins)
    ]  # fmt: skip
    return {
        **offered,
        "playbooks": [("", "–"), *offered.get("playbooks", [])],
        "purpose": choices("purpose"),
        "evaluation": choices("evaluation"),
        "strata": strata,
    }


def number(text: Any) -> Any:
    """Return a number where the text is one, the text otherwise: the check then says what is wrong."""
    for kind in (int, float):
        try:
            return kind(str(text).replace(",", ""))
        except ValueError:
            continue
    return text
