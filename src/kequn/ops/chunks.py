"""Long lists in parts: a statement names so many rows and no more, and a transaction holds them only so long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

AT_ONCE = 500
"""Rows a statement, where nothing speaks for more or fewer."""

T = TypeVar("T")


def chunks(rows: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """Yield the rows in their order, ``size`` at a time; the last part has what is left, and of nothing there is none."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
