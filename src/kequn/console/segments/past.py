"""A segment over time: its size, who joined and left and why, who belonged on a date, and migration between groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console import charts
from kequn.console.access import Request, page
from kequn.console.exports import listing, workbook
from kequn.console.sankey import sankey
from kequn.console.segments import shown
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.core.segments.changes import Movement
from kequn.core.segments.migration import Migration
from kequn.ops.audiences.history import (
    ChangesAnswer,
    changes_for,
    history_for,
    members_on_page,
    migration_of_segments,
    migration_of_tag,
    migration_tags,
)
from kequn.ops.audiences.queries import dates, latest_segments
from kequn.ops.tags.queries import catalogue

DAYS = (
    Column(lazy("业务日期"), "as_of", "as_of"),
    Column(lazy("规模"), "size", "size", number=True),
    Column(lazy("加入"), "joined", "joined", number=True),
    Column(lazy("离开"), "left", "left", number=True),
    Column(lazy("定义有变"), "changed", "changed"),
)
REASONS = (
    Column(lazy("原因"), "words", "words"),
    Column(lazy("方向"), "way", "way"),
    Column(lazy("仅由它"), "alone", "alone", number=True, hint=lazy("只有这一个条件起了作用的客户")),
    Column(
        lazy("起作用"), "mattered", "mattered", number=True, hint=lazy("没有它的变化就不会加入或离开，或只凭它就会")
    ),
)
FLOWS = (
    Column(lazy("从"), "before", "before"),
    Column(lazy("到"), "after", "after"),
    Column(lazy("客户数"), "n", "n", number=True),
    Column(lazy("占原组"), lambda f: round(f.share, 4), "share", number=True),
)
KINDS = {"segment": lazy("客群定义"), "tag": lazy("标签定义"), "list": lazy("名单内容")}


@dataclass(frozen=True, slots=True)
class Day:
    """One kept date as a line of the table."""

    as_of: date
    size: int
    joined: int | None
    left: int | None
    changed: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for which customers joined or left."""

    words: str
    way: str
    alone: int
    mattered: int | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Customers that went from one group to another."""

    before: str
    after: str
    n: int
    share: float
    """Of those who were in the earlier group."""


@page("segment.view")
def history(request: Request, name: str) -> HttpResponse:
    """Show a segment over time, and between two dates who joined and left and why."""
    found = history_for(request.actor, name)
    changed = {c.as_of: "、".join(f"{KINDS[kind]} {what}" for kind, what in c.what) for c in found.definition_changes}
    days = [Day(s.as_of, s.size, s.joined, s.left, changed.get(s.as_of, "")) for s in found.snapshots]
    kept = [day.as_of for day in days]
    before, after = _two_dates(request, kept)
    context: dict[str, Any] = {
        "version": found.version, "tab": "history", "kept": kept[::-1], "before": before, "after": after,
        "found": found, "last": days[-1] if days else None, "first": days[0] if days else None,
        "changed": [day for day in days if day.changed][::-1],
    }  # fmt: skip
    if len(days) > 1:
        labels = [day.as_of.isoformat() for day in days]
        context["sizes"] = charts.line(_("规模"), labels, (_("成员"), [day.size for day in days]))
        moved = [(_("加入"), [day.joined for day in days]), (_("离开"), [day.left for day in days])]
        context["moved"] = charts.columns(_("每个日期加入与离开的人数"), labels, *moved)
    if before and after:
        try:
            answer = changes_for(request.actor, name, before, after)
            context |= {"answer": answer, **_reasons(request, answer)}
        except KequnError as error:
            context["error"] = error
    if request.GET.get("export") == "why" and "why" in context:
        title = _("%(name)s：%(a)s 至 %(b)s 的加入与离开") % {"name": found.version.spec.title, "a": before, "b": after}
        return workbook(request, context["why"], title)
    table = Table(request, days, DAYS, name="days", default="-as_of", per_page=31)
    return listing(request, "segments/history.html", table, _("%s 的规模历史") % found.version.spec.title, context)


@page("segment.view")
def past_members(request: Request, name: str) -> HttpResponse:
    """Show who belonged to a segment on a date, as it was kept."""
    found = history_for(request.actor, name)
    kept = [s.as_of for s in found.snapshots]
    on = _date(request, "on") or (kept[-1] if kept else None)
    number = int(request.GET["page"]) if request.GET.get("page", "").isdecimal() else 1
    tags = [t for t in shown.usual_tags(found.version.spec) if t in catalogue()]
    context: dict[str, Any] = {
        "version": found.version,
        "tab": "history",
        "kept": kept[::-1],
        "on": on,
        "number": number,
    }
    try:
        if on is not None:
            members = members_on_page(request.actor, name, on, page=number, tags=tags)
            context |= {
                "members": members,
                "rows": shown.of_members(members, _language()),
                "tags": [catalogue()[t] for t in members.tags],
            }
    except KequnError as error:
        context["error"] = error
    return render(request, "segments/past_members.html", context)


@page("segment.view")
def migration(request: Request) -> HttpResponse:
    """Show how many customers went between segments, or between the values of a tag."""
    computed, segments = dates(), latest_segments(request.actor)
    chosen = [s.name for s in segments if s.name in request.GET.getlist("segment")]
    tags = [catalogue()[name] for name in migration_tags(request.actor)]
    tag = request.GET.get("tag", "") or ("" if chosen or not tags else _usual(tags))
    before, after = _two_dates(request, computed[::-1], months=True)
    context: dict[str, Any] = {
        "segments": segments, "chosen": chosen, "tags": tags, "tag": tag, "dates": computed, "before": before, "after": after,
    }  # fmt: skip
    flows: list[Flow] = []
    try:
        if before and after and (tag or chosen):
            found = (
                migration_of_tag(request.actor, tag, before, after)
                if tag and not chosen
                else migration_of_segments(request.actor, chosen, before, after)
            )
            flows = _flows(found)
            context |= {"found": found, "sankey": sankey(found, _language()), "matrix": _matrix(found)}
    except KequnError as error:
        context["error"] = error
    table = Table(request, flows, FLOWS, name="flows", default="-n", per_page=50)
    return listing(request, "segments/migration.html", table, _("客群迁移"), context)


def _usual(tags: list[Any]) -> str:
    names = [tag.name for tag in tags]
    return next((n for n in names if "tier" in n), next((n for n in names if "stage" in n), names[0]))


def _flows(found: Migration) -> list[Flow]:
    titles = [group.title.to(_language()) for group in found.groups]
    return [
        Flow(titles[i], titles[j], n, n / sum(row))
        for i, row in enumerate(found.matrix)
        for j, n in enumerate(row)
        if n
    ]


def _matrix(found: Migration) -> dict[str, Any]:
    """The groups that anybody was or is in, and the shares that colour the cells (0–5)."""
    used = [i for i, sizes in enumerate(zip(found.sizes_before, found.sizes_after, strict=True)) if sum(sizes)]
    titles = [group.title.to(_language()) for group in found.groups]
    rows = []
    for i in used:
        whole = found.sizes_before[i]
        cells = [(found.matrix[i][j], _shade(found.matrix[i][j], whole), i == j) for j in used]
        rows.append((titles[i], cells, whole))
    return {"titles": [titles[j] for j in used], "rows": rows, "after": [found.sizes_after[j] for j in used]}


def _shade(n: int, whole: int) -> int:
    return min(5, -(-5 * n // whole)) if whole else 0


def _reasons(request: Request, answer: ChangesAnswer) -> dict[str, Any]:
    if answer.why is None:
        return {}
    rows: list[Reason] = []
    for way, movement, customers in (
        (_("加入"), answer.why.joined, _("新成为本行客户")),
        (_("离开"), answer.why.left, _("不再是本行客户")),
    ):
        rows += _of_movement(answer, movement, way, customers)
    table = Table(
        request, [r for r in rows if r.alone or r.mattered], REASONS, name="why", default="-alone", per_page=100
    )
    return {"why": table, "joined": answer.why.joined, "left": answer.why.left}


def _of_movement(answer: ChangesAnswer, movement: Movement, way: str, customers: str) -> list[Reason]:
    language = _language()
    rows = [Reason(answer.words[c.path].to(language), way, c.alone, c.mattered) for c in movement.causes]
    rest = (
        (_("几个条件共同起作用"), movement.several),
        (customers, movement.customers),
        (_("定义有变，客户的数据没有变"), movement.definition),
        (_("数据后来重新加载或计算过"), movement.corrected),
    )
    return rows + [Reason(words, way, n, None) for words, n in rest]


def _two_dates(request: Request, kept: list[date], *, months: bool = False) -> tuple[date | None, date | None]:
    """The dates asked for, else the last kept one and the one before it, or a month before it."""
    after = _date(request, "after") or (kept[-1] if kept else None)
    earlier = [day for day in kept if after and day < after]
    usual = earlier[-1] if earlier else None
    if months and after and earlier:
        usual = next((day for day in reversed(earlier) if (day.year, day.month) != (after.year, after.month)), usual)
    return _date(request, "before") or usual, after


def _date(request: Request, key: str) -> date | None:
    return _date_in(request.GET, key)


def _date_in(form: QueryDict, key: str) -> date | None:
    try:
        return date.fromisoformat(form.get(key, ""))
    except ValueError:
        return None


def _language() -> str:
    return get_language() or "zh"
