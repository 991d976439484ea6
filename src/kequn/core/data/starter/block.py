"""One block of the starter bank: its people and what they hold and owe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from kequn.core.data.starter.people import People, people
from kequn.core.data.starter.positions import Debts, Positions, debts, positions


@dataclass(frozen=True, slots=True)
class Block:
    """The customers of a whole block, of whom the bank has the first ``size``."""

    seed: int
    who: People
    held: Positions
    owed: Debts
    size: int


def block_of(seed: int, block: int, size: int, as_of: date) -> Block:
    """Make one block; what is drawn for a customer does not depend on how many of the block the bank has."""
    who = people(seed, block, as_of)
    return Block(seed, who, positions(seed, who, as_of), debts(seed, who, as_of), size)
