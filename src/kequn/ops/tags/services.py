"""Add the bank's own tags and compute tags for a business date."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import date
from typing import Any

from django.db import transaction

from kequn.core.errors import Conflict, NoData, UnknownTag
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import (
    check_catalogue,
    days_in_state,
    declared_bins,
    fold,
    folding_is_due,
    near_tag,
    publish_values,
    refresh,
    unavailable,
)
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now, runtime
from kequn.ops.tags.models import Refresh, TagVersion
from kequn.ops.tags.queries import catalogue, users_of, without

DAYS_IN_STAGE = "life_days_in_stage"
Progress = Callable[[int, int | None, str], None]
Followed = Callable[[date], None]
_followers: dict[str, Followed] = {}


def on_refresh(source: str, follow: Followed) -> None:
    """Say what happens when the tags of a business date were published; called by an app when it is ready."""
    _followers[source] = follow


def save_tag(actor: Actor, spec: TagSpec) -> TagVersion:
    """Make ``spec`` the current definition of its tag; values change from the next refresh on.

    Raises:
        KequnError: the expression is refused, or the tag would close a ring.
    """
    actor.must("tag.edit")
    check_catalogue(catalogue() | {spec.name: spec})
    fingerprint = spec.fingerprint()
    current = TagVersion.objects.filter(name=spec.name, is_current=True).first()
    if current is not None and current.fingerprint == fingerprint and current.spec == spec:
        return current
    with transaction.atomic():
        TagVersion.objects.filter(name=spec.name, is_current=True).update(is_current=False)
        version = TagVersion.objects.create(
            name=spec.name, fingerprint=fingerprint, spec=spec, saved_by=actor.username, saved_at=now()
        )
        record(actor, "tag.saved", version, name=spec.name, fingerprint=fingerprint)
    return version


def latest_data_date() -> date:
    """Return the latest business date for which balances were loaded: what "today" means for tags.

    Raises:
        NoData: nothing was loaded.
    """
    tables = runtime().store.manifest().tables
    dates = [
        state.as_of for name, state in tables.items() if state.as_of and name in ("holding", "transaction", "event")
    ]
    if "holding" in tables and tables["holding"].as_of:
        return tables["holding"].as_of
    if not dates:
        raise NoData("No balances or transactions were loaded.", hint="Run `kequn load` first, or name a date.")
    return max(dates)


def request_refresh(actor: Actor, *, as_of: date | None = None) -> Job:
    """Queue the computation of all tags for a date (the latest of the data by default)."""
    actor.must("tag.refresh")
    day = (as_of or latest_data_date()).isoformat()
    return enqueue(actor, "tag.refresh", {"as_of": day}, key=day)


def refresh_tags(
    actor: Actor,
    *,
    as_of: date | None = None,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Refresh:
    """Compute tags for a business date and publish them together; those whose data were not loaded are named, not guessed."""
    actor.must("tag.refresh")
    day = as_of or latest_data_date()
    started = time.monotonic()
    specs = catalogue()
    missing = unavailable(specs, runtime().store.manifest())
    wanted = {n: s for n, s in specs.items() if missing.get(n, "given") == "given"}
    report = refresh(
        runtime().store, wanted, as_of=day, now=now(), only=only, progress=progress,
        **({"cancelled": cancelled} if cancelled else {}),
    )  # fmt: skip
    if "life_stage" in report.computed:
        _keep_days_in_stage(day)
    manifest = runtime().store.manifest()
    state = manifest.dates[day.isoformat()]
    with transaction.atomic():
        row = Refresh.objects.create(
            as_of=day, n_tags=len(state.tags), n_customers=state.customers, seconds=time.monotonic() - started,
            unavailable=missing, failed={n: str(e) for n, e in report.failed.items()}, version=manifest.version,
            started_by=actor.username, finished_at=now(),
        )  # fmt: skip
        record(actor, "tag.refreshed", row, as_of=day, tags=len(report.computed), unavailable=len(missing))
    for follow in _followers.values():
        follow(day)
    if folding_is_due(runtime().store):
        enqueue(actor, "tag.fold", {}, key=day.isoformat())
    return row


def fold_tags(actor: Actor, *, everything: bool = False) -> tuple[str, ...]:
    """Put the changes of the latest date's tags into columns of their own where they have become many, or all of them.

    Values stay as they are: questions are answered faster afterwards. Returns the tags.

    Raises:
        StoreBusy: another load or refresh is writing.
    """
    actor.must("tag.refresh")
    names = fold(runtime().store, now=now(), everything=everything, cuts=declared_bins(catalogue()))
    if names:
        with transaction.atomic():
            record(actor, "tag.folded", ("tag", "*"), tags=len(names))
    return names


def remove_tag(actor: Actor, name: str) -> None:
    """Take a tag of the bank's own out of the catalogue; where it stood in a shipped one's place, that one serves again.

    Raises:
        UnknownTag: the bank has no tag of that name of its own.
        Conflict: something uses it, and no shipped tag of the name remains; the message names what.
    """
    actor.must("tag.edit")
    row = TagVersion.objects.filter(name=name, is_current=True).first()
    if row is None:
        hint = (
            "Shipped tags, and those in the bank's folders, stay."
            if name in catalogue()
            else near_tag(name, catalogue())
        )
        raise UnknownTag(f"No tag {name!r} was added through kequn.", hint=hint, tag=name)
    left = without(name)
    users = users_of(name)
    if users and name not in left:
        named = ", ".join(f"{u.kind} {u.name}" for u in users)
        raise Conflict(f"Tag {name!r} is used by {named}.", hint="Change those first.", tag=name, users=named)
    check_catalogue(left)
    with transaction.atomic():
        TagVersion.objects.filter(pk=row.pk).update(is_current=False)
        record(actor, "tag.removed", row, name=name, fingerprint=row.fingerprint)


def _keep_days_in_stage(day: date) -> None:
    """Hand in the days in the lifecycle stage on a date and on those after it, whose runs may now reach further back."""
    spec = catalogue().get(DAYS_IN_STAGE)
    if spec is None or spec.over != "given":
        return
    store, manifest = runtime().store, runtime().store.manifest()
    dates = [
        date.fromisoformat(d) for d, s in manifest.dates.items() if d >= day.isoformat() and "life_stage" in s.tags
    ]
    publish_values(store, spec, {d: days_in_state(store, manifest, "life_stage", d) for d in dates}, now=now())


def refresh_job(running: Running) -> dict[str, Any]:
    """Do a queued refresh."""
    row = refresh_tags(
        running.actor, as_of=date.fromisoformat(running.params["as_of"]), progress=running.progress,
        cancelled=running.cancelled,
    )  # fmt: skip
    return {"as_of": str(row.as_of), "tags": row.n_tags, "customers": row.n_customers}


def fold_job(running: Running) -> dict[str, Any]:
    """Do a queued folding, after a refresh that published its changes."""
    return {"tags": len(fold_tags(running.actor))}
