"""Branches and staff: who may do what, where."""

from __future__ import annotations

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused
from kequn.console.exports import listing
from kequn.console.forms import Styled
from kequn.console.tables import Column, Table
from kequn.console.words import VOCABULARIES
from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.orgs.queries import all_staff_for, branches_for
from kequn.ops.orgs.rights import RIGHTS, ROLES
from kequn.ops.orgs.services import save_user, set_active, set_password

COLUMNS = (
    Column(lazy("姓名"), "display_name", "display_name"),
    Column(lazy("用户名"), "username", "username"),
    Column(lazy("角色"), "role", "role"),
    Column(lazy("机构"), "branch.code", "branch__code"),
    Column(lazy("工号"), "staff_no", "staff_no"),
    Column(lazy("状态"), lambda u: "active" if u.is_active else "inactive", "is_active"),
    Column(lazy("上次登录"), "last_login", "last_login"),
)


class PersonForm(Styled, forms.Form):
    """One member of staff."""

    username = forms.RegexField(
        r"^[a-z0-9][a-z0-9._-]{1,39}$",
        label=lazy("用户名"),
        error_messages={"invalid": lazy("小写字母、数字，2 至 40 位。")},
    )
    display_name = forms.CharField(label=lazy("姓名"), max_length=40)
    role = forms.ChoiceField(label=lazy("角色"), choices=list(ROLES.items()))
    branch_code = forms.CharField(label=lazy("机构"), max_length=12, widget=forms.TextInput(attrs={"list": "branches"}))
    staff_no = forms.CharField(label=lazy("工号"), max_length=20, required=False)
    phone = forms.CharField(
        label=lazy("工作电话"),
        max_length=32,
        required=False,
        help_text=lazy("换管户时告知客户的号码；行内人员表有电话的，以该表为准"),
    )
    password = forms.CharField(
        label=lazy("新密码"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=lazy("至少 12 位；留空则不变"),
    )


@page("user.manage")
def people(request: Request) -> HttpResponse:
    """List staff within the actor's branches."""
    role, q = request.GET.get("role", ""), request.GET.get("q", "").strip()
    rows = all_staff_for(request.actor)
    rows = rows.filter(role=role) if role in ROLES else rows
    if q:
        rows = rows.filter(display_name__contains=q) | rows.filter(username__contains=q) | rows.filter(branch__code=q)
    table = Table(request, rows, COLUMNS, name="people", default="username")
    context = {"role": role, "roles": ROLES, "q": q, "rights": _rights(), "branches": branches_for(request.actor)}
    return listing(request, "people/list.html", table, _("机构与人员"), context)


@page("user.manage")
def new(request: Request) -> HttpResponse:
    """Add a member of staff."""
    return _form(request, None)


@page("user.manage")
def person(request: Request, username: str) -> HttpResponse:
    """Change a member of staff."""
    found = all_staff_for(request.actor).filter(username=username).first()
    if found is None:
        raise NotAllowed("There is no such member of staff in your scope.", user=username)
    return _form(request, found)


@page("user.manage")
@require_POST
def switch(request: Request, username: str) -> HttpResponse:
    """Let somebody in, or shut her out at once."""
    active = request.POST.get("active") == "1"
    set_active(request.actor, username, active=active)
    return done(request, "person", _("已启用") if active else _("已停用，正在使用的会话也立即失效"), username=username)


def _form(request: Request, found: object) -> HttpResponse:
    initial = {}
    if found is not None:
        initial = {k: getattr(found, k) for k in ("username", "display_name", "role", "staff_no", "phone")} | {
            "branch_code": found.branch.code
        }  # type: ignore[attr-defined]
    form = PersonForm(request.POST or None, initial=initial)
    context = {"form": form, "found": found, "branches": branches_for(request.actor)}
    if request.method != "POST":
        return render(request, "people/person.html", context)
    if not form.is_valid():
        return render(request, "people/person.html", context, status=422)
    given = form.cleaned_data
    username = found.username if found is not None else given["username"]  # type: ignore[attr-defined]
    try:
        save_user(
            request.actor,
            username,
            display_name=given["display_name"],
            role=given["role"],
            branch_code=given["branch_code"],
            staff_no=given["staff_no"],
            phone=given["phone"],
        )
        if given["password"]:
            set_password(request.actor, username, given["password"])
    except KequnError as error:
        return refused(request, "people/person.html", context, error)
    return done(request, "person", _("已保存"), username=username)


def _rights() -> list[tuple[str, list[str]]]:
    return [(role, sorted(RIGHTS[role])) for role in VOCABULARIES["role"] if role in RIGHTS]
