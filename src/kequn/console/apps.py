"""Django's registration of the console."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Pages, templates and static files."""

    name = "kequn.console"
    label = "console"
