"""The process's analytical store, keys and clock, installed once by the server and read by services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Runtime:
    """What services need of the process they run in."""

    store: Store
    data_folder: Path
    tag_folders: tuple[Path, ...]
    field_key: bytes
    index_key: bytes
    audit_key: bytes
    pseudonym_key: bytes
    clock: Callable[[], datetime] = _now
    secret: Callable[[str], str] = lambda _name: ""
    """Reads a named secret, such as a database's address, from where the operator keeps it; empty where there is none."""


_installed: Runtime | None = None
_engines: dict[tuple[str, int], Engine] = {}
_stamped: dict[object, Engine] = {}
"""The engine of the manifest that was there at the last look."""
_lock = threading.Lock()


def install(runtime: Runtime) -> None:
    """Make ``runtime`` the process's own; open engines of another store are dropped."""
    global _installed  # noqa: PLW0603 - the one process-wide object, named here and nowhere else
    _installed = runtime
    with _lock:
        _engines.clear()
        _stamped.clear()


def runtime() -> Runtime:
    """Return the installed runtime.

    Raises:
        RuntimeError: nothing was installed: the process was not started through ``kequn.server``.
    """
    if _installed is None:
        raise RuntimeError("kequn.ops.runtime.install was not called")
    return _installed


def now() -> datetime:
    """Return the time now, with its zone."""
    return runtime().clock()


def engine() -> Engine:
    """Return an engine over the store's current version; one is kept per version."""
    store = runtime().store
    stamp = (str(store.root), store.stamp())
    with _lock:
        if stamp in _stamped:
            return _stamped[stamp]
    manifest = store.manifest()
    key = (str(store.root), manifest.version)
    with _lock:
        if key not in _engines:
            _engines.clear()
            _engines[key] = Engine(store, manifest)
        _stamped.clear()
        _stamped[stamp] = _engines[key]
        return _engines[key]
