"""A segment and the bank it is part of, as a table that questions join with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.duck import Engine

PEOPLE = "insight_people"
MINIMUM = 30
"""Below this many customers a figure is shown and called unreliable."""
SMALL = 5
"""Below this many it is withheld: it is nearly about persons."""


def register_people(engine: Engine, members: npt.NDArray[Any], population: npt.NDArray[Any]) -> tuple[int, int]:
    """Make (ordinal, is_member) of the population visible as ``PEOPLE``; return the members within it, and its size."""
    inside = np.zeros(max(engine.manifest.ordinals, 1), dtype=bool)
    inside[members] = True
    flags = inside[population]
    engine.register(PEOPLE, pa.table({"ordinal": pa.array(population, pa.uint32()), "is_member": pa.array(flags)}))
    return int(flags.sum()), len(population)


def withhold(n: int) -> bool:
    """Whether a count is too small to be shown."""
    return 0 < n < SMALL
