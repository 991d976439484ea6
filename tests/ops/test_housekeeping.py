"""What the worker tidies once a business day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from kequn.core.errors import StoreBusy
from kequn.ops import runtime
from kequn.ops.audiences.models import Export, UploadedList
from kequn.ops.campaigns import services
from kequn.ops.workbench.models import Task
from kequn.server import housekeeping
from kequn.server.housekeeping import Housekeeping
from kequn.server.worker import Worker
from tests.ops.bank import Cast, approved_campaign, customer_id

pytestmark = pytest.mark.django_db


def test_what_is_over_is_ended_when_the_banks_day_begins(
    definitions: None, bank_runtime: runtime.Runtime, cast: Cast
) -> None:
    campaign = approved_campaign(cast)
    services.freeze_campaign(cast["zhaomin"], campaign.pk)
    services.launch_campaign(cast["zhaomin"], campaign.pk)
    start = runtime.now()
    Task.objects.create(
        key="t", customer_id=customer_id(0), staff_no="R001", branch_code="0001", kind="campaign", channel="call",
        title_zh="任务", due_at=start + timedelta(days=5), created_at=start, priority=60,
    )  # fmt: skip
    counts = {"rows": 1, "matched": 1, "unmatched": 0, "duplicates": 0}
    UploadedList.objects.create(
        name="vips", title="名单", purpose="测试", file_name="a.csv", content_hash="x", branch_path="/HO/",
        created_at=start, expires_on=date(2026, 7, 20), **counts,
    )  # fmt: skip
    file = runtime.runtime().store.path("exports/1.xlsx")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")
    Export.objects.create(
        kind="members", subject="1", format="xlsx", purpose="测试", file="exports/1.xlsx", created_at=start,
        expires_at=start + timedelta(hours=24),
    )  # fmt: skip
    chores = Housekeeping()
    chores()
    campaign.refresh_from_db()
    assert (campaign.state, Task.objects.get(key="t").state) == ("running", "open")
    assert file.exists()
    bank_runtime.clock = lambda: datetime(2026, 7, 31, 16, 5, tzinfo=UTC)  # 00:05 on 1 August in Shanghai
    chores()
    campaign.refresh_from_db()
    assert (campaign.state, Task.objects.get(key="t").state) == ("finished", "expired")
    assert UploadedList.objects.get().is_removed
    assert Export.objects.get().file == ""
    assert not file.exists()


def test_a_chore_that_fails_is_tried_again_and_holds_up_no_other(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def busy(actor: object) -> int:
        done.append("busy")
        if done.count("busy") == 1:
            raise StoreBusy("A load is writing.")
        return 0

    def other(actor: object) -> int:
        done.append("other")
        return 0

    monkeypatch.setattr(housekeeping, "CHORES", (busy, other))
    chores = Housekeeping()
    for _ in range(3):
        chores()
    assert done == ["busy", "other", "busy", "other"]


def test_the_worker_that_runs_jobs_keeps_house() -> None:
    assert "housekeeping" in {name for name, _, _ in Worker(sending=False)._loops}
    assert "housekeeping" not in {name for name, _, _ in Worker(jobs=False)._loops}
