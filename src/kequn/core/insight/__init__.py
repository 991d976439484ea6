"""Insight: what is different about the customers of a segment."""

from kequn.core.insight.cells import Numbers
from kequn.core.insight.profile import Cell, Difference, Profile, TagProfile, profile, top_differences
from kequn.core.insight.tgi import Index, familywise, tgi

__all__ = [
    "Cell",
    "Difference",
    "Index",
    "Numbers",
    "Profile",
    "TagProfile",
    "familywise",
    "profile",
    "tgi",
    "top_differences",
]
