"""Django's registration of the app."""

from django.apps import AppConfig


class WorkbenchConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.workbench"
    label = "workbench"

    def ready(self) -> None:
        """Send on the channel ``rm_task``, tell the gate what RMs are at, and let tasks follow their customers."""
        from kequn.ops.audiences.services import tell_follow_ups
        from kequn.ops.customers.queries import tell_reach
        from kequn.ops.delivery.services import register
        from kequn.ops.governance.services import on_refusal
        from kequn.ops.jobs.services import register as register_job
        from kequn.ops.ownership.services import on_cover, on_owner_change
        from kequn.ops.ownership.services import tell_work as tell_owners_of_work
        from kequn.ops.tags.services import on_refresh
        from kequn.ops.workbench import working
        from kequn.ops.workbench.morning import morning_job, queue_morning
        from kequn.ops.workbench.moving import follow_cover, follow_owner, lent_to
        from kequn.ops.workbench.queries import said_to_rms
        from kequn.ops.workbench.services import RmTaskTransport, close_refused

        register("rm_task", RmTaskTransport())
        tell_follow_ups("workbench", said_to_rms)
        on_refusal("workbench", close_refused)
        on_owner_change("workbench", follow_owner)
        on_cover("workbench", follow_cover)
        tell_owners_of_work(
            "workbench", worked=working.reached, matters=working.open_matters, opportunities=working.opportunities,
            tasks=working.with_tasks,
        )  # fmt: skip
        tell_reach("workbench", lent_to)
        register_job("plan_day", morning_job)
        on_refresh("workbench", queue_morning)
