"""The segment's note and the bank page."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from kequn.console.access import Request, page, refused
from kequn.console.discovery.shown import notes
from kequn.console.exports import workbook
from kequn.console.insight import shown
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.core.insight import Kpi, definition
from kequn.core.spec.base import Text
from kequn.ops.analysis.contracts import BLOCK_TITLES, BLOCKS, BankTable
from kequn.ops.analysis.queries import TIER_TITLES, kpis_for, note_block
from kequn.ops.analysis.services import bank_page
from kequn.ops.audiences.queries import latest_segments, preview_segment, segment_for, segment_named
from kequn.ops.jobs.queries import job_for

FAMILIES = ("value", "size", "sales")
ALL = "all"


@page("segment.view")
def note(request: Request, name: str) -> HttpResponse:
    """Show a segment as an analyst would write it down; the parts come one by one, or all at once (``whole``)."""
    version = _version(request, name)
    context: dict[str, Any] = {
        "version": version, "tab": "insight", "whole": "whole" in request.GET,
        "notes": notes(request.actor, "segment", name),
    }  # fmt: skip
    try:
        preview = preview_segment(request.actor, version.pk)
        context |= {"preview": preview, "words": shown.said(Text(zh=preview.words_zh, en=preview.words_en))}
        context["blocks"] = [_block(request, version, block, now=context["whole"]) for block in BLOCKS]
    except KequnError as error:
        return refused(request, "insight/note.html", context, error)
    return render(request, "insight/note.html", context)


@page("segment.view")
def note_part(request: Request, name: str, block: str) -> HttpResponse:
    """Show one part of a segment's note; opened by itself it is a page of its own."""
    version = _version(request, name)
    note_block(request.actor, version.pk, block)
    context = {
        "version": version,
        "tab": "insight",
        "blocks": [_block(request, version, block, now=True)],
        "whole": True,
    }
    if request.htmx:
        return render(request, "insight/block.html", context | {"b": context["blocks"][0]})
    context |= {"preview": preview_segment(request.actor, version.pk), "notes": notes(request.actor, "segment", name)}
    return render(request, "insight/note.html", context)


@page("insight.view")
def bank(request: Request) -> HttpResponse:
    """Show the bank's KPIs within the reader's scope, in parts, with what each means."""
    actor, asked = request.actor, request.GET
    kpis = kpis_for(actor)
    picked = definition(asked["kpi"]) if asked.get("kpi") else kpis[0]
    family = asked.get("family", "") if asked.get("family") in (*FAMILIES, ALL) else picked.family
    by = asked.get("by", "") or ("tier" if actor.role == "rm" else "branch")
    context: dict[str, Any] = {
        "by": by, "family": family, "kpi": picked.name, "families": [(f, _family(f)) for f in FAMILIES],
        "tiers": [(code, shown.said(title)) for code, title in TIER_TITLES.items()],
        "groups": _groups(request), "asked": {k: asked.get(k, "") for k in ("month", "branch", "tier", "group")},
    }  # fmt: skip
    try:
        parts = {k: asked.get(k, "") for k in ("month", "branch", "tier", "group")}
        answer = bank_page(actor, by=by, **parts)
        if answer.job_id:
            context |= {"job": job_for(actor, answer.job_id), "then": request.get_full_path()}
        elif answer.table:
            if asked.get("export") == "xlsx":
                return workbook(request, _sheet(request, answer.table, kpis), _title(answer.table))
            listed = [k for k in kpis if family in (ALL, k.family)]
            context |= shown.of_bank(answer.table, kpis, picked) | {"listed": [k.name for k in listed]}
            context["path"] = [(code, shown.said(title)) for code, title in answer.table.path]
    except KequnError as error:
        return refused(request, "insight/bank.html", context, error)
    return render(request, "insight/bank.html", context)


def _block(request: Request, version: Any, block: str, *, now: bool) -> dict[str, Any]:
    if not now:
        return {"name": block, "title": shown.said(BLOCK_TITLES[block])}
    try:
        found = note_block(request.actor, version.pk, block)
    except KequnError as error:
        return {"name": block, "title": shown.said(BLOCK_TITLES[block]), "shown": {}, "error": error}
    return {"name": block, "title": shown.said(found.title), "shown": shown.of_block(found)}


def _sheet(request: Request, table: BankTable, kpis: list[Kpi]) -> Table:
    columns = [
        Column(_("部分"), lambda r: shown.said(r.title)),
        Column(_("客户数"), lambda r: r.figures["cust_total"].value, number=True),
    ]
    columns += [Column(f"{shown.said(k.title)} ({_unit(k)})", _value(k.name), number=True) for k in kpis if k.top]
    return Table(request, [*table.rows, table.whole], columns, name="bank")


def _value(name: str) -> Any:
    return lambda row: row.figures[name].value


def _title(table: BankTable) -> str:
    place = shown.said(table.path[-1][1]) if table.path else _("全行")
    return _("全行看板 %(place)s %(month)s，数据日期 %(day)s") % {
        "place": place,
        "month": table.period.label,
        "day": table.data_date,
    }


def _unit(kpi: Kpi) -> str:
    return {"cny": _("元"), "share": _("比率"), "count": _("户"), "number": _("数值"), "per10k": _("每万次")}[kpi.unit]


def _family(code: str) -> str:
    return {"value": _("资产与价值"), "size": _("规模与活跃"), "sales": _("销售与关系")}[code]


def _groups(request: Request) -> list[tuple[str, str]]:
    if not request.actor.may("segment.view"):
        return []
    return [(v.name, shown.said(v.spec.title)) for v in latest_segments(request.actor)]


def _version(request: Request, name: str) -> Any:
    wanted = request.GET.get("v", "")
    if wanted.isdecimal():
        found = segment_for(request.actor, int(wanted))
        if found.name == name:
            return found
    return segment_named(request.actor, name)
