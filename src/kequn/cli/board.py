"""`kequn desk board | targets | set-target | load-targets | signals | reassign | report`: the branch's work."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kequn.cli.data import acting
from kequn.cli.knowing import Day
from kequn.cli.output import As, Json, out, print_json, show_rows
from kequn.cli.start import start
from kequn.core.spec.base import Text

if TYPE_CHECKING:
    from kequn.ops.board.contracts import Line

Branch = Annotated[str, typer.Option(help="Code of a branch to look into. 机构号。")]


def board(
    as_of: Day = None,
    days: Annotated[int, typer.Option(help="Compute so many days that end with it. 连续计算的天数。")] = 1,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Compute the figures of a day (yesterday by default) and keep them; twice gives the same. 计算日指标。

    Example: kequn desk board --as-of 2026-06-30
    """
    start()
    from kequn.ops.audiences.queries import bank_today
    from kequn.ops.board.services import compute_day

    last = _day(as_of) or bank_today() - timedelta(days=1)
    kept = [compute_day(acting(actor), last - timedelta(days=n)) for n in reversed(range(max(days, 1)))]
    show_rows(
        ("day", "rows", "data date", "known"), [(k.day, k.rows, k.data_on, " ".join(k.known)) for k in kept], json=json
    )


def figures(
    as_of: Day = None,
    span: Annotated[str, typer.Option(help="day, week, month or quarter. 期间。")] = "day",
    by: Annotated[str, typer.Option(help="staff or branch.")] = "branch",
    branch: Branch = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Show the board of a period. 过程看板。

    Example: kequn desk figures --span month --by staff --branch 0001 --as liqiang
    """
    start()
    from kequn.ops.audiences.queries import bank_today
    from kequn.ops.board.periods import period_around
    from kequn.ops.board.queries import board_for, latest_day
    from kequn.ops.board.reasons import reasons_for

    found = board_for(
        acting(actor), period_around(span, _day(as_of) or latest_day() or bank_today()), by=by, branch=branch
    )
    if json:
        print_json(found)
        return
    codes = (
        "assigned",
        "done",
        "contacts",
        "effective",
        "appointments",
        "sales",
        "sales_fen",
        "book",
        "aum_fen",
        "overdue",
    )
    lines = (*found.lines, found.total)
    rows = [(line.name or line.key or "–", *(line.figures[c] for c in codes), _reached(line)) for line in lines]
    show_rows((by, *codes, "reached"), rows, json=False)
    _say(reasons_for(found))


def targets(
    period: Annotated[str, typer.Option(help="2026-07 or 2026-Q3.")] = "", actor: As = "system", json: Json = False
) -> None:
    """Show targets. 目标列表。

    Example: kequn desk targets --period 2026-07 --as liqiang
    """
    start()
    from kequn.ops.board.queries import targets_for

    rows = [
        (t.period, t.campaign, t.metric, t.branch_code, t.staff_no, t.amount, t.note)
        for t in targets_for(acting(actor), period=period)
    ]
    show_rows(("period", "campaign", "metric", "branch", "staff", "amount", "note"), rows, json=json)


def set_target(
    metric: str,
    period: str,
    amounts: Annotated[
        list[str], typer.Argument(help="0001=600000 R001=200000: branch codes or staff numbers; money in yuan.")
    ],
    campaign: Annotated[str, typer.Option(help="For a campaign's targets; the period is then campaign.")] = "",
    note: Annotated[str, typer.Option(help="Why the parts do not add up. 差额说明。")] = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Set targets, all parts at once. 设定目标。

    Example: kequn desk set-target contacts 2026-07 R001=60 R002=40 --as liqiang
    """
    start()
    from kequn.core.errors import InvalidSpec
    from kequn.ops.board.services import set_targets

    pairs = [text.partition("=") for text in amounts]
    if bad := next(
        (text for text, (_k, _e, v) in zip(amounts, pairs, strict=True) if not v.replace(".", "", 1).isdigit()), None
    ):
        raise InvalidSpec(f"{bad!r} is no target.", hint="Write code=amount, such as 0001=600000.")
    made = set_targets(
        acting(actor), metric, period, {k: Decimal(v) for k, _e, v in pairs}, campaign=campaign, note=note
    )
    rows = [(t.metric, t.period, t.branch_code, t.staff_no, t.amount) for t in made]
    show_rows(("metric", "period", "branch", "staff", "amount"), rows, json=json)


def load_targets(file: Path, note: str = "", actor: As = "system") -> None:
    """Set the targets of a workbook or CSV file, all or none. 导入目标。

    Example: kequn desk load-targets targets.xlsx --as zhaomin
    """
    start()
    from kequn.ops.board.services import load_targets as load_file

    out.print(load_file(acting(actor), file.read_bytes(), file.name, note=note))


def branch(
    code: str,
    floor_m2: Annotated[float | None, typer.Option(help="Floor area in square metres. 面积（平方米）。")] = None,
    escalate: Annotated[
        float | None, typer.Option(help="Outflows from this amount on, in yuan, go to the head. 上报金额。")
    ] = None,
    actor: As = "system",
) -> None:
    """Say how large a branch is, and from what amount its head sees an outflow. 网点属性。

    Example: kequn desk branch 0001 --floor-m2 320 --as liqiang
    """
    start()
    from kequn.ops.board.services import set_branch_fact

    said = {"floor_m2": floor_m2, "escalate_above_cny": escalate}
    row = set_branch_fact(acting(actor), code, **{k: Decimal(str(v)) for k, v in said.items() if v is not None})
    out.print(row.branch_code, row.floor_m2, row.escalate_above_cny)


def signals(
    first: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])], last: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])],
    branch: Branch = "", actor: As = "system", json: Json = False,
) -> None:  # fmt: skip
    """Show what about records is worth a look. 质量信号。

    Example: kequn desk signals --first 2026-06-01 --last 2026-06-30 --as liqiang
    """
    start()
    from kequn.ops.board.queries import signals_for
    from kequn.ops.board.reasons import reason_of

    found = signals_for(acting(actor), first.date(), last.date(), branch=branch)
    said = [reason_of(s) for s in found]
    rows = [
        (s.name, s.code, s.found, s.n, s.share.low if s.share else None, f"{why.zh} / {why.en}" if why else "")
        for s, why in zip(found, said, strict=True)
    ]
    show_rows(("rm", "signal", "found", "of", "low", "why not 为何不判断"), rows, json=json)


def reassign(
    from_staff: str,
    reason: Annotated[str, typer.Option(help="Why. 原因。")],
    to: Annotated[str, typer.Option(help="Staff number of who takes all; empty: evenly. 接手人。")] = "",
    look: Annotated[bool, typer.Option("--look", help="Show what would happen, change nothing. 只预览。")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Hand a colleague's open tasks to others. 批量转交。

    Example: kequn desk reassign R001 --reason 病假 --as liqiang
    """
    start()
    from kequn.ops.board.queries import plan_reassignment
    from kequn.ops.board.services import reassign_work

    who = acting(actor)
    moves: Any = (
        plan_reassignment(who, from_staff, to_staff=to).moves
        if look
        else reassign_work(who, from_staff, key=secrets.token_hex(8), reason=reason, to_staff=to).moves
    )
    show_rows(("to", "tasks"), [(staff, len(ids)) for staff, ids in sorted(moves.items())], json=json)


def report(
    span: Annotated[str, typer.Argument(help="day or week.")] = "day",
    as_of: Day = None,
    branch: Branch = "",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Say what stands out on a day or in a week. 日报周报。

    Example: kequn desk report week --as liqiang
    """
    start()
    from kequn.ops.audiences.queries import bank_today
    from kequn.ops.board.queries import latest_day, report_for

    found = report_for(acting(actor), span, _day(as_of) or latest_day() or bank_today(), branch=branch)
    if json:
        print_json(found)
        return
    out.print(f"{found.scope}  {found.board.period.first} – {found.board.until}", highlight=False)
    _say(found.words)


def _say(words: Iterable[Text]) -> None:
    for said in words:
        out.print(f"· {said.zh}\n  {said.en}", markup=False, highlight=False)


def _reached(line: Line) -> str:
    """A rate with its limits; of a sample that is too small the counts, and that it is."""
    from kequn.ops.board.reasons import reached

    counts, rate = reached(line)
    if rate is not None:
        return f"{rate.point:.0%} ({rate.low:.0%}–{rate.high:.0%})"
    return f"{counts} 样本太小 small sample" if counts and not counts.endswith("/0") else "–"


def _day(value: datetime | None) -> date | None:
    return value.date() if value else None


def add_to(desk: typer.Typer) -> None:
    """Put the branch's commands beside those of the desk."""
    commands: dict[str, Callable[..., None]] = {
        "board": board, "figures": figures, "targets": targets, "set-target": set_target, "load-targets": load_targets, "branch": branch,
        "signals": signals, "reassign": reassign, "report": report,
    }  # fmt: skip
    for name, command in commands.items():
        desk.command(name)(command)
