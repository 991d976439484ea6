"""Django's registration of the app."""

from django.apps import AppConfig


class WorkbenchConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.workbench"
    label = "workbench"
