"""Run discoveries, publish clusters, save rules and expansions as drafts, and write experts' notes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from django.db import transaction

from kequn.core.errors import Conflict, InvalidSpec, KequnError, NotAllowed, NotMeasurable, Where
from kequn.core.insight.features import check_usable
from kequn.core.spec.base import Text
from kequn.core.spec.discovery import ClusterSearch, LookAlikeSearch
from kequn.core.spec.reading import spec_of
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import publish_together
from kequn.ops.audiences.queries import bank_for, latest_date, latest_segments, members_of
from kequn.ops.audiences.services import keep_list, save_segment
from kequn.ops.governance.services import record
from kequn.ops.insights import states
from kequn.ops.insights.models import Discovery, ExpertNote, NoteVersion
from kequn.ops.insights.queries import (
    current_of,
    defining_tags,
    discovery_for,
    last_column,
    note_for,
    notes_for,
    seeds_for,
)
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import engine, now, runtime
from kequn.ops.tags.queries import catalogue
from kequn.ops.tags.services import save_tag

Progress = Callable[[int, int | None, str], None]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FEWEST_SEEDS = 100
MOST_COMPARED = 60
"""Segments that the clusters are compared with, the newest first."""
LONGEST_NOTE = 4000
BASES = ("rules", "centres")


# -- searching ----------------------------------------------------------------------------------------------------------


def create_discovery(
    actor: Actor, search: ClusterSearch | LookAlikeSearch, *, name: str, title: str, as_of: date | None = None
) -> Discovery:
    """Keep a search that is to be run.

    Raises:
        InvalidSpec, UnknownTag: a name that is none, a tag that is not there or that no model may use.
        NotMeasurable: too few seeds.
    """
    actor.must("discovery.run")
    if not NAME.fullmatch(name):
        raise InvalidSpec(
            f"{name!r} is not a name for a discovery.",
            hint="Use up to 40 lower case letters, digits and underscores, a letter first.",
            where=Where(field="name"),
        )
    check_usable(search.tags, catalogue())
    day = as_of or latest_date()
    engine().tags_query(day, search.tags)  # refuses a tag that was not computed for the date
    if isinstance(search, LookAlikeSearch):
        _enough_seeds(actor, search, day)
    with transaction.atomic():
        row = Discovery.objects.create(
            name=name, title=(title.strip() or name)[:100], search=search, as_of=day, owner_id=actor.user_id,
            owner_name=actor.display_name, branch_path=actor.branch_path, created_at=now(),
        )  # fmt: skip
        record(actor, "discovery.created", row, name=name, kind=search.kind, tags=len(search.tags), as_of=day)
    return row


def request_discovery(
    actor: Actor, search: ClusterSearch | LookAlikeSearch, *, name: str, title: str, as_of: date | None = None
) -> Discovery:
    """Keep a search and queue it. Raises as `create_discovery`."""
    row = create_discovery(actor, search, name=name, title=title, as_of=as_of)
    job = enqueue(actor, "discovery.run", {"discovery": row.pk}, key=f"discovery:{row.pk}")
    Discovery.objects.filter(pk=row.pk).update(job_id=job.pk)
    row.refresh_from_db()
    return row


def run_discovery(actor: Actor, discovery_id: int, *, progress: Progress | None = None) -> Discovery:
    """Search, and keep the answer; "nothing found" is one. A search that has its answer keeps it.

    Raises:
        KequnError: the data do not allow the search; the discovery is marked as failed.
    """
    actor.must("discovery.run")
    row = discovery_for(actor, discovery_id)
    if row.state in (states.FOUND, states.NONE):
        return row
    tell = progress or _quiet
    try:
        search = row.search
        found = _clusters(actor, row, tell) if isinstance(search, ClusterSearch) else _alike(actor, row, tell)
    except KequnError:
        Discovery.objects.filter(pk=row.pk, state=states.QUEUED).update(state=states.FAILED, finished_at=now())
        raise
    shown, model = found
    state = states.FOUND if model is not None else states.NONE
    with transaction.atomic():
        Discovery.objects.filter(pk=row.pk).update(state=state, result=shown, model=model, finished_at=now())
        record(actor, "discovery.finished", row, name=row.name, state=state, finding=shown["finding"])
    row.refresh_from_db()
    return row


def discovery_job(running: Running) -> dict[str, Any]:
    """Do a queued search."""
    row = run_discovery(running.actor, running.params["discovery"], progress=running.progress)
    return {"discovery": row.pk, "state": row.state}


def rename_cluster(actor: Actor, discovery_id: int, code: str, title: Text) -> Discovery:
    """Give a cluster a better name; the published tag has it from the next publication on."""
    actor.must("discovery.run")
    row = discovery_for(actor, discovery_id)
    _cluster(row, code)
    with transaction.atomic():
        locked = Discovery.objects.select_for_update().get(pk=row.pk)
        locked.titles = {**locked.titles, code: {"zh": title.zh[:100], "en": title.en[:100]}}
        locked.save(update_fields=["titles"])
        record(actor, "discovery.renamed", row, code=code, zh=title.zh[:100])
    row.refresh_from_db()
    return row


def _clusters(actor: Actor, row: Discovery, progress: Progress) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from kequn.ops.insights.finding import found_clusters

    earlier = current_of(row.name)
    file = last_column(row.tag) if earlier is not None else None
    before = (earlier.pk, tuple(earlier.model["codes"]), file) if earlier and earlier.model and file else None
    return found_clusters(
        bank_for(actor), row.search, tags=catalogue(), segments=_compared(actor, row), as_of=row.as_of, before=before,
        progress=progress,
    )  # fmt: skip


def _compared(actor: Actor, row: Discovery) -> dict[str, np.ndarray[Any, Any]]:
    """The members of the segments in sight; one that cannot be computed for the date is not compared with."""
    found = {}
    newest = sorted(latest_segments(actor), key=lambda v: v.created_at, reverse=True)
    for version in newest[:MOST_COMPARED]:
        try:
            found[version.name] = members_of(actor, version.spec, as_of=row.as_of)
        except KequnError:
            continue
    return found


def _alike(actor: Actor, row: Discovery, progress: Progress) -> tuple[dict[str, Any], dict[str, Any] | None]:
    from kequn.ops.insights.finding import found_alike

    seeds = seeds_for(actor, row.search, as_of=row.as_of)
    return found_alike(
        bank_for(actor), row.search, seeds, tags=catalogue(), excluded=defining_tags(actor, row.search),
        as_of=row.as_of, progress=progress,
    )  # fmt: skip


def _enough_seeds(actor: Actor, search: LookAlikeSearch, day: date) -> None:
    seeds = len(seeds_for(actor, search, as_of=day))
    if seeds < FEWEST_SEEDS:
        raise NotMeasurable(
            f"{seeds} seeds are too few to learn from.", hint=f"At least {FEWEST_SEEDS} customers are needed.",
            seeds=seeds,
        )  # fmt: skip
    if not set(search.tags) - defining_tags(actor, search):
        raise InvalidSpec(
            "All of these tags are what the seeds were chosen by.",
            hint="Choose tags that do not define the seeds.",
            where=Where(field="tags"),
        )


def _quiet(done: int, total: int | None, message: str) -> None:
    del done, total, message


# -- publishing ---------------------------------------------------------------------------------------------------------


def request_publication(actor: Actor, discovery_id: int, *, basis: str = "", as_of: date | None = None) -> Job:
    """Queue the publication of clusters as a tag on a date (the latest by default). Raises as `publish_clusters`."""
    row, chosen, day = _publishable(actor, discovery_id, basis, as_of)
    params = {"discovery": row.pk, "basis": chosen, "as_of": day.isoformat()}
    return enqueue(actor, "discovery.publish", params, key=f"publish:{row.pk}:{day}")


def publish_clusters(
    actor: Actor, discovery_id: int, *, basis: str = "", as_of: date | None = None, progress: Progress | None = None
) -> Discovery:
    """Make clusters a tag, ``model_cluster_<name>``, with ``…_conf``, of every customer of the bank on a date.

    One definition is in force: the rules where they are faithful, else the nearest centre; ``basis`` may choose the
    other. What was published of this name before, on other dates, stays, and codes are those of the clusters continued.

    Raises:
        NotAllowed: without the right, or not for the whole bank.
        Conflict: nothing was found; or the rules are to be in force and are not faithful.
    """
    from kequn.ops.insights.finding import values_for

    row, chosen, day = _publishable(actor, discovery_id, basis, as_of)
    codes, confidence = values_for(engine(), row.model or {}, as_of=day, basis=chosen, progress=progress or _quiet)
    specs = _tags_of(row, chosen)
    with transaction.atomic():
        Discovery.objects.filter(name=row.name, is_current=True).exclude(pk=row.pk).update(is_current=False)
        Discovery.objects.filter(pk=row.pk).update(
            is_current=True, basis=chosen, published_at=now(), published_by=actor.display_name
        )
        for spec in specs:
            save_tag(actor, spec)
        record(actor, "discovery.published", row, name=row.name, tag=row.tag, basis=chosen, as_of=day)
        given = [(spec, {day: values}) for spec, values in zip(specs, (codes, confidence), strict=True)]
        publish_together(runtime().store, given, now=now())
    row.refresh_from_db()
    return row


def publish_job(running: Running) -> dict[str, Any]:
    """Do a queued publication."""
    day = date.fromisoformat(running.params["as_of"])
    row = publish_clusters(
        running.actor, running.params["discovery"], basis=running.params["basis"], as_of=day, progress=running.progress
    )
    return {"discovery": row.pk, "tag": row.tag, "as_of": day.isoformat()}


def assign_new_date(day: date) -> None:
    """Queue the assignment of customers to every published set of clusters when the tags of a date are there."""
    state = engine().manifest.dates.get(day.isoformat())
    for row in Discovery.objects.filter(is_current=True):
        if state is not None and row.tag not in state.tags and set(row.search.tags) <= set(state.tags):
            request_publication(system_actor(), row.pk, basis=row.basis, as_of=day)


def save_rule(actor: Actor, discovery_id: int, code: str, *, name: str = "") -> Any:
    """Save the rule of a cluster as a draft segment, to be edited, submitted and approved like any other.

    Raises:
        Conflict: the cluster has no rule of its own.
    """
    actor.must("segment.edit")
    row = discovery_for(actor, discovery_id)
    cluster = _cluster(row, code)
    if not cluster["has_rule"]:
        raise Conflict(
            f"No rule was found for the cluster {code!r}.", hint="Publish the clusters as a tag, and test that."
        )
    return save_segment(actor, segment_of(row, code, name=name))


def segment_of(row: Discovery, code: str, *, name: str = "") -> SegmentSpec:
    """Return the rule of a cluster as a segment that is not saved yet.

    Raises:
        InvalidSpec: the name is none.
    """
    cluster = _cluster(row, code)
    fit = f"{cluster['precision'] or 0:.0%} / {cluster['recall'] or 0:.0%}"
    return spec_of({  # type: ignore[return-value]  # of the kind that was asked for
        "kind": "segment",
        "name": name or f"{row.name}_{code}",
        "title": cluster["title"],
        "description": {
            "zh": f"由客群发现“{row.title}”（第 {row.pk} 次，{row.as_of}）的聚类群 {code} 的规则而来，准确率/召回率 {fit}。",
            "en": f"The rule of cluster {code} of discovery {row.pk} ({row.title}, {row.as_of}); precision / recall {fit}.",
        },
        "where": cluster["rule"],
    })  # fmt: skip


def _publishable(actor: Actor, discovery_id: int, basis: str, as_of: date | None) -> tuple[Discovery, str, date]:
    actor.must("discovery.publish")
    if not actor.sees_all_branches:
        raise NotAllowed("A tag is of the whole bank.", hint="Ask head office.", right="discovery.publish")
    row = discovery_for(actor, discovery_id)
    if row.kind != "clusters" or row.state != states.FOUND or not row.result:
        raise Conflict("There are no clusters to publish.", hint="Run a search that finds some.", discovery=row.pk)
    chosen = basis or ("rules" if row.result["is_faithful"] else "centres")
    if chosen not in BASES:
        raise InvalidSpec(
            f"{chosen!r} is no way to assign customers.", hint="rules or centres.", where=Where(field="basis")
        )
    if chosen == "rules" and not row.result["is_faithful"]:
        raise Conflict(
            f"The rules agree with the clusters for {row.result['fidelity']:.0%} of customers, and 85% are needed.",
            hint="Publish by centres.",
            discovery=row.pk,
        )
    return row, chosen, as_of or latest_date()


def _tags_of(row: Discovery, basis: str) -> tuple[TagSpec, TagSpec]:
    """The tag and its confidence, with where they come from."""
    result = row.result or {}
    silhouette, stability = f"{result['silhouette']:.3f}", f"{result['stability']:.3f}"
    by = {"rules": ("规则", "rules"), "centres": ("最近中心", "nearest centre")}[basis]
    given_by = {
        "zh": f"客群发现“{row.title}”第 {row.pk} 次，按{by[0]}归群；轮廓系数 {silhouette}，稳定性 {stability}。",
        "en": f"Discovery {row.pk} ({row.title}), by {by[1]}; silhouette {silhouette}, stability {stability}.",
    }
    plain = {"family": "model", "over": "given", "given_by": given_by, "refresh": "monthly", "retention_days": 730,
             "owner": row.owner_name or "system"}  # fmt: skip
    group = plain | {
        "name": row.tag,
        "title": {"zh": f"聚类群：{row.title}", "en": f"Cluster: {row.title}"},
        "description": given_by,
        "type": "text",
        "values": {c["code"]: c["title"] for c in row.clusters},
    }
    surely = plain | {
        "name": f"{row.tag}_conf",
        "title": {"zh": f"归群置信：{row.title}", "en": f"Confidence in the cluster: {row.title}"},
        "description": given_by,
        "type": "number",
        "bins": [0.1, 0.25, 0.5, 0.75],
    }
    return TagSpec.model_validate(group), TagSpec.model_validate(surely)


def _cluster(row: Discovery, code: str) -> dict[str, Any]:
    found = next((c for c in row.clusters if c["code"] == code), None)
    if found is None:
        raise NotAllowed("There is no such cluster.", cluster=code)
    return found


# -- expansions ---------------------------------------------------------------------------------------------------------


def request_expansion(
    actor: Actor, discovery_id: int, *, n: int, name: str, title: str, purpose: str, expires_on: date
) -> Job:
    """Queue the saving of the ``n`` customers most like the seeds. Raises as `save_expansion`."""
    row = _expandable(actor, discovery_id, n)
    params = {
        "discovery": row.pk, "n": n, "name": name, "title": title, "purpose": purpose,
        "expires_on": expires_on.isoformat(),
    }  # fmt: skip
    return enqueue(actor, "discovery.expand", params, key=f"expand:{row.pk}:{name}")


def save_expansion(
    actor: Actor, discovery_id: int, *, n: int, name: str, title: str, purpose: str, expires_on: date
) -> Any:
    """Keep the ``n`` customers most like the seeds as a list, and a draft segment of those on it. The seeds are left out.

    Raises:
        Conflict: no look-alike was found; the name is in use.
        InvalidSpec: a name that is none; no purpose; an expiry that is past or too far; nobody left to take.
    """
    from kequn.ops.insights.finding import alike

    actor.must("segment.edit")
    row = _expandable(actor, discovery_id, n)
    seeds = seeds_for(actor, row.search, as_of=row.as_of)
    members = alike(bank_for(actor), row.model or {}, n, without=seeds, as_of=row.as_of, seed=row.search.seed)
    described = {
        "zh": f"由客群发现“{row.title}”（第 {row.pk} 次，{row.as_of}）扩展的最相似 {len(members)} 位客户，不含种子。",
        "en": f"The {len(members)} customers most like the seeds of discovery {row.pk} ({row.title}, {row.as_of}), without them.",
    }
    spec = spec_of(
        {
            "kind": "segment", "name": name, "title": title or row.title, "description": described, "where": {"list": name},
        }
    )  # fmt: skip
    with transaction.atomic():  # a segment that cannot be saved leaves no list that keeps the name
        keep_list(
            actor, members, name=name, title=title or row.title, purpose=purpose, expires_on=expires_on,
            origin=f"discovery {row.pk}: {len(members)} most alike, {row.as_of}",
        )  # fmt: skip
        return save_segment(actor, spec)  # type: ignore[arg-type]  # of the kind that was asked for


def expand_job(running: Running) -> dict[str, Any]:
    """Do a queued expansion."""
    given = {k: v for k, v in running.params.items() if k not in ("discovery", "expires_on")}
    version = save_expansion(
        running.actor, running.params["discovery"], expires_on=date.fromisoformat(running.params["expires_on"]), **given
    )
    return {"segment": version.name, "version": version.pk}


def _expandable(actor: Actor, discovery_id: int, n: int) -> Discovery:
    actor.must("discovery.run")
    row = discovery_for(actor, discovery_id)
    if row.kind != "lookalike" or row.state != states.FOUND:
        raise Conflict("There is nothing to expand.", hint="Run a look-alike search first.", discovery=row.pk)
    most = (row.result or {})["customers"] - (row.result or {})["seeds"]
    if not 1 <= n <= most:
        raise InvalidSpec(
            f"{n:,} customers cannot be taken.", hint=f"Between 1 and {most:,}.", where=Where(field="n"), most=most
        )
    return row


# -- notes --------------------------------------------------------------------------------------------------------------


def add_note(
    actor: Actor, subject_kind: str, subject: str, text: str, *, written_by: tuple[int | None, str] | None = None
) -> ExpertNote:
    """Write a note on a segment, a cluster or a discovery, under one's own name, or as given on by its author.

    Args:
        written_by: user id and name of the author, where the actor takes over what another said.

    Raises:
        InvalidSpec: no text, or more than 4,000 characters.
        NotAllowed: the thing is not in sight.
    """
    actor.must("note.write")
    notes_for(actor, subject_kind, subject)
    said = _said(text)
    author_id, author_name = written_by or (actor.user_id, actor.display_name)
    with transaction.atomic():
        row = ExpertNote.objects.create(
            subject_kind=subject_kind, subject=subject, text=said, author_id=author_id,
            author_name=author_name, branch_path=actor.branch_path, created_at=now(),
        )  # fmt: skip
        NoteVersion.objects.create(note=row, text=said, at=now())
        record(actor, "note.written", row, about=f"{subject_kind} {subject}")
    return row


def edit_note(actor: Actor, note_id: int, text: str) -> ExpertNote:
    """Change one's own note; what it said before stays readable."""
    actor.must("note.write")
    row, said = note_for(actor, note_id), _said(text)
    if said == row.text:
        return row
    with transaction.atomic():
        ExpertNote.objects.filter(pk=row.pk).update(text=said, edited_at=now())
        NoteVersion.objects.create(note=row, text=said, at=now())
        record(actor, "note.edited", row)
    row.refresh_from_db()
    return row


def remove_note(actor: Actor, note_id: int) -> None:
    """Take one's own note away; doing it twice is no error."""
    actor.must("note.write")
    with transaction.atomic():
        mine = ExpertNote.objects.filter(pk=note_id, author_id=actor.user_id)
        if not mine.exists():
            raise NotAllowed("There is no such note of yours.", note=note_id)
        if mine.filter(is_removed=False).update(is_removed=True):
            record(actor, "note.removed", ("expertnote", note_id))


def _said(text: str) -> str:
    said = text.replace("\x00", "").strip()
    if not 0 < len(said) <= LONGEST_NOTE:
        raise InvalidSpec(
            "A note needs text." if not said else f"A note has at most {LONGEST_NOTE:,} characters.",
            hint="Write what you know of these customers.",
            where=Where(field="text"),
        )
    return said
