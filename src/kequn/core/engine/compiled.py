"""Functions compiled by numba with a cache on disk that several processes may fill at once.

Numba numbers a function's compiled forms in an index file beside them, and reads, numbers and writes without holding anything:
of two processes that compile different forms at the same moment, one takes the number that the other is writing to, and the
index then leads to the code of other types ("can't unbox array"). Here a lock beside the index is held meanwhile.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from numba import njit


class CacheFile(Protocol):
    """The part of numba's cache that reads and writes the forms of one function (``IndexDataCacheFile``)."""

    _index_path: str

    def save(self, key: Any, data: Any) -> None: ...
    def load(self, key: Any) -> Any: ...


class LockedCacheFile:
    """A cache file that is read and written under its lock."""

    def __init__(self, inner: CacheFile) -> None:
        self._inner = inner

    def save(self, key: Any, data: Any) -> None:
        """Keep a compiled form."""
        with self._held(fcntl.LOCK_EX):
            self._inner.save(key, data)

    def load(self, key: Any) -> Any:
        """Return a compiled form, ``None`` where there is none."""
        with self._held(fcntl.LOCK_SH):
            return self._inner.load(key)

    @contextmanager
    def _held(self, how: int) -> Iterator[None]:
        """Where nothing can be written nobody writes, and there is nothing to hold."""
        try:
            lock = Path(f"{self._inner._index_path}.lock").open("a")  # noqa: SIM115 - closed below
        except OSError:
            yield
            return
        with lock:
            fcntl.flock(lock, how)
            yield


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled without the interpreter's lock, for the types it meets at its first call, and kept on disk.

    Raises:
        RuntimeError: there is nowhere to keep it.
    """
    made: Any = njit(nogil=True, cache=True)(function)
    cache = made._cache
    cache._cache_file = LockedCacheFile(cast("CacheFile", cache._cache_file))
    return made
