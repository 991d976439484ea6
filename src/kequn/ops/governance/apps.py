"""Django's registration of the app."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.governance"
    label = "governance"

    def ready(self) -> None:
        """Keep the trail of what is done to users."""
        from kequn.ops.governance.audit import record
        from kequn.ops.orgs.services import keep_trail

        keep_trail(record)
