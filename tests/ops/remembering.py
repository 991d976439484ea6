"""What many tests start from is made once a process and put back as rows and files, not made again.

A fixture that is ``remembered`` runs once for each state of the database and the store that it is asked for in; the rows and
files that it changed are kept, and from then on only written. The test owns what it gets: rows stand in its own transaction,
files in its own folder. Such a fixture may do nothing else that lasts: what it installs in the process is not put back.

Nothing is remembered on PostgreSQL (whose sequences outlive a rollback) or outside a transaction.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from django.db import connection

from kequn.ops import runtime

T = TypeVar("T")
P = ParamSpec("P")
Rows = dict[str, set[tuple[Any, ...]]]
"""Table -> its rows as SQLite keeps them, each after its number."""
Files = dict[str, tuple[int, int]]
"""Path below the runtime's folder -> size and time of writing."""
MOST = 24
"""States kept of one fixture: what every test asks for in a state of its own is not worth keeping."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a function returned and changed, and the state it led to."""

    value: bytes
    gone: dict[str, list[tuple[int]]]
    new: dict[str, list[tuple[Any, ...]]]
    files: dict[str, tuple[bytes, int]]
    state: str


_seen: dict[str, Any] = {}
"""The state of the database at the last look, within which transactions (a rollback is no change) and after how many changes."""


def remembered(make: Callable[P, T]) -> Callable[P, T]:
    """Return the fixture that leaves the database and the store as ``make`` does, by making it or by putting it back."""
    kept: dict[str, _Kept] = {}

    @wraps(make)
    def fixture(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.vendor != "sqlite" or not connection.in_atomic_block:
            return make(*args, **kwargs)
        state = _state()
        if state in kept:
            return _put_back(kept[state])  # type: ignore[no-any-return]
        if len(kept) == MOST:
            return make(*args, **kwargs)
        rows, files = _rows(), _files()
        value = make(*args, **kwargs)
        if (changed := _changed(rows, files, value)) is not None:
            kept[state] = changed
        return value

    return fixture


def _state() -> str:
    """Return a digest of all that what is made may depend on; the rows are read only if something wrote since the last look."""
    now = runtime.runtime()
    if _seen.get("within") != connection.atomic_blocks or _seen["changes"] != _raw().total_changes:
        _note(_digest(_rows()))
    keys = (now.field_key, now.index_key, now.audit_key, now.pseudonym_key)
    return sha256(
        repr((_seen["state"], sorted(_files().items()), now.clock(), now.tag_folders, keys)).encode()
    ).hexdigest()


def _note(state: str) -> None:
    _seen.update(within=[*connection.atomic_blocks], changes=_raw().total_changes, state=state)


def _digest(rows: Rows) -> str:
    return sha256(repr({table: sorted(found, key=_number) for table, found in rows.items()}).encode()).hexdigest()


def _number(row: tuple[Any, ...]) -> int:
    return row[0]  # type: ignore[no-any-return]


def _raw() -> Any:
    connection.ensure_connection()
    return connection.connection


@cache
def _tables() -> dict[str, tuple[list[str], bool]]:
    """Return table -> its columns and whether one of them is the row's number."""
    names = [name for (name,) in _raw().execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {}
    for name in names:
        columns = _raw().execute(f'PRAGMA table_info("{name}")').fetchall()
        found[name] = ([f'"{c[1]}"' for c in columns], any(c[5] and c[2].lower() == "integer" for c in columns))
    return found


def _rows() -> Rows:
    # a plus before a column: what SQLite keeps, not what Django's converters make of it
    return {
        table: set(_raw().execute(f'SELECT +rowid, {", ".join(f"+{c}" for c in columns)} FROM "{table}"'))
        for table, (columns, _) in _tables().items()
    }


def _root() -> Path:
    return runtime.runtime().store.root.parent


def _files() -> Files:
    found = {}
    for folder in (runtime.runtime().store.root, runtime.runtime().data_folder):
        for path in folder.rglob("*"):
            if path.is_file():
                stat = path.stat()
                found[str(path.relative_to(_root()))] = (stat.st_size, stat.st_mtime_ns)
    return found


def _changed(rows: Rows, files: Files, value: object) -> _Kept | None:
    """Return what changed since; ``None`` where it cannot be put back in another folder: a path of this one, a lost file."""
    after, files_after, pickled, here = _rows(), _files(), pickle.dumps(value), str(_root())
    new = {table: sorted(more, key=_number) for table, found in after.items() if (more := found - rows[table])}
    gone = {table: [row[:1] for row in less] for table, found in rows.items() if (less := found - after[table])}
    if here in repr(new) or here.encode() in pickled or files.keys() - files_after.keys():
        return None
    written = {
        name: ((_root() / name).read_bytes(), stamp[1])
        for name, stamp in files_after.items()
        if files.get(name) != stamp
    }
    state = _digest(after)
    _note(state)
    return _Kept(pickled, gone, new, written, state)


def _put_back(kept: _Kept) -> Any:
    for table, numbers in kept.gone.items():
        _raw().executemany(f'DELETE FROM "{table}" WHERE rowid = ?', numbers)
    for table, rows in kept.new.items():
        columns, has_number = _tables()[table]
        names = ["rowid", *columns]
        if has_number:  # the first of a row stands among its columns too
            names, rows = columns, [row[1:] for row in rows]  # noqa: PLW2901
        _raw().executemany(f'INSERT INTO "{table}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))})', rows)
    for name, (content, written_at) in kept.files.items():
        path = _root() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(written_at, written_at))
    _note(kept.state)
    return pickle.loads(kept.value)
