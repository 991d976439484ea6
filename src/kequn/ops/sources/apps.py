"""Django's registration of the app."""

from django.apps import AppConfig


class SourcesConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.sources"
    label = "sources"
