"""Work for the machine: leases, crashes, owners who left, and who sees which job."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kequn.core.errors import NotAllowed
from kequn.ops import runtime
from kequn.ops.jobs import lease, queries, services
from kequn.ops.jobs.models import Job
from kequn.ops.orgs.models import User
from tests.ops.bank import Cast


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Register work of the kind ``test``; its body is the entry ``do``."""
    body: dict[str, Any] = {"do": lambda running: {}}
    services.register("test", lambda running: body["do"](running))  # noqa: PLW0108 - tests put the body in later
    yield body
    services._handlers.pop("test")


@pytest.mark.django_db(transaction=True)
def test_a_long_step_that_reports_nothing_keeps_its_lease(
    cast: Cast, handler: dict[str, Any], bank_runtime: runtime.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", timedelta(seconds=0.05))
    start, began = runtime.now(), time.monotonic()
    bank_runtime.clock = lambda: start + 100 * timedelta(seconds=time.monotonic() - began)
    seen: list[bool] = []

    def long(running: services.Running) -> dict[str, Any]:
        time.sleep(2)  # more than three minutes by the bank's clock: three leases
        row = Job.objects.get(pk=running.job_id)
        seen.append(row.lease_until is not None and row.lease_until > runtime.now())
        return {}

    handler["do"] = long
    services.enqueue(cast["zhaomin"], "test", {})
    done = services.run_next()
    assert seen == [True]
    assert done is not None
    assert (done.state, done.attempts) == ("done", 1)
    assert not [t for t in threading.enumerate() if t.name == f"lease {done.pk}"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lost_its_job_does_not_renew_the_lease_of_another(
    cast: Cast, handler: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT", timedelta(seconds=0.02))
    until = runtime.now() + timedelta(hours=5)

    def taken(running: services.Running) -> dict[str, Any]:
        Job.objects.filter(pk=running.job_id).update(token="another", lease_until=until)
        time.sleep(0.2)
        return {"of": "the first"}

    handler["do"] = taken
    job = services.enqueue(cast["zhaomin"], "test", {})
    services.run_next()
    job.refresh_from_db()
    assert (job.state, job.token, job.lease_until, job.result) == ("running", "another", until, None)


@pytest.mark.django_db
def test_the_job_of_somebody_who_was_shut_out_fails_and_the_worker_goes_on(cast: Cast, handler: dict[str, Any]) -> None:
    job = services.enqueue(cast["sunli"], "test", {})
    User.objects.filter(username="sunli").update(is_active=False)
    services.run_next()
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.error["code"] == "not_allowed"


@pytest.mark.django_db
def test_a_crash_tells_its_kind_and_not_what_it_quotes(cast: Cast, handler: dict[str, Any]) -> None:
    def crash(running: services.Running) -> dict[str, Any]:
        raise ValueError("could not convert '13912345678'")

    handler["do"] = crash
    job = services.enqueue(cast["zhaomin"], "test", {})
    services.run_next()
    job.refresh_from_db()
    assert job.state == "failed"
    assert "ValueError" in job.error["message"]
    assert "139" not in str(job.error)


@pytest.mark.django_db
def test_jobs_of_other_branches_are_out_of_sight(cast: Cast, handler: dict[str, Any]) -> None:
    branch = User.objects.get(username="liqiang").branch
    User.objects.create(username="local", display_name="本地", role="marketer", branch=branch, password="!")
    local = User.objects.get(username="local").actor()
    theirs = services.enqueue(cast["zhaomin"], "test", {"of": "head office"})
    own = services.enqueue(local, "test", {"of": "0001"})
    assert [j.pk for j in queries.jobs_for(local)] == [own.pk]
    assert {j.pk for j in queries.jobs_for(cast["sunli"])} == {theirs.pk, own.pk}
    with pytest.raises(NotAllowed):
        services.cancel_job(replace(local, role="admin"), theirs.pk)
