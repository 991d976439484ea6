"""What a rule needs of other days and of the whole bank: the tags of those days, and members as they were kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData
from kequn.core.segments.rule import ChangeRule, RankRule, Rule, ThenRule, WasRule, inside, specs_in, tags_now, walk
from kequn.core.segments.settle import settled
from kequn.core.segments.sql_core import snapshot_name, tags_name
from kequn.core.spec.tag import TagSpec

Past: TypeAlias = Callable[[str, date], npt.NDArray[Any] | None]
"""The ordinals that a segment had on a business date; ``None`` where they were not kept."""


def past_members(
    engine: Engine, rules: Iterable[Rule], as_of: date, dates: Collection[date], past: Past | None
) -> frozenset[tuple[str, date]]:
    """Make the members that were kept of the earlier days that rules ask about visible to this thread's queries.

    Return which they are. Earlier days that are asked about on earlier days are not looked for.
    """
    found: set[tuple[str, date]] = set()
    if past is None:
        return frozenset()
    for rule in rules:
        for part in walk(settled(rule, as_of, dates=dates)):
            if not isinstance(part, WasRule) or not isinstance(part.on, date) or (part.name, part.on) in found:
                continue
            ordinals = past(part.name, part.on)
            if ordinals is not None:
                members = pa.table({"ordinal": pa.array(np.asarray(ordinals, dtype=np.uint32))})
                engine.register(snapshot_name(part.name, part.on), members)
                found.add((part.name, part.on))
    return frozenset(found)


def asks_members(rule: Rule) -> bool:
    """Whether a rule asks who was a member of a segment earlier: members may be kept later, in the same version of the store."""
    return any(isinstance(part, WasRule) for part in walk(rule))


def past_key(rule: Rule, past: Past | None) -> str:
    """Return what tells the kept members that a settled rule asks about from others; empty where it asks about none."""
    asked = [part for part in walk(rule) if isinstance(part, WasRule) and isinstance(part.on, date)]
    if past is None or not asked:
        return ""
    digest = hashlib.sha256()
    for part in asked:
        ordinals = past(part.name, cast("date", part.on))
        digest.update(b"-" if ordinals is None else np.asarray(ordinals, dtype=np.uint32).tobytes())
        digest.update(f"|{part.name} {part.on}|".encode())
    return f" {digest.hexdigest()}"


def relations(engine: Engine, rules: Iterable[Rule], as_of: date) -> dict[str, str]:
    """Return name -> SELECT of the whole bank's tags on each day that rules look at, as far as they read them.

    Raises:
        NoData: there are no tags for such a day or before, or a tag was of another type then.
        UnknownTag: a tag was not computed on it.
    """
    dates = frozenset(map(date.fromisoformat, engine.manifest.dates))
    needs: dict[date, dict[str, None]] = {}
    specs: dict[str, TagSpec] = {}
    for rule in rules:
        specs |= specs_in(rule)
        _note(settled(rule, as_of, dates=dates), as_of, needs)
    for day, names in needs.items():
        check_types(engine, [specs[name] for name in names], day)
    bank = engine.within("")
    return {tags_name(day): bank.tags_query(day, names) for day, names in needs.items()}


def check_types(engine: Engine, tags: Iterable[TagSpec], as_of: date) -> None:
    """Refuse tags whose values of a date are of another type than the catalogue gives them now.

    Raises:
        NoData: so it is; the tag has to be computed again.
    """
    state = engine.manifest.dates.get(as_of.isoformat())
    for tag in tags:
        stored = state.tags.get(tag.name) if state else None
        if stored is not None and stored.type not in ("", tag.type):
            raise NoData(
                f"Tag {tag.name!r} is {tag.type} now, and its values for {as_of} are {stored.type}.",
                hint=f"Run `kequn tag refresh --as-of {as_of}`.",
                tag=tag.name,
            )


def _note(rule: Rule, as_of: date, needs: dict[date, dict[str, None]]) -> None:
    """Add the tags that are read by a rule for a day, other than those of the customers in question on that day."""
    match rule:
        case ThenRule(test=inner, on=date() as on) | WasRule(rule=inner, on=date() as on):
            needs.setdefault(on, {}).update(dict.fromkeys(tags_now(inner)))
            _note(inner, on, needs)
            return
        case ChangeRule(tag=tag, since=date() as since):
            for day in (as_of, since):
                needs.setdefault(day, {})[tag.name] = None
        case RankRule(tag=tag, among=among):
            base = () if among is None else tags_now(among)
            needs.setdefault(as_of, {}).update(dict.fromkeys((tag.name, *base)))
        case _:
            pass
    for part in inside(rule):
        _note(part, as_of, needs)
