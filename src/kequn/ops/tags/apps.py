"""Django's registration of the app."""

from django.apps import AppConfig


class TagsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.tags"
    label = "tags"

    def ready(self) -> None:
        """Say who does the app's jobs."""
        from kequn.ops.jobs.services import register
        from kequn.ops.tags.backfill import backfill_job
        from kequn.ops.tags.services import fold_job, refresh_job

        register("tag.refresh", refresh_job)
        register("tag.backfill", backfill_job)
        register("tag.fold", fold_job)
