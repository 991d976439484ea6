"""Lists of customer numbers that people upload: what matched and what did not."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.ops.audiences.queries import list_for, lists_for

COLUMNS = (
    Column(lazy("名称"), "title", "title"),
    Column(lazy("标识"), "name", "name"),
    Column(lazy("行数"), "rows", "rows", number=True),
    Column(lazy("匹配"), "matched", "matched", number=True),
    Column(lazy("未匹配"), "unmatched", "unmatched", number=True),
    Column(lazy("重复"), "duplicates", "duplicates", number=True),
    Column(lazy("用途"), "purpose", "purpose"),
    Column(lazy("有效至"), "expires_on", "expires_on"),
    Column(lazy("上传人"), "owner_name", "owner_name"),
)


@page("segment.view")
def lists(request: Request) -> HttpResponse:
    """List the uploaded lists in sight."""
    table = Table(request, lists_for(request.actor), COLUMNS, name="lists", default="-created_at")
    return listing(request, "segments/lists.html", table, _("上传名单"))


@page("segment.view")
def uploaded(request: Request, name: str) -> HttpResponse:
    """Show one list."""
    return render(request, "segments/uploaded.html", {"list": list_for(request.actor, name)})
