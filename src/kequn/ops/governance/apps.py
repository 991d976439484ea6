"""Django's registration of the app."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.governance"
    label = "governance"
