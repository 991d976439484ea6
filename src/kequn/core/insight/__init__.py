"""Insight: what is different about the customers of a segment."""

from kequn.core.insight.bins import Numbers
from kequn.core.insight.cube import TIERS, Cube, cube
from kequn.core.insight.drivers import Driver, Drivers, find_drivers
from kequn.core.insight.kpis import Figure, Kpi, definition, definitions, figure, tier_number, withheld
from kequn.core.insight.periods import Period, periods
from kequn.core.insight.profile import Cell, Difference, Profile, TagProfile, draft_profile, profile, top_differences
from kequn.core.insight.tgi import Index, familywise, tgi

__all__ = [
    "TIERS",
    "Cell",
    "Cube",
    "Difference",
    "Driver",
    "Drivers",
    "Figure",
    "Index",
    "Kpi",
    "Numbers",
    "Period",
    "Profile",
    "TagProfile",
    "cube",
    "definition",
    "definitions",
    "draft_profile",
    "familywise",
    "figure",
    "find_drivers",
    "periods",
    "profile",
    "tgi",
    "tier_number",
    "top_differences",
    "withheld",
]
