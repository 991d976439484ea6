"""The command line: one verb a step of the loop."""

from __future__ import annotations

import resource
import sys

import typer
from django.db import DatabaseError
from rich.console import Console
from rich.markup import escape

from kequn import __version__
from kequn.cli import (
    board,
    booking,
    contacting,
    data,
    demo,
    desk,
    discovering,
    feedback,
    insight,
    knowing,
    owning,
    past,
    running,
    serving,
    tagging,
    wecom,
)
from kequn.core.errors import Conflict, KequnError, SeveralErrors

app = typer.Typer(
    name="kequn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Know customers by group, decide, deliver, and prove what it was worth. 客群经营。",
)
app.command("check")(data.check)
app.command("apply")(data.apply)
app.command("load")(data.load)
app.add_typer(knowing.tag, name="tag")
app.add_typer(past.segment, name="segment")
app.add_typer(insight.insight, name="insight")
app.add_typer(tagging.group, name="group")
app.add_typer(discovering.discover, name="discover")
app.add_typer(booking.book, name="book")
app.add_typer(running.approval, name="approval")
app.add_typer(running.campaign, name="campaign")
app.add_typer(desk.desk, name="desk")
app.add_typer(contacting.contact, name="contact")
board.add_to(desk.desk)
app.add_typer(feedback.feedback, name="feedback")
app.add_typer(wecom.wecom, name="wecom")
app.add_typer(owning.owner, name="owner")
app.add_typer(owning.pool, name="pool")
app.command("dispatch")(running.dispatch)
app.command("review")(running.review)
app.command("migrate")(serving.migrate_database)
app.command("serve")(serving.serve)
app.command("worker")(serving.worker)
app.add_typer(serving.user, name="user")
app.command("demo")(demo.demo)
app.command("starter-bank")(demo.starter_bank)


@app.command("version")
def version() -> None:
    """Print the version. 版本。"""
    typer.echo(__version__)


FAULT = 1
"""Exit code of an error a user can act on; 2 is a wrong call, as everywhere."""
ENOUGH_FILES = 65_536


def run() -> None:
    """Run a command; an error a user can act on is printed in three lines, not as a trace."""
    _open_enough_files()
    try:
        app()
    except (KequnError, DatabaseError) as problem:
        error = problem if isinstance(problem, KequnError) else _outdated(problem)
        faults = error.errors if isinstance(error, SeveralErrors) else (error,)
        say = Console(stderr=True, highlight=False)
        for fault in faults:
            place = f" {escape(str(fault.where))}" if str(fault.where) else ""
            say.print(f"[bold red]✗[/]{place}", end=" ", soft_wrap=True)
            say.print(fault.message, markup=False, soft_wrap=True)
            if fault.hint:
                say.print(f"  → {fault.hint}", markup=False, soft_wrap=True)
        sys.exit(FAULT)


def _open_enough_files() -> None:
    """Let this process open as many files as it may: each date of the member index maps near a thousand, the usual limit."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(ENOUGH_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _outdated(problem: DatabaseError) -> KequnError:
    """Return what to say when the database is of an earlier version; any other trouble with it is raised again."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        raise problem
    return Conflict(
        f"The database is of an earlier version of kequn: {len(waiting)} changes of its tables are waiting.",
        hint="Stop the server, make a copy, and run `kequn migrate`.",
    )


if __name__ == "__main__":
    run()
