"""A morning's tasks written by the hundred thousand: one prepared statement, without a model object a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from kequn.ops.chunks import chunks
from kequn.ops.workbench import states
from kequn.ops.workbench.candidates import Candidate, yuan
from kequn.ops.workbench.models import Task, TaskMove

CHANGED = ("staff_no", "moved_from", "score", "planned_for", "waits_since", "is_main", "is_held", "blocked", "channel")
"""In the order of ``Candidate.state``."""

Adapter = Callable[[Any], Any]


def insert_tasks(rows: Sequence[Candidate], *, at: datetime) -> None:
    """Insert new tasks; the caller holds the transaction."""
    if not rows:
        return
    fields = [f for f in Task._meta.concrete_fields if not f.primary_key]
    given = _columns(rows[0], at).keys()
    adapters = [(f.name, _adapter(f)) for f in fields]
    defaults = {f.name: f.get_default() for f in fields if f.name not in given}
    _many(
        f"INSERT INTO {_quoted(Task._meta.db_table)} ({', '.join(_quoted(f.column) for f in fields)})"
        f" VALUES ({', '.join(['%s'] * len(fields))})",
        _adapted_rows(rows, adapters, defaults, at),
    )


def update_tasks(rows: Iterable[Candidate], *, at: datetime) -> int:
    """Change the open tasks whose plan is not what it was; return how many. The caller holds the transaction.

    A task that somebody gave to other hands while the plan was drawn is left to them.
    """
    changed = [r for r in rows if r.state() != r.before]
    _keep_moves([r for r in changed if r.worker != r.staff_no], at)
    by_name = {f.name: f for f in Task._meta.concrete_fields}
    fields = [by_name[name] for name in CHANGED]
    adapters = [_adapter(f) for f in fields]
    # who is no main task any more first: a customer never has two
    table = _quoted(Task._meta.db_table)
    for first in (False, True):
        part = [r for r in changed if r.is_main is first]
        _many(
            f"UPDATE {table} SET {', '.join(f'{_quoted(f.column)} = %s' for f in fields)}"
            f" WHERE {_quoted('id')} = %s AND {_quoted('state')} = %s AND {_quoted('staff_no')} = %s",
            (
                [*(adapt(v) for adapt, v in zip(adapters, r.state(), strict=True)), r.pk, states.OPEN, r.staff_no]
                for r in part
            ),
        )
    return len(changed)


def _keep_moves(rows: Sequence[Candidate], at: datetime) -> None:
    """Write into the histories of those that go to other hands; what was closed or moved meanwhile stays where it is."""
    for some in chunks(rows):
        there = Task.objects.select_for_update().filter(pk__in=[r.pk for r in some], state=states.OPEN).order_by("pk")
        holder = dict(there.values_list("pk", "staff_no"))
        TaskMove.objects.bulk_create(
            [
                TaskMove(
                    task_id=r.pk, from_staff=r.staff_no, to_staff=r.worker, reason="remote" if r.is_remote else "planned", at=at
                )
                for r in some
                if r.pk is not None and holder.get(r.pk) == r.staff_no
            ]
        )  # fmt: skip


def _columns(row: Candidate, at: datetime) -> dict[str, Any]:
    title_zh, title_en, why_zh, why_en, said_zh, said_en = row.words
    return {
        "key": row.key, "customer_id": row.customer_id, "staff_no": row.worker, "moved_from": row.moved_from,
        "branch_code": row.branch, "kind": row.kind, "channel": row.channel, "title_zh": title_zh, "title_en": title_en,
        "why_zh": why_zh, "why_en": why_en, "said_zh": said_zh, "said_en": said_en, "facts": row.facts,
        "blocked": row.blocked, "offer": row.offer, "talk_track": row.talk_track, "priority": row.priority,
        "score": row.score, "value_cny": yuan(row.value), "is_main": row.is_main, "is_held": row.is_held,
        "planned_for": row.planned_for, "waits_since": row.waits_since, "due_at": row.due_at,
        "expires_at": row.expires_at, "created_at": at,
    }  # fmt: skip


def _many(statement: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))


def _adapted_rows(
    rows: Sequence[Candidate], adapters: Sequence[tuple[str, Adapter]], defaults: dict[str, Any], at: datetime
) -> Iterator[list[Any]]:
    for row in rows:
        values = _columns(row, at) | defaults
        yield [adapt(values[name]) for name, adapt in adapters]


def _adapter(field: Any) -> Adapter:
    """Return what makes a value one of the database's; texts, numbers and flags are that already."""
    match field.get_internal_type():
        case "JSONField":
            return _json
        case "CharField" | "TextField" | "BooleanField" | "PositiveIntegerField" | "PositiveSmallIntegerField":
            return _same
    return lambda value: field.get_db_prep_value(value, connection=connection)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _same(value: Any) -> Any:
    return value


def _quoted(name: str | None) -> str:
    return str(connection.ops.quote_name(name or ""))
