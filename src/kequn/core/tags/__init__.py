"""Tags: definitions, and their values by customer and business date (标签)."""

from kequn.core.tags.computing import RefreshReport, refresh
from kequn.core.tags.describing import Bar, TagStatistics, all_statistics, statistics
from kequn.core.tags.pack import catalogue, check_catalogue, check_tags, near_tag
from kequn.core.tags.tracing import Lineage, lineage, reason_in_words, unavailable

__all__ = [
    "Bar",
    "Lineage",
    "RefreshReport",
    "TagStatistics",
    "all_statistics",
    "catalogue",
    "check_catalogue",
    "check_tags",
    "lineage",
    "near_tag",
    "reason_in_words",
    "refresh",
    "statistics",
    "unavailable",
]
