"""Segments by which an RM may filter her book: in use, of her branch or one above or below, and of tags that may be shown."""

from __future__ import annotations

from kequn.core.errors import KequnError, NotAllowed
from kequn.core.segments import tags_in, understand
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.queries import Ordinals, latest_date, members_of, segment_specs, segments_for
from kequn.ops.books.filters import SHOWN
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.tags.queries import catalogue


def segments_to_filter_by(actor: Actor) -> dict[str, SegmentSpec]:
    """Return the segments by name. One that rests on a tag of class S or X is not among them: to find by it is to be told."""
    actor.must("customer.view")
    specs, tags = segment_specs(approved_only=True), catalogue()
    found = {}
    for row in segments_for(system_actor()).filter(is_current=True):
        if _near(actor, row.branch_path) and row.name in specs and _may_be_told(specs[row.name], specs, tags):
            found[row.name] = specs[row.name]
    return found


def members_in_use(actor: Actor, name: str) -> Ordinals:
    """Return the members of one of these segments in the whole bank; the caller keeps those of the actor's reach.

    Raises:
        NotAllowed: there is none such to filter by.
    """
    spec = segments_to_filter_by(actor).get(name)
    if spec is None:
        raise NotAllowed("There is no such segment to filter by.", segment=name)
    return members_of(system_actor(), spec, as_of=latest_date())


def _near(actor: Actor, path: str) -> bool:
    return actor.sees_all_branches or actor.branch_path.startswith(path) or path.startswith(actor.branch_path)


def _may_be_told(spec: SegmentSpec, specs: dict[str, SegmentSpec], tags: dict[str, TagSpec]) -> bool:
    try:
        used = tags_in(understand(spec, tags=tags, segments=specs))
    except KequnError:
        return False  # its own page shows what is wrong with it
    return all(name in tags and tags[name].sensitivity in SHOWN for name in used)
