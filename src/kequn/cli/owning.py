"""`kequn owner … | pool …`: who has whom, from the command line."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, print_json, show_rows
from kequn.cli.start import start

owner = typer.Typer(no_args_is_help=True, help="Who has whom: load, leave, assignment, hand-over. 管户。")
pool = typer.Typer(no_args_is_help=True, help="Customers kept for the long run. 客户池。")


@owner.command("loads")
def loads(actor: As = "system", json: Json = False) -> None:
    """Show what each relationship manager carries. 负荷。

    Example: kequn owner loads --as liqiang
    """
    start()
    from kequn.ops.ownership.queries import leavers_for, loads_for

    who = acting(actor)
    rows = [
        (r.staff_no, r.name, r.branch_code, r.owned, r.book_limit, r.room, r.tasks_a_day, r.away_until or "")
        for r in loads_for(who)
    ]
    rows += [(r.staff_no, f"{r.name} ✗", "", r.n, 0, 0, 0, "") for r in leavers_for(who)]
    show_rows(("staff", "name", "branch", "customers", "limit", "room", "tasks a day", "away until"), rows, json=json)


@owner.command("leave")
def leave(
    staff_no: str,
    first: Annotated[str, typer.Option("--from", help="First day.")],
    last: Annotated[str, typer.Option("--to", help="Last day.")],
    stand_in: Annotated[str, typer.Option(help="Who works her customers meanwhile. 代管人。")] = "",
    kind: Annotated[str, typer.Option(help="leave, sick, training, secondment.")] = "leave",
    actor: As = "system",
    json: Json = False,
) -> None:
    """Enter days away; open work goes to the stand-in and comes back by itself. 登记休假。

    Example: kequn owner leave R001 --from 2026-07-06 --to 2026-07-10 --stand-in R003 --as liqiang
    """
    start()
    from kequn.ops.ownership.services import record_absence

    row = record_absence(
        acting(actor), staff_no, kind=kind, first_day=date.fromisoformat(first), last_day=date.fromisoformat(last),
        stand_in=stand_in,
    )  # fmt: skip
    rows = [(row.pk, row.staff_no, row.first_day, row.last_day, row.stand_in)]
    show_rows(("id", "staff", "from", "to", "stand-in"), rows, json=json)


@owner.command("assign")
def assign(
    rules: Annotated[str, typer.Option(help="Approved rules; the built-in order without.")] = "",
    branch: Annotated[str, typer.Option(help="Only this branch.")] = "",
    most: Annotated[int | None, typer.Option(help="At most so many, the most valuable first.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Put it into effect; without, it is only shown.")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Draw up who gets the customers without an owner. 分配。

    Example: kequn owner assign --branch 0001 --as liqiang
    """
    start()
    from kequn.ops.ownership.services import draw_assignment

    who = acting(actor)
    _plan(who, draw_assignment(who, rules_name=rules, branch_code=branch, most=most), apply, json)


@owner.command("hand-over")
def hand_over(
    from_staff: str,
    to: Annotated[list[str] | None, typer.Option(help="Who takes them; the branch's colleagues without.")] = None,
    cause: Annotated[str, typer.Option(help="transfer or left.")] = "left",
    apply: Annotated[bool, typer.Option("--apply", help="Put it into effect; without, it is only shown.")] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Draw up who gets all customers of one who goes. 移交。

    Example: kequn owner hand-over R001 --cause left --to R003 --apply --as liqiang
    """
    start()
    from kequn.ops.ownership.services import draw_hand_over

    who = acting(actor)
    _plan(who, draw_hand_over(who, from_staff, cause=cause, to_staff=to or []), apply, json)


@owner.command("notices")
def notices(state: str = "owed", actor: As = "system", json: Json = False) -> None:
    """List the customers who are owed the word that their manager changed. 换管户告知。

    Example: kequn owner notices --as wangfang
    """
    start()
    from kequn.ops.ownership.queries import notices_for

    rows = [
        (n.pk, n.customer_id, n.staff_no, n.due_on, n.state, n.how, n.message, n.refused)
        for n in notices_for(acting(actor), state=state or None)
    ]
    show_rows(("id", "customer", "told by", "until", "state", "how", "message", "refused"), rows, json=json)


@owner.command("notify")
def notify(
    notice_ids: list[int],
    text: Annotated[str, typer.Option(help="Approved text for notices. 告知模板。")] = "owner_notice_sms",
    confirm: Annotated[
        bool, typer.Option("--yes", help="Send it; without it the text is only shown. 确认发送。")
    ] = False,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Show the notices as the customers would read them; with --yes send them. 发送换管户告知。

    Example: kequn owner notify 12 13 --yes --as wangfang
    """
    start()
    from kequn.ops.workbench.services import notice_texts, preview_notices, send_notices

    who = acting(actor)
    shown = preview_notices(who, notice_ids, text)
    said = [(s.notice_id, s.body, " ".join(s.codes) or (s.trouble.message if s.trouble else "")) for s in shown]
    show_rows(("id", "text", "why not"), said, json=json and not confirm)
    if confirm:
        fingerprint = next(t.fingerprint for t in notice_texts(who) if t.name == text)
        sent = send_notices(who, notice_ids, text, fingerprint=fingerprint)
        rows = [(s.notice_id, s.message, s.trouble.message if s.trouble else "") for s in sent]
        show_rows(("id", "message", "why not"), rows, json=json)


@owner.command("history")
def history(customer_id: str, actor: As = "system", json: Json = False) -> None:
    """Show who had a customer from when to when. 管户历史。

    Example: kequn owner history 3f2a… --as liqiang
    """
    start()
    from kequn.ops.ownership.queries import tenures_of

    rows = [(t.staff_no or "–", t.begins or "", t.ends or "", t.reason) for t in tenures_of(acting(actor), customer_id)]
    show_rows(("owner", "from", "to", "why"), rows, json=json)


@owner.command("watch")
def watch(actor: As = "system", json: Json = False) -> None:
    """Warn of, escalate and take back customers nobody works, settle leave; the worker does so daily. 每日巡检。

    Example: kequn owner watch
    """
    start()
    from kequn.ops.ownership.services import settle_absences, watch_owners

    who = acting(actor)
    rows = [(settle_absences(who), watch_owners(who))]
    show_rows(("leave begun or ended", "taken back"), rows, json=json)


@pool.command("show")
def show(name: str, actor: As = "system", json: Json = False) -> None:
    """Show a pool by relationship manager on its latest day; a rate of too few is left out. 客户池指标。

    Example: kequn pool show retention --as zhaomin
    """
    start()
    from kequn.ops.ownership.queries import RATES, pool_staff

    found = pool_staff(acting(actor), name)
    if json:
        print_json(found)
        return
    rows = [
        (r.day, r.staff_no or "–", r.members, f"{r.aum_fen / 100:,.0f}", *(_percent(r.rates[k].value) for k in RATES))
        for r in found
    ]
    show_rows(("day", "staff", "members", "AUM ¥", *RATES), rows, json=json)


@pool.command("refresh")
def refresh(actor: As = "system", json: Json = False) -> None:
    """Bring all pools up to date. 更新客户池。

    Example: kequn pool refresh
    """
    start()
    from kequn.ops.ownership.queries import pools_for
    from kequn.ops.ownership.services import refresh_pool

    who = acting(actor)
    show_rows(("pool", "days"), [(spec.name, refresh_pool(who, spec)) for spec in pools_for(who)], json=json)


def _plan(who: Any, plan: Any, apply: bool, json: bool) -> None:
    from kequn.ops.jobs.services import run_waiting
    from kequn.ops.ownership.queries import assignment_for, outcomes_of
    from kequn.ops.ownership.services import apply_assignment

    rows = [(t["staff_no"], t["name"], t["has"], t["gets"], t["limit"]) for t in plan.summary["takers"]]
    left = plan.summary["customers"] - plan.summary["placed"]
    show_rows(("staff", "name", "has", "gets", "limit"), [*rows, ("–", "no room", 0, left, 0)], json=json and not apply)
    if apply:
        apply_assignment(who, plan.pk)
        run_waiting()
        row = assignment_for(who, plan.pk)
        show_rows(("plan", "state", "outcomes"), [(row.pk, row.state, str(outcomes_of(row)))], json=json)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
