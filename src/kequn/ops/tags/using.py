"""Who uses a tag: tags made of it, and what the apps above say (segments, metrics, campaigns)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kequn.core.spec.base import Text
from kequn.core.tags import lineage
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue, tag_for


@dataclass(frozen=True, slots=True)
class TagUser:
    """One thing that reads a tag: a ``tag``, ``segment``, ``playbook``, ``campaign`` or ``metric``."""

    kind: str
    name: str
    title: Text


Finder = Callable[[str], Iterable[TagUser]]
_finders: dict[str, Finder] = {}


def tell_tag_users(source: str, finder: Finder) -> None:
    """Say who finds the users of a tag in an app; called by the app when it is ready."""
    _finders[source] = finder


def users_of(name: str) -> list[TagUser]:
    """Return everything that reads a tag, by kind and name."""
    specs = catalogue()
    found = [TagUser("tag", other, specs[other].title) for other in lineage(specs[name], specs).used_by]
    for finder in _finders.values():
        found += finder(name)
    return sorted(set(found), key=lambda user: (user.kind, user.name))


def users_for(actor: Actor, name: str) -> list[TagUser]:
    """Return everything that reads a tag.

    Raises:
        UnknownTag: there is no such tag; with the nearest name.
    """
    return users_of(tag_for(actor, name).name)
