"""Uploaded lists (名单): matched to customers by the bank's number, counted line by line, kept in the store by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Draft, ListState, Store
from kequn.core.errors import InvalidSpec, UnknownList, Where
from kequn.core.segments.upload import UploadedList, masked

Ordinals = npt.NDArray[np.uint32]
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
Reason = Literal["blank", "mangled", "duplicate", "unknown"]


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

    @property
    def matched(self) -> int:
        """Customers found."""
        return len(self.ordinals)


def match_list(uploaded: UploadedList, ordinals_for: Callable[[Sequence[str]], npt.NDArray[Any]]) -> ListMatch:
    """Return which customers are on a list and which lines are not one.

    Args:
        ordinals_for: gives the ordinal of each customer number, -1 where the bank has no such customer.
    """
    good = [line for line in uploaded.lines if not line.fault]
    found = np.asarray(ordinals_for([line.value for line in good]), dtype=np.int64)
    first = np.zeros(len(found), dtype=bool)
    first[np.unique(found, return_index=True)[1]] = True
    faults = [
        LineFault(line.line, masked(line.value) if line.value else "", line.fault)
        for line in uploaded.lines
        if line.fault
    ]
    for line, ordinal, is_first in zip(good, found.tolist(), first.tolist(), strict=True):
        if ordinal < 0 or not is_first:
            faults.append(LineFault(line.line, masked(line.value), "unknown" if ordinal < 0 else "duplicate"))
    reasons = [fault.reason for fault in faults]
    return ListMatch(
        ordinals=np.unique(found[found >= 0]).astype(np.uint32),
        lines=len(uploaded.lines),
        unmatched=reasons.count("unknown"),
        duplicates=reasons.count("duplicate"),
        blanks=reasons.count("blank"),
        mangled=reasons.count("mangled"),
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
    )


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
