"""Lists of customers that leave the system: small ones at once, larger ones when a second person has allowed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.core.spec.base import Text
from kequn.ops.audiences.contracts import Sheet
from kequn.ops.audiences.queries import Ordinals, latest_date
from kequn.ops.audiences.services import (
    MEMBER_COLUMNS,
    member_rows,
    members_to_list,
    pins_of_members,
    request_export,
    tag_columns,
)
from kequn.ops.board import states
from kequn.ops.board.models import DeskExport
from kequn.ops.books.queries import FIELDS, PROPOSED, chosen, corrections_for, rows_about
from kequn.ops.books.services import filter_of
from kequn.ops.customers.queries import people_by_id
from kequn.ops.delivery.queries import touches_for
from kequn.ops.governance.services import record, submit
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import actor_of
from kequn.ops.ownership import queries as owners
from kequn.ops.runtime import engine, now
from kequn.ops.tags.queries import catalogue
from kequn.ops.workbench.queries import bank_day, follow_ups_for, outcome_words, tasks_for

AT_ONCE = 50
"""Rows that somebody takes out on her own word; more need a second person's."""
MOST = 20_000
MOST_MEMBERS = 200_000
FORMATS = ("xlsx", "csv")
UNSAID = frozenset({"format", "pin"})
"""Of what is kept with a request, what is no condition."""
KIND = "desk_export"
STATES = ("open", "done", "expired")
LONGEST = 1_000
"""Characters of one condition."""

Rows = QuerySet[Any] | list[str] | Ordinals
Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeskList:
    """One list that can be taken out: its name, who may ask, the conditions it knows, its rows within an actor's scope, its columns."""

    title: Text
    rights: tuple[str, ...]
    """One of them is enough."""
    conditions: tuple[str, ...]
    rows: Callable[[Actor, Params], Rows]
    header: tuple[Text, ...]
    cells: Callable[[Actor, Sequence[Any], Params], list[tuple[Any, ...]]]
    most: int = MOST
    pins: Callable[[Actor, Params], str] = lambda _actor, _params: ""
    """What tells the list's rule from another, where it has one that can change while it waits."""
    needs: tuple[str, ...] = ()
    """Conditions without which there is no such list."""
    more: Callable[[Params], tuple[Text, ...]] = lambda _params: ()
    """Columns that the conditions ask for, after those of the header."""


def _t(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


def _tasks(actor: Actor, params: Params) -> Rows:
    state = params.get("state", "open")
    return tasks_for(
        actor,
        state=state if state in STATES else "open",
        staff_no=params.get("staff") or None,
        campaign=params.get("campaign") or None,
    )


def _task_cells(actor: Actor, rows: Sequence[Any], _params: Params) -> list[tuple[Any, ...]]:
    people = people_by_id(actor, [t.customer_id for t in rows])
    return [
        (
            t.pk,
            p.customer_no if p else "",
            p.name if p else "",
            t.title_zh,
            t.campaign,
            t.staff_no,
            t.state,
            str(t.due_at)[:16],
            t.attempts,
        )
        for t in rows
        for p in [people.get(t.customer_id)]
    ]


def _customers(actor: Actor, params: Params) -> list[str]:
    wanted = filter_of(params.get("query", ""))
    return chosen(actor, replace(wanted, staff=params["staff"]) if params.get("staff") else wanted)


def _customer_cells(actor: Actor, ids: Sequence[str], _params: Params) -> list[tuple[Any, ...]]:
    specs = catalogue()

    def said(tag: str, code: str | None) -> str:
        return str(specs[tag].values.get(code or "", code or ""))

    return [
        (
            r.person.customer_no, r.person.name, r.person.phone, r.person.branch_code, r.person.rm_no,
            said("asset_tier", r.tier), said("life_stage", r.stage), r.aum, r.change, r.contact, str(r.due or "")[:16],
            r.matures, r.products, r.risk_expires, r.silent,
        )
        for r in rows_about(actor, ids)
    ]  # fmt: skip


def _records(actor: Actor, params: Params) -> Rows:
    rows = follow_ups_for(actor)
    return rows.filter(staff_no=params["staff"]) if params.get("staff") else rows


def _record_cells(actor: Actor, rows: Sequence[Any], _params: Params) -> list[tuple[Any, ...]]:
    people = people_by_id(actor, [f.customer_id for f in rows])
    names = {customer_id: person.name for customer_id, person in people.items()}
    return [
        (str(f.at)[:16], f.staff_no, names.get(f.customer_id, ""), *outcome_words(f), f.amount_cny, f.note)
        for f in rows
    ]


def _of_customers(
    cells: Callable[[Any], tuple[Any, ...]],
) -> Callable[[Actor, Sequence[Any], Params], list[tuple[Any, ...]]]:
    """Return what writes rows about customers: number and name, masked, of whom the actor reaches, then the row's own cells."""

    def written(actor: Actor, rows: Sequence[Any], _params: Params) -> list[tuple[Any, ...]]:
        people = people_by_id(actor, [r.customer_id for r in rows])
        found = []
        for row in rows:
            person = people.get(row.customer_id)
            found.append((person.customer_no if person else "", person.name if person else "", *cells(row)))
        return found

    return written


def _idle(actor: Actor, params: Params) -> Rows:
    return owners.neglect_for(actor, stage=params.get("state") or None)


def _notices(actor: Actor, params: Params) -> Rows:
    return owners.notices_for(actor, state=params.get("state") or None)


def _wecom(actor: Actor, params: Params) -> Rows:
    return owners.wecom_moves_for(actor, state=params.get("state") or None)


def _changes(actor: Actor, params: Params) -> Rows:
    rows = owners.changes_for(actor)
    return rows.filter(reason=params["reason"]) if params.get("reason") else rows


def _touches(actor: Actor, params: Params) -> Rows:
    rows = touches_for(actor, campaign=params.get("campaign") or None)
    asked = {k: params[k] for k in ("state", "channel") if params.get(k)}
    return rows.filter(**asked)


def _whose(params: Params) -> dict[str, Any]:
    version, on = params.get("version", ""), params.get("on", "")
    try:
        return {"version": int(version) if version else None, "on": date.fromisoformat(on) if on else None}
    except ValueError:
        raise InvalidSpec(
            "A version is a number, a date is written 2026-06-30.", where=Where(field="on" if on else "version")
        ) from None


def _members(actor: Actor, params: Params) -> Rows:
    return members_to_list(actor, params.get("segment", ""), **_whose(params), tags=_tags(params))


def _pins(actor: Actor, params: Params) -> str:
    return pins_of_members(actor, params.get("segment", ""), **_whose(params))


def _member_cells(actor: Actor, members: Sequence[Any], params: Params) -> list[tuple[Any, ...]]:
    day = date.fromisoformat(params["on"]) if params.get("on") else latest_date()
    return member_rows(actor, members, day, _tags(params))


def _tags(params: Params) -> list[str]:
    return [name for name in params.get("tags", "").split(",") if name]


def _corrections(actor: Actor, params: Params) -> Rows:
    return corrections_for(actor, state=params.get("state") or PROPOSED)


def _correction_cells(actor: Actor, rows: Sequence[Any], _params: Params) -> list[tuple[Any, ...]]:
    people = people_by_id(actor, [r.customer_id for r in rows])
    return [
        (p.customer_no, p.name, str(FIELDS[r.field]), r.value, r.note, r.staff_no, r.branch_code, bank_day(r.at))
        for r in rows
        if (p := people.get(r.customer_id)) is not None
    ]


_WHO = (_t("客户号", "Customer"), _t("姓名", "Name"))
_RM = _t("客户经理", "RM")
_FROM_TO = (_t("从", "From"), _t("到", "To"))
_BRANCH, _STATE, _AT = _t("网点", "Branch"), _t("状态", "State"), _t("时间", "Time")

LISTS: dict[str, DeskList] = {
    "tasks": DeskList(
        _t("任务名单", "Tasks"), ("task.view",), ("state", "staff", "campaign"), _tasks,
        (_t("任务号", "Task number"), *_WHO, _t("任务", "Task"), _t("活动", "Campaign"), _RM, _STATE, _t("到期", "Due"),
         _t("联系次数", "Attempts")),
        _task_cells,
    ),
    "customers": DeskList(
        _t("客户名单", "Customers"), ("customer.view",), ("query", "staff"), _customers,
        (*_WHO, _t("手机", "Phone"), _BRANCH, _RM, _t("层级", "Tier"), _t("生命周期", "Stage"), _t("AUM（元）", "AUM (CNY)"),
         _t("30 天变动（元）", "Change in 30 days (CNY)"), _t("最近联系", "Last contact"), _t("任务到期", "Task due"),
         _t("产品到期", "Matures"), _t("产品数", "Products"), _t("风评到期", "Risk test expires"), _t("静默天数", "Days silent")),
        _customer_cells,
    ),
    "records": DeskList(
        _t("联系记录", "Contacts"), ("task.view",), ("staff",), _records,
        (_AT, _RM, _t("姓名", "Name"), _t("联系结果", "Result"), _t("客户意向", "Intent"), _t("金额（元）", "Amount (CNY)"),
         _t("备注", "Note")), _record_cells,
    ),
    "idle": DeskList(
        _t("久未联系", "Long unworked"), ("customer.claim", "customer.assign"), ("state",), _idle,
        (*_WHO, _RM, _t("阶段", "Stage"), _t("未联系自", "Unworked since"), _t("收回日", "Taken back on")),
        _of_customers(lambda r: (r.staff_no, r.stage, r.idle_since, r.take_back_on)),
    ),
    "notices": DeskList(
        _t("换管户告知", "Notices of a new RM"), ("customer.claim", "customer.assign"), ("state",), _notices,
        (*_WHO, _t("由谁告知", "Told by"), _t("期限", "Due"), _STATE, _t("方式", "How")),
        _of_customers(lambda r: (r.staff_no, r.due_on, r.state, r.how)),
    ),
    "wecom": DeskList(
        _t("企微继承", "WeCom moves"), ("customer.handover",), ("state",), _wecom,
        (*_WHO, *_FROM_TO, _t("列入时间", "Listed"), _STATE),
        _of_customers(lambda r: (r.from_staff, r.to_staff, str(r.planned_at)[:16], r.state)),
    ),
    "conflicts": DeskList(
        _t("与行内不一致", "Mismatches"), ("customer.assign",), (), lambda actor, _: owners.conflicts_for(actor),
        (*_WHO, _t("行内原管户", "Bank before"), _t("行内新管户", "Bank now"), _t("本系统管户", "kequn"), _t("现管户", "Owner now"), _AT),
        _of_customers(lambda r: (r.before, r.bank, r.kequn, r.kept, str(r.at)[:16])),
    ),
    "changes": DeskList(
        _t("变更记录", "Changes of owner"), ("customer.assign",), ("reason",), _changes,
        (*_WHO, _AT, *_FROM_TO, _t("原因", "Reason"), _t("操作人", "By"), _t("备注", "Note")),
        _of_customers(
            lambda r: (str(r.at)[:16], r.from_staff, r.to_staff, str(owners.REASONS[r.reason]), r.by, r.note)
        ),
    ),
    "touches": DeskList(
        _t("触达明细", "Touches"), ("campaign.view",), ("campaign", "state", "channel"), _touches,
        (*_WHO, _t("客户代号", "Customer code"), _t("活动", "Campaign"), _t("渠道", "Channel"), _STATE, _t("原因", "Reason"), _AT),
        _of_customers(lambda r: (r.customer_id, r.sending.campaign, r.channel, r.state, r.reason, str(r.at or "")[:16])),
    ),
    "members": DeskList(
        _t("客群成员", "Members of a segment"), ("segment.view",), ("segment", "version", "on", "tags"), _members, MEMBER_COLUMNS,
        _member_cells, most=MOST_MEMBERS, needs=("segment",), pins=_pins, more=lambda params: tag_columns(_tags(params)),
    ),
    "corrections": DeskList(
        _t("更正建议", "Corrections"), ("stocktake.run",), ("state",), _corrections,
        (*_WHO, _t("项目", "Field"), _t("应为", "Should be"), _t("说明", "Note"), _RM, _BRANCH, _t("提出日", "Proposed on")),
        _correction_cells,
    ),
}  # fmt: skip
"""Lists of customers leave in this way alone. Names are masked, as on the pages."""


def lists_for(actor: Actor) -> dict[str, DeskList]:
    """Return the lists the actor may ask for; none without the right to ask."""
    return {name: one for name, one in LISTS.items() if actor.may("export.ask") and any(map(actor.may, one.rights))}


def desk_exports_for(actor: Actor) -> QuerySet[DeskExport]:
    """Return what one asked for; who allows exports sees what was asked for within her branches."""
    if not (actor.may("export.approve") or actor.may("approval.decide")):
        return DeskExport.objects.filter(owner_id=actor.user_id)
    if actor.sees_all_branches:
        return DeskExport.objects.all()
    return DeskExport.objects.filter(branch_path__startswith=actor.branch_path)


def request_desk_export(
    actor: Actor, what: str, *, key: str, purpose: str, params: Mapping[str, Any] | None = None
) -> DeskExport:
    """Ask for a list as a file. Up to ``AT_ONCE`` rows are written at once; more wait for a second person. Same ``key``, same request.

    ``params`` are the list's conditions (``DeskList.conditions``) and its ``format``, xlsx or csv; others are left out.

    Raises:
        NotAllowed: the rows are not the actor's to see.
        InvalidSpec: no such list, no purpose, or a condition that is none.
        Conflict: there are no rows, or too many for a file.
    """
    actor.must("export.ask")
    if what not in LISTS:
        raise InvalidSpec(f"There is no list {what!r}.", hint=", ".join(LISTS), where=Where(field="what"))
    about = LISTS[what]
    if what not in lists_for(actor):
        actor.must(about.rights[-1])
    if not purpose.strip():
        raise InvalidSpec(
            "Say what the file is for.", hint="The purpose is printed on it and kept.", where=Where(field="purpose")
        )
    asked = {k: str(v) for k, v in (params or {}).items() if v and k in (*about.conditions, "format")}
    if asked.setdefault("format", "xlsx") not in FORMATS:
        raise InvalidSpec(
            f"There is no format {asked['format']!r}.", hint=", ".join(FORMATS), where=Where(field="format")
        )
    if lacking := [name for name in about.needs if name not in asked]:
        raise InvalidSpec(
            f"This list needs a {lacking[0]}.", hint="Ask for it from its own page.", where=Where(field=lacking[0])
        )
    if any(len(v) > LONGEST for v in asked.values()):
        raise InvalidSpec("The conditions are too long.", hint="Choose fewer of them.", where=Where(field="query"))
    found_rows = about.rows(actor, asked)
    rows = found_rows.count() if isinstance(found_rows, QuerySet) else len(found_rows)
    if not rows:
        raise Conflict("There is nothing on this list.", hint="Change what is filtered by.")
    if rows > about.most:
        raise Conflict(f"{rows:,} rows are too many for one file.", hint=f"Filter to at most {about.most:,}.")
    if pin := about.pins(actor, asked):
        asked["pin"] = pin
    own = f"{actor.username}:{key}"[:64]
    fields = {
        "what": what, "params": asked, "purpose": purpose.strip()[:200], "rows": rows, "owner_id": actor.user_id or 0,
        "owner_name": actor.display_name[:40], "branch_path": actor.branch_path, "asked_at": now(),
        "state": states.APPROVED if rows <= AT_ONCE else states.WAITING,
    }  # fmt: skip
    try:
        with transaction.atomic():
            row = DeskExport.objects.create(key=own, **fields)
            record(actor, "desk_export.asked", row, what=what, rows=rows, purpose=row.purpose)
            if row.state == states.APPROVED:
                _release(actor, row)
            else:
                _submit(actor, row)
    except IntegrityError:
        return DeskExport.objects.get(key=own)
    row.refresh_from_db()
    return row


def decided_export(actor: Actor, approval: Any) -> None:
    """Follow a second person's decision: the file is written as its owner, within her scope, or nothing leaves."""
    if approval.state not in (states.APPROVED, states.REFUSED):
        return
    waiting = DeskExport.objects.filter(pk=int(approval.name), state=states.WAITING)
    if waiting.update(state=approval.state):
        row = DeskExport.objects.get(pk=int(approval.name))
        if row.state == states.APPROVED:
            _release(actor_of(row.owner_id), row)
        record(actor, f"desk_export.{row.state}", row, what=row.what, rows=row.rows)


def desk_sheets(actor: Actor, params: dict[str, Any]) -> Sequence[Sheet]:
    """Build the sheets of an allowed list: what it is and who allowed it first, then its rows.

    Raises:
        NotAllowed: it was not allowed, or not asked for by the actor.
        Conflict: it has grown beyond what was allowed.
    """
    row = DeskExport.objects.filter(pk=params.get("request"), owner_id=actor.user_id, state=states.APPROVED).first()
    if row is None:
        raise NotAllowed("There is no such allowed export of yours.", right="export.approve")
    about = LISTS[row.what]
    if about.pins(actor, row.params) != row.params.get("pin", ""):
        raise Conflict("What the list means has changed since it was asked for.", hint="Ask again.")
    found = list(about.rows(actor, row.params)[: about.most + 1])
    if len(found) > max(row.rows, AT_ONCE):
        raise Conflict(
            f"The list has grown from {row.rows:,} rows.", hint="Ask again: more was not allowed.", rows=len(found)
        )
    told = [
        ("名单 / list", f"{about.title.zh} / {about.title.en}"), ("范围 / scope", _scope(actor, row)), ("行数 / rows", len(found)),
        ("数据日期 / data date", latest_date().isoformat() if engine().manifest.dates else ""), ("用途 / purpose", row.purpose),
        ("申请人 / asked by", row.owner_name), ("申请时间 / asked at", str(row.asked_at)[:16]),
    ]  # fmt: skip
    header = tuple(f"{h.zh} {h.en}" for h in (*about.header, *about.more(row.params)))
    sheet = Sheet(about.title.zh, header, about.cells(actor, found, row.params))
    return [sheet] if row.params.get("format") == "csv" else [Sheet("说明 about", ("", ""), told), sheet]


def _scope(actor: Actor, row: DeskExport) -> str:
    names = " · ".join(f"{k}={v}" for k, v in sorted(row.params.items()) if k not in UNSAID)
    return f"{actor.branch_code} {names}".strip() if actor.role != "rm" else f"{actor.staff_no} {names}".strip()


def _submit(actor: Actor, row: DeskExport) -> None:
    about = LISTS[row.what]
    marks = json.dumps([row.what, row.params, row.pk], sort_keys=True)
    title = _t(f"{about.title.zh} · {row.rows} 行", f"{about.title.en} · {row.rows} rows")
    submit(
        actor, KIND, str(row.pk), hashlib.blake2b(marks.encode(), digest_size=8).hexdigest(),
        title=title.zh,
        summary={
            "title": title.model_dump(),
            "what": about.title.model_dump(), "rows": row.rows, "purpose": row.purpose,
            "scope": f"{actor.display_name} {actor.staff_no if actor.role == 'rm' else actor.branch_code}",
            "conditions": {k: v for k, v in row.params.items() if k not in UNSAID},
            "columns": [h.model_dump() for h in (*about.header, *about.more(row.params))],
        },
    )  # fmt: skip


def _release(owner: Actor, row: DeskExport) -> None:
    about = (LISTS[row.what].title.zh, row.params.get("segment"))
    params = {"subject": " · ".join(filter(None, about)), "request": row.pk}
    made = request_export(owner, "desk", params, purpose=row.purpose, format=row.params.get("format", "xlsx"))
    DeskExport.objects.filter(pk=row.pk).update(export_id=made.pk)
