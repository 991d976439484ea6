"""Django's registration of the app."""

from django.apps import AppConfig


class OwnershipConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.ownership"
    label = "ownership"

    def ready(self) -> None:
        """Keep the owners through loads."""
        from kequn.ops.customers.services import tell_owner_rule
        from kequn.ops.ownership.reconciling import follow_bank

        tell_owner_rule(follow_bank)
