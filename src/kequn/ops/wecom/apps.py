"""Django's registration of the app."""

from django.apps import AppConfig


class WecomConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.wecom"
    label = "wecom"
