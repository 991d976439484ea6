"""Segments: rules over tags and behaviour, and who belongs to them on a date."""

from kequn.core.segments.funnel import FunnelStep, Preview, funnel, preview, preview_rule
from kequn.core.segments.lists import LineFault, ListMatch, drop_list, extend_list, match_list, save_list
from kequn.core.segments.members import Overlap, count, members, overlap, plane
from kequn.core.segments.pack import Group, group_named, groups, shipped_segments, tags_wanting
from kequn.core.segments.past import Past, asks_members, past_key
from kequn.core.segments.query import count_by, leaf_sql, members_sql
from kequn.core.segments.rule import Rule, key_of, lists_in, segments_in, steps, tables_in, tags_in
from kequn.core.segments.sensitivity import consents_needed
from kequn.core.segments.settle import settled
from kequn.core.segments.sql import DIALECTS, EXECUTED
from kequn.core.segments.typed import COLUMN_OPERATORS, OPERATORS
from kequn.core.segments.understand import check, sensitive_tags, understand
from kequn.core.segments.upload import ListLine, UploadedList, masked, read_list
from kequn.core.segments.words import in_words, rule_in_words, say_day, say_period

__all__ = [
    "COLUMN_OPERATORS",
    "DIALECTS",
    "EXECUTED",
    "OPERATORS",
    "FunnelStep",
    "Group",
    "LineFault",
    "ListLine",
    "ListMatch",
    "Overlap",
    "Past",
    "Preview",
    "Rule",
    "UploadedList",
    "asks_members",
    "check",
    "consents_needed",
    "count",
    "count_by",
    "drop_list",
    "extend_list",
    "funnel",
    "group_named",
    "groups",
    "in_words",
    "key_of",
    "leaf_sql",
    "lists_in",
    "masked",
    "match_list",
    "members",
    "members_sql",
    "overlap",
    "past_key",
    "plane",
    "preview",
    "preview_rule",
    "read_list",
    "rule_in_words",
    "save_list",
    "say_day",
    "say_period",
    "segments_in",
    "sensitive_tags",
    "settled",
    "shipped_segments",
    "steps",
    "tables_in",
    "tags_in",
    "tags_wanting",
    "understand",
]
