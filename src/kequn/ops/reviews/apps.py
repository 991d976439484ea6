"""Django's registration of the app."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Say who does the app's jobs and exports."""
        from kequn.ops.audiences.services import register_export
        from kequn.ops.jobs.services import register
        from kequn.ops.reviews import services

        register("review.run", services.review_job)
        register_export("review", services.review_sheets)
