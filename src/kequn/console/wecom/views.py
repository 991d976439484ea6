"""The side panel in WeCom: sign in by the chat's own identity, see the customer of the chat, send and record without leaving it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.channels.wecom.gateway import SimulatedWecom, WecomDown
from kequn.console.access import Request, done, page, status_of
from kequn.console.work.customer import number_in, said_in, talk_in
from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.customers.queries import masked, people_for
from kequn.ops.wecom import queries, services
from kequn.ops.workbench.queries import last_words, offer_of, tasks_for
from kequn.ops.workbench.services import (
    customer_360,
    materials_for,
    preview_material,
    record_outcome,
    record_without_task,
    undo_outcome,
)
from kequn.ops.workbench.talks import products_named, talk_of

STATE = "wecom_state"
BACKEND = "django.contrib.auth.backends.ModelBackend"
QUICK = (
    ("connected", "interested"), ("connected", "considering"), ("connected", "appointment"), ("connected", "not_interested"),
    ("no_answer", ""), ("declined", ""), ("dead_number", ""), ("wrong_person", ""), ("connected", "deal"),
    ("connected", "opt_out"), ("connected", "complaint"),
)  # fmt: skip
MOST_MATERIAL = 5
SAMPLE = 4
VIEW = Callable[..., HttpResponse]


def framed(view: VIEW) -> VIEW:
    """Let the panel's pages load the bridge's script, and stand in the simulator's frame where there is a simulator."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if settings.WECOM_SIMULATOR:
            response.headers["X-Frame-Options"] = "SAMEORIGIN"
            response._csp_replace = {"frame-ancestors": ["'self'"]}  # type: ignore[attr-defined]
        elif settings.WECOM_SDK_URL:
            response._csp_update = {"script-src": [settings.WECOM_SDK_URL]}  # type: ignore[attr-defined]
        return response

    inner.rights = getattr(view, "rights", ())  # type: ignore[attr-defined]
    return inner


# -- who sits before it -------------------------------------------------------------------------------------------------


def start(request: HttpRequest) -> HttpResponse:
    """Ask WeCom who sits before the panel; who is signed in goes straight on. Without WeCom: sign in as everywhere."""
    if request.user.is_authenticated:
        return redirect("wecom_panel")
    if services.panel() is None:
        return redirect(f"{reverse('login')}?{urlencode({'next': reverse('wecom_panel')})}")
    state = secrets.token_urlsafe(16)
    request.session[STATE] = state
    return redirect(services.door_to(_address(request, reverse("wecom_enter")), state))


def enter(request: HttpRequest) -> HttpResponse:
    """Sign in whom WeCom names; the state shows that this browser asked."""
    asked = request.session.pop(STATE, "")
    try:
        if not asked or not secrets.compare_digest(asked, request.GET.get("state", "")):
            raise NotAllowed("This sign-in was not asked for here.", hint="Open the panel again.")
        user_id = services.user_of_code(request.GET.get("code", ""))
    except (NotAllowed, WecomDown) as error:
        return render(request, "wecom/closed.html", {"error": error}, status=403)
    login(request, ModelBackend().get_user(user_id), backend=BACKEND)
    return redirect("wecom_panel")


# -- the customer of the chat -------------------------------------------------------------------------------------------


@framed
@page("task.work")
def panel(request: Request) -> HttpResponse:
    """Ask the chat whose it is. Outside WeCom it says so and leads to the usual pages."""
    return render(request, "wecom/panel.html", _bridge(request))


@framed
@page("task.work")
@require_POST
def who(request: Request) -> HttpResponse:
    """Go to the customer behind the chat's contact, or say that she is not one's own."""
    try:
        person = queries.customer_of_contact(request.actor, request.POST.get("contact", ""))
    except NotAllowed:
        return render(request, "wecom/not_yours.html", _bridge(request), status=404)
    return redirect("wecom_customer", customer_id=person.customer_id)


@framed
@page("task.work")
def customer(request: Request, customer_id: str) -> HttpResponse:
    """Show the customer of the chat: who she is, why now, what to say and send, what came of it."""
    try:
        return render(request, "wecom/customer.html", _of_customer(request, customer_id))
    except NotAllowed:
        return render(request, "wecom/not_yours.html", _bridge(request), status=404)


@framed
@page("task.work")
@require_POST
def outcome(request: Request, customer_id: str) -> HttpResponse:
    """Record what came of the chat on the customer's task; without one, on a task of its own: it happened."""
    form, actor = request.POST, request.actor
    task_id = form.get("task", "")
    try:
        said = said_in(actor, form)
        if task_id.isdecimal():
            made = record_outcome(actor, int(task_id), seen=number_in(form.get("seen")), **said)
        else:
            made = record_without_task(actor, customer_id, channel="wecom", **said)
    except KequnError as error:
        context = _of_customer(request, customer_id) | {"error": error, "given": form, "key": form.get("key", "")}
        return render(request, "wecom/customer.html", context, status=status_of(error))
    return redirect(f"{reverse('wecom_customer', args=[customer_id])}?{urlencode({'undo': made.pk})}")


@framed
@page("task.work")
@require_POST
def undo(request: Request, customer_id: str, follow_up_id: int) -> HttpResponse:
    """Take back what was recorded within the last seconds."""
    undo_outcome(request.actor, follow_up_id)
    return done(request, "wecom_customer", _("已撤销"), customer_id=customer_id)


@framed
@page("material.send")
@require_POST
def hand_over(request: Request, customer_id: str) -> HttpResponse:
    """Give the approved words to the chat's script, once the gate has let them pass."""
    form = request.POST
    words = services.hand_over(
        request.actor, customer_id, form.get("name", ""), key=form.get("key", ""), fingerprint=form.get("fingerprint", "")
    )  # fmt: skip
    return JsonResponse({"words": words})


# -- what stands in for WeCom -------------------------------------------------------------------------------------------


@page("task.work")
def simulator(request: Request) -> HttpResponse:
    """Show the panel in a phone's frame beside a chat, with contacts to choose from; only in a demo."""
    _only_simulated()
    busy = list(tasks_for(request.actor).values_list("customer_id", flat=True)[: SAMPLE // 2])
    rows = [*people_for(request.actor).filter(pk__in=busy), *people_for(request.actor).exclude(pk__in=busy)[:SAMPLE]]
    mine = [masked(row) for row in rows[:SAMPLE]]
    services.link_simulated([p.customer_id for p in mine])
    contacts = [(queries.simulated_id(p.customer_id), p.name) for p in mine]
    return render(request, "wecom/simulator.html", {"contacts": contacts})


@page("task.work")
def simulated_door(request: Request) -> HttpResponse:
    """Answer as WeCom's door does: send the browser back with a code for who is signed in."""
    gateway = _only_simulated()
    back_to = request.GET.get("redirect_uri", "")
    if back_to != _address(request, reverse("wecom_enter")):
        return redirect("wecom_panel")  # the door leads back to this place alone
    given = {"code": gateway.code_for(request.actor.staff_no), "state": request.GET.get("state", "")}
    return redirect(f"{back_to}?{urlencode(given)}")


def _only_simulated() -> SimulatedWecom:
    at = services.panel()
    if at is None or not isinstance(at.gateway, SimulatedWecom):
        raise NotAllowed("There is no simulator here.")
    return at.gateway


# -- what the pages show ------------------------------------------------------------------------------------------------


def _address(request: HttpRequest, path: str) -> str:
    """Return the address as WeCom knows it: https wherever the bank serves it so, whatever stands in between."""
    return f"{'https' if settings.HTTPS else 'http'}://{request.get_host()}{path}"


def _bridge(request: Request) -> dict[str, Any]:
    """Return what the bridge's script needs: the signatures of this very page, made by the view that renders it."""
    at = services.panel()
    context: dict[str, Any] = {"sdk": settings.WECOM_SDK_URL, "simulated": settings.WECOM_SIMULATOR, "panel": at}
    if at is not None:
        try:
            context["signed"] = services.signatures(_address(request, request.get_full_path()))
        except WecomDown:
            context["panel"] = None
    return context


def _of_customer(request: Request, customer_id: str) -> dict[str, Any]:
    actor = request.actor
    found = customer_360(actor, customer_id)
    task = tasks_for(actor, customer_id=customer_id, held=False).order_by("-is_main", "-priority", "due_at").first()
    context = _bridge(request) | {
        "c": found, "task": task, "offer": offer_of(task) if task else None,
        "last": last_words([task.pk]).get(task.pk) if task else None, "products": products_named(),
        "english": (get_language() or "").startswith("en"), "quick": QUICK, "key": secrets.token_hex(12), "given": {},
        "undo": request.GET.get("undo", ""),
    }  # fmt: skip
    context |= talk_in(talk_of(task) if task else None, context)
    if actor.may("material.send"):
        shown = []
        for material in [m for m in materials_for(actor, customer_id) if m.channel == "wecom"][:MOST_MATERIAL]:
            try:
                shown.append(preview_material(actor, customer_id, material.name))
            except KequnError:  # a field of the text has no value for her
                continue
        context["materials"] = shown
    return context
