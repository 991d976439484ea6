"""A metric: the one definition of what a campaign is to move."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from kequn.core.spec.base import Definition, Name
from kequn.core.spec.segment import ColumnTest


class MetricSpec(Definition):
    """One number a customer over a window that begins after the freeze and not before the campaign (指标).

    ``rate``: 1 where at least ``at_least`` matching rows of ``table`` fall into the window, else 0.
    ``sum``: the sum of ``column`` over them (money in fen).
    ``change``: a tag at the end of the window minus the same tag at the freeze (its pre-period value serves CUPED).
    """

    kind: Literal["metric"] = "metric"
    measure: Literal["rate", "sum", "change"]
    table: Literal["transaction", "event", "contact", "service"] | None = None
    where: tuple[ColumnTest, ...] = ()
    at_least: int = Field(default=1, ge=1)
    column: Name | None = None
    tag: Name | None = None
    adjust_by: tuple[Name, ...] = ()
    """Tags at the freeze that serve as covariates (CUPED); they cannot be touched by the campaign."""
    margin_rate: Decimal = Decimal(0)
    """Yearly margin per yuan, for ``change`` and ``sum`` of money: turns growth into gross profit."""
    value_cny: Decimal = Decimal(0)
    """Gross profit of one conversion, for ``rate``."""
    higher_is_better: bool = True

    @model_validator(mode="after")
    def _complete(self) -> MetricSpec:
        need = {"rate": ("table",), "sum": ("table", "column"), "change": ("tag",)}[self.measure]
        missing = [field for field in need if getattr(self, field) is None]
        if missing:
            raise ValueError(f"`measure: {self.measure}` needs {', '.join(missing)}")
        return self
