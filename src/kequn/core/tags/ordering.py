"""In which order tags are computed, and which of them form a ring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kequn.core.errors import TagCycle


def levels(depends_on: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return tags in groups: each group needs only the groups before it. What is not a key is taken as given.

    Raises:
        TagCycle: tags that are made from one another; the fact ``path`` is the ring, its first tag repeated at the end.
    """
    waiting = {tag: {d for d in needs if d in depends_on} for tag, needs in depends_on.items()}
    found: list[list[str]] = []
    while waiting:
        ready = sorted(tag for tag, needs in waiting.items() if not needs)
        if not ready:
            raise _ring(waiting)
        found.append(ready)
        waiting = {tag: needs.difference(ready) for tag, needs in waiting.items() if needs}
    return found


def closure(names: Iterable[str], depends_on: Mapping[str, Iterable[str]]) -> set[str]:
    """Return some tags and all that they are made of."""
    found: set[str] = set()
    open_ = list(names)
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += depends_on.get(name, ())
    return found


def _ring(waiting: Mapping[str, set[str]]) -> TagCycle:
    path = [min(waiting)]
    while True:
        following = min(waiting[path[-1]])
        if following in path:
            ring = [*path[path.index(following) :], following]
            return TagCycle(
                f"Tags are made from one another in a ring: {' → '.join(ring)}.",
                hint="Take one of them out of another's expression.",
                path=ring,
            )
        path.append(following)
