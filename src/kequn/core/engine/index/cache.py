"""Planes kept for the next question: while someone edits one condition, the others are not computed again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from kequn.core.engine.index.bits import Words

CAPACITY = 256 << 20


class MaskCache:
    """The planes used last, up to a number of bytes. Safe to use from several threads."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.size = 0
        self._planes: OrderedDict[Hashable, Words] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Words | None:
        """Return a plane that is kept, read-only."""
        with self._lock:
            plane = self._planes.get(key)
            if plane is not None:
                self._planes.move_to_end(key)
            return plane

    def put(self, key: Hashable, plane: Words) -> Words:
        """Keep a plane, which is read-only from now on, and drop those not asked for the longest."""
        plane.flags.writeable = False
        with self._lock:
            before = self._planes.pop(key, None)
            self.size += plane.nbytes - (0 if before is None else before.nbytes)
            self._planes[key] = plane
            while self.size > self.capacity and self._planes:
                self.size -= self._planes.popitem(last=False)[1].nbytes
        return plane

    def get_or_make(self, key: Hashable, make: Callable[[], Words]) -> Words:
        """Return the plane kept under a key, made first if there is none."""
        plane = self.get(key)
        return self.put(key, make()) if plane is None else plane
