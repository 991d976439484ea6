"""`kequn serve | worker | user`: the console, the background work, and who may log in."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, print_rows
from kequn.cli.start import migrate, start

user = typer.Typer(no_args_is_help=True, help="Who may log in. 用户。")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Web processes; 0: two, where there are two cores.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of each process.")] = 8,
    background: Annotated[bool, typer.Option(help="Run the worker beside it. 同时运行后台作业。")] = True,
) -> None:
    """Serve the console and the REST interface. 启动控制台。

    Example: kequn serve --port 8000
    """
    start()
    migrate()
    commands = [[sys.executable, "-m", "kequn.cli.main", "worker"]] if background else []
    processes = workers or min(2, len(os.sched_getaffinity(0)))
    web = [
        sys.executable, "-m", "gunicorn", "kequn.server.wsgi:application", "--bind", f"{host}:{port}",
        "--workers", str(processes), "--threads", str(threads), "--keep-alive", "30", "--timeout", "120",
        "--log-level", "warning",
    ]  # fmt: skip
    signal.signal(signal.SIGTERM, _leave)
    running = [subprocess.Popen(command) for command in [*commands, web]]  # noqa: S603 - our own words and numbers
    try:
        running[-1].wait()
    except KeyboardInterrupt:
        pass
    finally:  # whoever stops this process means all of it: a worker left behind would go on sending
        for each in running:
            each.terminate()
        for each in running:
            each.wait(timeout=30)


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def migrate_database() -> None:
    """Bring the database to this version of kequn; `serve` does it too. 升级数据库。

    Example: kequn migrate
    """
    start()
    migrate()


def worker() -> None:
    """Run queued jobs and send what is due, until stopped. 后台作业与投递。

    Example: kequn worker
    """
    start()
    from kequn.server.worker import run

    run()


@user.command("list")
def list_users(actor: As = "system") -> None:
    """Show who may log in. 用户列表。

    Example: kequn user list
    """
    start()
    from kequn.ops.orgs.queries import staff_for

    rows = [
        (u.username, u.display_name, u.role, u.branch.code, "yes" if u.has_usable_password() else "no")
        for u in staff_for(acting(actor))
    ]
    print_rows(("login", "name", "role", "branch", "password set"), rows)


@user.command("save")
def save(
    username: str,
    name: Annotated[str, typer.Option(help="Name shown.")],
    role: Annotated[str, typer.Option(help="marketer, checker, rm, branch_head, analyst or admin.")],
    branch: Annotated[str, typer.Option(help="Branch code.")],
    staff_no: str = "",
    phone: Annotated[str | None, typer.Option(help="At work, as customers are told it. 工作电话。")] = None,
    actor: As = "system",
) -> None:
    """Add or change a user. 新增或修改用户。

    Example: kequn user save zhaomin --name 赵敏 --role marketer --branch HO
    """
    start()
    from kequn.ops.orgs.services import save_user

    save_user(acting(actor), username, display_name=name, role=role, branch_code=branch, staff_no=staff_no, phone=phone)


@user.command("login")
def login(
    staff_no: Annotated[str, typer.Argument(help="Staff number in the bank's table.")],
    username: Annotated[str, typer.Argument(help="Login name to be used from now on.")],
    actor: As = "system",
) -> None:
    """Give a member of staff a login name of her own; the staff number until then. 设置登录名。

    Example: kequn user login 100001 zhaomin
    """
    start()
    from kequn.ops.orgs.services import rename_login

    rename_login(acting(actor), staff_no, username)


@user.command("token")
def token(
    username: str,
    label: Annotated[str, typer.Option(help="What the key is for. 用途。")],
    days: Annotated[int, typer.Option(help="How long it lives.")] = 90,
    actor: As = "system",
) -> None:
    """Print a new key for REST with which another system acts as a user; it is shown once. 接口令牌。

    Example: kequn user token sunli --label nightly-load
    """
    start()
    from kequn.ops.orgs.services import issue_token

    typer.echo(issue_token(acting(actor), username, label=label, days=days))


@user.command("password")
def password(
    username: str,
    generate: Annotated[bool, typer.Option(help="Make one up and print it once.")] = False,
    actor: As = "system",
) -> None:
    """Set a user's password; asks for it, so that it is in no history. 设置密码。

    Example: kequn user password zhaomin
    """
    start()
    from kequn.ops.orgs.services import set_password

    chosen = (
        secrets.token_urlsafe(12) if generate else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    set_password(acting(actor), username, chosen)
    if generate:
        typer.echo(chosen)
