"""Cubes kept beside the store: computed once for a state of the data, a scope and a group of customers."""

from __future__ import annotations

import io
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter, ValidationError

from kequn.core.engine.duck import Engine
from kequn.core.insight import Cube, Period

MOST = 24
"""Cubes kept in the process."""
MOST_FILES = 400
READ = ("customer", "account", "product", "holding", "transaction", "event", "contact", "service", "consent")
LAYOUT = 1
"""Raised when a measure changes its meaning: older files are then computed anew."""

Part = TypeVar("Part")

_kept: OrderedDict[str, Cube] = OrderedDict()
_lock = threading.Lock()
_making = threading.Lock()
"""Parts are made one at a time: the blocks of a page ask for the same one at once, and a query has all cores anyway."""


def data_key(engine: Engine) -> str:
    """Return what tells one state of the tables that a cube rests on from another."""
    files = {name: state.files for name, state in sorted(engine.manifest.tables.items()) if name in READ}
    text = json.dumps([LAYOUT, files, engine.manifest.ordinals, str(engine.store.root)], sort_keys=True)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def find(engine: Engine, part: str) -> Cube | None:
    """Return a cube that was computed for this state of the data; ``part`` names scope and group."""
    path = _path(engine, part)
    with _lock:
        if path.name in _kept:
            _kept.move_to_end(path.name)
            return _kept[path.name]
    try:
        found = _read(path)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return _hold(path.name, found)


def keep(engine: Engine, part: str, cube: Cube) -> Cube:
    """Keep a cube; files of earlier states of the data go. A file is put in place when it is whole."""
    path = _path(engine, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
    temporary.write_bytes(_written(cube))
    temporary.replace(path)
    _sweep(engine, path.parent)
    return _hold(path.name, cube)


def get(engine: Engine, part: str, make: Callable[[], Cube]) -> Cube:
    """Return a kept cube, or make and keep it."""
    return find(engine, part) or keep(engine, part, make())


def get_part(engine: Engine, part: str, kind: TypeAdapter[Part], make: Callable[[], Part]) -> Part:
    """Return a small result kept for this state of the data, or make and keep it."""
    path = _path(engine, part).with_suffix(".part")
    if (kept := _read_part(path, kind)) is not None:
        return kept
    with _making:
        if (kept := _read_part(path, kind)) is not None:
            return kept
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        temporary.write_bytes(kind.dump_json(found))
        temporary.replace(path)
    _sweep(engine, path.parent)
    return found


def _read_part(path: Path, kind: TypeAdapter[Part]) -> Part | None:
    try:
        return kind.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _sweep(engine: Engine, folder: Path) -> None:
    """Remove what was computed for earlier states of the data, and the oldest where there is too much."""
    current = data_key(engine)
    files = sorted(
        (p for p in folder.iterdir() if p.suffix in (".cube", ".part")), key=lambda p: p.stat().st_mtime, reverse=True
    )
    for n, old in enumerate(files):
        if not old.name.startswith(current) or n >= MOST_FILES:
            old.unlink(missing_ok=True)


def _hold(name: str, cube: Cube) -> Cube:
    with _lock:
        _kept[name] = cube
        _kept.move_to_end(name)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return cube


def _path(engine: Engine, part: str) -> Path:
    name = blake2b(part.encode(), digest_size=10).hexdigest()
    return engine.store.path(f"insight/{data_key(engine)}-{name}.cube")


def _written(cube: Cube) -> bytes:
    about = {
        "periods": [[p.start.isoformat(), p.end.isoformat()] for p in cube.periods],
        "branches": cube.branches,
        "spans": {name: [first.isoformat(), last.isoformat()] for name, (first, last) in cube.spans.items()},
        "columns": cube.columns,
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, allow_pickle=False, about=np.array(json.dumps(about)), **{f"m_{n}": v for n, v in cube.measures.items()}
    )
    return buffer.getvalue()


def _read(path: Path) -> Cube:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        measures = {name.removeprefix("m_"): file[name] for name in file.files if name.startswith("m_")}
    day = date.fromisoformat
    return Cube(
        tuple(Period(day(start), day(end)) for start, end in about["periods"]),
        tuple(about["branches"]),
        measures,
        {name: (day(first), day(last)) for name, (first, last) in about["spans"].items()},
        {name: tuple(columns) for name, columns in about["columns"].items()},
    )
