"""The last few arrays of members, by what they were computed from."""

from __future__ import annotations

import threading
from collections import OrderedDict

from kequn.ops.audiences.dictionary import Ordinals

MOST = 16
"""Arrays kept in the process: 4 bytes a member each."""


class Kept:
    """Forgets the array asked for longest ago; gives out arrays that cannot be changed."""

    def __init__(self, most: int) -> None:
        self.most, self.lock = most, threading.Lock()
        self.arrays: OrderedDict[object, Ordinals] = OrderedDict()

    def get(self, key: object) -> Ordinals | None:
        with self.lock:
            if key in self.arrays:
                self.arrays.move_to_end(key)
            return self.arrays.get(key)

    def put(self, key: object, value: Ordinals) -> Ordinals:
        value.flags.writeable = False
        with self.lock:
            self.arrays[key] = value
            while len(self.arrays) > self.most:
                self.arrays.popitem(last=False)
        return value


members_kept = Kept(MOST)
