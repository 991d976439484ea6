"""Results in bulk: whoever worked on paper records it once, and is told line by line what cannot be."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
import xlsxwriter

from kequn.core.errors import BadSource, InvalidSpec, SeveralErrors
from kequn.ops.customers.queries import people_by_id
from kequn.ops.delivery.models import Contact
from kequn.ops.governance.models import ConsentEntry
from kequn.ops.workbench import services
from kequn.ops.workbench.models import FollowUp, ResultFile, Task
from tests.ops.bank import Cast, customer_id
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db
HEAD = "客户号,联系结果,客户意向,联系时间,下次联系,金额（元）,产品代码,备注"


def csv_of(*lines: str) -> bytes:
    return "\ufeff".encode() + "\n".join([HEAD, *lines]).encode()


def number(i: int) -> str:
    return f"C{i:07}"


def test_a_file_is_recorded_once_on_her_open_tasks_and_by_itself(definitions: None, cast: Cast) -> None:
    task = services.start_contact(cast["wangfang"], customer_id(12), key="k", why="回访")
    content = csv_of(
        f"{number(12)},接通,预约,2026-06-30 15:00,2026-07-03 10:00,20万,,周五到店".replace("20万", "200000"),
        f"{number(14)},no_answer,,2026/06/30,,,,打了两次 13912345678",
    )
    done = services.import_results(cast["wangfang"], content, "纸上.csv")
    assert (done.rows, done.recorded, done.refused) == (2, 2, 0)
    first, second = FollowUp.objects.order_by("customer_id").select_related("detail", "task")
    assert (first.task, first.intent, first.amount_cny, first.detail.source) == (
        task, "appointment", Decimal(200_000), "file",
    )  # fmt: skip
    assert first.at == NOW - timedelta(hours=19)
    counted = Contact.objects.filter(customer_id__in=[first.customer_id, second.customer_id])
    assert [(c.customer_id, c.on) for c in counted] == [(first.customer_id, date(2026, 6, 30))]
    assert (second.task.title_zh, second.note, second.detail.flags) == ("补录的联系", "打了两次 ***", "number")
    assert services.import_results(cast["wangfang"], content, "改名.csv") == done
    assert FollowUp.objects.count() == 2
    assert ResultFile.objects.count() == 1


def test_a_line_may_name_its_task_for_a_list_that_was_taken_out_masks_customers(definitions: None, cast: Cast) -> None:
    made = [services.start_contact(cast["wangfang"], customer_id(i), key=f"k{i}", why="回访") for i in (12, 14)]
    masked = people_by_id(cast["wangfang"], [customer_id(14)])[customer_id(14)].customer_no
    assert "*" in masked
    head = "任务号,客户号,联系结果,客户意向,联系时间"
    lines = [f"{made[0].pk},,接通,有意向,2026-06-30 15:00", f"{made[1].pk},{masked},未接,,2026-06-30 15:10"]
    done = services.import_results(cast["wangfang"], "\n".join([head, *lines]).encode(), "纸上.csv")
    assert (done.recorded, done.refused) == (2, 0)
    assert [(f.task_id, f.contact) for f in FollowUp.objects.order_by("at")] == [
        (made[0].pk, "connected"), (made[1].pk, "no_answer"),
    ]  # fmt: skip
    wrong = [
        f"{made[0].pk},{number(14)},接通,,2026-06-30 16:00", "999999,,接通,,2026-06-30 16:00",
        f"{'9' * 40},,接通,,2026-06-30 16:00", ",,接通,,2026-06-30 16:00", f"第一条,{number(12)},接通,,2026-06-30 16:00",
    ]  # fmt: skip
    found = services.preview_results(cast["wangfang"], "\n".join([head, *wrong]).encode(), "纸上.csv")
    assert [f.code for f in found.faults] == ["not_one", "no_task", "no_task", "no_customer", "no_task"]
    theirs = services.preview_results(cast["chenjing"], "\n".join([head, lines[0]]).encode(), "纸上.csv")
    assert [f.code for f in theirs.faults] == ["no_task"]


def test_each_bad_line_is_told_with_its_line_and_its_cure(definitions: None, cast: Cast) -> None:
    content = csv_of(
        f"{number(12)},接通,有意向,2026-06-30 15:00,,,,",
        f"{number(12)},接通,有意向,2026-06-30 15:00,,,,",
        f"{number(13)},接通,有意向,2026-06-30 15:00,,,,",
        f"{number(14)},打通了,,2026-06-30 15:00,,,,",
        f"{number(14)},接通,很好,2026-06-30 15:00,,,,",
        f"{number(14)},接通,成交,2026-06-30 15:00,,,,",
        f"{number(14)},接通,预约,2026-06-30 15:00,,,,",
        f"{number(14)},未接,,明天,,,,",
        f"{number(14)},未接,,2026-08-01,,,,",
        f"{number(14)},接通,成交,2026-06-30,,一万,,",
        f"{number(14)},接通,成交,2026-06-30,,10000,NOPE,",
        f"{number(14)},未接,有意向,2026-06-30,,,,",
        f"{number(14)},接通,成交,2026-06-30,,1e9,,",
        f"{number(14)},接通,成交,2026-06-30,,99999999999999999999,,",
        f"{number(14)},接通,预约,2026-06-30,2031-07-01,,,",
        f"{number(14)},未接,,2026-06-30,,,,{'长' * 501}",
        ",未接,,2026-06-30,,,,",
    )
    found = services.preview_results(cast["wangfang"], content, "results.csv")
    assert [r.line for r in found.rows] == [2]
    assert [(f.line, f.code) for f in found.faults] == [
        (3, "twice"), (4, "not_hers"), (5, "contact"), (6, "intent"), (7, "amount_cny"), (8, "next_at"), (9, "at"), (10, "at"),
        (11, "amount_cny"), (12, "product"), (13, "not_reached"), (14, "amount_cny"), (15, "amount_cny"),
        (16, "next_at"), (17, "note"), (18, "no_customer"),
    ]  # fmt: skip
    assert all(number(13) not in f.customer for f in found.faults)
    assert not FollowUp.objects.exists()
    done = services.import_results(cast["wangfang"], content, "results.csv")
    assert (done.recorded, done.refused) == (1, 16)
    corrected = csv_of(f"{number(12)},接通,有意向,2026-06-30 15:00,,,,", f"{number(14)},未接,,2026-06-30,,,,")
    again = services.preview_results(cast["wangfang"], corrected, "corrected.csv")
    assert [(f.line, f.code) for f in again.faults] == [(2, "recorded")]
    assert [r.line for r in again.rows] == [3]


def test_a_workbook_is_read_like_a_text(definitions: None, cast: Cast) -> None:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["customer_no", "contact", "intent", "at"])
        sheet.write_row(1, 0, [number(12), "Reached", "interested", "2026-06-30 09:30"])
    assert services.import_results(cast["wangfang"], stream.getvalue(), "a.xlsx").recorded == 1


def test_a_refusal_on_paper_stops_what_is_queued_and_a_call_counts(definitions: None, cast: Cast) -> None:
    before = Contact.objects.filter(customer_id=customer_id(12)).count()
    content = csv_of(f"{number(12)},接通,拒绝再联系,2026-06-30 15:00,,,,")
    services.import_results(cast["wangfang"], content, "a.csv")
    assert ConsentEntry.objects.filter(customer_id=customer_id(12), granted=False).exists()
    assert Contact.objects.filter(customer_id=customer_id(12)).count() == before + 1


@pytest.mark.parametrize("content", [b"", b"\x00\x01", HEAD.encode(), "客户号,备注\nC1,x".encode()])
def test_a_file_that_is_none_is_refused_as_a_whole(definitions: None, cast: Cast, content: bytes) -> None:
    with pytest.raises((BadSource, InvalidSpec)):
        services.import_results(cast["wangfang"], content, "a.csv")
    assert not ResultFile.objects.exists()


def test_the_grid_records_all_or_nothing_and_once(definitions: None, cast: Cast) -> None:
    tasks = [services.start_contact(cast["wangfang"], customer_id(i), key=f"k{i}", why="回访").pk for i in (12, 14)]
    good = {"task_id": tasks[0], "contact": "connected", "intent": "interested"}
    bad = {"task_id": tasks[1], "contact": "connected", "intent": "deal"}
    with pytest.raises(SeveralErrors) as refused:
        services.record_results(cast["wangfang"], [good, bad], key="g")
    assert [e.where.line for e in refused.value.errors] == [tasks[1]]
    assert not FollowUp.objects.exists()
    assert Task.objects.filter(state="open").count() == 2
    entries = [good, bad | {"amount_cny": Decimal(5_000)}]
    assert len(services.record_results(cast["wangfang"], entries, key="g")) == 2
    services.record_results(cast["wangfang"], entries, key="g")
    assert FollowUp.objects.count() == 2
