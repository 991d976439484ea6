"""Uploaded lists (名单): matched to customers by the bank's number, counted line by line, kept in the store by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Draft, ListState, Store
from kequn.core.errors import InvalidSpec, UnknownList, Where
from kequn.core.segments.upload import ListLine, UploadedList, masked

Ordinals = npt.NDArray[np.uint32]
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
Reason = Literal["blank", "mangled", "duplicate", "unknown"]
AT_A_TIME = 200_000
MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line that brought no customer: its number in the file, the number on it (masked), and why."""

    line: int
    value: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class ListMatch:
    """What an uploaded list came to: lines = matched + unmatched + duplicates + blanks + mangled."""

    ordinals: Ordinals
    """The customers, sorted, each once."""
    lines: int
    unmatched: int
    duplicates: int
    blanks: int
    mangled: int
    faults: tuple[LineFault, ...]
    """The first of the lines that brought no customer."""

    @property
    def matched(self) -> int:
        """Customers found."""
        return len(self.ordinals)


def match_list(uploaded: UploadedList, ordinals_for: Callable[[Sequence[str]], npt.NDArray[Any]]) -> ListMatch:
    """Return which customers are on a list and which lines are not one. The lines are taken some at a time.

    Args:
        ordinals_for: gives the ordinal of each customer number, -1 where the bank has no such customer.
    """
    found, counts = np.empty(0, dtype=np.int64), dict.fromkeys(get_args(Reason), 0)
    faults: list[LineFault] = []
    lines = 0
    for batch in _batches(uploaded.lines):
        lines += len(batch)
        good = [line for line in batch if not line.fault]
        here = np.asarray(ordinals_for([line.value for line in good]), dtype=np.int64)
        first = np.zeros(len(here), dtype=bool)
        first[np.unique(here, return_index=True)[1]] = True
        first &= ~np.isin(here, found, assume_unique=False)
        reasons = iter(np.where(here < 0, "unknown", np.where(first, "", "duplicate")).tolist())
        for line in batch:
            reason = line.fault or next(reasons)
            if reason:
                counts[reason] += 1
                if len(faults) < MOST_FAULTS:
                    faults.append(LineFault(line.line, masked(line.value) if line.value else "", reason))
        found = np.union1d(found, here[here >= 0])
    return ListMatch(
        ordinals=found.astype(np.uint32),
        lines=lines,
        unmatched=counts["unknown"],
        duplicates=counts["duplicate"],
        blanks=counts["blank"],
        mangled=counts["mangled"],
        faults=tuple(faults),
    )


def _batches(lines: Iterable[ListLine]) -> Iterator[list[ListLine]]:
    rest = iter(lines)
    while batch := list(islice(rest, AT_A_TIME)):
        yield batch


def save_list(store: Store, name: str, ordinals: npt.NDArray[Any], *, unmatched: int, now: datetime) -> ListState:
    """Publish a list under ``name``, in place of one that was there.

    Raises:
        InvalidSpec: the name is not lower case letters, digits and underscores.
        StoreBusy: another process is writing.
    """
    with store.writing(now=now) as draft:
        return _put(draft, name, ordinals, unmatched)


def extend_list(store: Store, name: str, ordinals: npt.NDArray[Any], *, unmatched: int, now: datetime) -> ListState:
    """Add customers to a list that is there.

    Raises:
        UnknownList: it is not.
        StoreBusy: another process is writing.
    """
    with store.writing(now=now) as draft:
        there = draft.manifest.lists.get(name)
        if there is None:
            raise UnknownList(f"There is no list {name!r}.", hint="Save it first.", list=name)
        before = pq.read_table(store.path(there.file)).column("ordinal").to_numpy()
        return _put(draft, name, np.concatenate([before, ordinals]), there.unmatched + unmatched)


def drop_list(store: Store, name: str, *, now: datetime) -> None:
    """Take a list out of the store; one that is not there is no error."""
    with store.writing(now=now) as draft:
        draft.manifest.lists.pop(name, None)


def _put(draft: Draft, name: str, ordinals: npt.NDArray[Any], unmatched: int) -> ListState:
    if not NAME.fullmatch(name):
        hint = "Use lower case letters, digits and underscores, a letter first."
        raise InvalidSpec(f"{name!r} is not a name for a list.", hint=hint, where=Where(field="name"))
    unique = np.unique(ordinals).astype(np.uint32)
    path, relative = draft.new_file("list", name)
    pq.write_table(pa.table({"ordinal": unique}), path, compression="zstd")
    state = ListState(file=relative, matched=len(unique), unmatched=unmatched)
    draft.manifest.lists[name] = state
    return state
