"""Django's registration of the app."""

from django.apps import AppConfig


class TagsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.tags"
    label = "tags"
