"""Django's registration of the app."""

from django.apps import AppConfig


class OwnershipConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.ownership"
    label = "ownership"

    def ready(self) -> None:
        """Keep owners through loads, widen who is reached by stand-ins and agents, and say who does the app's jobs."""
        from kequn.ops.customers.queries import tell_reach
        from kequn.ops.customers.services import tell_owner_rule
        from kequn.ops.jobs.services import register
        from kequn.ops.ownership import assigning, moving, pools, reconciling, remote
        from kequn.ops.tags.services import on_refresh

        tell_owner_rule(reconciling.follow_bank)
        tell_reach("ownership", remote.reach)
        moving.on_owner_change("remote", remote.leave_queue)
        register("ownership.assign", assigning.assign_job)
        register(pools.KIND, pools.refresh_job)
        on_refresh("pools", pools.queue_refresh)
