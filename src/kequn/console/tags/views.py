"""The tag catalogue, and one tag with its meaning, lineage and distribution."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, done, page
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.segments.pinyin import initials
from kequn.console.segments.shown import said
from kequn.console.tables import Column, Table
from kequn.console.words import FAMILIES, word_for
from kequn.core.errors import KequnError
from kequn.core.spec.reading import dump_spec
from kequn.core.spec.tag import TagSpec
from kequn.ops.sources.queries import data_date
from kequn.ops.tags.history import dates_of, distributions_for, drift_for
from kequn.ops.tags.queries import (
    TagRow,
    catalogue,
    coverage_by_date,
    is_own,
    lineage_for,
    refreshes_for,
    statistics_for,
    tag_for,
    tag_rows_for,
    users_for,
)
from kequn.ops.tags.services import remove_tag, request_refresh

COLUMNS = (
    Column(lazy("标签"), "spec.title.zh", "title"),
    Column(lazy("标识"), "spec.name", "name"),
    Column(lazy("类型"), "spec.type", "type"),
    Column(lazy("敏感级别"), "spec.sensitivity", "sensitivity"),
    Column(lazy("覆盖率"), "coverage", "coverage", number=True, hint=lazy("有值的客户占比")),
    Column(lazy("刷新"), "spec.refresh", "refresh"),
    Column(lazy("负责人"), "spec.owner", "owner"),
)
MOST_BARS = 24
DRIFT_TONES = {"stable": "ok", "moderate": "warn", "large": "bad"}
CLASSES = ("C1", "C2", "S", "X")
MOST_LINES = 9
"""A tag with at most so many values has a line for each over time."""


@page("tag.view")
def tags(request: Request) -> HttpResponse:
    """List the catalogue: by family, found by word, pinyin initials or name."""
    q, family = request.GET.get("q", "").strip().lower(), request.GET.get("family", "")
    every = tag_rows_for(request.actor)
    found = [r for r in every if not q or q in _sought(r.spec)]
    chosen = {k: request.GET.get(k, "") for k in ("class", "owner", "state")}
    found = [r for r in found if _matches(r, chosen)]
    counts = Counter(r.spec.family for r in found)
    rows = [r for r in found if not family or r.spec.family == family]
    table = Table(request, rows, COLUMNS, name="tags", per_page=100)
    context = {
        "q": q, "family": family, "families": [(f, word_for("family", f), counts[f]) for f in FAMILIES if counts[f]],
        "n_found": len(found), "n_all": len(every), "data_date": data_date(), "find": q,
        "refresh": refreshes_for(request.actor).first(), "n_missing": sum(bool(r.missing) for r in every),
        "chosen": chosen, "classes": CLASSES, "owners": sorted({r.spec.owner for r in every}),
    }  # fmt: skip
    return listing(request, "tags/list.html", table, _("标签目录"), context)


@page("tag.view")
def tag(request: Request, name: str) -> HttpResponse:
    """Show one tag: meaning, lineage, coverage, distribution and who uses it."""
    spec = tag_for(request.actor, name)
    language = get_language() or "zh"
    row = next(r for r in tag_rows_for(request.actor) if r.spec.name == name)
    context: dict[str, Any] = {
        "spec": spec, "row": row, "lineage": lineage_for(request.actor, name), "yaml": dump_spec(spec),
        "users": users_for(request.actor, name), "is_own": is_own(name),
        "values": [(code, word.to(language)) for code, word in spec.values.items()], "data_date": data_date(),
    }  # fmt: skip
    trend = coverage_by_date(request.actor, name)
    if trend:
        shares = [round(100 * share, 2) for _day, share in trend]
        context["trend"] = charts.line(
            _("各数据日期的覆盖率"), [d.isoformat() for d, _share in trend], (_("覆盖率"), shares), unit="%"
        )
    if row.state and data_date():
        try:
            found = statistics_for(request.actor, name, data_date())  # type: ignore[arg-type]  # there is one: just checked
            context |= _distribution(spec, found, language)
        except KequnError as error:
            context["error"] = error
    context |= _moved(request, spec, language)
    return render(request, "tags/tag.html", context)


@page("tag.refresh")
@require_POST
def refresh(request: Request) -> HttpResponse:
    """Queue the computation of all tags for the latest date of the data."""
    return to_job(request, request_refresh(request.actor), reverse("tags"))


@page("tag.edit")
@require_POST
def remove(request: Request, name: str) -> HttpResponse:
    """Take a tag of the bank's own out of the catalogue; the shipped one it stood for serves again."""
    title = tag_for(request.actor, name).title.to(get_language() or "zh")
    remove_tag(request.actor, name)
    if name in catalogue():
        return done(request, "tag", _("已恢复随系统提供的“%s”，刷新后按它计算") % title, name=name)
    return done(request, "tags", _("已删除标签“%s”") % title)


def _matches(row: TagRow, chosen: dict[str, str]) -> bool:
    state = chosen["state"]
    return (
        chosen["class"] in ("", row.spec.sensitivity)
        and chosen["owner"] in ("", row.spec.owner)
        and (not state or (state == "missing") == bool(row.missing))
    )


def _sought(spec: TagSpec) -> str:
    description = spec.description.zh if spec.description else ""
    return f"{spec.name} {spec.title.zh} {spec.title.en} {description} {initials(spec.title.zh)}".lower()


def _moved(request: Request, spec: TagSpec, language: str) -> dict[str, Any]:
    """The distribution over the dates there are, and the drift between two of them."""
    days = dates_of(spec.name)
    if len(days) < 2:
        return {}
    context: dict[str, Any] = {"days": days, "over_time": _over_time(request, spec, language)}
    try:
        found = drift_for(request.actor, spec.name, earlier=_day(request, "from"), later=_day(request, "to"))
    except KequnError as error:
        return context | {"drift_error": error}
    words = {code: text.to(language) for code, text in spec.values.items()}
    words |= {"unknown": _("无值"), "others": _("其余取值")}
    names = [
        word_for("truth", s.code) if s.code in ("true", "false") else words.get(s.code, s.code) for s in found.shifts
    ]
    then, now = (sum(getattr(s, k) for s in found.shifts) for k in ("then", "now"))
    rows = [(n, s.then, s.then / then, s.now, s.now / now) for n, s in zip(names, found.shifts, strict=True)]
    return context | {"drift": found, "shifts": rows, "tone": DRIFT_TONES[found.grade]}


def _over_time(request: Request, spec: TagSpec, language: str) -> str:
    every = distributions_for(request.actor, spec.name)
    days = [day.isoformat() for day, _found in every]
    title = _("%s 的分布随时间") % spec.title.to(language)
    if every[0][1]["kind"] == "codes" and len(every[-1][1]["distribution"]) <= MOST_LINES:
        words = {code: text.to(language) for code, text in spec.values.items()}
        codes = [b["code"] for b in every[-1][1]["distribution"]]
        series = [
            (words.get(c, word_for("truth", c) if spec.type == "boolean" else c), [_share(f, c) for _d, f in every])
            for c in codes
        ]
        return charts.line(title, days, *series, unit="%")
    if every[0][1]["quantiles"] and spec.type != "date":
        levels = [("0.25", _("四分之一位")), ("0.5", _("中位数")), ("0.75", _("四分之三位"))]
        series = [(name, [float(f["quantiles"].get(level, 0)) for _d, f in every]) for level, name in levels]
        return charts.line(title, days, *series)
    return ""


def _share(found: dict[str, Any], code: str) -> float:
    n = next((b["n"] for b in found["distribution"] if b["code"] == code), 0)
    return round(100 * n / found["known"], 2) if found["known"] else 0.0


def _day(request: Request, field: str) -> date | None:
    try:
        return date.fromisoformat(request.GET.get(field, ""))
    except ValueError:
        return None


def _distribution(spec: TagSpec, found: dict[str, Any], language: str) -> dict[str, Any]:
    bars = found["distribution"][:MOST_BARS]
    total = found["known"] or 1
    words = {code: text.to(language) for code, text in spec.values.items()}
    names = [
        words.get(str(b["code"]), word_for("truth", b["code"]) if spec.type == "boolean" else _edges(b)) for b in bars
    ]
    shape = charts.bars if found["kind"] == "codes" else charts.columns
    title = _("%s 的分布") % spec.title.to(language)
    chart = shape(title, names, (_("客户数"), [b["n"] for b in bars]))
    numbers = [
        (label, said(spec, value, language) if not isinstance(value, float) else value)
        for label, value in ((_("最小"), found["minimum"]), (_("最大"), found["maximum"]), (_("均值"), found["mean"]))
        if value is not None
    ]
    rows = [(n, b["n"], b["n"] / total) for n, b in zip(names, bars, strict=True)]
    return {
        "statistics": found,
        "distribution": chart,
        "bars": rows,
        "numbers": numbers,
        "wide": found["kind"] == "codes",
    }


def _edges(bar: dict[str, Any]) -> str:
    return str(bar["code"])
