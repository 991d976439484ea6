"""What the app of tags exchanges with the apps above it."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.core.spec.base import Text


@dataclass(frozen=True, slots=True)
class TagUser:
    """One thing that reads a tag: a ``tag``, ``segment``, ``playbook``, ``campaign`` or ``metric``."""

    kind: str
    name: str
    title: Text
