"""Django's registration of the app."""

from django.apps import AppConfig


class WorkbenchConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.workbench"
    label = "workbench"

    def ready(self) -> None:
        """Send on the channel ``rm_task``, and tell the gate what RMs are at."""
        from kequn.ops.audiences.services import tell_complaints, tell_work
        from kequn.ops.delivery.services import register
        from kequn.ops.governance.services import on_refusal
        from kequn.ops.workbench.queries import complaints_of, worked_on
        from kequn.ops.workbench.services import RmTaskTransport, close_refused

        register("rm_task", RmTaskTransport())
        tell_complaints("workbench", complaints_of)
        tell_work("workbench", worked_on)
        on_refusal("workbench", close_refused)
