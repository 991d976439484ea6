"""Segments: rules over tags and behaviour, and who belongs to them on a date."""

from kequn.core.segments.members import (
    FunnelStep,
    Overlap,
    Preview,
    count,
    count_by,
    funnel,
    members,
    members_sql,
    overlap,
    preview,
)
from kequn.core.segments.rule import lists_in, segments_in, tables_in, tags_in
from kequn.core.segments.typed import OPERATORS
from kequn.core.segments.understand import check, sensitive_tags, understand
from kequn.core.segments.words import in_words

__all__ = [
    "OPERATORS",
    "FunnelStep",
    "Overlap",
    "Preview",
    "check",
    "count",
    "count_by",
    "funnel",
    "in_words",
    "lists_in",
    "members",
    "members_sql",
    "overlap",
    "preview",
    "segments_in",
    "sensitive_tags",
    "tables_in",
    "tags_in",
    "understand",
]
