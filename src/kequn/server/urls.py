"""Where each door is: pages at the root, REST below /api/."""

from __future__ import annotations

from django.urls import include, path
from django.views.i18n import set_language

from kequn.api.main import api

urlpatterns = [
    path("api/", api.urls),
    path("i18n/setlang", set_language, name="set_language"),
    path("", include("kequn.console.urls")),
]
