"""Pure numbers: deterministic buckets, intervals, power, sample ratios."""

from kequn.core.stats.balance import SampleRatio, sample_ratio
from kequn.core.stats.buckets import bucket, salted_hashes
from kequn.core.stats.intervals import (
    Interval,
    Sample,
    difference_interval,
    mean_difference,
    normal_quantile,
    proportion_interval,
    ratio_interval,
    ratio_of_totals,
    relative_lift,
    t_quantile,
    welch_df,
)
from kequn.core.stats.power import mde_mean, mde_rate, power_rate, required_n

__all__ = [
    "Interval",
    "Sample",
    "SampleRatio",
    "bucket",
    "difference_interval",
    "mde_mean",
    "mde_rate",
    "mean_difference",
    "normal_quantile",
    "power_rate",
    "proportion_interval",
    "ratio_interval",
    "ratio_of_totals",
    "relative_lift",
    "required_n",
    "salted_hashes",
    "sample_ratio",
    "t_quantile",
    "welch_df",
]
