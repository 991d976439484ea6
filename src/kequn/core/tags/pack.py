"""The tag catalogue: the shipped definitions and the bank's own, checked against each other."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, TagCycle, Where
from kequn.core.spec.document import documents
from kequn.core.spec.reading import read_specs
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.compiling import Binder
from kequn.core.tags.ordering import levels
from kequn.core.tags.reading import ReadTag, read_tag

SHIPPED = Path(__file__).parent / "catalogue"


def catalogue(*folders: Path) -> dict[str, TagSpec]:
    """Return all tags by name: the shipped ones and those of the bank's folders (标签目录).

    A bank's definition takes the place of the shipped one of the same name, so that thresholds can be its own. Files
    of other kinds in a folder are left alone.

    Raises:
        InvalidSpec: with file, line and field, as ``SeveralErrors`` when there are several faults: what a file may
        not say,
            a name given twice, an expression that is not allowed, an unknown column or tag.
        TagCycle: tags that are made from one another.
    """
    own: dict[str, tuple[Path, TagSpec]] = {}
    errors: list[KequnError] = []
    for folder in folders:
        for path, spec in _tags_in(folder):
            if spec.name in own:
                errors.append(_twice(path, spec, own[spec.name][0]))
            own[spec.name] = (path, spec)
    if not own and not errors:
        return dict(_shipped_checked())
    return _checked_together(dict(_shipped()) | own, errors)


def _checked_together(found: Mapping[str, tuple[Path, TagSpec]], errors: list[KequnError]) -> dict[str, TagSpec]:
    specs = {name: spec for name, (_, spec) in sorted(found.items())}
    _raise_all([*errors, *check_tags(specs, files={n: p for n, (p, _) in found.items()})])
    return specs


def check_tags(specs: Mapping[str, TagSpec], *, files: Mapping[str, Path] | None = None) -> list[KequnError]:
    """Return what is wrong with a set of tags, each fault with the place of its field."""
    errors: list[KequnError] = []
    read: list[ReadTag] = []
    for name, spec in specs.items():
        try:
            read.append(_read(spec, specs, (files or {}).get(name)))
        except KequnError as error:
            errors.append(error)
    try:
        levels({t.spec.name: t.tags for t in read})
    except TagCycle as ring:
        first = ring.facts["path"][0]
        ring.where = _place((files or {}).get(first), first, "expression")
        errors.append(ring)
    errors += [fault for tag in read for fault in _class_errors(tag, specs, (files or {}).get(tag.spec.name))]
    return errors + _type_errors(read, {n: s.type for n, s in specs.items()}, files or {})


def _class_errors(tag: ReadTag, specs: Mapping[str, TagSpec], file: Path | None) -> Iterator[InvalidSpec]:
    """What is made of sensitive information is sensitive; the tag that tells of its consent is not what it is made of."""
    for name in tag.tags:
        needed = specs[name].sensitivity if name in specs and name != tag.consent else ""
        if tag.spec.sensitivity not in {"S": ("S", "X"), "X": ("X",)}.get(needed, (tag.spec.sensitivity,)):
            yield InvalidSpec(
                f"Tag {tag.spec.name!r} is made of {name!r}, which is class {needed}, and must be of that class too.",
                hint=f"Write `sensitivity: {needed}`, or make it without {name}.",
                where=_place(file, tag.spec.name, "sensitivity"),
            )


def check_catalogue(specs: Mapping[str, TagSpec]) -> None:
    """Check a set of tags against each other, as ``catalogue`` does.

    Raises:
        InvalidSpec: ``SeveralErrors`` when there are several faults.
    """
    _raise_all(check_tags(specs))


def near_tag(name: str, specs: Iterable[str]) -> str:
    """Return the hint for a tag that is not there: the nearest name, or how to see all."""
    found = difflib.get_close_matches(name, list(specs), n=1)
    return f"Did you mean {found[0]!r}?" if found else "Run `kequn tag list`."


def read_tags(specs: Mapping[str, TagSpec]) -> dict[str, ReadTag]:
    """Return the checked texts of tags.

    Raises:
        InvalidSpec: as ``read_tag``.
    """
    return {name: _read(spec, specs, None) for name, spec in specs.items()}


def _raise_all(errors: list[KequnError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)


def _read(spec: TagSpec, specs: Collection[str], file: Path | None) -> ReadTag:
    try:
        return read_tag(spec, tags=specs)
    except KequnError as error:
        error.where = _place(file, spec.name, error.where.field or "over")
        raise


def _type_errors(read: list[ReadTag], types: Mapping[str, str], files: Mapping[str, Path]) -> list[KequnError]:
    binder = Binder()
    try:
        binder.types(read, given=types)
    except InvalidSpec:
        pass
    else:
        return []
    errors: list[KequnError] = []
    for tag in read:
        try:
            binder.types([tag], given=types)
        except InvalidSpec as error:
            error.where = _place(files.get(tag.spec.name), tag.spec.name, "expression")
            errors.append(error)
    return errors


@cache
def _shipped() -> dict[str, tuple[Path, TagSpec]]:
    return {spec.name: (path, spec) for path, spec in _tags_in(SHIPPED)}


@cache
def _shipped_checked() -> dict[str, TagSpec]:
    return _checked_together(_shipped(), [])


def _tags_in(folder: Path) -> list[tuple[Path, TagSpec]]:
    return [(path, spec) for path, spec in read_specs(folder) if isinstance(spec, TagSpec)]


def _twice(path: Path, spec: TagSpec, first: Path) -> InvalidSpec:
    return InvalidSpec(
        f"Tag {spec.name!r} is defined twice; the other definition is in {first}.",
        hint="Take one of them away.",
        where=_place(path, spec.name, "name"),
    )


def _place(file: Path | None, name: str, field: str) -> Where:
    """The line of a field of one tag's document."""
    if file is None:
        return Where(field=f"{name}.{field}")
    for node in documents(file.read_text(encoding="utf-8"), file=str(file)):
        named = node.child("name")
        if named is not None and named.text == name:
            at = node.child(field) or named
            return Where(str(file), at.line, at.column, field)
    return Where(str(file), field=field)
