"""Django's registration of the app."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.catalog"
    label = "catalog"
