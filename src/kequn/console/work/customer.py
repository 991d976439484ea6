"""One customer, the contact form and what may be said and sent: one page for a task and for a customer without one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, done, page, status_of
from kequn.console.words import word_for
from kequn.core.data.tables import ASSETS, LIABILITIES
from kequn.core.errors import InvalidSpec, KequnError, NotAllowed, Where
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import reveal, reveals_within_a_day
from kequn.ops.orgs.actor import Actor
from kequn.ops.ownership.queries import days_worked
from kequn.ops.runtime import now
from kequn.ops.workbench.contracts import Money, Position
from kequn.ops.workbench.history import history_of
from kequn.ops.workbench.queries import offer_of, task_for
from kequn.ops.workbench.services import (
    advice_for,
    customer_360,
    money_for,
    past_for,
    record_outcome,
    record_without_task,
    start_contact,
    undo_outcome,
)
from kequn.ops.workbench.states import OPEN, RISK_TESTS
from kequn.ops.workbench.talks import Talk, products_named, talk_for, talk_of
from kequn.ops.workbench.today import day_tasks, next_task

REACHED = (
    ("1", "connected", "interested"), ("2", "connected", "considering"), ("3", "connected", "appointment"),
    ("4", "connected", "not_interested"), ("6", "connected", "deal"), ("", "connected", "opt_out"),
    ("", "connected", "complaint"),
)  # fmt: skip
NOT_REACHED = (
    ("5", "no_answer", ""), ("7", "declined", ""), ("8", "dead_number", ""), ("9", "wrong_person", ""),
)  # fmt: skip
"""(key, how the contact went, what the customer wants): one tap each."""
REASONS = (lazy("拨打电话：跟进任务"), lazy("拨打电话：回复客户"), lazy("核对登记信息"), lazy("约定见面"))
"""Why a value is looked at; another reason may be typed."""
NEXT = {"1d": (1, lazy("下个工作日 10 点")), "3d": (3, lazy("三天后 10 点")), "7d": (7, lazy("一周后 10 点"))}
"""Next times of one tap, in days; where the bank is closed or she is away, the first day after."""
FARTHEST = timedelta(days=31)
"""So far a next time is put off; who is away for longer names a day herself."""
PARTS = ("advice", "money", "past")
SHOWN = 30
FLAGS = {
    "number": lazy("备注里的号码已隐去：备注不保存号码。"),
    "markup": lazy("备注里有代码字样，已按普通文字保存。"),
}


# -- the task and its form ----------------------------------------------------------------------------------------------


@page("task.view", post="task.work")
def task(request: Request, task_id: int) -> HttpResponse:
    """Show one task with its customer and what to say; a POST records the outcome and goes to the next one."""
    row = task_for(request.actor, task_id)
    if request.method != "POST":
        return render(request, "work/task.html", of_task(request, row))
    form = request.POST
    try:
        follow_up = record_outcome(
            request.actor, task_id, seen=number_in(form.get("seen")), **said_in(request.actor, form)
        )
    except KequnError as error:
        row.refresh_from_db()
        context = of_task(request, row) | {"error": error, "given": form}
        return render(request, "work/task.html", context, status=status_of(error))
    _tell(request, follow_up)
    following = next_task(request.actor, after=task_id)
    target = reverse("task", args=[following.pk]) if following else reverse("home")
    return redirect(f"{target}?{urlencode({'undo': follow_up.pk})}")


def said_in(actor: Actor, form: Any) -> dict[str, Any]:
    """Return what the form says of a contact, as `record_outcome` takes it.

    Raises:
        InvalidSpec: a time that is none.
    """
    contact, _colon, intent = form.get("outcome", "").partition(":")
    return {
        "key": form.get("key", ""), "contact": contact, "intent": intent, "amount_cny": form.get("amount", ""),
        "next_at": _next_in(actor, form.get("next_in", "")) or moment_in(form.get("next_at", "")), "note": form.get("note", ""),
        "product": form.get("product", "").strip(),
    }  # fmt: skip


def _tell(request: Request, made: Any) -> None:
    """Say what was recorded, and what of the note was not kept as written."""
    said = word_for("intent", made.intent) if made.intent else word_for("contact", made.contact)
    messages.success(request, _("已记录：%s") % said)
    tell_flags(request, [made.detail.flags])


@page("task.work")
@require_POST
def undo(request: Request, follow_up_id: int) -> HttpResponse:
    """Take back what was recorded within the last seconds."""
    back = undo_outcome(request.actor, follow_up_id)
    return done(request, "task", _("已撤销"), task_id=back.pk)


def of_task(request: Request, row: Any) -> dict[str, Any]:
    """Return what the page of a task shows."""
    actor = request.actor
    others = list(day_tasks(actor).exclude(pk=row.pk)[:SHOWN]) if actor.may("task.work") else []
    last = row.follow_ups.filter(undone_at__isnull=True).first()
    context: dict[str, Any] = {
        "task": row, "offer": offer_of(row), "others": others, "last": last,
        "people": people_by_id(actor, [t.customer_id for t in others]),
        "following": next_task(actor, after=row.pk) if others else None, "undo": request.GET.get("undo", ""),
        "history": history_of(row),
    }  # fmt: skip
    try:
        context |= _of_customer(request, row.customer_id)
    except NotAllowed:  # she left the bank, or was given to somebody else, while the task stood open
        context["gone"] = True
    else:
        is_held = row.is_held and row.state == OPEN
        context |= {"is_held": is_held, "may_talk": not (is_held or context["c"].standing.has_left)}
        context |= talk_in(talk_of(row), context)
    return context


def talk_in(talk: Talk | None, context: dict[str, Any]) -> dict[str, Any]:
    """Return what a page shows of a talk track: without the offer where it may not be made, with the task that could mend it."""
    shown: dict[str, Any] = {"talk": talk}
    if talk is not None and talk.is_refused:
        tests = [t for t in context["c"].tasks if t.kind in RISK_TESTS]
        shown |= {"offer": None, "test": tests[0] if tests and talk.waits_for_test else None}
    return shown


# -- the customer -------------------------------------------------------------------------------------------------------


@page("customer.view")
def customer(request: Request, customer_id: str) -> HttpResponse:
    """Show one customer as a whole."""
    context = _of_customer(request, customer_id)
    offer = request.GET.get("offer", "")
    if offer:
        context |= {"chosen_offer": offer} | talk_in(talk_for(request.actor, customer_id, offer), context)
    return render(request, "work/customer.html", context)


@page("customer.view")
def part(request: Request, customer_id: str, name: str) -> HttpResponse:
    """Show one part of a customer's page, which the page asks for when it stands."""
    context: dict[str, Any] = {"customer_id": customer_id, "english": (get_language() or "").startswith("en")}
    match name:
        case "advice":
            context["advice"] = advice_for(request.actor, customer_id)
        case "money":
            context |= _of_money(money_for(request.actor, customer_id))
        case "past":
            past = past_for(request.actor, customer_id)
            context |= {"past": past, "families": [(word_for("family", f), tags) for f, tags in past.tags.items()]}
        case _:
            raise NotAllowed("There is no such part of the page.", part=name)
    return render(request, f"work/{name}.html", context)


@page("customer.reveal")
@require_POST
def show_value(request: Request, customer_id: str) -> HttpResponse:
    """Show one masked value in clear, once, for a reason; it is counted and written to the trail."""
    field = request.POST.get("field", "")
    reason = request.POST.get("typed", "").strip() or request.POST.get("reason", "")
    value = reveal(request.actor, customer_id, field, reason=reason)
    context = {"field": field, "value": value, "used": reveals_within_a_day(request.actor)}
    if request.htmx:
        return render(request, "work/revealed.html", context)
    return render(request, "work/customer.html", _of_customer(request, customer_id) | {"revealed": context})


@page("task.work")
@require_POST
def contact(request: Request, customer_id: str) -> HttpResponse:
    """Start a contact of one's own; it passes the gate."""
    form = request.POST
    try:
        made = start_contact(
            request.actor,
            customer_id,
            key=form.get("key", ""),
            why=form.get("why", "").strip() or _("主动联系"),
            channel=form.get("channel", "call"),
            offer=form.get("offer", ""),
        )
    except KequnError as error:
        context = _of_customer(request, customer_id) | {"error": error}
        return render(request, "work/customer.html", context, status=status_of(error))
    return done(request, "task", _("已过闸门，可以联系"), task_id=made.pk)


@page("task.work")
@require_POST
def outcome(request: Request, customer_id: str) -> HttpResponse:
    """Record a contact that took place without a task: her call at night, her refusal at the counter."""
    form = request.POST
    try:
        made = record_without_task(
            request.actor, customer_id, channel=form.get("channel", "call"), **said_in(request.actor, form)
        )
    except KequnError as error:
        context = _of_customer(request, customer_id) | {"error": error, "given": form}
        return render(request, "work/customer.html", context, status=status_of(error))
    _tell(request, made)
    return redirect("customer", customer_id=customer_id)


def _of_customer(request: Request, customer_id: str) -> dict[str, Any]:
    return {
        "c": customer_360(request.actor, customer_id),
        "key": secrets.token_hex(12),
        "reasons": REASONS,
        "parts": PARTS,
        "reached": REACHED,
        "not_reached": NOT_REACHED,
        "next_times": lambda: _next_times(request.actor),  # asked for where the form is shown
        "products": products_named(),
        "given": {},
        "english": (get_language() or "").startswith("en"),
    }


def _of_money(found: Money) -> dict[str, Any]:
    context: dict[str, Any] = {"money": found, "holdings": _holdings(found.positions)}
    if len(found.balances) > 1:
        days = [b.on.strftime("%Y-%m") for b in found.balances]
        context["line"] = charts.line(
            _("资产合计（元）"), days, (_("资产"), [float(b.assets_cny) for b in found.balances])
        )
        families = sorted({f for b in found.balances for f in b.by_family})
        context["history"] = [
            (word_for("held_family", f), [b.by_family.get(f) for b in found.balances[-7:]]) for f in families
        ]
        context["history_days"] = days[-7:]
    if found.months:
        context["flows"] = charts.columns(
            _("近 12 个月资金流入与流出（元）"),
            [m.month.strftime("%Y-%m") for m in found.months],
            (_("流入"), [float(m.in_cny) for m in found.months]),
            (_("流出"), [float(m.out_cny) for m in found.months]),
        )
    if found.by_day:
        days = [str(n) for n in range(1, 32)]
        context["by_day"] = charts.columns(
            _("一年内各日的流入（元）"), days, (_("流入"), [float(v) for v in found.by_day])
        )
    return context


def _holdings(positions: Sequence[Position]) -> list[tuple[str, str, list[Position], Decimal]]:
    """Return assets, liabilities and the rest apart, each with its sum: what one owes adds nothing to what one has."""
    groups = (
        ("assets", _("资产"), [p for p in positions if p.family in ASSETS]),
        ("liabilities", _("负债"), [p for p in positions if p.family in LIABILITIES]),
        ("other", _("其他"), [p for p in positions if p.family not in (*ASSETS, *LIABILITIES)]),
    )
    return [(key, title, rows, sum((p.balance_cny for p in rows), Decimal(0))) for key, title, rows in groups]


def tell_flags(request: Request, flags: Iterable[str]) -> None:
    """Say what of the notes was not kept as written, each once."""
    for flag in sorted({flag for each in flags for flag in each.split(",") if flag}):
        messages.warning(request, str(FLAGS[flag]))


# -- what was typed -----------------------------------------------------------------------------------------------------


def moment_in(text: str) -> datetime | None:
    """Return a moment as typed, ten in the morning where only a day was.

    Raises:
        InvalidSpec: it is none.
    """
    if not text.strip():
        return None
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        moment = day = None
    if day is not None:
        moment = datetime.combine(day, time(10))
    if moment is None:
        raise InvalidSpec(f"{text!r} is not a time.", hint="Choose a day and a time.", where=Where(field="next_at"))
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _next_times(actor: Actor) -> list[tuple[str, Any]]:
    """Return what one tap stands for, each with its day in words: (code, words)."""
    days = [
        (code, f"{words} · {at:%m-%d} {WEEKDAYS_ABBR[at.weekday()]}")
        for (code, (_n, words)), at in zip(NEXT.items(), _days_of_next(actor), strict=True)
    ]
    return [("", _("自选时间")), ("2h", _("两小时后")), *days]


def _days_of_next(actor: Actor) -> list[date]:
    today = timezone.localtime(now()).date()
    worked = days_worked(actor.staff_no, today + timedelta(days=1), today + FARTHEST)
    wanted = [today + timedelta(days=n) for n, _words in NEXT.values()]
    return [next((d for d in worked if d >= day), day) for day in wanted]


def _next_in(actor: Actor, code: str) -> datetime | None:
    """Return the moment that one tap stands for."""
    if code == "2h":
        return now() + timedelta(hours=2)
    if code not in NEXT:
        return None
    day = dict(zip(NEXT, _days_of_next(actor), strict=True))[code]
    return timezone.make_aware(datetime.combine(day, time(10)))


def number_in(text: str | None) -> int | None:
    """Return a whole number as sent by a form; ``None`` where it is none."""
    return int(text) if text and text.isdecimal() else None
