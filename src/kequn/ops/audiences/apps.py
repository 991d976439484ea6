"""Django's registration of the app."""

from django.apps import AppConfig


class AudiencesConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.audiences"
    label = "audiences"

    def ready(self) -> None:
        """Follow decisions on segments, and say who does the app's jobs."""
        from kequn.ops.audiences import services
        from kequn.ops.governance.services import on_decision
        from kequn.ops.jobs.services import register

        on_decision("segment", services.decide_segment)
        register("segment.profile", services.profile_job)
        register("export.run", services.export_job)
        services.register_export("members", services.members_sheets)
