"""Which segments read a tag, for the tag's page and before it is taken away."""

from __future__ import annotations

from kequn.core.errors import KequnError
from kequn.ops.audiences.queries import segment_specs, tags_within
from kequn.ops.tags.using import TagUser


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
