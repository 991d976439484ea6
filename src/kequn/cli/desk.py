"""`kequn desk plan | today | history`: the morning's distribution, one person's day, and what the data did to a task."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

desk = typer.Typer(no_args_is_help=True, help="The relationship manager's day. 客户经理的一天。")


@desk.command("plan")
def plan(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Business date of the data; the latest. 数据的业务日期。"),
    ] = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Close what the data settle, then give everybody her day; the same day again changes nothing. 晨间分派。

    Example: kequn desk plan --as-of 2026-07-30
    """
    start()
    from kequn.ops.workbench.services import plan_day, settle_tasks

    who, day = acting(actor), as_of.date() if as_of else None
    settled = settle_tasks(who, as_of=day)
    made = plan_day(who, as_of=day)
    if json:
        print_json({"day": made.day, "as_of": made.as_of, "found": made.found, "missing": made.missing,
                    "counts": made.counts, "settled": settled})  # fmt: skip
        return
    out.print(f"{made.day} (data of {made.as_of})", highlight=False)
    print_rows(("occasion", "found"), sorted(made.found.items()))
    print_rows(("what", "n"), sorted({**made.counts, **{f"settled: {why}": n for why, n in settled.items()}}.items()))
    for kind, why in sorted(made.missing.items()):
        out.print(f"{kind}: {why}", highlight=False)


@desk.command("today")
def today(actor: Annotated[str, typer.Option("--as", help="Whose day. 谁的一天。")], json: Json = False) -> None:
    """Show one person's day, the most urgent first. 某人的今日。

    Example: kequn desk today --as wangfang
    """
    start()
    from kequn.ops.workbench.today import today_for

    found = today_for(acting(actor))
    rows = [
        (r.task.pk, r.kind, r.person.name if r.person else "", r.why.zh, r.task.value_cny, " ".join(a.kind for a in r.also))
        for r in found.rows
    ]  # fmt: skip
    show_rows(("task", "kind", "customer", "why", "value", "also"), rows, json=json)


@desk.command("history")
def history(
    task: int, actor: Annotated[str, typer.Option("--as", help="Who asks. 以谁的身份。")] = "system", json: Json = False
) -> None:
    """Show what the bank's data did to a task: closed, credited, corrected, taken back, opened again. 任务经过。

    Example: kequn desk history 12 --as wangfang
    """
    start()
    from kequn.ops.workbench.history import history_for

    rows = [(line.at, line.said.zh, line.said.en) for line in history_for(acting(actor), task)]
    show_rows(("at", "what", "in English"), rows, json=json)
