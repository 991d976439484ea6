"""Merge fields in a text: ``{{ field }}`` or ``{{ field|filter }}``, compiled once; values are never read again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from kequn.core.errors import InvalidSpec, Where

MARK = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
INSIDE = re.compile(r"\s*([a-z][a-z0-9_]{0,63})\s*(?:\|\s*([a-z_]+)\s*)?", re.ASCII)
STRAY = re.compile(r"\{\{|\}\}|\{%")
LONGEST_VALUE = 200


def _initial(value: str) -> str:
    return value[:1]


def _thousands(value: str) -> str:
    return f"{int(value):,}" if re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII) else value


FILTERS: dict[str, Callable[[str], str]] = {
    "trim": str.strip,
    "upper": str.upper,
    "initial": _initial,
    "thousands": _thousands,
}
"""What may be done to a value; each takes and returns text."""


@dataclass(frozen=True, slots=True)
class MergeText:
    """A compiled text: plain pieces, and fields between them."""

    pieces: tuple[str, ...]
    """One more than ``places``."""
    places: tuple[tuple[str, str], ...]
    """Field and filter ("" for none), in order."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names merged, each once, in order."""
        return tuple(dict.fromkeys(name for name, _ in self.places))

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with the values put in.

        A value loses control characters, line breaks and braces, and is cut at 200 characters; it is not parsed.

        Raises:
            InvalidSpec: a field has no value. An empty greeting is worse than none.

        >>> compile_text("尊敬的{{ family_name }}先生/女士", allowed={"family_name"}).render({"family_name": "王{{x}}"})
        '尊敬的王x先生/女士'
        """
        parts = [self.pieces[0]]
        for (name, how), after in zip(self.places, self.pieces[1:], strict=True):
            if name not in values:
                raise InvalidSpec(
                    f"The merge field {name!r} has no value.", hint="Supply it, or take it out of the text."
                )
            value = plain(values[name])
            parts += [FILTERS[how](value) if how else value, after]
        return "".join(parts)


def compile_text(text: str, *, allowed: Collection[str], where: Where | None = None) -> MergeText:
    """Return the compiled text.

    Raises:
        InvalidSpec: an unknown field or filter (with the nearest known one), or a brace that opens or closes nothing.
    """
    pieces, places, last = [], [], 0
    for mark in MARK.finditer(text):
        place = _at(text, mark.start(), where)
        inside = INSIDE.fullmatch(mark.group(1))
        if inside is None:
            raise InvalidSpec(
                f"{mark.group()!r} is no merge field.", hint="Write {{ field }} or {{ field|filter }}.", where=place
            )
        name, how = inside.group(1), inside.group(2) or ""
        if name not in allowed:
            raise InvalidSpec(f"There is no merge field {name!r}.", hint=_nearest(name, allowed), where=place)
        if how and how not in FILTERS:
            raise InvalidSpec(f"There is no filter {how!r}.", hint=_nearest(how, FILTERS), where=place)
        pieces.append(text[last : mark.start()])
        places.append((name, how))
        last = mark.end()
    pieces.append(text[last:])
    for piece in pieces:
        if stray := STRAY.search(piece):
            place = _at(text, text.index(piece) + stray.start(), where)
            raise InvalidSpec("A brace belongs to no merge field.", hint="Write {{ field }}.", where=place)
    return MergeText(tuple(pieces), tuple(places))


def plain(value: str) -> str:
    """Return a value as it may stand in a message: one line, no control or direction marks, no braces, at most 200."""
    kept = (
        " " if c in "\r\n\t" else c for c in value if c in "\r\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )
    return "".join(c for c in kept if c not in "{}")[:LONGEST_VALUE].strip()


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Known are: " + ", ".join(sorted(known)) + "."


def _at(text: str, at: int, where: Where | None) -> Where:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return where or Where(line=line, column=column)
