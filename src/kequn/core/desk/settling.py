"""What the data of a later day say about open matters: bought, kept, renewed, or the customer left or died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import pyarrow as pa

from kequn.core.data.tables import ASSETS
from kequn.core.engine.duck import Engine

BOUGHT, KEPT, RENEWED = "bought", "kept", "renewed"
RULES: dict[str, str] = {"matured": KEPT, "maturing": KEPT, "risk_expiry": RENEWED, "retest": RENEWED}
"""By kind, what settles the matter; everything else is settled by buying what was offered."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One task as far as the data can settle it. ``base`` is what she had of the family (fen) on ``base_on``."""

    id: int
    ordinal: int
    """-1: not in the data any more."""
    rule: str
    family: str
    base: int
    base_on: date
    stake: int = 0
    """Of matured money, how much it was (fen)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one matter (了结). ``why`` is bought, kept, renewed, left, died or gone."""

    id: int
    why: str
    amount: int = 0
    """Fen bought or kept."""
    product: str = ""
    family: str = ""


def settled(
    engine: Engine, matters: Sequence[Matter], *, as_of: date, bought_from: int, kept_percent: int
) -> list[Settled]:
    """Return the matters that the data of ``as_of`` settle, by id.

    *Bought*: positions of the family opened after ``base_on``, or an increase of the family's balance over ``base``, whichever
    is more, of at least ``bought_from`` fen. *Kept*: positions of any kind but a current account opened on or after the
    maturity that make up ``kept_percent`` of the money; no more than the money itself counts. *Renewed*: the risk test was
    taken after ``base_on`` and holds.
    """
    if not matters or not (engine.has("holding") and engine.has("customer")):
        return []
    table = pa.table(
        {
            "id": pa.array([m.id for m in matters], pa.int64()),
            "ordinal": pa.array([m.ordinal for m in matters], pa.int64()),
            "rule": pa.array([m.rule for m in matters], pa.string()),
            "family": pa.array([m.family for m in matters], pa.string()),
            "base": pa.array([m.base for m in matters], pa.int64()),
            "base_on": pa.array([m.base_on for m in matters], pa.date32()),
        }
    )
    engine.register("desk_tasks", table)
    query = (files("kequn.core.desk") / "sql" / "settling.sql").read_text(encoding="utf-8")
    rows = engine.cursor().execute(query, {"as_of": as_of, "assets": list(ASSETS)}).fetchall()
    by_id = {m.id: m for m in matters}
    found = (_settled(by_id[row[0]], row[1:], bought_from=bought_from, kept_percent=kept_percent) for row in rows)
    return [s for s in found if s is not None]


def _settled(
    matter: Matter, row: tuple[bool, bool, bool, bool, int, str, str], *, bought_from: int, kept_percent: int
) -> Settled | None:
    known, closed, died, renewed, amount, product, family = row
    if not known:
        return Settled(matter.id, "gone")
    if died or closed:
        return Settled(matter.id, "died" if died else "left")
    if renewed:
        return Settled(matter.id, RENEWED)
    if matter.rule == KEPT and matter.stake > 0 and amount * 100 >= matter.stake * kept_percent:
        return Settled(matter.id, KEPT, min(amount, matter.stake), product, family)
    if matter.rule == BOUGHT and matter.family and amount >= bought_from:
        return Settled(matter.id, BOUGHT, amount, product, family)
    return None
