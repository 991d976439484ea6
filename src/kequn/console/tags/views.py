"""The tag catalogue, and one tag with its meaning, lineage and distribution."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.segments.pinyin import initials
from kequn.console.segments.shown import said
from kequn.console.tables import Column, Table
from kequn.console.words import FAMILIES, word_for
from kequn.core.errors import KequnError
from kequn.core.spec.reading import dump_spec
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import segment_specs, tags_within
from kequn.ops.sources.queries import data_date
from kequn.ops.tags.queries import coverage_by_date, lineage_for, refreshes_for, statistics_for, tag_for, tag_rows_for
from kequn.ops.tags.services import request_refresh

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


@page("tag.view")
def tags(request: Request) -> HttpResponse:
    """List the catalogue: by family, found by word, pinyin initials or name."""
    q, family = request.GET.get("q", "").strip().lower(), request.GET.get("family", "")
    every = tag_rows_for(request.actor)
    found = [r for r in every if not q or q in _sought(r.spec)]
    counts = Counter(r.spec.family for r in found)
    rows = [r for r in found if not family or r.spec.family == family]
    table = Table(request, rows, COLUMNS, name="tags", per_page=100)
    context = {
        "q": q, "family": family, "families": [(f, word_for("family", f), counts[f]) for f in FAMILIES if counts[f]],
        "n_found": len(found), "n_all": len(every), "data_date": data_date(), "find": q,
        "refresh": refreshes_for(request.actor).first(), "n_missing": sum(bool(r.missing) for r in every),
    }  # fmt: skip
    return listing(request, "tags/list.html", table, _("标签目录"), context)


@page("tag.view")
def tag(request: Request, name: str) -> HttpResponse:
    """Show one tag: meaning, lineage, coverage, distribution and who uses it."""
    spec = tag_for(request.actor, name)
    language = get_language() or "zh"
    row = next(r for r in tag_rows_for(request.actor) if r.spec.name == name)
    context: dict[str, Any] = {
        "spec": spec, "row": row, "lineage": lineage_for(request.actor, name), "yaml": dump_spec(spec), "users": _users(name),
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
    return render(request, "tags/tag.html", context)


@page("tag.refresh")
@require_POST
def refresh(request: Request) -> HttpResponse:
    """Queue the computation of all tags for the latest date of the data."""
    return to_job(request, request_refresh(request.actor), reverse("tags"))


def _sought(spec: TagSpec) -> str:
    description = spec.description.zh if spec.description else ""
    return f"{spec.name} {spec.title.zh} {spec.title.en} {description} {initials(spec.title.zh)}".lower()


def _users(name: str) -> list[tuple[str, Any]]:
    segments = segment_specs()
    found = []
    for other, spec in sorted(segments.items()):
        try:
            if name in tags_within(spec, segments):
                found.append((other, spec.title))
        except KequnError:
            continue  # a segment that no longer reads is shown on its own page
    return found


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
