"""The shipped customer groups: the list, one group with its card, and loading them as the bank's own segments."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page
from kequn.console.exports import listing
from kequn.console.segments import shown
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.ops.audiences.groups import GroupPage, group_for, group_rows_for, load_groups
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.audiences.services import profile_segment
from kequn.ops.tags.queries import catalogue

COLUMNS = (
    Column(lazy("客群包"), "group.spec.title.zh", "title"),
    Column(lazy("标识"), "group.spec.name", "name"),
    Column(lazy("客户数"), "part.size", "size", number=True),
    Column(lazy("子群"), lambda r: len(r.group.subgroups), "subgroups", number=True),
    Column(lazy("已加载"), lambda r: f"{r.loaded}/{len(r.group.segments)}", "loaded"),
    Column(lazy("可更新"), "older", "older", number=True),
    Column(lazy("缺少的标签"), lambda r: " ".join(r.part.missing)),
)


@page("segment.view")
def groups(request: Request) -> HttpResponse:
    """List the groups with their sizes."""
    table = Table(request, group_rows_for(request.actor), COLUMNS, name="groups", per_page=100)
    return listing(request, "segments/groups.html", table, _("客群包"))


@page("segment.view")
def group(request: Request, name: str) -> HttpResponse:
    """Show one group: card, sub-groups, overlap, and the ten values that tell most about its members."""
    found = group_for(request.actor, name)
    context: dict[str, Any] = {"found": found, "group": found.group, "card": found.group.spec.card}
    context["parts"] = [(p, [(t, _title(t)) for t in p.missing]) for p in found.parts]
    context["is_loaded"] = all(p.version for p in found.parts)
    context["has_older"] = any(p.standing == "older" for p in found.parts)
    context["shared"] = [(g, size, n, n / found.parts[0].size) for g, size, n in found.shared if found.parts[0].size]
    try:
        context |= _profile(request, found)
    except KequnError as error:
        context["error"] = error
    return render(request, "segments/group.html", context)


@page("segment.edit")
@require_POST
def load(request: Request) -> HttpResponse:
    """Save the segments of one group, or of all."""
    name = request.POST.get("group", "")
    do = request.POST.get("do")
    found = load_groups(request.actor, (name,) if name else (), submit=do == "submit", renew=do == "renew")
    words = _("已加载 %s 个客群") % len(found.saved) if found.saved else _("这些客群已经在了，没有改动")
    if found.older:
        words += _("；%s 个是旧版，可以更新") % len(found.older)
    if found.edited:
        words += _("；%s 个本行改过，保持原样") % len(found.edited)
    return done(request, "group", words, name=name) if name else done(request, "groups", words)


def _profile(request: Request, found: GroupPage) -> dict[str, Any]:
    version = found.parts[0].version
    if version is None or found.parts[0].missing or version.name not in segment_specs():
        return {}
    found = profile_segment(request.actor, version.pk)
    return {"shown": shown.of_profile(found, get_language() or "zh", "", "")}


def _title(tag: str) -> str:
    spec = catalogue().get(tag)
    return spec.title.to(get_language() or "zh") if spec else tag
