"""Tags: definitions, and their values by customer and business date (标签)."""

from kequn.core.tags.computing import RefreshReport, declared_bins, refresh
from kequn.core.tags.describing import Bar, TagStatistics, all_statistics, statistics
from kequn.core.tags.drifting import Drift, Shift, drift
from kequn.core.tags.giving import publish_together, publish_values
from kequn.core.tags.ladder import Standing, TierHistory, climb, tier_history
from kequn.core.tags.pack import catalogue, check_catalogue, check_tags, near_tag
from kequn.core.tags.patching import fold, folding_is_due
from kequn.core.tags.tracing import Lineage, known_names, lineage, reason_in_words, unavailable
from kequn.core.tags.transitions import Transitions, days_in_state, tier_transitions, transitions

__all__ = [
    "Bar",
    "Drift",
    "Lineage",
    "RefreshReport",
    "Shift",
    "Standing",
    "TagStatistics",
    "TierHistory",
    "Transitions",
    "all_statistics",
    "catalogue",
    "check_catalogue",
    "check_tags",
    "climb",
    "days_in_state",
    "declared_bins",
    "drift",
    "fold",
    "folding_is_due",
    "known_names",
    "lineage",
    "near_tag",
    "publish_together",
    "publish_values",
    "reason_in_words",
    "refresh",
    "statistics",
    "tier_history",
    "tier_transitions",
    "transitions",
    "unavailable",
]
