"""Definitions held against one another before anything is saved, each fault with file, line and field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from kequn.core.data.mapping import check_source
from kequn.core.errors import KequnError, SeveralErrors, Where
from kequn.core.segments import check as check_segment
from kequn.core.spec.base import Definition
from kequn.core.spec.document import Node, documents
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.source import SourceSpec
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import check_tags

Found = Sequence[tuple[Path, Definition]]


def check_together(found: Found, *, tags: Mapping[str, TagSpec], segments: Mapping[str, SegmentSpec]) -> None:
    """Check sources, tags and segments against one another and against the ``tags`` and ``segments`` there are.

    Raises:
        KequnError: what is wrong; ``SeveralErrors`` when it is several things.
    """
    own = {spec.name: spec for _, spec in found if isinstance(spec, TagSpec)}
    files = {spec.name: path for path, spec in found if isinstance(spec, TagSpec)}
    all_tags = {**tags, **own}
    all_segments = {**segments, **{s.name: s for _, s in found if isinstance(s, SegmentSpec)}}
    errors = check_tags(all_tags, files=files) if own else []
    for path, spec in found:
        if isinstance(spec, SourceSpec):
            errors += _faults(path, spec, check_source)
        if isinstance(spec, SegmentSpec):
            errors += _faults(path, spec, lambda s: check_segment(s, tags=all_tags, segments=all_segments, lists=None))
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralErrors(errors)


def in_order(specs: Sequence[Definition], kinds: Sequence[str]) -> list[Definition]:
    """Return definitions such that what others name comes first: by kind, and segments after those within them."""
    segments = {s.name: s for s in specs if isinstance(s, SegmentSpec)}
    within = {name: {n for n in _named(spec.model_dump()) if n in segments} for name, spec in segments.items()}
    try:
        rank = {name: n for n, name in enumerate(TopologicalSorter(within).static_order())}
    except CycleError:  # which is told when they are saved
        rank = {}
    return sorted(specs, key=lambda s: (kinds.index(s.kind), rank.get(s.name, 0) if s.name in segments else 0))  # type: ignore[attr-defined]


def placed(error: KequnError, path: Path, spec: Definition) -> KequnError:
    """Give an error of a definition its file, and the line of its field; one that has its file stays as it is."""
    if error.where.file:
        return error
    node = next((n for n in documents(path.read_text("utf-8"), file=str(path)) if _is(n, spec.name)), None)
    for step in error.where.field.split(".") if error.where.field else []:
        below = node.child(int(step) if step.isdigit() else step) if node else None
        if below is None:
            break
        node = below
    line, column = (node.line, node.column) if node else (None, None)
    error.where = Where(str(path), line, column, error.where.field)
    return error


def named(error: KequnError, name: str, *, hint: str = "") -> KequnError:
    """Give an error of a load the name of its source where it names no file, and a further hint."""
    if not error.where.file:
        error.where = replace(error.where, file=name)
    error.hint = " ".join(part for part in (error.hint, hint) if part)
    return error


def _faults(path: Path, spec: Any, check: Callable[[Any], None]) -> list[KequnError]:
    try:
        check(spec)
    except SeveralErrors as several:
        return [placed(error, path, spec) for error in several.errors]
    except KequnError as error:
        return [placed(error, path, spec)]
    return []


def _is(node: Node, name: str) -> bool:
    found = node.child("name")
    return found is not None and found.text == name


def _named(value: Any) -> Iterator[str]:
    """Every segment that a condition names, however deep."""
    if isinstance(value, Mapping):
        if isinstance(value.get("segment"), str):
            yield value["segment"]
        yield from (name for inner in value.values() for name in _named(inner))
    elif isinstance(value, list | tuple):
        yield from (name for inner in value for name in _named(inner))
