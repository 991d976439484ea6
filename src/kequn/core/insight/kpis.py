"""The bank's KPIs (全行指标): what each means, and its value for a part of the cube, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from kequn.core.errors import UnknownDefinition
from kequn.core.insight.cube import TIERS, Cube
from kequn.core.spec.base import Text

SMALL = 5
"""A quotient over fewer customers than this is withheld: it is nearly about persons."""
FEW = 30
"""Over fewer than this it is shown and marked."""
SLACK = timedelta(days=6)
"""A table of few rows need not have one on the very first day."""

Missing = Literal["", "lacks", "not_loaded", "no_history", "too_early", "no_earlier_month", "nothing_below", "small"]


class Kpi(BaseModel):
    """What one KPI means. Its value is the sum of ``top`` over the sum of ``bottom``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: Literal["value", "size", "sales"]
    unit: Literal["cny", "share", "count", "number", "per10k"]
    zh: str
    en: str
    formula_zh: str
    formula_en: str
    caveat_zh: str
    caveat_en: str
    top: tuple[str, ...] = ()
    bottom: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    since: dict[str, int] = Field(default_factory=dict)
    after: dict[str, int] = Field(default_factory=dict)
    floor: int = 0
    before: int = 0
    per_day: bool = False
    lacks_zh: str = ""
    lacks_en: str = ""

    @property
    def title(self) -> Text:
        """What it is called."""
        return Text(zh=self.zh, en=self.en)

    @property
    def formula(self) -> Text:
        """How it is computed."""
        return Text(zh=self.formula_zh, en=self.formula_en)

    @property
    def caveat(self) -> Text | None:
        """What to mind when reading it."""
        return Text(zh=self.caveat_zh, en=self.caveat_en) if self.caveat_zh else None


@dataclass(frozen=True, slots=True)
class Figure:
    """One KPI of one part in one period. Money is yuan."""

    kpi: str
    value: float | None
    top: float | None
    bottom: float | None
    """``None`` where the KPI is a sum; of a withheld figure both are ``None``."""
    customers: int | None
    """Customers the part has at the period's end; ``None`` below 5."""
    missing: Missing = ""
    detail: str = ""
    """Which table or column is missing."""
    is_few: bool = False


@cache
def definitions() -> dict[str, Kpi]:
    """Return all KPIs by name, in the order of the page."""
    rows = yaml.safe_load((Path(__file__).parent / "kpis.yaml").read_text(encoding="utf-8"))
    found = [Kpi.model_validate(row) for row in rows]
    return {kpi.name: kpi for kpi in found}


def definition(name: str) -> Kpi:
    """Return one KPI.

    Raises:
        UnknownDefinition: there is none of that name.
    """
    found = definitions().get(name)
    if found is None:
        raise UnknownDefinition(f"There is no KPI {name!r}.", hint="See `kequn insight kpis`.", kpi=name)
    return found


def figure(
    cube: Cube, kpi: Kpi, period: int, *, branches: Sequence[int] | None = None, tier: int | None = None
) -> Figure:
    """Return one KPI of some branches and one tier in a period, or why there is none.

    Withheld where the part has, or the quotient is over, one to four customers.
    """
    customers = cube.total("customers", period, branches, tier)
    shown = None if 0 < customers < SMALL else customers
    missing, detail = _missing(cube, kpi, period)
    if missing:
        return Figure(kpi.name, None, None, None, shown, missing, detail)
    top, bottom = (_sum(cube, names, period, branches, tier) for names in (kpi.top, kpi.bottom))
    counted = [_sum(cube, [n], period, branches, tier) for n in kpi.bottom if n in COUNTS]
    least = min([customers, *counted])
    if 0 < customers < SMALL or 0 < least < SMALL:
        return Figure(kpi.name, None, None, None, shown, "small")
    few = any(n < FEW for n in [*counted, customers])
    days = cube.periods[period].days if kpi.per_day else 1
    if not kpi.bottom:
        return Figure(kpi.name, top / days / _scale(kpi), top / _scale(kpi), None, customers, is_few=few)
    if bottom <= 0 or bottom < kpi.floor:
        return Figure(kpi.name, None, top / _fen(kpi.top), bottom / _fen(kpi.bottom), customers, "nothing_below")
    value = top / bottom / days / _scale(kpi) * (10_000 if kpi.unit == "per10k" else 1)
    return Figure(kpi.name, value, top / _fen(kpi.top), bottom / _fen(kpi.bottom), customers, is_few=few)


def tier_number(code: str) -> int:
    """Return the number of a tier on the cube's axis.

    Raises:
        UnknownDefinition: there is none of that code.
    """
    if code not in TIERS:
        raise UnknownDefinition(f"There is no tier {code!r}.", hint=f"One of {', '.join(TIERS)}.", tier=code)
    return TIERS.index(code)


def withheld(counts: Sequence[int]) -> set[int]:
    """Return which parts of a whole are withheld: those of one to four customers, and where it is one alone the next smallest.

    Else the one could be had by subtraction.
    """
    small = {i for i, n in enumerate(counts) if 0 < n < SMALL}
    if len(small) == 1:
        others = sorted((n, i) for i, n in enumerate(counts) if n > 0 and i not in small)
        small |= {i for _, i in others[:1]}
    return small


MONEY = {
    "aum", "aum_mavg", "aum_yavg", "aum_start", "demand", "deposit", "inflow", "outflow", "payroll", "payroll_kept", "matured",
    "matured_kept", "large", "large_kept", "inflow_of_old", "other_of_old", "moved_in", "moved_out", "new_in", "closed_out",
}  # fmt: skip
COUNTS = {
    "customers", "effective", "customers_start", "effective_start", "managed", "mau", "opened", "bought_start", "reached",
    "contacted", "soft_base", "lost",
}  # fmt: skip
"""Measures that are numbers of customers, by which a quotient's sample is judged."""


def _missing(cube: Cube, kpi: Kpi, period: int) -> tuple[Missing, str]:
    if not kpi.top:
        return "lacks", kpi.lacks_zh
    for need in kpi.needs:
        table, column = need.split(".")
        if column not in cube.columns.get(table, ()):
            return "not_loaded", need
    if period < kpi.before:
        return "no_earlier_month", ""
    here = cube.periods[period]
    for table, days in kpi.since.items():
        if table not in cube.spans:
            return "not_loaded", table
        if cube.spans[table][0] > here.start - timedelta(days=days) + SLACK:
            return "no_history", table
    for table, days in kpi.after.items():
        if table not in cube.spans or cube.spans[table][1] < here.end + timedelta(days=days):
            return "too_early", table
    return "", ""


def _sum(cube: Cube, names: Sequence[str], period: int, branches: Sequence[int] | None, tier: int | None) -> int:
    return sum(
        (-1 if name.startswith("-") else 1) * cube.total(name.removeprefix("-"), period, branches, tier)
        for name in names
    )


def _fen(names: Sequence[str]) -> int:
    return 100 if names and names[0].removeprefix("-") in MONEY else 1


def _scale(kpi: Kpi) -> int:
    return 100 if kpi.unit == "cny" else 1
