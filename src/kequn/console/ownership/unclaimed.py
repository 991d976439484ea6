"""Customers without an owner, claimed one by one or given by hand; one's own given up; who had a customer when."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, status_of
from kequn.console.ownership.tabs import around
from kequn.console.words import word_for
from kequn.core.errors import KequnError
from kequn.ops.customers.queries import branch_changes_for, person_for
from kequn.ops.ownership import queries, services, states
from kequn.ops.workbench.services import open_matters

SHOWN = 30


@page("customer.claim", "customer.assign")
def unclaimed(request: Request, error: KequnError | None = None) -> HttpResponse:
    """List the customers of one's branch who have nobody: what is needed to choose, and no name."""
    actor = request.actor
    found = Paginator(queries.waiting_for(actor), SHOWN).get_page(request.GET.get("page"))
    loads = queries.loads_for(actor) if actor.may("customer.assign") else []
    rules = queries.policy()
    context = {
        **around(actor, "unclaimed"), "found": found, "cards": queries.cards(actor, list(found)), "bands": queries.BANDS,
        "rms": [load for load in loads if load.room], "error": error, "policy": rules,
        "left_today": max(0, rules.claims_a_day - queries.claimed_today(actor)) if actor.may("customer.claim") else None,
        "reasons": states.REASONS,
    }  # fmt: skip
    return render(request, "ownership/unclaimed.html", context, status=status_of(error) if error else 200)


@page("customer.claim")
@require_POST
def claim(request: Request) -> HttpResponse:
    """Take one customer."""
    customer_id = request.POST.get("customer_id", "")
    try:
        services.claim_customer(request.actor, customer_id)
    except KequnError as error:
        return unclaimed(request, error)
    return done(request, "customer", _("已认领，客户已在您名下"), customer_id=customer_id)


@page("customer.assign")
@require_POST
def give(request: Request) -> HttpResponse:
    """Give the customers that were ticked to one relationship manager."""
    form = request.POST
    try:
        chosen = form.getlist("customer_id")
        moved = services.reassign_customers(
            request.actor,
            chosen,
            form.get("staff", ""),
            reason=form.get("reason", ""),
            expected=dict.fromkeys(chosen, ""),
        )
    except KequnError as error:
        return unclaimed(request, error)
    n, left = len(moved.done), len(moved.left)
    said = ngettext("已分配 %(n)s 位", "已分配 %(n)s 位", n) % {"n": n}
    return done(request, "unclaimed", said + (_("，%(left)s 位期间已变动，未分配") % {"left": left} if left else ""))


@page("customer.claim")
@require_POST
def give_up(request: Request, customer_id: str) -> HttpResponse:
    """Put one customer of one's own back among those without an owner."""
    moved = services.give_up_customers(request.actor, [customer_id], note=request.POST.get("note", ""))
    if moved.left:
        open_ = open_matters([customer_id]).get(customer_id, ())
        what = "、".join(f"{word_for('matter', m.kind)} {m.on}" for m in open_)
        return done(
            request, "customer", _("还有未了事项，暂不能退回：%(what)s") % {"what": what}, customer_id=customer_id
        )
    return done(request, "unclaimed", _("已退回待分配"))


@page("customer.view")
def history(request: Request, customer_id: str) -> HttpResponse:
    """Show who had a customer from when to when, the changes of her branch, and her stays in pools."""
    context = {
        "person": person_for(request.actor, customer_id), "tenures": queries.tenures_of(request.actor, customer_id)[::-1],
        "stays": queries.pool_stays(request.actor, customer_id), "reasons": states.REASONS,
        "branches": branch_changes_for(request.actor, customer_id),
        "pool_titles": {p.name: p.title for p in queries.pools_for(request.actor)},
    }  # fmt: skip
    return render(request, "ownership/history.html", context)
