"""Define sources and load them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.db import transaction

from kequn.core.data.load import LoadReport, load_source
from kequn.core.data.mapping import check_source
from kequn.core.data.quality import CheckResult, ChecksFailed, PastLoad, check_quality
from kequn.core.errors import BadSource, KequnError
from kequn.core.spec.source import SourceSpec
from kequn.ops.customers.services import store_people
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Job, Running, as_facts, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.services import sync_branches, sync_staff
from kequn.ops.runtime import engine, now, runtime
from kequn.ops.sources.models import Load, SourceVersion
from kequn.ops.sources.queries import source_for, sources_for

Progress = Callable[[int, int | None, str], None]
PREVIOUS = 60
"""Good loads that checks may look back on."""


def save_source(actor: Actor, spec: SourceSpec) -> SourceVersion:
    """Make ``spec`` the current definition of its source; saving the same again changes nothing.

    Raises:
        KequnError: an unknown table or column, or an expression that is refused.
    """
    actor.must("source.edit")
    check_source(spec)
    check_quality(spec)
    fingerprint = spec.fingerprint()
    current = SourceVersion.objects.filter(name=spec.name, is_current=True).first()
    if current is not None and current.fingerprint == fingerprint and current.spec == spec:
        return current
    with transaction.atomic():
        SourceVersion.objects.filter(name=spec.name, is_current=True).update(is_current=False)
        version = SourceVersion.objects.create(
            name=spec.name, fingerprint=fingerprint, spec=spec, saved_by=actor.username, saved_at=now()
        )
        record(actor, "source.saved", version, name=spec.name, fingerprint=fingerprint)
    return version


def request_load(actor: Actor, name: str) -> Job:
    """Queue the load of one source; a load of it that waits or runs is returned instead of a second one."""
    actor.must("source.load")
    source_for(actor, name)
    return enqueue(actor, "source.load", {"source": name}, key=name)


def run_load(
    actor: Actor,
    name: str,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Load:
    """Load one source now; the row says what came of it, also when it failed.

    Raises:
        KequnError: as the loader says; the previous data go on serving.
    """
    actor.must("source.load")
    spec = source_for(actor, name)
    # a load whose process was killed can no longer say so itself
    Load.objects.filter(source=name, state=Load.State.RUNNING).update(
        state=Load.State.FAILED,
        error={"code": "interrupted", "message": "The process ended before the load did."},
        finished_at=now(),
    )
    row = Load.objects.create(
        load_id=uuid.uuid4().hex, source=name, fingerprint=spec.fingerprint(), table=spec.table,
        started_by=actor.username, started_at=now(),
    )  # fmt: skip
    try:
        report = load_source(
            runtime().store,
            spec,
            folder=folder or runtime().data_folder,
            key=runtime().pseudonym_key,
            now=now(),
            load_id=row.load_id,
            people=lambda batch: _people(actor, batch, row.load_id),
            progress=progress,
            dsn=_dsn,
            previous=_previous(name),
            **({"cancelled": cancelled} if cancelled else {}),
        )
        if spec.table in ("branch", "staff") and not report.unchanged:
            _sync(spec.table)
    except KequnError as error:
        _failed(actor, row, as_facts(error), checks=error.results if isinstance(error, ChecksFailed) else ())
        raise
    except BaseException as error:
        # the words of a strange error may quote a row: they stay in the worker's log
        _failed(actor, row, {"code": "crash", "message": f"{type(error).__name__}: see the worker's log."})
        raise
    _finished(actor, row, report)
    return Load.objects.get(pk=row.pk)


def run_all(actor: Actor, *, folder: Path | None = None, progress: Progress | None = None) -> list[Load]:
    """Load every source, those first that others refer to; stop at the first that fails."""
    return [run_load(actor, spec.name, folder=folder, progress=progress) for spec in sources_for(actor)]


def load_job(running: Running) -> dict[str, Any]:
    """Do a queued load."""
    load = run_load(running.actor, running.params["source"], progress=running.progress, cancelled=running.cancelled)
    return {"load_id": load.load_id, "read": load.n_read, "loaded": load.n_loaded, "rejected": load.n_rejected}


def _finished(actor: Actor, row: Load, report: LoadReport) -> None:
    with transaction.atomic():
        Load.objects.filter(pk=row.pk).update(
            state=Load.State.UNCHANGED if report.unchanged else Load.State.LOADED,
            n_read=report.read, n_loaded=report.loaded, n_rejected=report.rejected, n_skipped=report.skipped,
            totals={c: [str(v) for v in pair] for c, pair in report.totals.items()},
            reasons=dict(report.reasons), as_of=report.as_of, seconds=report.seconds, finished_at=now(),
            checks=[asdict(result) for result in report.checks], columns=report.columns,
        )  # fmt: skip
        record(
            actor, "source.loaded", ("load", row.load_id), source=row.source, read=report.read, loaded=report.loaded,
            rejected=report.rejected, unchanged=report.unchanged,
            failed_checks=sum(result.passed is False for result in report.checks),
        )  # fmt: skip


def _failed(actor: Actor, row: Load, error: dict[str, Any], *, checks: Sequence[CheckResult] = ()) -> None:
    facts = error.get("facts", {})
    counts = {f"n_{k}": int(facts[k]) for k in ("read", "rejected") if str(facts.get(k, "")).isdigit()}
    with transaction.atomic():
        Load.objects.filter(pk=row.pk).update(
            state=Load.State.FAILED, error=error, finished_at=now(), checks=[asdict(r) for r in checks], **counts
        )
        record(actor, "source.load_failed", ("load", row.load_id), source=row.source, code=error["code"])


def _previous(name: str) -> list[PastLoad]:
    """The last good loads of a source, the newest first, for checks that compare."""
    rows = Load.objects.filter(source=name, state=Load.State.LOADED)[:PREVIOUS]
    return [
        PastLoad(row.n_loaded, {c: Decimal(pair[1]) for c, pair in row.totals.items()}, row.columns) for row in rows
    ]


def _people(actor: Actor, batch: pa.RecordBatch, load_id: str) -> None:
    store_people(actor, batch.to_pylist(), load_id=load_id)


def _sync(table: str) -> None:
    rows = engine().arrow(f'SELECT * FROM "{table}"').to_pylist()
    (sync_branches if table == "branch" else sync_staff)(rows)


def _dsn(variable: str) -> str:
    value = runtime().secret(variable)  # the spec names the variable, so that no secret stands in a file
    if not value:
        raise BadSource(f"The environment variable {variable} is not set.", hint="Set it to the database's address.")
    return value
