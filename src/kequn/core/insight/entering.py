"""How a ledger is made: the tables are read for some customers at a time, and what they hold and receive is added up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kequn.core.data.tables import ASSETS, FAMILIES
from kequn.core.engine.duck import Engine, literal
from kequn.core.errors import NoData
from kequn.core.insight.ledger import DAYS, MONTHS, NO_DAY, NO_ROW
from kequn.core.insight.periods import Period, periods, scan

YEAR = 365
AT_ONCE = 1 << 18
"""Customers read at a time, so that memory stays bounded."""
ELSE = 255
"""Code of what belongs to no part."""

Ints = npt.NDArray[np.int64]


class _Parts:
    """A ``ByPart`` in the making: what was found for some customers after the other."""

    def __init__(self, parts: int) -> None:
        self.found: list[list[tuple[npt.NDArray[np.uint32], Ints]]] = [[] for _ in range(parts)]

    def add(self, first: int, there: npt.NDArray[np.bool_], sums: Ints) -> None:
        """Take in (part, customer): who has anything, and how much; the first of them has the ordinal ``first``."""
        for part, (has, amounts) in enumerate(zip(there, sums, strict=True)):
            at = np.flatnonzero(has)
            self.found[part].append(((at + first).astype(np.uint32), amounts[at]))

    def save(self, stem: Path) -> None:
        """Write the three arrays; amounts in 32 bits where all fit."""
        counts = [sum(len(o) for o, _ in found) for found in self.found]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ordinals = np.concatenate([np.zeros(0, np.uint32), *(o for found in self.found for o, _ in found)])
        amounts = np.concatenate([np.zeros(0, np.int64), *(a for found in self.found for _, a in found)])
        if not len(amounts) or (amounts.min() >= 0 and amounts.max() < 1 << 32):
            amounts = amounts.astype(np.uint32)
        self.found.clear()
        for name, values in (("starts", starts), ("ordinal", ordinals), ("amount", amounts)):
            np.save(f"{stem}.{name}.npy", values)


def enter(engine: Engine, as_of: date, folder: Path) -> dict[str, Any]:
    """Write a ledger's arrays into a folder and return what its ``ledger.json`` says."""
    try:
        months = periods(engine, until=as_of)
    except NoData:
        months = ()
    flows = tuple([p for p in months if not p.is_partial][-12:]) or months[-1:]
    size = max(engine.manifest.ordinals, 1)
    np.save(folder / "opened.npy", _opened(engine, size))
    parts = _enter_holdings(engine, months, size, folder) | _enter_flows(engine, as_of, flows, size)
    for name, made in parts.items():
        made.save(folder / name)
    told = {"periods": months, "flows": flows}
    return {"as_of": as_of.isoformat()} | {
        name: [[p.start.isoformat(), p.end.isoformat()] for p in among] for name, among in told.items()
    }


def _opened(engine: Engine, size: int) -> npt.NDArray[np.int32]:
    source = scan(engine, "customer", "ordinal", "opened_on")
    query = f"SELECT ordinal, coalesce(opened_on - DATE '1970-01-01', {NO_DAY}) AS day FROM {source} c"
    found = engine.columns(query)
    opened = np.full(size, NO_ROW, dtype=np.int32)
    opened[np.ma.filled(found["ordinal"], 0)] = np.ma.filled(found["day"], NO_DAY)
    return opened


def _enter_holdings(engine: Engine, months: Sequence[Period], size: int, folder: Path) -> dict[str, _Parts]:
    assets = np.lib.format.open_memmap(folder / "assets.npy", "w+", np.int64, (len(months), size))
    level, held = np.zeros(size, dtype=np.int64), _Parts(len(FAMILIES))
    for first, n in _ranges(size) if months else ():
        m, family, who, balance, average = _positions(engine, months, first, n)
        own = family < len(ASSETS)
        for k in range(len(months)):
            mine = own & (m == k)
            assets[k, first : first + n] = _sums(who[mine], balance[mine], n)
        last = m == len(months) - 1
        level[first : first + n] = _sums(who[last & own], average[last & own], n)
        named = last & (family < len(FAMILIES))
        key = family[named].astype(np.int64) * n + who[named]
        sums = _sums(key, balance[named], len(FAMILIES) * n).reshape(len(FAMILIES), n)
        held.add(first, sums > 0, sums)
    assets.flush()
    np.save(folder / "level.npy", level)
    return {"held": held}


def _positions(engine: Engine, months: Sequence[Period], first: int, n: int) -> tuple[npt.NDArray[Any], ...]:
    """Period, family, customer (from ``first``), balance and month average of the positions at the ends of the months."""
    source = scan(engine, "holding", "ordinal", "as_of", "family", "balance", "month_average")
    families = " ".join(f"WHEN {literal(name)} THEN {code}" for code, name in enumerate(FAMILIES))
    ends = [f"DATE {literal(p.end.isoformat())}" for p in months]
    at = " ".join(f"WHEN {end} THEN {k}" for k, end in enumerate(ends))
    found = engine.columns(
        f"SELECT CAST(CASE as_of {at} END AS UTINYINT) AS m,"
        f" CAST(CASE family {families} ELSE {ELSE} END AS UTINYINT) AS family, ordinal - {first:d} AS who,"
        f" balance, coalesce(month_average, balance) AS average FROM {source} h"
        f" WHERE as_of IN ({', '.join(ends)}) AND ordinal BETWEEN {first:d} AND {first + n - 1:d}"
    )
    return tuple(np.ma.filled(found[name], 0) for name in ("m", "family", "who", "balance", "average"))


def _enter_flows(engine: Engine, as_of: date, flows: Sequence[Period], size: int) -> dict[str, _Parts]:
    made = {
        "receipts": _Parts(DAYS), "inflow": _Parts(len(flows)), "outflow": _Parts(len(flows)),
        "came_by_day": _Parts(DAYS), "came_by_month": _Parts(MONTHS),
    }  # fmt: skip
    calendar = _Calendar(flows, as_of - timedelta(days=YEAR - 1), as_of)
    for first, n in _ranges(size):
        day, came, who, amount = _booked(engine, calendar, first, n)
        flowed, year = calendar.flowed[day], calendar.year[day]
        for name, by, chosen in (
            ("receipts", calendar.day, came & flowed), ("inflow", calendar.flow, came & flowed),
            ("outflow", calendar.flow, ~came & flowed), ("came_by_day", calendar.day, came & year),
            ("came_by_month", calendar.month, came & year),
        ):  # fmt: skip
            part = by[day]
            rows = chosen & (part != ELSE)
            key, cells = part[rows].astype(np.int64) * n + who[rows], len(made[name].found) * n
            count = np.bincount(key, minlength=cells)
            sums = count if name == "receipts" else _sums(key, amount[rows], cells)
            made[name].add(first, count.reshape(-1, n) > 0, sums.reshape(-1, n))
    return made


class _Calendar:
    """What each day from the first one on belongs to."""

    def __init__(self, flows: Sequence[Period], since: date, until: date) -> None:
        self.first = min([since, *(p.start for p in flows)])
        self.last = max([until, *(p.end for p in flows)])
        every = [self.first + timedelta(days=k) for k in range((self.last - self.first).days + 1)]
        labels = {p.label: k for k, p in enumerate(flows)}
        self.day = np.array([d.day - 1 for d in every], dtype=np.uint8)
        self.month = np.array([d.month - 1 for d in every], dtype=np.uint8)
        self.flow = np.array([labels.get(f"{d:%Y-%m}", ELSE) for d in every], dtype=np.uint8)
        self.flowed = np.array([bool(flows) and flows[0].start <= d <= flows[-1].end for d in every])
        self.year = np.array([since <= d <= until for d in every])


def _booked(engine: Engine, calendar: _Calendar, first: int, n: int) -> tuple[npt.NDArray[Any], ...]:
    """Day (from the calendar's first), whether money came, customer (from ``first``) and amount of flows from or to outside."""
    source = scan(engine, "transaction", "ordinal", "booked_on", "direction", "amount", "is_external")
    since, until = (f"DATE {literal(d.isoformat())}" for d in (calendar.first, calendar.last))
    found = engine.columns(
        f"SELECT CAST(booked_on - {since} AS USMALLINT) AS day, coalesce(direction = 'in', FALSE) AS came,"
        f" CAST(ordinal - {first:d} AS UINTEGER) AS who, amount FROM {source} t WHERE is_external"
        f" AND booked_on BETWEEN {since} AND {until} AND ordinal BETWEEN {first:d} AND {first + n - 1:d}"
    )
    day, came, who, amount = (np.ma.filled(found[name], 0) for name in ("day", "came", "who", "amount"))
    return day, came.astype(bool), who, amount


def _ranges(size: int) -> list[tuple[int, int]]:
    return [(first, min(AT_ONCE, size - first)) for first in range(0, size, AT_ONCE)]


def _sums(keys: npt.NDArray[Any], amounts: npt.NDArray[Any], size: int) -> Ints:
    """Sums by key: exact below 2^53 fen, which is more than any customer has."""
    return np.bincount(keys, weights=amounts.astype(np.float64), minlength=size).astype(np.int64)
