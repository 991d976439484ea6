"""Django's registration of the app."""

from django.apps import AppConfig


class OrganisationConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.orgs"
    label = "orgs"
