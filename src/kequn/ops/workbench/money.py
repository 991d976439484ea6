"""What one customer has, had and moves: positions, balances by month, flows, rhythm, and what her tier holds and she does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from kequn.core.data.tables import LIABILITIES
from kequn.core.engine.duck import Engine
from kequn.core.engine.index.bits import unpacked
from kequn.core.errors import NoData
from kequn.core.insight.cube import TIERS
from kequn.core.insight.products import TierRate, rates_by_tier
from kequn.ops.audiences.queries import dates
from kequn.ops.catalog import queries as catalog
from kequn.ops.catalog.contracts import Product
from kequn.ops.runtime import engine
from kequn.ops.workbench.contracts import Balance, EndedPosition, Missing, Money, Month, Position, TagValue, Timing

SNAPSHOTS = 14
MONTHS = 12
ENDED_SHOWN = 12
MISSING_SHOWN = 5
TIMINGS = (
    ("payday", "txn_payday", "txn_payday_conf", "txn_payday_next"),
    ("inflow", "txn_inflow_cycle", "txn_inflow_conf", "txn_inflow_next"),
    ("bonus", "txn_bonus_month", "txn_bonus_conf", ""),
)
"""(kind, the tag with the value, the one with the confidence, the one with the next day)."""
Rates = tuple[tuple[TierRate, ...], ...]
_rates: dict[tuple[str, int, date], Rates] = {}


def money_of(ordinal: int, tags: Mapping[str, TagValue]) -> Money:
    """Return a customer's money; ``tags`` are those that may be shown of her, by name."""
    bank = engine()
    latest, snapshots = _snapshots(bank, ordinal)
    names = catalog.products() if snapshots else {}
    positions = _positions(snapshots.get(latest, ()), names)
    held = frozenset(p.family for p in positions)
    months, by_day = _flows(bank, ordinal)
    tier = str(tags["asset_tier"].value) if "asset_tier" in tags else ""
    return Money(
        as_of=latest,
        positions=positions,
        ended=_ended(snapshots, latest, names),
        balances=tuple(_balance(on, rows) for on, rows in sorted(snapshots.items())[-SNAPSHOTS:]),
        months=months,
        by_day=by_day,
        timings=timings_of(tags),
        tier=tier,
        missing=_missing(bank, tier, held),
    )


def missing_of(ordinal: int, tags: Mapping[str, TagValue]) -> tuple[Missing, ...]:
    """Return what a customer's tier holds and she does not."""
    tier = str(tags["asset_tier"].value) if "asset_tier" in tags else ""
    return _missing(engine(), tier, families_held(ordinal))


def families_held(ordinal: int) -> frozenset[str]:
    """Return the product families of a customer's latest positions."""
    bank = engine()
    latest = _latest(bank)
    if latest is None:
        return frozenset()
    query = "SELECT DISTINCT family FROM holding WHERE ordinal = ? AND as_of = ? AND balance <> 0"
    return frozenset(row[0] for row in bank.rows(query, [ordinal, latest]))


def timings_of(tags: Mapping[str, TagValue]) -> tuple[Timing, ...]:
    """Return the rhythms that were found with how sure they are."""
    found = []
    for kind, value, confidence, following in TIMINGS:
        if value in tags:
            sure, day = tags.get(confidence), tags.get(following)
            found.append(Timing(kind, tags[value], sure.value if sure else None, day.value if day else None))  # type: ignore[arg-type]
    return tuple(found)


# -- holdings -----------------------------------------------------------------------------------------------------------


def _snapshots(bank: Engine, ordinal: int) -> tuple[date | None, dict[date, list[tuple[Any, ...]]]]:
    """Return the latest date of the bank's holdings, and this customer's rows by date over a year and a month."""
    latest = _latest(bank)
    if latest is None:
        return None, {}
    query = (
        "SELECT as_of, product_code, position_no, family, balance, matures_on FROM holding"
        " WHERE ordinal = ? AND as_of > ? AND balance <> 0 ORDER BY as_of, balance DESC, product_code"
    )
    by_date: dict[date, list[tuple[Any, ...]]] = {}
    for on, *row in bank.rows(query, [ordinal, latest - timedelta(days=31 * SNAPSHOTS)]):
        by_date.setdefault(on, []).append(tuple(row))
    return latest, by_date


def _latest(bank: Engine) -> date | None:
    """Return the date of the bank's latest positions; the load says it, else the rows do."""
    if not bank.has("holding"):
        return None
    return bank.manifest.tables["holding"].as_of or bank.rows("SELECT max(as_of) FROM holding")[0][0]


def _positions(rows: Any, names: Mapping[str, Product]) -> tuple[Position, ...]:
    return tuple(
        Position(code, *_named(code, names), family, yuan_of(balance), matures_on)
        for code, _position_no, family, balance, matures_on in rows
    )


def _named(code: str, names: Mapping[str, Product]) -> tuple[str, str]:
    product = names.get(code)
    return (product.name, product.name_en) if product else (code, code)


def _balance(on: date, rows: list[tuple[Any, ...]]) -> Balance:
    sums: dict[str, int] = {}
    for _code, _position_no, family, balance, _matures_on in rows:
        sums[family] = sums.get(family, 0) + balance
    return Balance(on, {family: yuan_of(fen) for family, fen in sums.items()})


def _ended(
    snapshots: Mapping[date, list[tuple[Any, ...]]], latest: date | None, names: Mapping[str, Product]
) -> tuple[EndedPosition, ...]:
    """Return the positions that earlier snapshots had and the latest has not, the last to go first."""
    last: dict[tuple[str, str | None], EndedPosition] = {}
    for on, rows in sorted(snapshots.items()):
        for code, position_no, family, balance, matures_on in rows:
            gone = EndedPosition(*_named(code, names), family, on, yuan_of(balance), matures_on)
            last[code, position_no] = gone
    ended = [p for p in last.values() if p.last_on != latest]
    return tuple(sorted(ended, key=lambda p: (p.last_on, p.balance_cny), reverse=True)[:ENDED_SHOWN])


# -- flows --------------------------------------------------------------------------------------------------------------


def _flows(bank: Engine, ordinal: int) -> tuple[tuple[Month, ...], tuple[Decimal, ...]]:
    """Return money in and out by month, and what came in within a year by day of the month; transfers of her own left out."""
    if not bank.has("transaction"):
        return (), ()
    query = (
        "SELECT booked_on, direction, amount FROM \"transaction\" WHERE ordinal = ? AND category <> 'own_transfer'"
        " ORDER BY booked_on"
    )
    months: dict[date, list[int]] = {}
    rows = bank.rows(query, [ordinal])
    by_day = [0] * 31
    year_ago = rows[-1][0] - timedelta(days=365) if rows else date.min
    for on, direction, amount in rows:
        sums = months.setdefault(on.replace(day=1), [0, 0, 0])
        sums[0 if direction == "in" else 1] += amount
        sums[2] += 1
        if direction == "in" and on > year_ago:
            by_day[on.day - 1] += amount
    latest = sorted(months.items())[-MONTHS:]
    found = tuple(Month(month, yuan_of(came), yuan_of(went), n) for month, (came, went, n) in latest)
    return found, tuple(map(yuan_of, by_day)) if any(by_day) else ()


# -- against her tier ---------------------------------------------------------------------------------------------------


def _missing(bank: Engine, tier: str, held: frozenset[str]) -> tuple[Missing, ...]:
    """Return what many of her tier hold and she does not; nobody is short of a loan."""
    if tier not in TIERS:
        return ()
    rates = [r for r in _tier_rates(bank)[TIERS.index(tier)] if r.family not in held and r.family not in LIABILITIES]
    return tuple(
        Missing(r.family, r.rate, r.customers, None if r.typical_fen is None else yuan_of(r.typical_fen))
        for r in rates[:MISSING_SHOWN]
    )


def _tier_rates(bank: Engine) -> Rates:
    """One table for everybody: it is the same for each customer of a tier until the next load."""
    days = dates()
    if not days:
        return ((),) * len(TIERS)
    key = (str(bank.store.root), bank.manifest.version, days[0])
    if key not in _rates:
        index = bank.index(days[0])
        population = np.flatnonzero(unpacked(index.population, index.size)).astype(np.uint32)
        try:
            found = rates_by_tier(bank, population, as_of=days[0])
        except NoData:
            found = ((),) * len(TIERS)
        _rates.clear()
        _rates[key] = found
    return _rates[key]


def yuan_of(fen: Any) -> Decimal:
    """Return integer fen as yuan."""
    return (Decimal(int(fen or 0)) / 100).quantize(Decimal("0.01"))
