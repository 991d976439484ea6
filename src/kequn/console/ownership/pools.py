"""The pool: its figures day by day and by relationship manager, each with its date and whether it can be said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console import charts
from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.ops.customers.queries import people_by_id
from kequn.ops.ownership import queries

RATES = {
    "dau": (lazy("日活率"), lazy("当日有登录或主动交易的成员 ÷ 成员")),
    "mau": (lazy("月活率"), lazy("近 30 天有登录或主动交易的成员 ÷ 成员")),
    "repurchase": (lazy("复购率"), lazy("近 30 天再次购买 ÷ 此前期内买过的成员")),
    "churn": (lazy("流失率"), lazy("30 天前已在池的成员中，已出池或资产较入池时下降过线者")),
    "coverage": (lazy("触达率"), lazy("近 30 天有效联系的成员 ÷ 成员")),
    "conversion": (lazy("转化率"), lazy("近 30 天有效联系的成员中，联系当日或之后购买者")),
}


def _rate(key: str) -> Any:
    return lambda row: None if row.rates[key].value is None else round(row.rates[key].value, 4)


STAFF = (
    Column(lazy("客户经理"), lambda r: r.name or r.staff_no, "name"),
    Column(lazy("日期"), "day"),
    Column(lazy("成员"), "members", "members", number=True),
    Column(lazy("AUM（元）"), lambda r: Decimal(r.aum_fen) / 100, "aum", number=True),
    *(Column(title, _rate(key), key, number=True, hint=hint) for key, (title, hint) in RATES.items()),
)
SHOWN = 30


@page("customer.view", "insight.view")
def pools(request: Request) -> HttpResponse:
    """Go to the pool; a bank that has several sees them all."""
    found = queries.pools_for(request.actor)
    if len(found) == 1:
        return redirect("pool", name=found[0].name)
    rows = [(spec, (queries.pool_days(request.actor, spec.name) or [None])[-1]) for spec in found]
    return render(request, "ownership/pools.html", {"pools": rows})


@page("customer.view", "insight.view")
def pool(request: Request, name: str) -> HttpResponse:
    """Show one pool: figures now, day by day, by relationship manager, and its members."""
    spec = queries.pool_named(request.actor, name)
    days = queries.pool_days(request.actor, name)
    last = days[-1] if days else None
    members = Paginator(queries.pool_members_for(request.actor, name), SHOWN).get_page(request.GET.get("members"))
    context: dict[str, Any] = {
        "spec": spec, "days": days[-60:][::-1], "last": last, "titles": RATES, "few": queries.FEWEST,
        "rates": [(RATES[key], last.rates[key]) for key in RATES] if last else [], "members": members,
        "people": people_by_id(request.actor, [m.customer_id for m in members]),
    }  # fmt: skip
    if len(days) > 1:
        labels = [d.day.isoformat() for d in days]
        context["chart"] = charts.told(
            charts.line(_("成员数"), labels, (_("成员"), [float(d.members) for d in days])),
            note=_("入池规则：客群成员；出池规则见上。"), as_of=labels[-1],
        )  # fmt: skip
        if any(d.rates[key].value is not None for d in days for key in ("repurchase", "churn")):
            context["rate_chart"] = charts.told(
            charts.line(
                _("复购率与流失率（%）"), labels,
                *((str(RATES[key][0]), [_percent(d.rates[key].value) for d in days]) for key in ("repurchase", "churn")),
                unit="%",
            ),
            note=_("样本不足 %(n)s 位的日子不画。") % {"n": queries.FEWEST}, as_of=labels[-1],
        )  # fmt: skip
    table = Table(request, queries.pool_staff(request.actor, name), STAFF, name="pool", default="-members")
    return listing(request, "ownership/pool.html", table, spec.title.zh, context)


def _percent(value: float | None) -> float | None:
    return None if value is None else round(value * 100, 1)
