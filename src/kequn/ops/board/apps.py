"""Django's registration of the app."""

from django.apps import AppConfig


class BoardConfig(AppConfig):
    """See the package's models."""

    name = "kequn.ops.board"
    label = "board"

    def ready(self) -> None:
        """Say who does the app's jobs and exports, and compute a day's figures when its data are there."""
        from kequn.ops.audiences.services import register_export
        from kequn.ops.board import services
        from kequn.ops.governance.services import on_decision
        from kequn.ops.jobs.services import register
        from kequn.ops.tags.services import on_refresh
        from kequn.ops.workbench.services import on_correction

        register("board.day", services.day_job)
        register("board.credits", services.credits_job)
        register_export("desk", services.desk_sheets, right="export.ask")
        register_export("board_report", services.report_sheets)
        on_decision("desk_export", services.decided_export, right="export.approve")
        on_refresh("board", services.queue_day)
        on_correction("board", services.queue_corrections)
