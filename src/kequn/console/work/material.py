"""Approved material that an RM sends herself: choose, look, confirm."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from kequn.console.access import Request, page, status_of
from kequn.core.errors import KequnError
from kequn.ops.workbench.services import materials_for, preview_material, send_material


@page("material.send")
def material(request: Request, customer_id: str) -> HttpResponse:
    """List what may be sent to a customer, show one as she would see it; a POST sends it."""
    context: dict[str, Any] = {"customer_id": customer_id, "key": secrets.token_hex(12), "sent": False}
    name = request.POST.get("name") or request.GET.get("name", "")
    status = 200
    try:
        if request.method == "POST":
            form = request.POST
            touch = send_material(
                request.actor, customer_id, name, key=form.get("key", ""), fingerprint=form.get("fingerprint", "")
            )
            context |= {"sent": True, "touch": touch}
        elif name:
            context["shown"] = preview_material(request.actor, customer_id, name)
    except KequnError as error:
        context["error"], status = error, status_of(error)
    context["materials"] = materials_for(request.actor, customer_id)
    context["name"] = name
    template = "work/material.html" if request.htmx else "work/material_page.html"
    return render(request, template, context | {"title": _("发送素材")}, status=200 if request.htmx else status)
