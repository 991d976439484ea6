"""What makes the demo's last morning worth looking at: a full and varied day, appointments, a hand-over, the remote centre."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from kequn.core.desk import KINDS

A_BOOK_MORE = 60
"""Of the branch's customers without an owner who have an occasion, so many go to one relationship manager."""
OF_EACH_KIND = 3
"""Tasks of each kind she has at least, as far as there are any in her branch."""
A_DAY = 10
"""With fewer tasks than these, as in a bank of a few thousand customers, she also gets some of other branches' customers."""
HANDED_OVER = 3
"""Customers a colleague passes on to her, who are owed the word."""
AGENT = ("yuanfang", "袁芳", "100051")
"""Login, name and staff number of the remote centre's agent."""
QUEUE = 8
"""Customers of each kind of work with nobody to do it who are sent to the remote centre, at most."""
TAKEN = 12
"""Of those the agent took so many out of the queue."""
FLOORS = (260, 180, 320, 210, 150, 400, 230)
"""Square metres of branches, one after the other."""
A_MONTH = {"contacts": 120, "sales_fen": 600_000, "aum_gain_fen": 500_000}
"""What each relationship manager is to reach in a month; money in yuan."""
AGREED = (
    ("appointment", 4, "约到网点当面谈"), ("appointment", 6, "上门面谈，带产品说明"), ("considering", 5, "与家人商量后回复"),
    ("interested", 7, "再比较一下，今天回话"),
)  # fmt: skip
"""What she agreed the day before: intent, hours from the opening of the last morning to the next time, note."""


def fill_book(head: Any, rm: Any) -> int:
    """Give a relationship manager customers who have an occasion and no owner; return how many tasks she has then."""
    from kequn.ops.customers.queries import unowned_in
    from kequn.ops.ownership.services import reassign_customers
    from kequn.ops.workbench.planning import with_occasion
    from kequn.ops.workbench.today import day_tasks

    free = set(unowned_in([head.branch_code]).values_list("pk", flat=True))
    waiting = [c for c in with_occasion() if c in free][:A_BOOK_MORE]
    if waiting:
        reassign_customers(head, waiting, rm.staff_no, reason="到期和大额资金需要有人跟进")
    _give_of_each_kind(rm, free, reason="一直没有人跟进")
    if day_tasks(rm).count() < A_DAY:
        _give_of_each_kind(rm, None, reason="邻近网点没有空位，由她接手")
    return day_tasks(rm).count()


def _give_of_each_kind(rm: Any, among: set[str] | None, *, reason: str) -> None:
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.ownership.services import reassign_customers
    from kequn.ops.workbench.today import day_tasks

    for kind in KINDS:
        lacking = OF_EACH_KIND - day_tasks(rm).filter(kind=kind).count()
        more = [c for c in _unworked(kind) if among is None or c in among]
        if lacking > 0 and more:
            reassign_customers(system_actor(), more[:lacking], rm.staff_no, reason=reason)


def fill_queue(agent: Any) -> int:
    """Send those for whom nobody works to the remote centre, and let its agent take some; return how many she took."""
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.ownership.services import send_to_remote, take_cases

    waiting = list(dict.fromkeys(c for kind in (*KINDS, "retest") for c in _unworked(kind)[:QUEUE]))
    send_to_remote(system_actor(), waiting, reason="no_owner")
    return len(take_cases(agent, n=TAKEN)) if waiting else 0


def _unworked(kind: str) -> list[str]:
    """Return the customers with work of a kind that may be done and nobody to do it, the most at stake first."""
    from kequn.ops.customers.queries import owners_of
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.workbench.queries import tasks_for

    rows = tasks_for(system_actor()).filter(staff_no="", kind=kind, is_main=True, is_held=False)
    rows = rows.order_by("-value_cny", "customer_id")
    owners = owners_of(rows.values_list("customer_id", flat=True))
    return [c for c in rows.values_list("customer_id", flat=True) if not owners.get(c, "-")]


def hand_over(head: Any, rm: Any) -> int:
    """Pass some customers of a colleague on to her, so that she owes them the word; return how many."""
    from kequn.ops.customers.queries import people_for
    from kequn.ops.ownership.queries import loads_for
    from kequn.ops.ownership.services import reassign_customers

    others = [row.staff_no for row in loads_for(head) if row.staff_no != rm.staff_no and row.owned]
    if not others:
        return 0
    theirs = people_for(head).filter(rm_no=others[0]).order_by("customer_id")
    ids = list(theirs.values_list("customer_id", flat=True)[:HANDED_OVER])
    reassign_customers(head, ids, rm.staff_no, reason="客户常来本柜，调整管户")
    return len(ids)


def agree(rm: Any, opening: datetime) -> int:
    """Let her have talked to some of her customers the day before, with a next time today; return to how many."""
    from kequn.ops.workbench.services import record_outcome
    from kequn.ops.workbench.today import day_tasks

    talked = 0
    for intent, hours, note in AGREED:
        hers = list(day_tasks(rm).filter(attempts=0))
        kind, n = Counter(task.kind for task in hers).most_common(1)[0] if hers else ("", 0)
        if n < 2:  # one of each kind is left as the data gave it
            break
        task = next(task for task in reversed(hers) if task.kind == kind)
        record_outcome(
            rm, task.pk, key=f"demo {task.pk}", contact="connected", intent=intent, note=note,
            amount_cny=Decimal(200_000) if intent == "appointment" else None,
            next_at=opening + timedelta(hours=hours), at=opening - timedelta(hours=18),
        )  # fmt: skip
        talked += 1
    return talked


def open_remote_centre(branch_code: str, password: str) -> Any:
    """Give the bank a remote centre with one agent; return her."""
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.orgs.queries import actor_named
    from kequn.ops.orgs.services import save_user, set_password

    login, name, staff_no = AGENT
    save_user(system_actor(), login, display_name=name, role="remote_agent", branch_code=branch_code, staff_no=staff_no)
    set_password(system_actor(), login, password)
    return actor_named(login)


def set_targets(maker: Any, head: Any) -> int:
    """Say how large each branch is and what it is to reach, and break one branch's targets down to its RMs; return how many.

    They are of the month of yesterday, which the board shows, and of today's.
    """
    from kequn.ops.audiences.queries import bank_today
    from kequn.ops.board import services
    from kequn.ops.orgs.queries import branches_for, staff_for

    codes = list(branches_for(maker).filter(level="branch").order_by("code").values_list("code", flat=True))
    for n, code in enumerate(codes):
        services.set_branch_fact(maker, code, floor_m2=Decimal(FLOORS[n % len(FLOORS)]))
    rms = staff_for(maker, role="rm").filter(branch__code__in=codes).exclude(staff_no="")
    heads = Counter(rms.values_list("branch__code", flat=True))
    team = list(rms.filter(branch__code=head.branch_code).values_list("staff_no", flat=True))
    made = 0
    for month in {f"{bank_today() - timedelta(days=days):%Y-%m}" for days in (0, 1)}:
        for metric, each in A_MONTH.items():
            parts = {code: n * each for code, n in heads.items()}
            made += len(services.set_targets(maker, metric, month, {maker.branch_code: sum(parts.values()), **parts}))
            made += len(services.set_targets(head, metric, month, dict.fromkeys(team, each))) if team else 0
    return made


def kinds_of_day(actor: Any) -> dict[str, int]:
    """Return how many tasks somebody's page opens with, by kind as it is shown."""
    from kequn.ops.workbench.today import today_for

    return dict(Counter(row.kind for row in today_for(actor).rows))
