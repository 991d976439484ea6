"""Django's registration of the app."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.insights"
    label = "insights"

    def ready(self) -> None:
        """Say who does the app's jobs."""
        from kequn.ops.insights import services
        from kequn.ops.jobs.services import register
        from kequn.ops.tags.services import on_refresh

        register("discovery.run", services.discovery_job)
        register("discovery.publish", services.publish_job)
        register("discovery.expand", services.expand_job)
        on_refresh("insights", services.assign_new_date)
