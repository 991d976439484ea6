"""Django's registration of the app."""

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.delivery"
    label = "delivery"
