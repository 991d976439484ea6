"""Change who has whom: by claim, by rule, by hand, on leave and on leaving."""

from __future__ import annotations

from kequn.ops.ownership.moving import on_cover, on_owner_change

__all__ = ["on_cover", "on_owner_change"]
