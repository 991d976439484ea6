"""Django's registration of the app."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.catalog"
    label = "catalog"

    def ready(self) -> None:
        """Follow the decisions on every kind of definition."""
        from kequn.ops.catalog.queries import KINDS, metrics_using
        from kequn.ops.catalog.services import decide_definition
        from kequn.ops.governance.services import on_decision
        from kequn.ops.tags.queries import tell_tag_users

        for kind in KINDS:
            on_decision(kind, decide_definition)
        tell_tag_users("catalog", metrics_using)
