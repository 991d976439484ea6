"""`kequn book …`: her customers, circles, stock-taking, corrections and visits."""

from __future__ import annotations

import csv
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

import typer

from kequn.cli.data import acting
from kequn.cli.output import As, Json, out, print_json, print_rows, show_rows
from kequn.cli.start import start

book = typer.Typer(no_args_is_help=True, help="Her customers, stock-taking, visits. 名下客户：名单、盘点、商圈、拜访。")
Query = Annotated[
    str, typer.Option(help="The filter, as the page's address writes it: 'aum_min=50000&contact=silent90'. 筛选条件。")
]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="A day. 日期。")]


@book.command("list")
def list_customers(query: Query = "", page: int = 1, actor: As = "system", json: Json = False) -> None:
    """Show customers by filter, masked, with totals. 客户名单。

    Example: kequn book list --query "contact=silent90&sort=-aum" --as wangfang
    """
    start()
    from kequn.ops.books.queries import book_page, read_filter

    found = book_page(acting(actor), read_filter(parse_qs(query)), page=page)
    if json:
        print_json(found)
        return
    columns = ("customer", "name", "tier", "AUM", "30 days", "last contact", "due")
    rows = [(r.person.customer_id, r.person.name, r.tier, r.aum, r.change, r.contact, r.due) for r in found.rows]
    print_rows(
        columns,
        rows,
        title=f"{found.total:,} of {found.book:,} on {found.as_of}: AUM {found.aum:,}, 30 days {found.change:+,}",
    )


@book.command("circles")
def circles(actor: As = "system", json: Json = False) -> None:
    """Show circles in one's sight. 商圈。

    Example: kequn book circles --as wangfang
    """
    start()
    from kequn.ops.books.queries import circle_sizes, circles_in_sight

    who = acting(actor)
    sizes = circle_sizes(who)
    rows = [(c.pk, c.name, c.place, c.staff_no, sizes[c.pk]) for c in circles_in_sight(who)]
    show_rows(("id", "name", "place", "RM", "customers"), rows, json=json)


@book.command("circle")
def circle(name: str, query: Query, place: str = "", actor: As = "system", json: Json = False) -> None:
    """Make a circle of those of one's own customers who meet a filter, or add them to it. 建组。

    Example: kequn book circle "东门市场" --query "test=acct_merchant:=:true" --as wangfang
    """
    start()
    from kequn.ops.books.queries import chosen, read_filter
    from kequn.ops.books.services import add_to_circle, create_circle

    who = acting(actor)
    made = create_circle(who, name, place=place)
    n = add_to_circle(who, made.pk, chosen(who, read_filter(parse_qs(query))))
    show_rows(("id", "name", "added"), [(made.pk, made.name, n)], json=json)


@book.command("stock-takes")
def stock_takes(actor: As = "system", json: Json = False) -> None:
    """Show rounds with how far each is. 盘点进度。

    Example: kequn book stock-takes --as liqiang
    """
    start()
    from kequn.ops.books.queries import progress_of, stock_takes_for

    who = acting(actor)
    rounds = list(stock_takes_for(who)[:200])
    progress = progress_of(who, rounds)
    results = ("confirmed", "corrected", "grouped", "given_up", "gone")
    rows = [
        (s.pk, s.title, s.staff_no, s.deadline, s.state, progress[s.pk].decided, progress[s.pk].total,
         *(progress[s.pk].by_state.get(r, 0) for r in results))
        for s in rounds
    ]  # fmt: skip
    show_rows(("id", "title", "RM", "deadline", "state", "decided", "of", *results), rows, json=json)


@book.command("stock-take")
def stock_take(
    title: str, deadline: Day, rm: Annotated[str, typer.Option(help="Staff number. 工号。")] = "", query: Query = "",
    actor: As = "system", json: Json = False,
) -> None:  # fmt: skip
    """Open a round over an RM's book, or part of it. 发起盘点。

    Example: kequn book stock-take "七月盘点" --deadline 2026-07-31 --rm R001 --as liqiang
    """
    start()
    from kequn.ops.books.services import open_stock_take

    row = open_stock_take(
        acting(actor), key=secrets.token_hex(8), title=title, deadline=deadline.date(), staff_no=rm, query=query
    )
    show_rows(("id", "title", "RM", "customers"), [(row.pk, row.title, row.staff_no, row.lines.count())], json=json)


@book.command("decide")
def decide(
    line: int,
    result: Annotated[str, typer.Argument(help="confirmed, corrected, grouped or given_up.")],
    reason: str = "",
    note: str = "",
    circle: Annotated[int, typer.Option(help="Of a grouped one. 商圈。")] = 0,
    correct: Annotated[list[str] | None, typer.Option(help="field=value, again for each. 更正。")] = None,
    actor: As = "system",
    json: Json = False,
) -> None:
    """Decide one customer of one's own round. 盘点一户。

    Example: kequn book decide 12 corrected --correct branch=0003 --as wangfang
    """
    start()
    from kequn.ops.books.services import Proposal, decide_line

    corrections = [Proposal(*(text.partition("=")[::2])) for text in correct or ()]
    row = decide_line(
        acting(actor), line, key=secrets.token_hex(8), result=result, reason=reason, note=note, circle=circle or None,
        corrections=corrections,
    )  # fmt: skip
    show_rows(("line", "customer", "state"), [(row.pk, row.customer_id, row.state)], json=json)


@book.command("hand-over-corrections")
def hand_over(
    file: Annotated[Path, typer.Argument(help="CSV to write, with the bank's customer numbers. 输出文件。")],
    actor: As = "system",
) -> None:
    """Write the corrections that wait as a file for the bank's system, once. 交回更正清单。

    Example: kequn book hand-over-corrections corrections.csv
    """
    start()
    from kequn.ops.books.services import hand_over_corrections

    columns = ("customer_no", "field", "value", "note", "staff_no", "branch_code", "at")
    with file.open(
        "x", encoding="utf-8-sig", newline=""
    ) as target:  # opened first: a file that cannot be written loses nothing
        try:
            rows = hand_over_corrections(acting(actor))
        except BaseException:
            file.unlink()  # nothing was handed over: no empty file says that something was
            raise
        writer = csv.DictWriter(target, columns)
        writer.writeheader()
        writer.writerows(rows)
    out.print(f"{len(rows):,} → {file}")


@book.command("visits")
def visits(actor: As = "system", json: Json = False) -> None:
    """Show days of visits with what came of them. 拜访。

    Example: kequn book visits --as wangfang
    """
    start()
    from kequn.ops.books.queries import route_of, summary_of, visit_plans_for

    who = acting(actor)
    rows = []
    for plan in visit_plans_for(who)[:100]:
        s = summary_of(route_of(who, plan))
        rows.append((plan.pk, plan.on, plan.title, plan.staff_no, s.planned, s.met, s.not_met, s.blocked, s.waiting))
    show_rows(("id", "on", "title", "RM", "planned", "met", "not met", "blocked", "waiting"), rows, json=json)


@book.command("visit")
def visit(title: str, on: Day, circle: int, place: str = "", actor: As = "system", json: Json = False) -> None:
    """Plan a day of visits over a circle, without those whom the gate bars. 安排走访。

    Example: kequn book visit "东门走访" 1 --on 2026-07-03 --as wangfang
    """
    start()
    from kequn.ops.books.queries import barred_from_visits, circle_for, members_of_circle
    from kequn.ops.books.services import plan_visits

    who = acting(actor)
    ids = members_of_circle(who, circle_for(who, circle))
    barred = barred_from_visits(ids)
    going = [i for i in ids if i not in barred]
    row = plan_visits(who, key=secrets.token_hex(8), title=title, on=on.date(), customer_ids=going, place=place)
    show_rows(("id", "on", "visits", "barred"), [(row.pk, row.on, len(going), len(barred))], json=json)


@book.command("set-out")
def set_out(plan: int, actor: As = "system", json: Json = False) -> None:
    """Ask the gate for each visit of a day, and make tasks of those it lets through. 出发。

    Example: kequn book set-out 1 --as wangfang
    """
    start()
    from kequn.ops.books.services import set_out as go

    show_rows(("state", "visits"), list(go(acting(actor), plan).items()), json=json)
