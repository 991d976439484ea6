"""What the data of a later day say about open matters: bought, kept, renewed, or the customer left or died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.resources import files

import pyarrow as pa

from kequn.core.data.tables import ASSETS
from kequn.core.desk.occasions import LAST_PICTURE_DAYS
from kequn.core.engine.duck import Engine
from kequn.core.engine.footers import latest

BOUGHT, KEPT, RENEWED = "bought", "kept", "renewed"
RULES: dict[str, str] = {"matured": KEPT, "maturing": KEPT, "risk_expiry": RENEWED, "retest": RENEWED}
"""By kind, what settles the matter; everything else is settled by buying what was offered."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One task as far as the data can settle it."""

    id: int
    ordinal: int
    """-1: not in the data any more."""
    rule: str
    family: str
    base: int | None
    """What she had of the family on ``base_on`` (fen), where it was written down; else the store's picture before that day tells."""
    base_on: date
    stake: int = 0
    """Of matured money, how much it was (fen)."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was placed in one family."""

    family: str
    product: str
    """Of the largest position."""
    fen: int
    opened_on: date | None
    """When that position was opened; ``None``: it was there before, and grew."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one matter (了结). ``why`` is bought, kept, renewed, left, died or gone."""

    id: int
    why: str
    amount: int = 0
    """Fen bought or kept: of matured money no more than matured."""
    since: date = date.min
    """Of what was placed, what pictures after this day were credited for is not new."""
    parts: tuple[Part, ...] = ()
    """What was placed, the largest first."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the data of a day show about one matter, before it is judged."""

    known: bool
    """Whether the data have the customer."""
    closed: bool
    died: bool
    renewed: bool
    since: date
    parts: tuple[Part, ...]
    """What was bought, or placed again; of matured money also what is more than matured."""

    @property
    def amount(self) -> int:
        """Fen of all parts."""
        return sum(p.fen for p in self.parts)


@dataclass(frozen=True, slots=True)
class Claim:
    """One settled matter of a customer that earns a credit, or earned one."""

    id: int
    day: date
    """The business date of the data that show it."""
    shown_on: date
    """The day of the holdings that show it."""
    parts: tuple[Part, ...]
    """What they show; of what was credited already, the credit."""
    since: date = date.min
    """The claim is about what was placed after the holdings of this day."""
    amount: int | None = None
    """Fen that it may earn at most."""


def settled(
    engine: Engine, matters: Sequence[Matter], *, as_of: date, bought_from: int, kept_percent: int
) -> list[Settled]:
    """Return the matters that the data of ``as_of`` settle, by id.

    *Bought*: positions of the family opened after ``base_on``, and what those that she had before grew by, together at least
    ``bought_from`` fen. *Kept*: positions of any kind but a current account opened on or after the
    maturity that make up ``kept_percent`` of the money; no more than the money itself counts. *Renewed*: the risk test was
    taken after ``base_on`` and holds.
    """
    by_id = {m.id: m for m in matters}
    found = (
        judged(by_id[id_], look, bought_from=bought_from, kept_percent=kept_percent)
        for id_, look in looks(engine, matters, as_of=as_of).items()
    )
    return [s for s in found if s is not None]


def looks(engine: Engine, matters: Sequence[Matter], *, as_of: date) -> dict[int, Look]:
    """Return what the data of ``as_of`` show about each matter, by id; empty without customers and holdings."""
    if not matters or not (engine.has("holding") and engine.has("customer")):
        return {}
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
    span = timedelta(days=LAST_PICTURE_DAYS)
    asked = {"as_of": as_of, "assets": list(ASSETS), "span": span.days, "back": min(m.base_on for m in matters) - span}
    rows = engine.cursor().execute(query, asked).fetchall()
    return {
        id_: Look(known, closed, died, renewed, since, tuple(Part(**p) for p in parts))
        for id_, known, closed, died, renewed, since, parts in rows
    }


def judged(matter: Matter, look: Look, *, bought_from: int, kept_percent: int) -> Settled | None:
    """Return what became of a matter by what the data show; ``None`` while it is open."""
    if not look.known:
        return Settled(matter.id, "gone")
    if look.died or look.closed:
        return Settled(matter.id, "died" if look.died else "left")
    return done(matter, look, bought_from=bought_from, kept_percent=kept_percent)


def done(matter: Matter, look: Look, *, bought_from: int, kept_percent: int) -> Settled | None:
    """Return what the customer did about a matter (bought, kept, renewed), whatever else became of her."""
    if look.renewed:
        return Settled(matter.id, RENEWED)
    if matter.rule == KEPT and matter.stake > 0 and look.amount * 100 >= matter.stake * kept_percent:
        return Settled(matter.id, KEPT, min(look.amount, matter.stake), look.since, look.parts)
    if matter.rule == BOUGHT and matter.family and look.amount >= bought_from:
        return Settled(matter.id, BOUGHT, look.amount, look.since, look.parts)
    return None


def holdings_on(engine: Engine, as_of: date) -> date | None:
    """Return the day of the holdings that answer for ``as_of``: the latest at or before it."""
    return latest(engine, "holding", as_of) if engine.has("holding") else None


def shares(claims: Sequence[Claim], credited: Sequence[Claim]) -> dict[int, tuple[Part, ...]]:
    """Return what each of a customer's claims is credited, by family (absent: nothing), so that no money is credited twice.

    Positions stay where they are: a later picture shows an earlier purchase again, and matured money that was placed in a
    family is a purchase of that family too. So of each part of a claim only what is more than was ``credited`` of its family
    by pictures after ``since`` counts, and of a family one claim a day. ``claims`` are in the order in which they were settled.
    """
    known = list(credited)
    found: dict[int, tuple[Part, ...]] = {}
    for claim in claims:
        left = sum(p.fen for p in claim.parts) if claim.amount is None else claim.amount
        earned: list[Part] = []
        for part in claim.parts:
            same = [(k, p.fen) for k in known for p in k.parts if p.family == part.family]
            free = min(part.fen - sum(fen for k, fen in same if k.shown_on > claim.since), left)
            if free > 0 and all(k.day != claim.day for k, _ in same):
                earned.append(replace(part, fen=free))
                left -= free
        if earned:
            found[claim.id] = tuple(sorted(earned, key=lambda p: -p.fen))
            known.append(replace(claim, parts=found[claim.id]))
    return found
