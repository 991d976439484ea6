"""From what a person wrote to a rule: names looked up, values typed, segments inlined; every fault with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches

from kequn.core.errors import (
    InvalidSpec,
    KequnError,
    SegmentCycle,
    SeveralErrors,
    UnknownList,
    UnknownSegment,
    UnknownTag,
    Where,
)
from kequn.core.segments.rule import (
    AnyRule,
    By,
    ChangeRule,
    EveryRule,
    ListRule,
    MemberRule,
    NotRule,
    RankRule,
    Rule,
    TagRule,
    ThenRule,
    WasRule,
    tags_in,
)
from kequn.core.segments.sensitivity import check_consents
from kequn.core.segments.typed import (
    amount_of,
    at,
    did_rule,
    nearest,
    number_named,
    ordered_named,
    sequence_rule,
    tag_rule,
    trend_rule,
)
from kequn.core.spec.period import read_day
from kequn.core.spec.segment import (
    AllOf,
    AnyOf,
    Change,
    Cluster,
    ClusterSet,
    Condition,
    Did,
    Except,
    Intersect,
    MemberOf,
    Not,
    OnList,
    Place,
    Rank,
    SegmentSpec,
    Sequence,
    TagChange,
    TagTest,
    Trend,
    Union,
    cluster_tag,
)
from kequn.core.spec.tag import TagSpec

MAX_DEPTH = 60
MAX_CONDITIONS = 500


def understand(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    lists: Collection[str] | None = None,
) -> Rule:
    """Return the rule of a segment or of a condition alone. Without ``lists`` every list is taken to be there.

    Raises:
        UnknownTag, UnknownSegment, UnknownList: with the nearest name as the hint.
        SegmentCycle: segments that refer to one another in a ring.
        TagNotSelectable: a tag of class X.
        InvalidSpec: a value or test that does not go with its tag or column; more than 60 levels or 500 conditions,
            those of the segments referred to included.
        SeveralErrors: more than one of these.
    """
    reader = _Reader(tags, segments, lists)
    if isinstance(spec, SegmentSpec):
        rule = reader.condition(spec.where, "where", 1, (spec.name,))
    else:
        rule = reader.condition(spec, "where", 1, ())
    if len(reader.faults) > 1:
        raise SeveralErrors(reader.faults)
    if reader.faults:
        raise reader.faults[0]
    return rule


def check(
    spec: SegmentSpec | Condition,
    *,
    tags: Mapping[str, TagSpec],
    segments: Mapping[str, SegmentSpec],
    lists: Collection[str] | None = None,
) -> Rule:
    """Return the rule of a segment; raise what is wrong with it, each fault with its place (``where.all.1.tag``), as `understand` does.

    Raises:
        ConsentNotDeclared: it selects by a tag of class S and does not say on which separate consent.
    """
    rule = understand(spec, tags=tags, segments=segments, lists=lists)
    check_consents(spec, rule)
    return rule


def sensitive_tags(
    spec: SegmentSpec | Condition, *, tags: Mapping[str, TagSpec], segments: Mapping[str, SegmentSpec]
) -> tuple[str, ...]:
    """Return the tags of class S a segment selects by, directly or through others; they need a consent of their own."""
    rule = understand(spec, tags=tags, segments=segments)
    return tuple(name for name in tags_in(rule) if tags[name].sensitivity == "S")


class _TooBig(InvalidSpec):
    """Ends the walk: a tree that doubles at each reference must not be walked to its end."""


@dataclass
class _Reader:
    """Walks the tree once and notes every fault; where one is, a condition that selects everybody stands in."""

    tags: Mapping[str, TagSpec]
    segments: Mapping[str, SegmentSpec]
    lists: Collection[str] | None
    faults: list[KequnError] = field(default_factory=list)
    conditions: int = 0

    def condition(self, condition: Condition, path: str, depth: int, ring: tuple[str, ...]) -> Rule:
        if depth > MAX_DEPTH:
            hint = "Make a segment of the inner part, or put conditions side by side."
            raise at(path, _TooBig(f"Conditions are nested more than {MAX_DEPTH} deep.", hint=hint))
        match condition:
            case AllOf(all=parts) if parts:
                return EveryRule(path, self._parts(parts, f"{path}.all", depth, ring))
            case AnyOf(any=parts) if parts:
                return AnyRule(path, self._parts(parts, f"{path}.any", depth, ring))
            case Not(negated=part):
                return NotRule(path, self.condition(part, f"{path}.not", depth + 1, ring))
            case Union(union=parts):
                return AnyRule(path, self._parts(parts, f"{path}.union", depth, ring))
            case Intersect(intersect=parts):
                return EveryRule(path, self._parts(parts, f"{path}.intersect", depth, ring))
            case Except(groups=parts):
                first, *others = self._parts(parts, f"{path}.except", depth, ring)
                return EveryRule(path, (first, *(NotRule(other.path, other) for other in others)))
        self._count(path)
        try:
            return self._leaf(condition, path, depth, ring)
        except _TooBig:
            raise
        except KequnError as fault:
            self.faults.append(fault)
            return EveryRule(path, ())

    def _parts(self, parts: Iterable[Condition], path: str, depth: int, ring: tuple[str, ...]) -> tuple[Rule, ...]:
        return tuple(self.condition(part, f"{path}.{i}", depth + 1, ring) for i, part in enumerate(parts))

    def _count(self, path: str) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            hint = "Upload a list, or make a tag of it. The conditions of segments it refers to count too."
            raise at(path, _TooBig(f"More than {MAX_CONDITIONS} conditions.", hint=hint))

    def _leaf(self, condition: Condition, path: str, depth: int, ring: tuple[str, ...]) -> Rule:
        match condition:
            case TagTest():
                return self._tag(condition, path)
            case Did(did=behaviour):
                return did_rule(behaviour, path)
            case Sequence(sequence=order):
                return sequence_rule(order, path)
            case Trend(trend=movement):
                return trend_rule(movement, path)
            case Change(change=change):
                return self._change(change, path)
            case Rank(rank=place):
                return self._rank(place, path, depth, ring)
            case Cluster(cluster=cluster):
                return self._cluster(cluster, path)
            case OnList(list=name):
                return self._list(name, path)
            case MemberOf(segment=name, as_of=day):
                member = self._member(name, path, depth, ring)
                return WasRule(path, name, member.title, member.rule, read_day(day)) if day else member
            case AnyOf():
                return AnyRule(path, ())
            case _:
                return EveryRule(path, ())

    def _tag(self, test: TagTest, path: str) -> Rule:
        rule = tag_rule(test, path, self.tags)
        if test.as_of is None:
            return rule
        day = read_day(test.as_of)
        if test.op == "unknown":
            return NotRule(path, ThenRule(path, TagRule(path, rule.tag, "known", ()), day))
        return ThenRule(path, rule, day)

    def _change(self, change: TagChange, path: str) -> ChangeRule:
        tag = number_named(change.tag, f"{path}.change.tag", self.tags)
        difference = amount_of(tag.type, change.difference, f"{path}.change.difference")
        return ChangeRule(path, tag, read_day(change.since), change.op, change.ratio, difference)

    def _rank(self, place: Place, path: str, depth: int, ring: tuple[str, ...]) -> RankRule:
        tag = ordered_named(place.tag, f"{path}.rank.tag", self.tags)
        among = self.condition(place.among, f"{path}.rank.among", depth + 1, ring) if place.among is not None else None
        if place.percentile is not None:
            return RankRule(path, tag, "percentile", place.percentile, among)
        if place.top_percent is not None or place.bottom_percent is not None:
            by: By = "top_percent" if place.top_percent is not None else "bottom_percent"
            return RankRule(path, tag, by, (place.top_percent or place.bottom_percent or Decimal(0),), among)
        by = "top" if place.top is not None else "bottom"
        return RankRule(path, tag, by, (Decimal(place.top or place.bottom or 0),), among)

    def _cluster(self, cluster: ClusterSet, path: str) -> Rule:
        name, place = cluster_tag(cluster.set), f"{path}.cluster"
        if name not in self.tags:
            known = [n.removeprefix(cluster_tag("")) for n in self.tags if n.startswith(cluster_tag(""))]
            near = get_close_matches(cluster.set, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Published: {', '.join(sorted(known)) or 'none'}."
            message = f"There is no set of clusters {cluster.set!r}."
            raise at(f"{place}.set", UnknownTag(message, hint=hint, tag=name))
        try:
            rule = tag_rule(TagTest(tag=name, op="in", value=cluster.any_of), place, self.tags)
        except InvalidSpec as fault:
            inner = fault.where.field.removeprefix(f"{place}.value")
            raise at(f"{place}.in{inner}", fault) from None
        return replace(rule, path=path)

    def _list(self, name: str, path: str) -> ListRule:
        if self.lists is not None and name not in self.lists:
            near = get_close_matches(name, self.lists, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Upload the list first."
            raise at(f"{path}.list", UnknownList(f"There is no list {name!r}.", hint=hint, list=name))
        return ListRule(path, name)

    def _member(self, name: str, path: str, depth: int, ring: tuple[str, ...]) -> MemberRule:
        place = f"{path}.segment"
        if name in ring:
            names = " → ".join((*ring[ring.index(name) :], name))
            message = f"Segments refer to one another in a ring: {names}."
            raise at(place, SegmentCycle(message, hint="Take one of the references out.", ring=names))
        other = self.segments.get(name)
        if other is None:
            near = nearest(name, {n: s.title for n, s in self.segments.items()})
            hint = f"Did you mean {near!r} ({self.segments[near].title})?" if near else "See the list of segments."
            raise at(place, UnknownSegment(f"There is no segment {name!r}.", hint=hint, segment=name))
        before = len(self.faults)
        try:
            rule = self.condition(other.where, "where", depth + 1, (*ring, name))
        except _TooBig as fault:
            raise at(place, fault) from None
        for inner in self.faults[before:]:
            inner.message = f"In segment {name!r}, {inner.where.field}: {inner.message}"
            inner.where = Where(field=place)
        return MemberRule(path, name, other.title, rule)
