"""Segments, their size and members, uploaded lists and exports, within an actor's scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from django.db.models import Q, QuerySet

from kequn.core import segments as rules
from kequn.core.engine.duck import Engine, literal, quoted
from kequn.core.errors import Conflict, KequnError, NoData, NotAllowed, UnknownSegment, UnknownTag
from kequn.core.gate import CHANNELS, Candidates, Facts, contactable, decide, unknown_facts
from kequn.core.segments import (
    Overlap,
    history,
    lists_in,
    members,
    members_sql,
    overlap,
    segments_in,
    settled,
    tables_in,
    tags_in,
    understand,
)
from kequn.core.spec.base import Text
from kequn.core.spec.campaign import ContactPolicySpec
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import contactability, dictionary, states
from kequn.ops.audiences.contracts import Member, MembersPage, SegmentContactable, SegmentPreview
from kequn.ops.audiences.kept import members_kept
from kequn.ops.audiences.models import Export, SegmentVersion, UploadedList
from kequn.ops.audiences.values import shown_value, tag_values, tags_of_one
from kequn.ops.catalog.queries import policy as contact_policy
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.runtime import engine, now, runtime
from kequn.ops.tags.contracts import TagUser
from kequn.ops.tags.queries import catalogue, tables_of, versions_within

__all__ = [
    "OPEN_TALK", "Ordinals", "bank_for", "bank_today", "changed", "check_segment", "checked", "closure", "contactable_segment",
    "customer_ids", "dates", "definitions_within", "draft_sql", "draft_words", "export_for", "exports_for", "facts_about",
    "kept_key", "kept_on", "latest_date", "latest_segments",
    "list_for", "lists_for", "lists_within", "members_of", "members_page", "ordinals", "overlap_of",
    "pinned_segments", "preview_segment", "reaches", "scope_key", "scope_ordinals", "scope_sql", "scope_values", "segment_for",
    "segment_named", "segment_specs", "segments_for", "shown_value", "sql_for", "tables_within", "tag_values", "tags_of_one",
    "tags_within", "usable_lists", "versions_of",
]  # fmt: skip

MOST_ON_A_PAGE = 200
LONGEST_KEY = 64
Ordinals = dictionary.Ordinals
OPEN_TALK = contactability.OPEN_TALK


# -- definitions --------------------------------------------------------------------------------------------------------


def segments_for(actor: Actor, *, state: str | None = None) -> QuerySet[SegmentVersion]:
    """Return all versions an actor sees: those of her branches and of the branches above her."""
    actor.must("segment.view")
    rows = SegmentVersion.objects.filter(_in_sight(actor))
    return rows.filter(state=state) if state else rows


def _in_sight(actor: Actor) -> Q:
    """What belongs to the actor's branches, or to one above them."""
    parts = actor.branch_path.strip("/").split("/")
    above = ["/", *("/" + "/".join(parts[:n]) + "/" for n in range(1, len(parts) + 1))]
    return Q() if actor.sees_all_branches else Q(branch_path__in=above) | Q(branch_path__startswith=actor.branch_path)


def latest_segments(actor: Actor) -> list[SegmentVersion]:
    """Return the newest version of each segment that was not retired, by name."""
    newest: dict[str, SegmentVersion] = {}
    for row in segments_for(actor).exclude(state=states.RETIRED):
        newest.setdefault(row.name, row)
    return list(newest.values())


def segment_for(actor: Actor, version_id: int) -> SegmentVersion:
    """Return one version.

    Raises:
        NotAllowed: not there, or not within the actor's sight; the two look the same.
    """
    row = segments_for(actor).filter(pk=version_id).first()
    if row is None:
        raise NotAllowed("There is no such segment in your scope.", version=version_id)
    return row


def segment_named(actor: Actor, name: str) -> SegmentVersion:
    """Return the version of a name that is in use, else the newest.

    Raises:
        UnknownSegment: there is none such.
    """
    rows = segments_for(actor).filter(name=name).exclude(state=states.RETIRED)
    row = rows.filter(is_current=True).first() or rows.order_by("-id").first()
    if row is None:
        raise UnknownSegment(f"There is no segment {name!r}.", hint="See `kequn segment list`.", segment=name)
    return row


def versions_of(actor: Actor, name: str) -> QuerySet[SegmentVersion]:
    """Return the history of one segment, the newest first."""
    return segments_for(actor).filter(name=name).order_by("-id")


def segment_specs(*, approved_only: bool = False) -> dict[str, SegmentSpec]:
    """Return the segments that a rule may refer to, by name: the approved version, else the newest."""
    rows = SegmentVersion.objects.exclude(state=states.RETIRED).order_by("id")
    found: dict[str, SegmentSpec] = {} if approved_only else {row.name: row.spec for row in rows}
    return found | {row.name: row.spec for row in rows if row.is_current}


def pinned_segments(fingerprints: Mapping[str, str]) -> dict[str, SegmentSpec]:
    """Return the versions of segments that something pinned, by name; one that is no longer there is left out."""
    rows = SegmentVersion.objects.filter(name__in=fingerprints, fingerprint__in=fingerprints.values())
    return {row.name: row.spec for row in rows if fingerprints[row.name] == row.fingerprint}


def closure(spec: SegmentSpec, segments: Mapping[str, SegmentSpec]) -> dict[str, str]:
    """Return name -> fingerprint of a segment and of every segment it refers to, however deep."""
    within = segments_in(understand(spec, tags=catalogue(), segments=segments))
    return {spec.name: spec.fingerprint()} | {name: segments[name].fingerprint() for name in sorted(within)}


def lists_within(spec: SegmentSpec, segments: Mapping[str, SegmentSpec]) -> dict[str, str]:
    """Return name -> hash of the content of every uploaded list that a segment refers to, however deep."""
    names = lists_in(understand(spec, tags=catalogue(), segments=segments))
    return dict(UploadedList.objects.filter(name__in=names).values_list("name", "content_hash"))


def definitions_within(
    spec: SegmentSpec, segments: Mapping[str, SegmentSpec] | None = None
) -> dict[str, dict[str, str]]:
    """Return kind -> name -> fingerprint of all that decides, besides the data, who belongs to a segment.

    That is the segment and those it refers to, the tags they read with those these are made of, and uploaded lists,
    by their content. A kind of which there is none is left out. The segments it may refer to are those there are now, unless
    others are given.
    """
    segments = segment_specs() | {spec.name: spec} if segments is None else segments
    found = {
        "segment": closure(spec, segments),
        "tag": versions_within(tags_within(spec, segments)),
        "list": lists_within(spec, segments),
    }
    return {kind: names for kind, names in found.items() if names}


def changed(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Return (kind, name) of the definitions that are another version than before, or no longer there, or new."""
    return sorted(
        (kind, name)
        for kind in {*before, *after}
        for name in {*before.get(kind, {}), *after.get(kind, {})}
        if before.get(kind, {}).get(name) != after.get(kind, {}).get(name)
    )


def check_segment(spec: SegmentSpec) -> dict[str, SegmentSpec]:
    """Refuse a rule that names what is not there; return the segments that it may refer to, itself among them.

    Raises:
        KequnError: an unknown tag, segment or list, a wrong value for a tag, or segments in a ring; with the field's path.
    """
    return checked(spec)[1]


def checked(spec: SegmentSpec) -> tuple[rules.Rule, dict[str, SegmentSpec]]:
    """Return the rule of a segment, and the segments that it may refer to. Raises as `check_segment`."""
    others = segment_specs() | {spec.name: spec}
    return rules.check(spec, tags=catalogue(), segments=others, lists=usable_lists()), others


def sql_for(actor: Actor, version_id: int, *, as_of: date | None = None, dialect: str = "duckdb") -> str:
    """Return the SELECT a segment stands for, to be read."""
    return draft_sql(actor, segment_for(actor, version_id).spec, as_of=as_of, dialect=dialect)


def draft_sql(actor: Actor, spec: SegmentSpec, *, as_of: date | None = None, dialect: str = "duckdb") -> str:
    """Return the SELECT of a segment being written."""
    actor.must("segment.view")
    day, others = as_of or latest_date(), segment_specs() | {spec.name: spec}
    known = engine().manifest.dates
    computed = [date.fromisoformat(text) for text in known] if day.isoformat() in known else None
    return members_sql(spec, tags=catalogue(), segments=others, as_of=day, dialect=dialect, dates=computed)


def draft_words(actor: Actor, spec: SegmentSpec) -> dict[str, str]:
    """Return a segment being written as one sentence, by language. Raises as `check_segment`."""
    actor.must("segment.view")
    others = check_segment(spec)
    return {lang: rules.in_words(spec, tags=catalogue(), segments=others, language=lang) for lang in ("zh", "en")}


# -- the bank within an actor's scope -----------------------------------------------------------------------------------


def bank_for(actor: Actor) -> Engine:
    """Return the engine whose bank is what the actor reaches: an RM her book, others their branches."""
    bank = engine()
    scope = _scope_query(actor, bank)
    return bank.within(scope) if scope else bank


def reaches(actor: Actor, ordinal: int) -> bool:
    """Return whether a customer is within the actor's scope."""
    bank = engine()
    scope = _scope_query(actor, bank) or "SELECT ordinal FROM customer"
    return bank.has("customer") and bool(bank.rows(f"SELECT 1 FROM ({scope}) WHERE ordinal = ?", [ordinal]))


def scope_key(actor: Actor) -> str:
    """Return what tells one scope from another, in at most 64 characters; empty for the whole bank."""
    if actor.role == "rm":
        return f"rm:{actor.staff_no}"
    if actor.sees_all_branches:
        return ""
    key = f"branch:{actor.branch_path}"
    return key if len(key) <= LONGEST_KEY else f"branch#{blake2b(key.encode(), digest_size=16).hexdigest()}"


def scope_ordinals(actor: Actor) -> Ordinals | None:
    """Return the sorted ordinals an actor reaches; ``None`` for the whole bank."""
    bank = engine()
    scope = _scope_query(actor, bank)
    if not scope:
        return None
    return np.asarray(bank.columns(f"SELECT DISTINCT ordinal FROM ({scope}) ORDER BY 1")["ordinal"], dtype=np.uint32)


def latest_date() -> date:
    """Return the latest business date with tags.

    Raises:
        NoData: no tags were computed yet.
    """
    dates = engine().manifest.dates
    if not dates:
        raise NoData("No tags were computed yet.", hint="Run `kequn tag refresh`.")
    return date.fromisoformat(max(dates))


def dates() -> list[date]:
    """Return the business dates with tags, the latest first."""
    return [date.fromisoformat(day) for day in sorted(engine().manifest.dates, reverse=True)]


def scope_values(actor: Actor) -> tuple[str, list[str]] | None:
    """Return the column of the customer table that limits an actor, and its values; ``None`` for the whole bank."""
    if actor.role != "rm" and actor.sees_all_branches:
        return None
    if actor.role == "rm":
        return "rm_no", [actor.staff_no] if actor.staff_no else []
    return "branch_code", sorted(value for value in branch_codes_for(actor) or [] if value)


def scope_sql(scope: tuple[str, list[str]] | None, bank: Engine) -> str:
    """Return the SELECT of ordinals that ``scope_values`` stands for; empty for the whole bank."""
    if scope is None:
        return ""
    column, values = scope
    if column not in ("rm_no", "branch_code"):
        raise ValueError(f"not a column that limits an actor: {column!r}")
    if not values or not bank.has("customer"):
        return "SELECT 0::UINTEGER AS ordinal WHERE FALSE"
    return f"SELECT ordinal FROM customer WHERE {column} IN ({', '.join(literal(v) for v in values)})"


def _scope_query(actor: Actor, bank: Engine) -> str:
    return scope_sql(scope_values(actor), bank)


# -- what a segment is --------------------------------------------------------------------------------------------------


def preview_segment(actor: Actor, what: SegmentSpec | int, *, as_of: date | None = None) -> SegmentPreview:
    """Return size, funnel and words of a segment, saved or being written, on one date (the latest by default).

    Raises:
        KequnError: as `check_segment`; ``NoData`` where the date has no tags.
    """
    actor.must("segment.view")
    spec = what if isinstance(what, SegmentSpec) else segment_for(actor, what).spec
    rule, _ = checked(spec)
    day = as_of or latest_date()
    found = rules.preview_rule(bank_for(actor), rule, as_of=day, past=kept_on)
    return SegmentPreview(
        as_of=day,
        size=found.size,
        bank=found.customers,
        steps=found.steps,
        unknown=found.unknown,
        words_zh=rules.rule_in_words(rule, "zh", whole=True),
        words_en=rules.rule_in_words(rule, "en", whole=True),
        step_words=tuple(
            Text(**{each: rules.rule_in_words(step, each, whole=False) for each in ("zh", "en")})
            for step in rules.steps(rule)
        ),
        is_scoped=bool(scope_key(actor)),
    )


def members_of(actor: Actor, spec: SegmentSpec, *, as_of: date) -> Ordinals:
    """Return the sorted ordinals of a segment's members within the actor's scope; the arrays asked for last are kept."""
    (rule, segments), bank = checked(spec), bank_for(actor)
    pinned = {name: segments[name].fingerprint() for name in sorted({spec.name, *segments_in(rule)})}
    key = (
        str(bank.store.root),
        bank.manifest.version,
        as_of,
        scope_key(actor),
        tuple(pinned.items()),
        kept_key(rule, as_of),
    )
    found = members_kept.get(key)
    if found is not None:
        return found
    found = members(bank, spec, tags=catalogue(), segments=segments, as_of=as_of, past=kept_on)
    return members_kept.put(key, found)


def kept_on(name: str, on: date) -> Ordinals | None:
    """Return who belonged to a segment on a date as it was kept then, of the whole bank; ``None`` where it was not."""
    try:
        return history.members_on(runtime().store, name, on)
    except NoData:
        return None


def kept_key(rule: rules.Rule, as_of: date) -> str:
    """Return what tells the members kept of earlier days that a rule asks about from others; empty where it asks about none."""
    if not rules.asks_members(rule):
        return ""
    dates = frozenset(map(date.fromisoformat, engine().manifest.dates))
    return rules.past_key(settled(rule, as_of, dates=dates), kept_on)


def overlap_of(actor: Actor, version_ids: Sequence[int], *, as_of: date | None = None) -> Overlap:
    """Return how many customers each two of several segments share.

    Raises:
        Conflict: more than 12 segments.
    """
    if len(version_ids) > 12:
        raise Conflict("At most 12 segments are compared at a time.", hint="Choose fewer.")
    specs = [segment_for(actor, version_id).spec for version_id in version_ids]
    others = segment_specs() | {spec.name: spec for spec in specs}
    day = as_of or latest_date()
    return overlap(bank_for(actor), specs, tags=catalogue(), segments=others, as_of=day, past=kept_on)


def members_page(
    actor: Actor,
    version_id: int,
    *,
    as_of: date | None = None,
    page: int = 1,
    size: int = 50,
    tags: Sequence[str] = (),
    order_by: str = "",
) -> MembersPage:
    """Return one page of members with some tags, ordered by one of them (``-tag``: largest first), unknown values last.

    Raises:
        UnknownTag: there is none of a name.
        NotAllowed: a tag of class X, which is about one customer what must not be told.
    """
    _may_be_shown((*tags, order_by.removeprefix("-")))
    spec, day = segment_for(actor, version_id).spec, as_of or latest_date()
    who = members_of(actor, spec, as_of=day)
    page, size = max(page, 1), min(max(size, 1), MOST_ON_A_PAGE)
    shown = tuple(dict.fromkeys(tags))
    wanted = order_by.removeprefix("-")
    ordered = _ordered(who, day, wanted, descending=order_by.startswith("-")) if wanted else who
    part = ordered[(page - 1) * size : page * size]
    return MembersPage(day, len(who), page, size, shown, tuple(_members(actor, part, day, shown)))


def contactable_segment(
    actor: Actor, version_id: int, *, channels: Sequence[str] = CHANNELS, as_of: date | None = None
) -> SegmentContactable:
    """Return how many members could be contacted for marketing now, by channel, and which facts are missing (可触达率).

    Before there is an offer: only the rules about the customer count, at an hour that is not quiet.

    Raises:
        UnknownDefinition: no contact policy was approved.
    """
    spec, day, policy = segment_for(actor, version_id).spec, as_of or latest_date(), contact_policy()
    who = members_of(actor, spec, as_of=day)
    noon = datetime.combine(bank_today(), time(12), ZoneInfo(policy.zone))
    facts = facts_about(who, policy=policy, now=noon)
    candidates = Candidates.each(who, channels, contactability.OPEN_TALK)
    found = contactable(decide(candidates, facts, policy, now=noon, purpose="marketing"))
    return SegmentContactable(day, found, unknown_facts(facts))


def _may_be_shown(tags: Sequence[str]) -> None:
    specs = catalogue()
    for name in filter(None, tags):
        if name not in specs:
            raise UnknownTag(f"Tag {name!r} is not in the catalogue.", hint="See `kequn tag list`.", tag=name)
        if specs[name].sensitivity == "X":
            raise NotAllowed(f"Tag {name!r} is not shown customer by customer.", tag=name, right="tag.view")


def _ordered(who: Ordinals, as_of: date, tag: str, *, descending: bool) -> Ordinals:
    bank = engine()
    bank.register("members_to_order", pa.table({"ordinal": who}))
    query = (
        f"WITH t AS ({bank.tags_query(as_of, [tag])}) SELECT ordinal FROM t SEMI JOIN members_to_order USING (ordinal)"
    )
    direction = "DESC" if descending else "ASC"
    found = bank.columns(f"{query} ORDER BY {quoted(tag)} {direction} NULLS LAST, ordinal")["ordinal"]
    return np.asarray(found, dtype=np.uint32)


def _members(actor: Actor, who: Ordinals, as_of: date, tags: tuple[str, ...]) -> list[Member]:
    ids = dictionary.customer_ids_of(engine(), who)
    people = people_by_id(actor, ids)
    values = tag_values(who, as_of, tags)
    return [Member(customer_id, people.get(customer_id), row) for customer_id, row in zip(ids, values, strict=True)]


# -- lists and exports --------------------------------------------------------------------------------------------------


def lists_for(actor: Actor) -> QuerySet[UploadedList]:
    """Return the uploaded lists of the actor's branches and of those above."""
    actor.must("segment.view")
    return UploadedList.objects.filter(_in_sight(actor), is_removed=False)


def list_for(actor: Actor, name: str) -> UploadedList:
    """Return one uploaded list.

    Raises:
        NotAllowed: there is none such in the actor's sight.
    """
    row = lists_for(actor).filter(name=name).first()
    if row is None:
        raise NotAllowed("There is no such list in your scope.", list=name)
    return row


def bank_today() -> date:
    """Return the day it is at the bank."""
    return now().astimezone(ZoneInfo(engine().manifest.zone)).date()


def usable_lists() -> set[str]:
    """Return the names of the lists that are there and have not expired."""
    known = UploadedList.objects.filter(is_removed=False, expires_on__gte=bank_today()).values_list("name", flat=True)
    return set(known) & set(engine().manifest.lists)


def exports_for(actor: Actor) -> QuerySet[Export]:
    """Return one's own exports, or everybody's with the right ``audit.view``."""
    return Export.objects.all() if actor.may("audit.view") else Export.objects.filter(owner_id=actor.user_id)


def export_for(actor: Actor, export_id: int) -> tuple[Export, Path]:
    """Return one's own export and its file, as long as the link is valid. Taking it is recorded by `take_export`.

    Raises:
        NotAllowed: it is not one's own.
        Conflict: it is not written yet, or its day is over.
    """
    row = Export.objects.filter(pk=export_id, owner_id=actor.user_id).first()
    if row is None or actor.user_id is None:
        raise NotAllowed("There is no such export of yours.", export=export_id)
    if row.expires_at <= now():
        raise Conflict("The link is no longer valid.", hint="Export again.", export=export_id)
    path = engine().store.path(row.file)
    if not row.file or not path.is_file():
        raise Conflict("The file is not ready.", hint="Wait until its job is done.", export=export_id)
    return row, path


# -- for other services -------------------------------------------------------------------------------------------------


def facts_about(
    who: Ordinals,
    *,
    policy: ContactPolicySpec,
    now: datetime,
    without: Collection[str] = (),
    ids: Sequence[str] | None = None,
    channels: Collection[str] = CHANNELS,
) -> Facts:
    """Return the gate's facts about some customers at one moment; contacts with the refs ``without`` do not count.

    ``ids`` are their surrogate ids in the same order, where the caller knows them; ``channels`` those that will be asked about.
    """
    return contactability.gate_facts(engine(), who, policy=policy, now=now, without=without, ids=ids, channels=channels)


def customer_ids(who: Ordinals) -> list[str]:
    """Return the surrogate id of each ordinal, in the order given."""
    return dictionary.customer_ids_of(engine(), who)


def ordinals(customer_ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the ordinal of each surrogate id, in the order given; -1 where there is none."""
    return dictionary.ordinals_of(engine(), customer_ids)


def tables_within(spec: SegmentSpec, segments: Mapping[str, SegmentSpec]) -> set[str]:
    """Return the canonical tables that a segment stands on: those of its tags, of its behaviours, and ``customer``."""
    rule = understand(spec, tags=catalogue(), segments=segments)
    return tables_of(tags_in(rule)) | set(tables_in(rule))


def tags_within(spec: SegmentSpec, segments: Mapping[str, SegmentSpec]) -> tuple[str, ...]:
    """Return the tags that a segment and the segments within it read."""
    return tuple(sorted(tags_in(understand(spec, tags=catalogue(), segments=segments))))


def segments_using(name: str) -> list[TagUser]:
    """Return the segments that read a tag, directly or through others; one that no longer reads is left out."""
    segments, found = segment_specs(), []
    for other, spec in segments.items():
        try:
            uses = name in tags_within(spec, segments)
        except KequnError:
            continue  # its own page shows what is wrong with it
        if uses:
            found.append(TagUser("segment", other, spec.title))
    return found
