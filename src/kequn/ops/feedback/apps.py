"""Django's registration of the app."""

from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.feedback"
    label = "feedback"
