"""Django's registration of the app."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """It has no rows of its own: what it tells is computed from the store and kept beside it."""

    name = "kequn.ops.analysis"
    label = "analysis"

    def ready(self) -> None:
        """Say who does the app's jobs."""
        from kequn.ops.analysis import services
        from kequn.ops.jobs.services import register
        from kequn.ops.tags.services import on_refresh

        register("analysis.cube", services.cube_job)
        register("analysis.warm", services.warm_job)
        on_refresh("analysis", services.queue_warming)
