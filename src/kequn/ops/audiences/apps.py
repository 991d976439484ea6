"""Django's registration of the app."""

from django.apps import AppConfig


class AudiencesConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.audiences"
    label = "audiences"

    def ready(self) -> None:
        """Follow decisions on segments, and say who does the app's jobs."""
        from kequn.ops.audiences import knowing, services
        from kequn.ops.audiences.queries import segments_using
        from kequn.ops.governance.services import on_decision
        from kequn.ops.jobs.services import register
        from kequn.ops.ownership.services import tell_customers
        from kequn.ops.tags.queries import tell_tag_users
        from kequn.ops.tags.services import on_refresh

        on_decision("segment", services.decide_segment)
        register("export.run", services.export_job)
        register("segment.snapshot", services.snapshot_job)
        on_refresh("audiences", services.queue_snapshots)
        on_refresh("behaviours", services.prepare_behaviours)
        tell_tag_users("audiences", segments_using)
        tell_customers(
            briefs=knowing.briefs,
            members=knowing.members,
            wecom=knowing.wecom,
            doings=knowing.doings,
            days=knowing.days,
        )
