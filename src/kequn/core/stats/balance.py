"""Sample ratio: whether the arms are as large as was planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

ALARM = 0.001  # a false alarm once in a thousand reviews; a broken split of any size is far beyond it


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Counts found, counts planned, and how likely so great a difference is by chance (分组比例检验)."""

    found: tuple[int, ...]
    planned: tuple[float, ...]
    p_value: float

    @property
    def mismatch(self) -> bool:
        """Whether the split cannot be the planned one; an effect measured on it means nothing."""
        return self.p_value < ALARM


def sample_ratio(found: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Return the chi-square test of arm sizes against the planned shares (which are scaled to sum to 1)."""
    if len(found) != len(shares) or min(shares) <= 0:
        raise ValueError("each arm needs a planned share above 0")
    planned = tuple(sum(found) * share / sum(shares) for share in shares)
    if not sum(found):
        return SampleRatio(tuple(found), planned, 1.0)
    return SampleRatio(tuple(found), planned, float(stats.chisquare(list(found), list(planned)).pvalue))
