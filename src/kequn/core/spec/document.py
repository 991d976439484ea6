"""A YAML text as a tree with positions, read so that it says only what a person sees in it.

Stricter than YAML: a key stands once, ``yes``, ``on``, ``0012`` and ``21:00`` are words, dates are ISO words, and
aliases cannot make a small file large. A number is what JSON calls a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from kequn.core.errors import InvalidSpec, Where

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 60
MAX_DIGITS = 15  # what a JSON number carries without loss
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
WORDS = {"true": "true", "false": "false", "null": "null", "~": "null", "": "null"}


@dataclass(slots=True)
class Node:
    """One value of a document and where it stands (1-based)."""

    kind: Literal["map", "list", "text", "other"]
    line: int
    column: int
    text: str = ""
    """The text of a scalar; for ``other`` (numbers, true, false, null) as JSON writes it."""
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Node] = field(default_factory=dict)
    """Where each key of a map stands; ``items`` has the values in the same order."""
    size: int = 1
    """How much an alias to it adds: values, and long text counted as several."""
    depth: int = 1

    def child(self, step: str | int) -> Node | None:
        """Return the value below a key or an index, ``None`` where there is none."""
        if self.kind == "map" and step in self.keys:
            return self.items[list(self.keys).index(str(step))]
        if self.kind == "list" and isinstance(step, int) and 0 <= step < len(self.items):
            return self.items[step]
        return None

    def json(self) -> str:
        """Return the value as JSON, numbers as they were written."""
        if self.kind == "map":
            pairs = zip(self.keys, self.items, strict=True)
            return "{" + ",".join(f"{json.dumps(k)}:{v.json()}" for k, v in pairs) + "}"
        if self.kind == "list":
            return "[" + ",".join(v.json() for v in self.items) + "]"
        return self.text if self.kind == "other" else json.dumps(self.text)


def documents(text: str, *, file: str = "") -> list[Node]:
    """Return the documents of a YAML text, empty ones left out.

    Raises:
        InvalidSpec: it is not YAML, a key stands twice, or it is too large or too deep; with line and column.
    """
    if len(text) > MAX_BYTES:
        raise InvalidSpec("The file is larger than a definition can be (1 MB).", where=Where(file))
    try:
        return list(_Composer(text.removeprefix("\ufeff"), file).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
        problem = (error.problem or error.context or "unreadable").split("\n")[0]
        raise InvalidSpec(f"This is not YAML: {problem}.", hint=_cure(problem), where=where) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"A character that no text file may hold (U+{int(error.character):04X})."
        raise InvalidSpec(message, where=Where(file, line)) from None


def scalar_kind(text: str) -> str:
    """Return how a plain (unquoted) word is read: ``text``, or the JSON it stands for."""
    if text in WORDS:
        return WORDS[text]
    return text if NUMBER.fullmatch(text) else "text"


def _cure(problem: str) -> str:
    if "\\t" in problem:
        return "Indent with spaces, not with tabs."
    if "mapping values are not allowed" in problem:
        return "Put text that holds a colon into quotes."
    return ""


class _Composer:
    """Builds trees from parse events without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, text: str, file: str) -> None:
        self.events: Iterator[Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.file = file
        self.nodes = 0
        self.anchors: dict[str, Node] = {}

    def documents(self) -> Iterator[Node]:
        root: Node | None = None
        stack: list[tuple[Node, str | None]] = []  # a collection being filled and the anchor it will have
        pending: list[Node | None] = []  # the key that waits for its value, one for each collection
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                root, self.anchors = None, {}
            elif isinstance(event, DocumentEndEvent):
                if root is not None and root.text != "null":
                    yield root
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._no_tag(event)
                node = self._new("map" if isinstance(event, MappingStartEvent) else "list", event)
                if pending and stack[-1][0].kind == "map" and pending[-1] is None:
                    raise self._error("A key must be a word, not a list or a map.", event)
                stack.append((node, event.anchor))
                pending.append(None)
                if len(stack) > MAX_DEPTH:
                    raise self._error(f"Nested more than {MAX_DEPTH} levels deep.", event)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent | ScalarEvent | AliasEvent):
                if isinstance(event, ScalarEvent):
                    is_key = bool(stack) and stack[-1][0].kind == "map" and pending[-1] is None
                    node, anchor = self._scalar(event, is_key=is_key), event.anchor
                elif isinstance(event, AliasEvent):
                    node, anchor = self._alias(event), None
                else:
                    node, anchor = stack.pop()
                    pending.pop()
                    node.size = 1 + sum(item.size for item in node.items)
                    node.depth = 1 + max((item.depth for item in node.items), default=0)
                    if len(stack) + node.depth > MAX_DEPTH:
                        raise self._error(f"Nested more than {MAX_DEPTH} levels deep.", event)
                if anchor:
                    self.anchors[anchor] = node
                if not stack:
                    root = node
                elif stack[-1][0].kind == "list":
                    stack[-1][0].items.append(node)
                elif (key := pending[-1]) is None:
                    pending[-1] = self._key(stack[-1][0], node, event)
                else:
                    stack[-1][0].keys[key.text] = key
                    stack[-1][0].items.append(node)
                    pending[-1] = None

    def _new(self, kind: Literal["map", "list", "text", "other"], event: Event, text: str = "") -> Node:
        size = 1 + len(text) // 64
        self._count(size, event)
        line, column = _position(event)
        return Node(kind, line, column, text, size=size)

    def _count(self, size: int, event: Event) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise self._error(f"More than {MAX_NODES:,} values in one file.", event)

    def _scalar(self, event: ScalarEvent, *, is_key: bool) -> Node:
        self._no_tag(event)
        reading = "text" if is_key or not event.implicit[0] or event.style else scalar_kind(event.value)
        if reading == "text":
            return self._new("text", event, event.value)
        digits = re.sub(r"[eE].*|[-.]", "", reading).strip("0") if reading not in WORDS else ""
        if len(digits) > (MAX_DIGITS if re.search(r"[.eE]", reading) else 18):
            raise self._error("A number has at most 15 digits.", event, hint="Put a code or an id into quotes.")
        return self._new("other", event, reading)

    def _alias(self, event: AliasEvent) -> Node:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            raise self._error(f"The alias *{event.anchor} stands before what it names.", event)
        self._count(node.size, event)
        return node

    def _key(self, owner: Node, key: Node, event: Event) -> Node:
        if key.kind not in ("text", "other"):
            raise self._error("A key must be a word, not a list or a map.", event)
        if key.text == "<<":
            raise self._error("Merge keys (<<) are not read here.", event, hint="Write the fields out.")
        if key.text in owner.keys:
            first = owner.keys[key.text].line
            raise self._error(f"The key {key.text!r} stands twice; the first is on line {first}.", event)
        return key

    def _no_tag(self, event: Any) -> None:
        if event.tag and event.tag != "!":
            raise self._error(f"Tags like {event.tag!r} are not read here.", event)

    def _error(self, message: str, event: Event, *, hint: str = "") -> InvalidSpec:
        return InvalidSpec(message, hint=hint, where=Where(self.file, *_position(event)))


def _position(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
