"""Sources and what each load brought."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.tables import Column, Table
from kequn.core.data.tables import TABLES
from kequn.core.spec.reading import dump_spec
from kequn.core.spec.tag import TagSpec
from kequn.ops.sources.queries import (
    checks_over_time,
    data_date,
    load_for,
    loads_for,
    rejects_by_day,
    rejects_for,
    source_for,
    statuses_for,
    versions_of,
)
from kequn.ops.sources.services import request_load
from kequn.ops.tags.queries import tags_on

COLUMNS = (
    Column(lazy("数据源"), "spec.title.zh", "title"),
    Column(lazy("写入"), "spec.table", "table"),
    Column(lazy("格式"), "spec.input.format", "format"),
    Column(lazy("状态"), "light", "light"),
    Column(lazy("现有行数"), "rows", "rows", number=True),
    Column(lazy("数据日期"), "as_of", "as_of"),
    Column(lazy("上次加载"), lambda s: s.last.started_at if s.last else None, "last"),
    Column(lazy("应到时间"), "due", "due"),
    Column(lazy("拒绝"), lambda s: s.last.n_rejected if s.last else None, "rejected", number=True),
    Column(lazy("未通过的检查"), lambda s: _failed_checks(s.last) if s.last else None, "checks", number=True),
)
LOADS = (
    Column(lazy("开始时间"), "started_at", "started_at"),
    Column(lazy("数据源"), "source", "source"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("读入"), "n_read", "n_read", number=True),
    Column(lazy("加载"), "n_loaded", "n_loaded", number=True),
    Column(lazy("拒绝"), "n_rejected", "n_rejected", number=True),
    Column(lazy("跳过"), "n_skipped", "n_skipped", number=True),
    Column(lazy("数据日期"), "as_of", "as_of"),
    Column(lazy("耗时"), "seconds", "seconds", number=True),
    Column(lazy("发起人"), "started_by", "started_by"),
)
REJECTS_A_PAGE = 100


def _failed_checks(load: Any) -> int:
    return sum(check["passed"] is False for check in load.checks)


@page("source.view")
def sources(request: Request) -> HttpResponse:
    """List the sources with how fresh each is."""
    statuses = statuses_for(request.actor)
    table = Table(request, statuses, COLUMNS, name="sources")
    lights = Counter(s.light for s in statuses)
    counts = [(light, lights[light]) for light in ("failed", "late", "warned", "empty", "ok") if lights[light]]
    return listing(request, "sources/list.html", table, _("数据源"), {"data_date": data_date(), "counts": counts})


@page("source.view")
def source(request: Request, name: str) -> HttpResponse:
    """Show one source: mapping, status, loads."""
    spec = source_for(request.actor, name)
    status = next(s for s in statuses_for(request.actor) if s.spec.name == name)
    canonical = TABLES.get(spec.table)
    mapping = [
        (column, canonical.by_name.get(column) if canonical else None, how) for column, how in spec.columns.items()
    ]
    table = Table(
        request, loads_for(request.actor, source=name), LOADS, name="loads", default="-started_at", per_page=10
    )
    context = {
        "spec": spec,
        "status": status,
        "mapping": mapping,
        "yaml": dump_spec(spec),
        "versions": versions_of(request.actor, name),
        "checks": checks_over_time(request.actor, name),
        "rejects_by_day": _rejects(request, name),
        "tags": _tags_on(spec.table),
    }
    return listing(request, "sources/source.html", table, spec.title.zh, context)


def _tags_on(table: str) -> list[TagSpec]:
    """The tags that stand on a table; on the customer table all do, and none is named."""
    return [] if table == "customer" else tags_on(table)


def _rejects(request: Request, name: str) -> dict[str, Any]:
    """Days down, reasons across, the most frequent reason first."""
    days = rejects_by_day(request.actor, name)
    totals: Counter[str] = Counter()
    for _day, reasons in days:
        totals.update(reasons)
    names = [reason for reason, _n in totals.most_common(6)]
    rows = [(day, [reasons.get(reason, 0) for reason in names], sum(reasons.values())) for day, reasons in days]
    return {"names": names, "rows": rows}


@page("source.load")
@require_POST
def load(request: Request, name: str) -> HttpResponse:
    """Queue a load and watch it."""
    return to_job(request, request_load(request.actor, name), reverse("source", args=[name]))


@page("source.view")
def loads(request: Request) -> HttpResponse:
    """List all loads."""
    table = Table(request, loads_for(request.actor), LOADS, name="loads", default="-started_at")
    return listing(request, "sources/loads.html", table, _("加载记录"))


@page("source.view")
def load_page(request: Request, load_id: str) -> HttpResponse:
    """Show one load: what was read, loaded, rejected and why, and the control totals."""
    row = load_for(request.actor, load_id)
    number = max(1, int(request.GET.get("page", "1") or 1)) if request.GET.get("page", "1").isdigit() else 1
    found = rejects_for(request.actor, load_id, limit=REJECTS_A_PAGE, offset=(number - 1) * REJECTS_A_PAGE)
    totals = [(c, *pair) for c, pair in row.totals.items()]
    reasons = sorted(row.reasons.items(), key=lambda r: -r[1])
    context = {
        "load": row,
        "rejects": found,
        "totals": totals,
        "reasons": reasons,
        "number": number,
        "more": len(found) == REJECTS_A_PAGE,
    }
    return render(request, "sources/load.html", context)
