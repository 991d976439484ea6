"""The time machine: who belonged to a segment on each date it was looked at, kept compactly.

A date's members are a portable Roaring bitmap where a chain begins and at the first date of each month; on the dates between,
only the difference (XOR) to the date before. A chain is one definition: another rule, or another version of a tag it reads,
begins a new one. Files never change; ``index.json`` says which of them count and is replaced whole, so that a kill at any
moment leaves what was there before.
"""

from __future__ import annotations

import array
import errno
import fcntl
import hashlib
import json
import os
import uuid
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from pyroaring import BitMap

from kequn.core.engine.store import Store
from kequn.core.errors import NoData, StoreBusy, StoreFull

Ordinals = npt.NDArray[np.uint32]
Definition = Mapping[str, Mapping[str, str]]
"""What decided who belongs: kind (segment, tag, list) -> name -> fingerprint."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Snapshot(_Part):
    """The members of one segment on one business date, and by what they were found."""

    as_of: date
    file: str
    """Relative to the store."""
    bytes: int
    size: int
    is_full: bool
    """Whether the file holds the members; otherwise the difference to the date before."""
    definition: str
    """Key of what decided who belongs; another key than the date before is a changed definition."""
    data: str
    """Names the data they were found in: the same data and definition give the same members."""
    taken_at: datetime
    joined: int | None = None
    """Members who were not on the date before; ``None`` on the first date."""
    left: int | None = None


class _Index(_Part):
    definitions: dict[str, dict[str, dict[str, str]]] = {}
    snapshots: tuple[Snapshot, ...] = ()
    """By date."""


def definition_key(definition: Definition) -> str:
    """Return the key of a definition: 12 characters."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]


def take(
    store: Store,
    segment: str,
    as_of: date,
    members: npt.NDArray[Any],
    *,
    definition: Definition,
    data: str,
    now: datetime,
) -> Snapshot:
    """Keep the members of a segment on a date, in the place of those kept for it before; the same again changes nothing.

    Args:
        members: ordinals, any order.
        data: names the data they were found in.

    Raises:
        StoreBusy: another process is keeping members of this segment.
        StoreFull: there is no room; what was kept stays.
    """
    key = definition_key(definition)
    with _held(store, segment) as index:
        place = bisect_left(index.snapshots, as_of, key=lambda s: s.as_of)
        there = index.snapshots[place] if place < len(index.snapshots) else None
        if there and there.as_of == as_of and (there.definition, there.data) == (key, data):
            return there
        following = place + 1 if there and there.as_of == as_of else place
        after = _bitmap(store, index, following) if following < len(index.snapshots) else None
        before = index.snapshots[place - 1] if place else None
        known = _bitmap(store, index, place - 1) if before else None
        found = _as_bitmap(members)
        facts: dict[str, Any] = {"as_of": as_of, "definition": key, "data": data, "taken_at": now}
        try:
            made = [_written(store, segment, found, facts, before, known)]
            if after is not None:  # its difference was to another date, or to other members of this one
                rest = index.snapshots[following].model_dump(include={"as_of", "definition", "data", "taken_at"})
                made.append(_written(store, segment, after, rest, made[0], found))
            snapshots = (*index.snapshots[:place], *made, *index.snapshots[following + len(made) - 1 :])
            kept = {s.definition for s in snapshots}
            definitions = index.definitions | {key: {kind: dict(names) for kind, names in definition.items()}}
            changed = _Index(definitions={k: d for k, d in definitions.items() if k in kept}, snapshots=snapshots)
            _publish(store, segment, changed)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise StoreFull("The disk is full.", hint="Make room; what was kept before goes on serving.") from error
        _sweep(store, segment, keep={s.file for s in (*index.snapshots, *snapshots)})
    return made[0]


def snapshots(store: Store, segment: str) -> tuple[Snapshot, ...]:
    """Return what is kept of a segment, by date: sizes and movements without opening a bitmap."""
    return _read(store, segment).snapshots


def dates(store: Store, segment: str) -> tuple[date, ...]:
    """Return the dates on which a segment's members are kept, oldest first."""
    return tuple(snapshot.as_of for snapshot in snapshots(store, segment))


def definitions(store: Store, segment: str) -> dict[str, dict[str, dict[str, str]]]:
    """Return what each ``Snapshot.definition`` stands for: kind -> name -> fingerprint."""
    return dict(_read(store, segment).definitions)


def snapshots_within(store: Store, segment: str, within: npt.NDArray[Any]) -> tuple[Snapshot, ...]:
    """Return what is kept of a segment with the sizes and movements of some customers alone (ordinals, any order)."""
    index, scope = _read(store, segment), _as_bitmap(within)
    found: list[Snapshot] = []
    members, before = BitMap(), None
    for snapshot in index.snapshots:
        opened = _opened(store, snapshot)
        members = opened if snapshot.is_full else members ^ opened
        inside = members & scope
        found.append(snapshot.model_copy(update={"size": len(inside), **_movement(inside, before)}))
        before = inside
    return tuple(found)


def members_on(store: Store, segment: str, as_of: date) -> Ordinals:
    """Return the ordinals of the members on a date, sorted.

    Raises:
        NoData: nothing is kept for that date.
    """
    return _as_ordinals(_kept_on(store, segment, as_of))


def joined_left(store: Store, segment: str, before: date, after: date) -> tuple[Ordinals, Ordinals]:
    """Return who is a member on the second date and was not on the first, and the other way round.

    Raises:
        NoData: nothing is kept for one of the dates.
    """
    old, new = _kept_on(store, segment, before), _kept_on(store, segment, after)
    return _as_ordinals(new - old), _as_ordinals(old - new)


def forget(store: Store, segment: str, *, before: date) -> int:
    """Remove what is kept of dates before ``before``; return of how many. The first date left becomes a whole bitmap."""
    with _held(store, segment) as index:
        cut = bisect_left(index.snapshots, before, key=lambda s: s.as_of)
        if not cut:
            return 0
        kept = list(index.snapshots[cut:])
        if kept:
            facts = kept[0].model_dump(include={"as_of", "definition", "data", "taken_at"})
            kept[0] = _written(store, segment, _bitmap(store, index, cut), facts, None, None)
        names = {s.definition for s in kept}
        changed = _Index(definitions={k: d for k, d in index.definitions.items() if k in names}, snapshots=tuple(kept))
        _publish(store, segment, changed)
        _sweep(store, segment, keep={s.file for s in (*index.snapshots, *kept)})
    return cut


# -- bitmaps ------------------------------------------------------------------------------------------------------------


def _kept_on(store: Store, segment: str, as_of: date) -> BitMap:
    for attempt in (0, 1):
        index = _read(store, segment)
        place = bisect_left(index.snapshots, as_of, key=lambda s: s.as_of)
        if place == len(index.snapshots) or index.snapshots[place].as_of != as_of:
            known = [s.as_of for s in index.snapshots]
            span = f"Kept: {known[0]} … {known[-1]}, {len(known)} dates." if known else "Nothing is kept of it yet."
            raise NoData(f"The members of {segment!r} on {as_of} are not kept.", hint=span, segment=segment)
        try:
            return _bitmap(store, index, place)
        except FileNotFoundError:  # replaced twice since the index was read
            if attempt:
                raise
    raise AssertionError("unreachable")


def _bitmap(store: Store, index: _Index, place: int) -> BitMap:
    """Small differences are put together first, so that the large bitmap is changed once."""
    first = place
    while not index.snapshots[first].is_full:
        first -= 1
    change = BitMap()
    for snapshot in index.snapshots[first + 1 : place + 1]:
        change ^= _opened(store, snapshot)
    found = _opened(store, index.snapshots[first])
    found ^= change
    return found


def _opened(store: Store, snapshot: Snapshot) -> BitMap:
    return BitMap.deserialize(store.path(snapshot.file).read_bytes())


def _as_bitmap(members: npt.NDArray[Any]) -> BitMap:
    numbers = array.array("I")  # pyroaring reads an array ten times as fast as a sequence
    numbers.frombytes(np.ascontiguousarray(members, dtype=np.uint32).tobytes())
    return BitMap(numbers)


def _as_ordinals(members: BitMap) -> Ordinals:
    return np.array(members.to_array(), dtype=np.uint32)


# -- files --------------------------------------------------------------------------------------------------------------


def _written(
    store: Store, segment: str, found: BitMap, facts: Mapping[str, Any], before: Snapshot | None, known: BitMap | None
) -> Snapshot:
    """Write a date's file: the difference to the date before where the chain goes on and that is smaller."""
    day: date = facts["as_of"]
    is_full, content = True, _serialized(found)
    if before is not None and known is not None and _goes_on(before, day, facts["definition"]):
        change = _serialized(found ^ known)
        is_full, content = (False, change) if len(change) < len(content) else (True, content)
    kind = "full" if is_full else "diff"
    relative = Path("segment", segment, f"{day.isoformat()}-{uuid.uuid4().hex[:8]}.{kind}.roaring")
    _write(store.path(relative.as_posix()), content)
    return Snapshot(
        **facts,
        file=relative.as_posix(),
        bytes=len(content),
        size=len(found),
        is_full=is_full,
        **_movement(found, known),
    )


def _movement(found: BitMap, before: BitMap | None) -> dict[str, int | None]:
    if before is None:
        return {"joined": None, "left": None}
    return {"joined": found.difference_cardinality(before), "left": before.difference_cardinality(found)}


def _goes_on(before: Snapshot, day: date, definition: str) -> bool:
    """Whether a date continues the chain of the one before: the same definition, within a month."""
    return before.definition == definition and (before.as_of.year, before.as_of.month) == (day.year, day.month)


def _serialized(members: BitMap) -> bytes:
    members.run_optimize()
    return members.serialize()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _folder(store: Store, segment: str) -> Path:
    return store.path(f"segment/{segment}")


def _read(store: Store, segment: str) -> _Index:
    try:
        return _Index.model_validate_json((_folder(store, segment) / "index.json").read_bytes())
    except FileNotFoundError:
        return _Index()


def _publish(store: Store, segment: str, index: _Index) -> None:
    folder = _folder(store, segment)
    _write(folder / "index.json.new", index.model_dump_json(exclude_none=True).encode())
    (folder / "index.json.new").replace(folder / "index.json")
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(store: Store, segment: str, *, keep: set[str]) -> None:
    """Remove files of writers that died, and those that neither this index nor the one before names."""
    for path in _folder(store, segment).glob("*.roaring"):
        if path.relative_to(store.root).as_posix() not in keep:
            path.unlink(missing_ok=True)


@contextmanager
def _held(store: Store, segment: str) -> Iterator[_Index]:
    folder = _folder(store, segment)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreBusy(
                f"The members of {segment!r} are being kept by another process.", hint="Try again in a moment."
            ) from None
        yield _read(store, segment)
