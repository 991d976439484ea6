"""Django's registration of the app."""

from django.apps import AppConfig


class AudiencesConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.audiences"
    label = "audiences"
