"""Tags: definitions, and their values by customer and business date (标签)."""

from kequn.core.tags.computing import RefreshReport, refresh
from kequn.core.tags.pack import catalogue, check_tags
from kequn.core.tags.tracing import Lineage, lineage, reason_in_words, unavailable

__all__ = [
    "Lineage",
    "RefreshReport",
    "catalogue",
    "check_tags",
    "lineage",
    "reason_in_words",
    "refresh",
    "unavailable",
]
