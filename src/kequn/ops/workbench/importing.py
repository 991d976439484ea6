"""Results in bulk: a grid of open tasks, and files from those who worked on paper. All or nothing, and each once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from kequn.core.amounts import yuan
from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, Where
from kequn.core.segments.upload import masked, read_table
from kequn.core.spec.base import Text
from kequn.ops.chunks import chunks
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import numbered, people_by_id
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.models import ContactDetail, FollowUp, ResultFile
from kequn.ops.workbench.queries import tasks_for
from kequn.ops.workbench.recording import (
    FARTHEST,
    MOST_YUAN,
    NOTE_LENGTH,
    check_outcome,
    flagged_note,
    record_outcome,
    record_without_task,
)

MOST_ROWS = 2_000
DIGITS = 18
"""Of the number of a task at most."""
OLDEST = timedelta(days=31)
"""Older contacts than these are not recorded: nothing follows from them any more."""
TITLES: dict[str, Text] = {
    "task_no": Text(zh="任务号", en="Task number"),
    "customer_no": Text(zh="客户号", en="Customer number"),
    "contact": Text(zh="联系结果", en="Contact"),
    "intent": Text(zh="客户意向", en="Intent"),
    "at": Text(zh="联系时间", en="Time"),
    "next_at": Text(zh="下次联系", en="Next contact"),
    "amount_cny": Text(zh="金额（元）", en="Amount (yuan)"),
    "product": Text(zh="产品代码", en="Product code"),
    "note": Text(zh="备注", en="Note"),
}
"""The columns of a result file; a title may be the Chinese, the English or the code."""
NEEDED = ("contact", "at")
WHOSE = ("task_no", "customer_no")
"""One of them says whose line it is; a list of tasks that was taken out has the number of each task, and customers masked."""
MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d %H:%M", "%Y%m%d", "%Y.%m.%d %H:%M", "%Y.%m.%d")
CURES: dict[str, Text] = {
    "no_customer": Text(zh="任务号和客户号都为空：补上一个", en="No task number and no customer number: write one"),
    "no_task": Text(zh="不是您的任务，或任务号有误", en="Not a task of yours, or a wrong number"),
    "not_one": Text(
        zh="任务号与客户号不是同一位客户：看看是否错行", en="The task is another customer's: is it the right line?"
    ),
    "not_hers": Text(zh="不是您名下的客户，或客户号有误", en="Not a customer of yours, or a wrong number"),
    "contact": Text(
        zh="联系结果只能是：" + "、".join(c.zh for c in states.CONTACTS.values()),
        en="Contact is one of: " + ", ".join(states.CONTACTS),
    ),
    "intent": Text(
        zh="客户意向只能是：" + "、".join(i.zh for i in states.INTENTS.values()),
        en="Intent is one of: " + ", ".join(states.INTENTS),
    ),
    "not_reached": Text(
        zh="客户意向只用于接通：没有联系上的，删去客户意向",
        en="Intent is of a customer who was reached only: take it out",
    ),
    "at": Text(
        zh="联系时间读不出：写成 2026-07-01 10:30，不晚于现在，不早于 31 天前",
        en="Write the time as 2026-07-01 10:30, not in the future and within 31 days",
    ),
    "next_at": Text(
        zh=f"下次联系要写成将来的时间，不晚于 {FARTHEST.days} 天后，预约必填",
        en=f"The next contact is a time to come, within {FARTHEST.days} days; an appointment needs it",
    ),
    "amount_cny": Text(
        zh=f"金额要写成大于 0、不超过 {MOST_YUAN:,} 的数字，最多两位小数，成交必填",
        en=f"The amount is a number above 0 and up to {MOST_YUAN:,}, with at most two decimals; a deal needs it",
    ),
    "note": Text(zh=f"备注最多 {NOTE_LENGTH} 字", en=f"A note has at most {NOTE_LENGTH} characters"),
    "product": Text(zh="没有这个产品代码", en="There is no such product code"),
    "twice": Text(zh="与本文件前面的一行重复：删去", en="The same as a line above: take it out"),
    "recorded": Text(zh="已经登记过，不再重复登记", en="Recorded before; it is not recorded again"),
    "refused": Text(zh="这一行不能登记", en="This line cannot be recorded"),
}
"""What is wrong with a line, and what to do."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One line that can be recorded."""

    line: int
    person: MaskedPerson
    task_id: int | None
    """The open task that the line names."""
    contact: str
    intent: str
    at: datetime
    next_at: datetime | None
    amount_cny: Decimal | None
    product: str
    note: str
    flags: str
    """What of the note will not be kept as written: ``number``, ``markup``, with commas between."""


@dataclass(frozen=True, slots=True)
class ResultFault:
    """One line that cannot be recorded: its number as Excel shows it, the customer's number masked, and the cure."""

    line: int
    customer: str
    code: str
    cure: Text


@dataclass(frozen=True, slots=True)
class ResultPreview:
    """A file as read: what would be recorded, and what not."""

    digest: str
    file_name: str
    rows: tuple[ResultRow, ...]
    faults: tuple[ResultFault, ...]
    before: ResultFile | None
    """The file was taken in before: a second time does nothing."""


class Faulty(InvalidSpec):
    """A line with a fault of a known kind."""

    code = "faulty_line"


# -- files --------------------------------------------------------------------------------------------------------------


def preview_results(actor: Actor, content: bytes, file_name: str) -> ResultPreview:
    """Read a result file (xlsx or text) and say line by line what would be recorded; nothing is.

    Raises:
        BadSource: the file cannot be read.
        InvalidSpec: a column is missing, there is no line, or it has more lines than are taken at once.
    """
    actor.must("task.work")
    digest = hashlib.sha256(content).hexdigest()
    lines = _lines_of(content, file_name)
    whose = _Whose(actor, [cells for _line, cells in lines])
    seen: set[tuple[Any, ...]] = set()
    rows, faults = list[ResultRow](), list[ResultFault]()
    for line, cells in lines:
        number = cells.get("customer_no", "")
        try:
            row = _row(line, cells, *whose.of(cells))
            _once(row, actor, seen)
        except Faulty as fault:
            faults.append(ResultFault(line, masked(number), fault.message, CURES[fault.message]))
        else:
            rows.append(row)
    before = ResultFile.objects.filter(staff_no=actor.staff_no, digest=digest).first()
    return ResultPreview(digest, file_name, tuple(rows), tuple(faults), before)


def import_results(actor: Actor, content: bytes, file_name: str) -> ResultFile:
    """Record the good lines of a result file in one transaction; the same file again does nothing.

    A line goes to the task it names while that is open, else to the customer's open task of the writer, the main one first;
    where there is none it stands for itself.

    Raises:
        BadSource, InvalidSpec: as `preview_results`; no line can be recorded.
    """
    found = preview_results(actor, content, file_name)
    if found.before is not None:
        return found.before
    if not found.rows:
        raise InvalidSpec("No line of the file can be recorded.", hint="See what is wrong with each line.")
    try:
        with transaction.atomic():
            taken = ResultFile.objects.create(
                staff_no=actor.staff_no, digest=found.digest, file_name=file_name[:200], at=now(),
                rows=len(found.rows) + len(found.faults), recorded=len(found.rows), refused=len(found.faults),
            )  # fmt: skip
            for row in found.rows:
                said: dict[str, Any] = {
                    "key": f"file:{found.digest[:24]}:{row.line}", "contact": row.contact, "intent": row.intent, "source": "file",
                    "amount_cny": row.amount_cny, "next_at": row.next_at, "note": row.note, "product": row.product, "at": row.at,
                }  # fmt: skip
                if row.task_id is not None and tasks_for(actor).filter(pk=row.task_id).exists():
                    record_outcome(actor, row.task_id, **said)
                else:
                    record_without_task(actor, row.person.customer_id, **said)
            record(actor, "results.imported", taken, recorded=taken.recorded, refused=taken.refused)
    except IntegrityError:
        return ResultFile.objects.get(staff_no=actor.staff_no, digest=found.digest)
    return taken


def flags_of(taken: ResultFile) -> list[str]:
    """Return what of a file's notes was not kept as written, as `ResultRow` has it."""
    rows = ContactDetail.objects.filter(follow_up__key__startswith=f"{taken.staff_no}:file:{taken.digest[:24]}:")
    return list(rows.exclude(flags="").values_list("flags", flat=True).distinct())


def _lines_of(content: bytes, file_name: str) -> list[tuple[int, dict[str, str]]]:
    by_title = {word.casefold(): name for name, text in TITLES.items() for word in (name, text.zh, text.en)}
    lines: list[tuple[int, dict[str, str]]] = []
    for number, cells in read_table(content, file_name):
        if len(lines) == MOST_ROWS:
            raise InvalidSpec(f"A file has at most {MOST_ROWS} lines.", hint="Split it.", where=Where(file_name))
        named = {by_title[t.strip().casefold()]: v for t, v in cells.items() if t.strip().casefold() in by_title}
        needed = NEEDED if any(name in named for name in WHOSE) else ("customer_no", *NEEDED)
        if missing := [TITLES[name].zh for name in needed if name not in named]:
            hint = "Take the template: its first line has the titles."
            raise InvalidSpec(f"The file lacks: {', '.join(missing)}.", hint=hint, where=Where(file_name))
        lines.append((number, named))
    if not lines:
        hint = "Take the template: its first line has the titles."
        raise InvalidSpec("The file has no lines below its titles.", hint=hint, where=Where(field="file"))
    return lines


class _Whose:
    """Finds whose a line is, by the number of a task or of a customer."""

    def __init__(self, actor: Actor, lines: Sequence[Mapping[str, str]]) -> None:
        self.actor = actor
        self.by_number = numbered(actor, [cells.get("customer_no", "") for cells in lines])
        ids = [int(no) for cells in lines if (no := cells.get("task_no", "")).isdecimal() and len(no) <= DIGITS]
        rows = [t for some in chunks(ids) for t in tasks_for(actor, state=None).filter(pk__in=some)]
        people = people_by_id(actor, [t.customer_id for t in rows])
        self.by_task = {str(t.pk): people[t.customer_id] for t in rows if t.customer_id in people}

    def of(self, cells: Mapping[str, str]) -> tuple[MaskedPerson, int | None]:
        """Return the customer, and the task that the line names.

        Raises:
            Faulty: neither is named, or not the writer's; the two are not one customer's.
        """
        task_no, number = cells.get("task_no", ""), cells.get("customer_no", "")
        if not task_no:
            if not number:
                raise Faulty("no_customer")
            if (person := self.by_number.get(number)) is None:
                raise Faulty("not_hers")
            return person, None
        if (person := self.by_task.get(task_no)) is None:
            raise Faulty("no_task")
        if number not in ("", person.customer_no) and self.by_number.get(number) != person:
            raise Faulty("not_one")
        return person, int(task_no)


def _row(line: int, cells: Mapping[str, str], person: MaskedPerson, task_id: int | None) -> ResultRow:
    contact = _code(cells["contact"], states.CONTACTS, "contact")
    intent = _code(cells.get("intent", ""), states.INTENTS, "intent") if cells.get("intent") else ""
    at = _moment(cells["at"], "at")
    moment = now()
    if at is None or not moment - OLDEST <= at <= moment:
        raise Faulty("at")
    next_at = _moment(cells.get("next_at", ""), "next_at")
    product, note = cells.get("product", ""), cells.get("note", "")
    if intent and contact != "connected":
        raise Faulty("not_reached")
    try:
        amount = yuan(cells.get("amount_cny", ""))
        flags = flagged_note(note)[1]
        check_outcome(contact, intent, amount, next_at, product)
    except InvalidSpec as error:
        raise Faulty(error.where.field if error.where.field in CURES else "refused") from error
    return ResultRow(line, person, task_id, contact, intent, at, next_at, amount, product, note, flags)


def _once(row: ResultRow, actor: Actor, seen: set[tuple[Any, ...]]) -> None:
    """Refuse what stands in the file twice, and what was recorded before, from whichever file or form."""
    key = (row.person.customer_id, row.contact, row.intent, row.at)
    if key in seen:
        raise Faulty("twice")
    seen.add(key)
    same = {"customer_id": key[0], "contact": key[1], "intent": key[2], "at": key[3], "staff_no": actor.staff_no}
    if FollowUp.objects.filter(**same, undone_at__isnull=True).exists():
        raise Faulty("recorded")


def _code(text: str, codes: Mapping[str, Text], fault: str) -> str:
    wanted = text.strip().casefold()
    for code, words in codes.items():
        if wanted in (code, words.zh, words.en.casefold()):
            return code
    raise Faulty(fault)


def _moment(text: str, fault: str) -> datetime | None:
    plain = text.strip().replace("/", "-").replace("T", " ")
    if not plain:
        return None
    zone = ZoneInfo(engine().manifest.zone)
    for form in MOMENTS:
        try:
            moment = datetime.strptime(plain, form)  # noqa: DTZ007 - the zone is put in below
        except ValueError:
            continue
        if "%H" not in form:
            moment = datetime.combine(moment.date(), time(10))
        return moment.replace(tzinfo=zone)
    raise Faulty(fault)


# -- the grid -----------------------------------------------------------------------------------------------------------


def record_results(actor: Actor, entries: Sequence[Mapping[str, Any]], *, key: str) -> list[FollowUp]:
    """Record the results of several open tasks at once, all or none; the same ``key`` again records nothing more.

    Each entry has ``task_id`` and the fields of `record_outcome`.

    Raises:
        SeveralErrors: what is wrong with each, ``where.line`` being the task's id.
    """
    actor.must("task.work")
    done, errors = list[FollowUp](), list[KequnError]()
    with transaction.atomic():
        for entry in entries:
            fields = {name: value for name, value in entry.items() if name != "task_id"}
            try:
                with transaction.atomic():
                    done.append(
                        record_outcome(
                            actor, entry["task_id"], key=f"{key}:{entry['task_id']}", source="grid", **fields
                        )
                    )
            except KequnError as error:
                error.where = Where(line=entry["task_id"], field=error.where.field)
                errors.append(error)
        if errors:
            transaction.set_rollback(True)
    if errors:
        raise SeveralErrors(errors)
    return done
