"""The bank's figures as sums that add up: one cube of measures by period, branch and tier, from which every KPI is a quotient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.engine.duck import Engine
from kequn.core.insight.monthly import ASSET_BITS, BOUGHT_BITS, NEVER, Ints, Monthly, monthly
from kequn.core.insight.periods import Period, periods, scan, spans, stored

TIERS = ("T0", "T1", "T2", "T3", "T4", "T5", "T6")
TIER_FLOORS_FEN = (10_000, 5_000_000, 20_000_000, 100_000_000, 600_000_000, 3_000_000_000)
"""Lower bounds of T1 … T6 in month-average assets."""
AT_ONCE = 250_000
"""Customers read at a time, so that memory stays bounded."""
EFFECTIVE_FEN, EFFECTIVE_DAYS = 10_000, 90
VALUE_FEN = 5_000_000
ACTIVE_DAYS, DORMANT_DAYS = 30, 180
LOST_PEAK_FEN = 100_000
SOFT_BASE_FEN, SOFT_DROP = 100_000, 0.5
CROSS_FAMILIES = 3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Cube:
    """Measures by period, branch and tier. Money is fen; all are whole numbers, so that parts add up to the whole exactly."""

    periods: tuple[Period, ...]
    branches: tuple[str, ...]
    """Codes, the last axis but one; the empty code is customers without a branch."""
    measures: dict[str, Ints]
    """Name -> array of (period, branch, tier); tiers are those of ``TIERS``."""
    spans: dict[str, tuple[date, date]]
    """Table with dates -> its first and last business date."""
    columns: dict[str, tuple[str, ...]]
    """Table -> the columns that were there."""

    def total(self, name: str, period: int, branches: Sequence[int] | None = None, tier: int | None = None) -> int:
        """Return one measure of some branches (all by default) and one tier (all by default)."""
        part = self.measures[name][period]
        part = part if branches is None else part[list(branches)]
        return int(part.sum() if tier is None else part[:, tier].sum())


def cube(
    engine: Engine,
    *,
    among: Sequence[Period] | None = None,
    ordinals: npt.NDArray[Any] | None = None,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
) -> Cube:
    """Return the cube of all customers, or of these ``ordinals``, for the latest months.

    Branches are those of today, looked back; the tier is that of each month's average assets without a watch period.

    Raises:
        NoData: no holdings were loaded.
    """
    wanted = tuple(among) if among is not None else periods(engine)
    chosen = np.arange(engine.manifest.ordinals, dtype=np.uint32) if ordinals is None else np.unique(ordinals)
    source = scan(engine, "customer", "branch_code")
    branches = tuple(
        row[0] for row in engine.rows(f"SELECT DISTINCT coalesce(branch_code, '') FROM {source} ORDER BY 1")
    )
    sums: dict[str, Ints] = {}
    for start in range(0, max(len(chosen), 1), at_once):
        part = monthly(engine, chosen[start : start + at_once], wanted)
        _Counting(part, branches, sums).run()
        if progress:
            progress(min(start + at_once, len(chosen)), len(chosen))
    columns = {name: stored(engine, name) for name in ("holding", "transaction", "event", "contact", "service", "consent",
                                                      "account", "customer", "product")}  # fmt: skip
    return Cube(wanted, branches, sums, spans(engine), columns)


class _Counting:
    """Adds the customers of one part to the sums. A tier axis is that of the period's end unless a measure says another."""

    def __init__(self, part: Monthly, branches: tuple[str, ...], sums: dict[str, Ints]) -> None:
        self.c, self.sums, self.shape = part, sums, (len(branches), len(TIERS))
        at = {code: n for n, code in enumerate(branches)}
        self.branch = np.array([at[code] for code in part.branch], dtype=np.int64)
        level = part.average if part.average.any() else part.aum
        self.tier = np.searchsorted(np.array(TIER_FLOORS_FEN), level, side="right")
        self.ends = np.array([(p.end - date(1970, 1, 1)).days for p in part.periods])
        self.idle = self.ends[:, None] - part.last_initiated
        self.effective = part.here & ((level >= EFFECTIVE_FEN) | (self.idle < EFFECTIVE_DAYS))
        peak = np.maximum.accumulate(level, axis=0)
        quiet = (self.idle >= DORMANT_DAYS) & (part.aum < EFFECTIVE_FEN) & (peak >= LOST_PEAK_FEN)
        self.lost = ~part.here | quiet

    def run(self) -> None:
        """Count every period."""
        for m in range(len(self.c.periods)):
            self._at_the_end(m)
            self._of_the_month(m)
            self._of_the_new(m)
            self._told_later(m)
            self._since_last_month(m)
            self._since_three_months(m)

    def add(
        self, name: str, m: int, who: npt.NDArray[Any], weight: npt.NDArray[Any] | None = None, *, tier: int
    ) -> None:
        """Add customers (or their weight) to a measure of a period, by their branch and their tier at period ``tier``."""
        sums = self.sums.setdefault(name, np.zeros((len(self.c.periods), *self.shape), dtype=np.int64))
        if tier < 0:
            return
        picked = np.flatnonzero(who)
        cell = self.branch[picked] * self.shape[1] + self.tier[tier, picked]
        size = self.shape[0] * self.shape[1]
        if weight is None:
            found = np.bincount(cell, minlength=size)
        else:
            found = np.zeros(size, dtype=np.int64)
            np.add.at(found, cell, weight[picked].astype(np.int64))
        sums[m] += found.reshape(self.shape)

    def _at_the_end(self, m: int) -> None:
        c, here = self.c, self.c.here[m]
        families = np.bitwise_count(c.families[m] & ASSET_BITS)
        months = [k for k in range(m + 1) if c.periods[k].end.year == c.periods[m].end.year]
        days = np.array([c.periods[k].days for k in months])
        for name, who in {
            "customers": here,
            "effective": self.effective[m],
            "value_customers": here & (c.average[m] >= VALUE_FEN),
            "active_txn": here & (self.idle[m] < ACTIVE_DAYS),
            "dormant": here
            & (self.idle[m] >= DORMANT_DAYS)
            & ((c.aum[m] >= EFFECTIVE_FEN) | (c.last_initiated[m] == NEVER)),
            "managed": here & c.managed,
            "wecom_managed": here & c.managed & c.wecom[m],
            "cross_sold": self.effective[m] & (families >= CROSS_FAMILIES),
        }.items():
            self.add(name, m, who, tier=m)
        for name, weight in {
            "aum": c.aum[m],
            "aum_mavg": c.average[m],
            "aum_yavg": (c.average[months] * days[:, None]).sum(axis=0) // days.sum(),
            "demand": c.demand[m],
            "deposit": c.deposit[m],
        }.items():
            self.add(name, m, here, weight, tier=m)
        self.add("families_effective", m, self.effective[m], families, tier=m)

    def _of_the_month(self, m: int) -> None:
        c, here = self.c, self.c.here[m]
        for name, weight in {
            "app_days": c.app_days, "inflow": c.inflow, "outflow": c.outflow, "payroll": c.payroll,
            "payroll_kept": c.payroll_kept, "matured": c.matured, "matured_kept": c.matured_kept, "touches": c.touches,
            "delivered": c.delivered, "responses": c.responses, "complaints": c.complaints, "optouts": c.optouts,
            "large": c.large, "large_kept": c.large_kept,
        }.items():  # fmt: skip
            self.add(name, m, here, weight[m], tier=m)
        grew = here & (c.app_days[m] > 0) & (c.aum[m] > c.aum[m - 1]) if m else np.zeros(c.n, dtype=bool)
        for name, who in {
            "mau": here & (c.app_days[m] > 0),
            "mau_fin": here & c.app_trade[m],
            "mau_grew": grew,
            "met_managed": here & c.managed & c.met[m],
            "contacted": here & c.contacted[m],
            "reached": here & c.reached[m],
            "bought_after_contact": here & c.bought_after_contact[m],
            "bought_after_reach": here & c.bought_after_reach[m],
        }.items():
            self.add(name, m, who, tier=m)

    def _of_the_new(self, m: int) -> None:
        """Who opened in the month; whether still with the bank is told as of 90 days later, by assets or by deeds."""
        c = self.c
        self.add("opened", m, c.opened[m], tier=m)
        self.add("opened_activated", m, c.opened[m] & c.activated[m], tier=m)
        later = min(m + 3, len(c.periods) - 1)
        stayed = c.active_90[m] | (c.average[later] >= EFFECTIVE_FEN)
        self.add("opened_stayed", m, c.opened[m] & c.here[later] & stayed, tier=m)

    def _told_later(self, m: int) -> None:
        """Who was lost in the month, and who of them was back within three."""
        before = m - 1
        newly = self.effective[before] & self.lost[m] if m else np.zeros(self.c.n, dtype=bool)
        back = self.effective[m + 1 : m + 4].any(axis=0)
        self.add("lost", m, newly, tier=before)
        self.add("won_back", m, newly & back, tier=before)

    def _since_last_month(self, m: int) -> None:
        """What became of those who were here a month ago, by the tier they had then; who came is counted where she is now."""
        c, before = self.c, m - 1
        there = c.here[before] if m else np.zeros(c.n, dtype=bool)
        here = c.here[m]
        old, now = (c.aum[before] * there, c.aum[m] * here) if m else (0 * c.aum[0], c.aum[m] * here)
        moved = there & here & (self.tier[m] != self.tier[before]) if m else there
        net = c.inflow[m] - c.outflow[m]
        stay = {
            "customers_start": (there, None), "aum_start": (there, old), "effective_start": (there & self.effective[before], None),
            "upgraded": (moved & (self.tier[m] > self.tier[before]), None),
            "downgraded": (moved & (self.tier[m] < self.tier[before]), None),
            "inflow_of_old": (there & here, net), "other_of_old": (there & here, now - old - net),
            "moved_out": (moved, now), "closed_out": (there & ~here, old),
        }  # fmt: skip
        for name, (who, weight) in stay.items():
            self.add(name, m, who, weight, tier=before)
        self.add("moved_in", m, moved, now, tier=m)
        self.add("new_in", m, here & ~there, now, tier=m if m else -1)
        held = c.families[before] & BOUGHT_BITS if m else 0 * c.families[0]
        again = held & c.bought[m]
        self.add("bought_start", m, there & (held > 0), tier=before)
        self.add("bought_renewal", m, there & ((again & c.matured_in[m]) > 0), tier=before)
        self.add("bought_added", m, there & ((again & ~c.matured_in[m]) > 0), tier=before)
        self.add("bought_again", m, there & (again > 0), tier=before)

    def _since_three_months(self, m: int) -> None:
        """Soft churn: principal, so that market value plays no part, halved in three months."""
        c, before = self.c, m - 3
        base = c.here[before] & (c.principal[before] >= SOFT_BASE_FEN) if before >= 0 else np.zeros(c.n, dtype=bool)
        now = c.principal[m] * c.here[m]
        self.add("soft_base", m, base, tier=before)
        self.add("soft_churned", m, base & (now <= (1 - SOFT_DROP) * c.principal[max(before, 0)]), tier=before)
