"""Django's registration of the app."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.customers"
    label = "customers"
