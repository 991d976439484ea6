"""Django's registration of the app."""

from django.apps import AppConfig


class SourcesConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.sources"
    label = "sources"

    def ready(self) -> None:
        """Say who does the app's jobs."""
        from kequn.ops.jobs.services import register
        from kequn.ops.sources.services import load_job

        register("source.load", load_job)
