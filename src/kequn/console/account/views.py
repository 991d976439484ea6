"""Signing in and out, one's own password, language and page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, back, page
from kequn.ops.orgs.services import choose_language


class Login(auth.LoginView):
    """Sign in with name and password; the language is the one chosen on this page, else the person's own."""

    template_name = "account/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in and bring the person's language along."""
        response = super().form_valid(form)
        if settings.LANGUAGE_COOKIE_NAME not in self.request.COOKIES:
            _remember(response, form.get_user().language)
        return response


class Password(auth.PasswordChangeView):
    """Change one's own password."""

    template_name = "account/password.html"
    success_url = reverse_lazy("me")

    def form_valid(self, form: Any) -> HttpResponse:
        """Say that it was done."""
        messages.success(self.request, _("密码已修改"))
        return super().form_valid(form)


password = page()(Password.as_view())


@page()
def me(request: Request) -> HttpResponse:
    """Show one's own page: who, where, and the whole menu for a phone."""
    return render(
        request, "account/me.html", {"simulator": settings.WECOM_SIMULATOR and request.actor.may("task.work")}
    )


@require_POST
def language(request: Request) -> HttpResponse:
    """Switch the language and stay on the page; remembered in the browser and, signed in, with the person."""
    wanted = request.POST.get("language", "")
    response = redirect(back(request, "/"))
    if wanted in dict(settings.LANGUAGES):
        _remember(response, wanted)
        if request.actor:
            choose_language(request.actor, wanted)
    return response


def _remember(response: HttpResponse, language_code: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language_code,
        max_age=365 * 86_400,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
