"""What the class of a tag means for choosing customers: X never chooses, S only on a separate consent (敏感级别).

A customer without the separate consent has no value of a class S tag at all (``core.tags``), so no rule can select her by it;
the segment, for its part, has to say on which consent it rests, and whoever approves it sees that. A value of an earlier day
was there by the consent of that day, which may have been withdrawn since: it never chooses.
"""

from __future__ import annotations

from collections.abc import Iterator

from kequn.core.errors import ConsentNotDeclared, KequnError, SeveralErrors, TagNotSelectable, Where
from kequn.core.segments.rule import (
    MemberRule,
    Rule,
    TagRule,
    ThenRule,
    WasRule,
    own_leaves,
    specs_in,
    walk,
)
from kequn.core.spec.segment import Condition, SegmentSpec
from kequn.core.spec.tag import TagSpec

PLACE = {TagRule: "tag", ThenRule: "tag", MemberRule: "segment", WasRule: "segment"}


def refuse_suppressing(tag: TagSpec, path: str) -> None:
    """Refuse a test on a tag that may only hold contacts back; ``path`` is the place of its name.

    Raises:
        TagNotSelectable: the tag is of class X.
    """
    if tag.sensitivity != "X":
        return
    raise TagNotSelectable(
        f"Tag {tag.name!r} ({tag.title}) is class X: it must not choose whom to contact.",
        hint="Leave it out: the compliance gate applies it to every contact.",
        where=Where(field=path),
        tag=tag.name,
    )


def consents_needed(rule: Rule) -> dict[str, tuple[str, ...]]:
    """Return separate consent -> the tags of class S that need it, for a rule and the segments within it."""
    found: dict[str, dict[str, None]] = {}
    for name, tag in specs_in(rule).items():
        if tag.consent is not None:
            found.setdefault(tag.consent, {})[name] = None
    return {consent: tuple(tags) for consent, tags in found.items()}


def check_consents(spec: SegmentSpec | Condition, rule: Rule) -> None:
    """Refuse a segment that selects by sensitive information without saying on which separate consent it rests, or by what
    it was on an earlier day.

    Segments it refers to count as its own: it uses what they use. A condition alone is not yet a use.

    Raises:
        ConsentNotDeclared: with the place of the test, or of the segment referred to; ``SeveralErrors`` of several.
        TagNotSelectable: a tag of class S on an earlier day, also through members of that day.
    """
    if not isinstance(spec, SegmentSpec):
        return
    faults: list[KequnError] = [*_faults(rule, frozenset(spec.separate_consent)), *_of_earlier_days(rule)]
    if len(faults) > 1:
        raise SeveralErrors(faults)
    if faults:
        raise faults[0]


def _faults(rule: Rule, declared: frozenset[str]) -> Iterator[ConsentNotDeclared]:
    for leaf in own_leaves(rule):
        for consent, tags in consents_needed(leaf).items():
            if consent in declared:
                continue
            yield ConsentNotDeclared(
                f"Tag {tags[0]!r} is class S, sensitive information: it needs the separate consent {consent!r}.",
                hint=f"Declare `separate_consent: [{consent}]`; only customers who gave it have a value.",
                where=Where(field=f"{leaf.path}.{PLACE[type(leaf)]}" if type(leaf) in PLACE else leaf.path),
                tag=tags[0],
                consent=consent,
            )


def _of_earlier_days(rule: Rule) -> Iterator[TagNotSelectable]:
    for leaf in own_leaves(rule):
        then = [part for part in walk(leaf) if isinstance(part, ThenRule | WasRule)]
        sensitive = [tag for part in then for tag in specs_in(part).values() if tag.consent is not None]
        if not sensitive:
            continue
        tag = sensitive[0]
        yield TagNotSelectable(
            f"Tag {tag.name!r} ({tag.title}) is class S: what it was on an earlier day must not choose whom to contact.",
            hint="Test it as it is now: the consent of that day may have been withdrawn since.",
            where=Where(field=f"{leaf.path}.{PLACE[type(leaf)]}" if type(leaf) in PLACE else leaf.path),
            tag=tag.name,
        )
