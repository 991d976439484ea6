"""The customer groups that ship with kequn: segments with sub-groups, and a card for each (客群包)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kequn.core.errors import UnknownSegment
from kequn.core.segments.rule import tags_in
from kequn.core.segments.typed import nearest
from kequn.core.segments.understand import understand
from kequn.core.spec.group import GroupSpec
from kequn.core.spec.reading import read_specs
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec

SHIPPED = Path(__file__).parent / "groups"


@dataclass(frozen=True, slots=True)
class Group:
    """A shipped group with the segments it is made of."""

    spec: GroupSpec
    segment: SegmentSpec
    subgroups: tuple[SegmentSpec, ...]

    @property
    def segments(self) -> tuple[SegmentSpec, ...]:
        """The group's own segment and its sub-groups; what others refer to comes first."""
        return (self.segment, *self.subgroups)


@cache
def groups() -> Mapping[str, Group]:
    """Return the shipped groups by name, in the order of their files."""
    specs = [spec for _, spec in read_specs(SHIPPED)]
    segments = {s.name: s for s in specs if isinstance(s, SegmentSpec)}
    return {
        s.name: Group(s, segments[s.segment], tuple(segments[n] for n in s.subgroups))
        for s in specs
        if isinstance(s, GroupSpec)
    }


def group_named(name: str) -> Group:
    """Return one shipped group.

    Raises:
        UnknownSegment: with the nearest name.
    """
    every = groups()
    if name not in every:
        near = nearest(name, {n: g.spec.title for n, g in every.items()})
        hint = f"Did you mean {near!r}?" if near else "See `kequn group list`."
        raise UnknownSegment(f"There is no group {name!r}.", hint=hint, group=name)
    return every[name]


def shipped_segments() -> dict[str, SegmentSpec]:
    """Return the segments of all shipped groups by name."""
    return {s.name: s for group in groups().values() for s in group.segments}


def tags_wanting(spec: SegmentSpec, *, tags: Mapping[str, TagSpec], computed: Collection[str]) -> tuple[str, ...]:
    """Return the tags that a shipped segment tests and the bank does not have: not in its catalogue, or not computed."""
    unknown = [name for name in _tags_of(spec) if name not in tags]
    if unknown:
        return tuple(unknown)
    rule = understand(spec, tags=tags, segments=shipped_segments())
    return tuple(name for name in tags_in(rule) if name not in computed)


def _tags_of(spec: SegmentSpec) -> list[str]:
    """The names of the tags in a document, those of other shipped segments it refers to included."""
    found: dict[str, None] = {}
    open_: list[object] = [spec.model_dump(by_alias=True)["where"]]
    while open_:
        match open_.pop():
            case dict() as node:
                if isinstance(node.get("tag"), str):
                    found[node["tag"]] = None
                if isinstance(node.get("segment"), str) and node["segment"] in shipped_segments():
                    open_.append(shipped_segments()[node["segment"]].model_dump(by_alias=True)["where"])
                open_ += node.values()
            case list() | tuple() as nodes:
                open_ += nodes
            case _:
                continue
    return list(found)
