"""Django's registration of the app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.jobs"
    label = "jobs"
