"""The customer's own word, and the trail of who did what."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console.access import Request, done, page, refused
from kequn.console.exports import listing
from kequn.console.forms import Styled
from kequn.console.tables import Column, Table
from kequn.console.words import choices
from kequn.core.errors import KequnError
from kequn.ops.customers.queries import find_for_consent, person_for_consent
from kequn.ops.governance.queries import audit_fault, audit_for, consents_of, suppressed
from kequn.ops.governance.services import record_consent, suppress
from kequn.ops.runtime import now

COLUMNS = (
    Column(lazy("编号"), "pk", "id", number=True),
    Column(lazy("时间"), "at", "at"),
    Column(lazy("人员"), "username", "username"),
    Column(lazy("角色"), "role", "role"),
    Column(lazy("机构"), "branch", "branch"),
    Column(lazy("动作"), "act", "act"),
    Column(lazy("对象"), lambda e: f"{e.object_kind} {e.object_id}", "object_kind"),
    Column(lazy("内容"), "facts"),
)
CHANNELS = ("sms", "email", "app_push", "wecom", "call", "rm_task")


class WordForm(Styled, forms.Form):
    """One word of a customer on one channel."""

    channel = forms.ChoiceField(
        label=lazy("渠道"), choices=[c for c in choices("channel") if c[0] in CHANNELS] + [("all", lazy("全部渠道"))]
    )
    granted = forms.ChoiceField(label=lazy("客户的意思"), choices=[("0", lazy("不同意（撤回）")), ("1", lazy("同意"))])
    source = forms.ChoiceField(label=lazy("从哪里得知"), choices=choices("consent_source"))
    proof = forms.CharField(label=lazy("凭证"), max_length=200, required=False, help_text=lazy("录音编号、单据号等"))


@page("consent.view")
def consent(request: Request) -> HttpResponse:
    """Find a customer by her exact number, phone or name, to look at her consents; what is asked never stands in the address."""
    q = request.POST.get("q", "").strip()
    found = find_for_consent(request.actor, q) if q else []
    return render(request, "compliance/consent.html", {"q": q, "found": found})


@page("consent.view", "consent.edit", post="consent.edit")
def consent_of(request: Request, customer_id: str) -> HttpResponse:
    """Show one customer's consents and take a new word of hers."""
    person = person_for_consent(request.actor, customer_id)
    form = WordForm(request.POST or None, initial={"granted": "0"})
    words = list(consents_of(request.actor, customer_id))
    latest = {w.channel: w for w in reversed(words)}
    context = {
        "person": person, "form": form, "words": words, "latest": [(c, latest.get(c)) for c in CHANNELS],
        "suppressed": bool(suppressed(now(), [customer_id])),
    }  # fmt: skip
    if request.method == "POST":
        if request.POST.get("do") == "suppress":
            suppress(request.actor, customer_id, reason=request.POST.get("reason", "")[:20] or "request")
            return done(request, "consent_of", _("已列入免打扰名单"), customer_id=customer_id)
        if not form.is_valid():
            return render(request, "compliance/consent_of.html", context, status=422)
        said = form.cleaned_data
        try:
            for channel in CHANNELS if said["channel"] == "all" else [said["channel"]]:
                record_consent(
                    request.actor,
                    customer_id,
                    channel=channel,
                    granted=said["granted"] == "1",
                    source=said["source"],
                    proof=said["proof"],
                )
        except KequnError as error:
            return refused(request, "compliance/consent_of.html", context, error)
        return done(request, "consent_of", _("已记录客户的意思，立即生效"), customer_id=customer_id)
    return render(request, "compliance/consent_of.html", context)


@page("audit.view")
def audit(request: Request) -> HttpResponse:
    """List who did what; filters stand in the URL."""
    get = request.GET.get
    rows = audit_for(request.actor)
    if who := get("who", "").strip():
        rows = rows.filter(username=who)
    if act := get("act", "").strip():
        rows = rows.filter(act__startswith=act)
    if thing := get("object", "").strip():
        rows = rows.filter(object_id=thing)
    if since := parse_date(get("since", "") or "0"):
        rows = rows.filter(at__date__gte=since)
    if until := parse_date(get("until", "") or "0"):
        rows = rows.filter(at__date__lte=until)
    fault = audit_fault(request.actor) if "check" in request.GET else None
    table = Table(request, rows, COLUMNS, name="audit", default="-id")
    context = {"get": request.GET, "checked": "check" in request.GET, "fault": fault}
    return listing(request, "compliance/audit.html", table, _("留痕"), context)
