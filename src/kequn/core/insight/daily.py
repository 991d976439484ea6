"""The money and the coming of customers on one day, by cell: one pass over each table, for any division of customers into cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.data.tables import ASSETS
from kequn.core.engine.duck import Engine
from kequn.core.insight.monthly import PERSONAL, UNREACHED
from kequn.core.insight.periods import scan, stored, texts

Ints = npt.NDArray[np.int64]
KEPT_DAYS = 7
"""So long after a maturity it is told what stayed."""
CELLS = "daily_cells"


@dataclass(slots=True)
class Daily:
    """Sums by cell. Money is fen; a part that the data cannot tell is ``None``."""

    data_on: date | None = None
    """The business date of the holdings."""
    aum: Ints | None = None
    gain: Ints | None = None
    """Assets of the cell's customers against the same customers' at the last month's end."""
    matured: Ints | None = None
    """What matured ``KEPT_DAYS`` before."""
    kept: Ints | None = None
    """What of it did not leave the bank by the day."""
    opened: Ints | None = None
    covered: dict[int, Ints] = field(default_factory=dict)
    """Days looked back -> customers reached by a person of the bank."""


def daily(
    engine: Engine,
    day: date,
    ordinals: npt.NDArray[Any],
    cells: npt.NDArray[Any],
    *,
    size: int,
    reached: dict[int, npt.NDArray[Any]],
) -> Daily:
    """Return the sums of one day for customers (``ordinals``) in cells numbered 0 … ``size`` − 1.

    ``reached`` gives for each number of days looked back the ordinals that the caller knows to have been reached; those of the
    bank's own contacts are added to them.
    """
    table = pa.table({"ordinal": pa.array(ordinals, pa.uint32()), "cell": pa.array(cells, pa.int32())})
    engine.register(CELLS, table)
    found = Daily()
    _assets(engine, day, size, found)
    _maturities(engine, day, size, found)
    if "opened_on" in stored(engine, "customer"):
        found.opened = _sums(
            engine, f"SELECT cell, count(*) AS n FROM customer JOIN {CELLS} USING (ordinal) WHERE opened_on = ? GROUP BY 1",
            [day], size, "n",
        )[0]  # fmt: skip
    found.covered = {days: _covered(engine, day, days, ordinals, cells, size, own) for days, own in reached.items()}
    return found


def _assets(engine: Engine, day: date, size: int, found: Daily) -> None:
    if not engine.has("holding"):
        return
    month = day.replace(day=1)
    latest, base = engine.rows(
        "SELECT max(as_of), max(as_of) FILTER (as_of < ?) FROM holding WHERE as_of <= ?", [month, day]
    )[0]
    if latest is None:
        return
    aum, before = _sums(
        engine,
        "SELECT cell, sum(balance) FILTER (as_of = ?) AS aum, sum(balance) FILTER (as_of = ?) AS base"
        f" FROM holding JOIN {CELLS} USING (ordinal) WHERE as_of IN (?, ?) AND family IN {texts(ASSETS)} GROUP BY 1",
        [latest, base or latest, latest, base or latest], size, "aum", "base",
    )  # fmt: skip
    found.data_on, found.aum = latest, aum
    found.gain = aum - before if base is not None and latest >= month else None  # nothing was told of this month yet


def _maturities(engine: Engine, day: date, size: int, found: Daily) -> None:
    """What matured a week before and did not leave.

    Unknown where the transactions do not reach the day, or do not tell at all what went to other banks. A single payment that
    does not tell counts as gone, unless it is a purchase here.
    """
    if "is_external" not in stored(engine, "transaction"):
        return
    first = day - timedelta(days=KEPT_DAYS)
    reach = engine.rows('SELECT min(booked_on) <= ? AND max(booked_on) >= ? FROM "transaction"', [first, day])[0][0]
    if not reach:
        return
    trade = scan(engine, "transaction", "ordinal", "booked_on", "direction", "amount", "category", "is_external")
    found.matured, found.kept = _sums(
        engine,
        f"WITH came AS (SELECT ordinal, cell, sum(amount) AS matured FROM {trade} t JOIN {CELLS} USING (ordinal)"
        " WHERE category = 'maturity' AND booked_on = ? GROUP BY 1, 2), gone AS (SELECT t.ordinal, sum(t.amount) AS left_bank"
        f" FROM {trade} t SEMI JOIN came USING (ordinal) WHERE t.direction = 'out'"
        " AND coalesce(t.is_external, t.category IS DISTINCT FROM 'purchase') AND t.booked_on BETWEEN ? AND ? GROUP BY 1)"
        " SELECT cell, sum(matured) AS matured, sum(greatest(0, matured - coalesce(left_bank, 0))) AS kept"
        " FROM came LEFT JOIN gone USING (ordinal) GROUP BY 1",
        [first, first, day], size, "matured", "kept",
    )  # fmt: skip


def _covered(
    engine: Engine, day: date, days: int, ordinals: npt.NDArray[Any], cells: npt.NDArray[Any], size: int,
    own: npt.NDArray[Any],
) -> Ints:  # fmt: skip
    contact = scan(engine, "contact", "ordinal", "contacted_on", "channel", "outcome")
    told = engine.columns(
        f"SELECT DISTINCT ordinal FROM {contact} WHERE contacted_on > ? AND contacted_on <= ?"
        f" AND channel IN {texts(PERSONAL)} AND coalesce(outcome, '') NOT IN {texts(UNREACHED)}",
        [day - timedelta(days=days), day],
    )["ordinal"]
    flags = np.zeros(max(engine.manifest.ordinals, 1), dtype=bool)
    flags[np.asarray(told, dtype=np.int64)] = True
    flags[own[own >= 0]] = True
    return np.bincount(np.asarray(cells)[flags[np.asarray(ordinals, dtype=np.int64)]], minlength=size).astype(np.int64)


def _sums(engine: Engine, query: str, values: list[Any], size: int, *names: str) -> list[Ints]:
    found = engine.columns(query, values)
    placed = []
    for name in names:
        column = np.zeros(size, dtype=np.int64)
        column[np.asarray(found["cell"], dtype=np.int64)] = np.ma.filled(np.ma.asarray(found[name]), 0).astype(np.int64)
        placed.append(column)
    return placed
