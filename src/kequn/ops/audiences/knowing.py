"""What ownership asks of the analytical store: a customer's value, segments, WeCom, and what she did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from kequn.core.data.tables import ASSETS
from kequn.core.engine.duck import Engine, literal
from kequn.core.errors import NoData
from kequn.ops.audiences import queries
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership.contracts import Brief, Doing
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

TIER, AUM, WECOM = "asset_tier", "asset_aum_eod", "acct_wecom"
MONTH = 30


def briefs(customer_ids: Collection[str]) -> dict[str, Brief]:
    """Return tier and AUM of customers on the latest date; who is not in the store is absent."""
    ids, who, day = _known(customer_ids)
    if day is None or not ids:
        return {}
    there = [t for t in (TIER, AUM) if t in engine().manifest.dates[day.isoformat()].tags]
    found = {}
    for customer_id, row in zip(ids, queries.tag_values(who, day, there), strict=True):
        value = dict(zip(there, row, strict=True))
        tier, aum = value.get(TIER), value.get(AUM)
        words = [queries.shown_value(catalogue()[TIER], tier, lang) for lang in ("zh", "en")] if tier else ["", ""]
        found[customer_id] = Brief(str(tier or ""), words[0], words[1], None if aum is None else int(aum), day)
    return found


def members(segment: str, day: date | None) -> set[str]:
    """Return the ids of a segment's members on a day, the latest by default."""
    on = day or queries.latest_date()
    row = queries.segment_named(system_actor(), segment)
    return set(queries.customer_ids(queries.members_of(system_actor(), row.spec, as_of=on)))


def wecom(customer_ids: Collection[str]) -> set[str]:
    """Return who of some customers is on WeCom."""
    ids, who, day = _known(customer_ids)
    if day is None or WECOM not in engine().manifest.dates[day.isoformat()].tags:
        return set()
    return {c for c, row in zip(ids, queries.tag_values(who, day, [WECOM]), strict=True) if row[0]}


def days() -> list[date]:
    """Return the business dates with tags, the earliest first."""
    return sorted(queries.dates())


def doings(customer_ids: Collection[str], day: date, families: Sequence[str], repurchase_days: int) -> dict[str, Doing]:
    """Return what customers had and did as of a day.

    AUM is the sum of the assets at the latest date up to the day; a purchase is a booking of the category ``purchase``, of the
    families that are asked for.
    """
    ids, who, _day = _known(customer_ids)
    bank = engine()
    if not ids:
        return {}
    asked = pa.table({"ordinal": pa.array(who, pa.uint32())})
    bank.register("doings_asked", asked)
    aum = dict(bank.rows(_AUM.format(assets=_listed(ASSETS)), [day, day])) if bank.has("holding") else {}
    active = dict(bank.rows(_active(bank), [day] * _active(bank).count("?"))) if _active(bank) else {}
    bought = _bought(bank, day, families, repurchase_days)
    found = {}
    for customer_id, ordinal in zip(ids, who.tolist(), strict=True):
        last = active.get(ordinal)
        latest, before = bought.get(ordinal, (None, False))
        found[customer_id] = Doing(
            aum_fen=int(aum.get(ordinal) or 0), active_day=last == day, active_month=last is not None,
            bought_on=latest, bought_before=bool(before),
            bought_lately=latest is not None and latest > day - timedelta(days=repurchase_days),
        )  # fmt: skip
    return found


_AUM = (
    "SELECT ordinal, sum(balance) FROM holding SEMI JOIN doings_asked USING (ordinal)"
    " WHERE family IN ({assets}) AND as_of = (SELECT max(as_of) FROM holding WHERE as_of <= ?) AND as_of <= ? GROUP BY 1"
)


def _active(bank: Engine) -> str:
    """SELECT of ordinal and the last day within the month on which a customer did something herself."""
    parts = []
    if bank.has("transaction"):
        parts.append(
            "SELECT ordinal, booked_on AS d FROM transaction WHERE is_initiated"
            f" AND booked_on > CAST(? AS DATE) - {MONTH} AND booked_on <= ?"
        )
    if bank.has("event"):
        parts.append(
            "SELECT ordinal, happened_on AS d FROM event"
            f" WHERE happened_on > CAST(? AS DATE) - {MONTH} AND happened_on <= ?"
        )
    if not parts:
        return ""
    return (
        f"SELECT ordinal, max(d) FROM ({' UNION ALL '.join(parts)}) SEMI JOIN doings_asked USING (ordinal) GROUP BY 1"
    )


def _bought(bank: Engine, day: date, families: Sequence[str], within: int) -> dict[int, tuple[Any, Any]]:
    if not bank.has("transaction"):
        return {}
    of_family = ""
    if families and bank.has("product"):
        of_family = f" AND product_code IN (SELECT product_code FROM product WHERE family IN ({_listed(families)}))"
    query = (
        f"SELECT ordinal, max(booked_on), bool_or(booked_on <= CAST(? AS DATE) - {MONTH})"
        " FROM transaction SEMI JOIN doings_asked USING (ordinal)"
        f" WHERE category = 'purchase' AND booked_on <= ? AND booked_on > CAST(? AS DATE) - {int(within) + MONTH}{of_family}"
        " GROUP BY 1"
    )
    return {row[0]: row[1:] for row in bank.rows(query, [day] * 3)}


def _listed(words: Sequence[str]) -> str:
    return ", ".join(literal(word) for word in words)


def _known(customer_ids: Collection[str]) -> tuple[list[str], queries.Ordinals, date | None]:
    """Those of the customers who are in the store, their ordinals, and the latest date."""
    ids = sorted(set(customer_ids))
    found = queries.ordinals(ids)
    there = found >= 0
    try:
        day: date | None = queries.latest_date()
    except NoData:
        day = None
    return [c for c, known in zip(ids, there, strict=True) if known], found[there].astype(np.uint32), day
