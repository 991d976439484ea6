"""Worth: what the lift brought in customers and money, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from kequn.core.measure.lift import Lift
from kequn.core.spec.metric import MetricSpec

FEN = Decimal("0.01")
RATIO = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Range:
    """An amount with its limits."""

    point: Decimal
    low: Decimal
    high: Decimal

    def times(self, factor: Decimal) -> Range:
        """Return the amount in another unit; a negative factor swaps the limits."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Range(self.point * factor, low, high)

    def minus(self, amount: Decimal) -> Range:
        """Return what is left after a certain amount."""
        return Range(self.point - amount, self.low - amount, self.high - amount)

    def rounded(self, unit: Decimal) -> Range:
        """Return the amount to a unit, half to even."""
        point, low, high = (v.quantize(unit, ROUND_HALF_EVEN) for v in (self.point, self.low, self.high))
        return Range(point, low, high)


@dataclass(frozen=True, slots=True)
class Worth:
    """The money side of one lift (投产); the interval is the lift's, carried through."""

    incremental_customers: Range | None
    """For a rate: customers who did it because of the campaign."""
    incremental_cny: Range | None
    """For a sum or change of money."""
    gross_profit_cny: Range | None
    """By ``value_cny`` a customer, or by one year of ``margin_rate``; ``None`` where the metric says neither."""
    cost_cny: Decimal
    roi: Range | None
    """(gross profit − cost) ÷ cost; ``None`` without a gross profit or without a cost."""
    cost_per_customer_cny: Decimal | None
    """Cost ÷ incremental customers; ``None`` unless the lift is clearly above 0."""


def worth(lift: Lift, metric: MetricSpec, *, cost_cny: Decimal, in_money: bool = True) -> Worth:
    """Return what the lift was worth to the bank, over all who were assigned to contact.

    ``in_money`` says whether a ``sum`` or ``change`` is in fen; other numbers have no worth.
    """
    total = _times(lift, lift.treated.n)
    customers = total if metric.measure == "rate" else None
    money = total.times(FEN) if metric.measure != "rate" and in_money else None
    gross = _gross(customers, money, metric)
    return Worth(
        incremental_customers=customers and customers.rounded(FEN),
        incremental_cny=money and money.rounded(FEN),
        gross_profit_cny=gross and gross.rounded(FEN),
        cost_cny=cost_cny,
        roi=gross.minus(cost_cny).times(1 / cost_cny).rounded(RATIO) if gross and cost_cny > 0 else None,
        cost_per_customer_cny=(
            (cost_cny / customers.point).quantize(FEN, ROUND_HALF_EVEN) if customers and customers.low > 0 else None
        ),
    )


def _gross(customers: Range | None, money: Range | None, metric: MetricSpec) -> Range | None:
    if customers and metric.value_cny:
        return customers.times(metric.value_cny)
    if money and metric.margin_rate:
        return money.times(metric.margin_rate)
    return None


def _times(lift: Lift, n: int) -> Range:
    point, low, high = (Decimal(repr(v)) * n for v in (lift.point, lift.low, lift.high))
    return Range(point, low, high)
