"""Reading and writing the documents people define things in, and telling them where a fault is."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kequn.core.errors import InvalidSpec, KequnError, SeveralErrors, Where
from kequn.core.spec.base import Definition, Text
from kequn.core.spec.campaign import CampaignSpec, ContactPolicySpec, PlaybookSpec
from kequn.core.spec.desk import DeskPolicySpec
from kequn.core.spec.document import MAX_BYTES, Node, documents, scalar_kind
from kequn.core.spec.group import GroupSpec
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.core.spec.ownership import AssignmentSpec, OwnershipPolicySpec, PoolSpec
from kequn.core.spec.segment import KEYS as KEYS_OF_CONDITIONS
from kequn.core.spec.segment import ColumnTest, SegmentSpec, TagTest
from kequn.core.spec.source import SourceSpec
from kequn.core.spec.tag import TagSpec

KINDS: dict[str, type[Definition]] = {
    kind.model_fields["kind"].default: kind
    for kind in (
        SourceSpec, TagSpec, SegmentSpec, MetricSpec, OfferSpec, TemplateSpec, TalkTrackSpec,
        PlaybookSpec, CampaignSpec, ContactPolicySpec, GroupSpec, OwnershipPolicySpec, AssignmentSpec, PoolSpec,
        DeskPolicySpec,
    )
}  # fmt: skip


def read_spec(path: Path) -> Definition:
    """Return the one definition of a file.

    Raises:
        InvalidSpec: with file, line, column and field; ``SeveralErrors`` when there is more than one fault.
    """
    found = parse_spec(_text(path), file=str(path))
    if len(found) != 1:
        raise InvalidSpec(f"One definition was expected here, not {len(found)}.", where=Where(str(path)))
    return found[0]


def read_specs(folder: Path) -> list[tuple[Path, Definition]]:
    """Return the definitions of all ``*.yaml`` below a folder, by path and then by order in the file.

    Raises:
        InvalidSpec: as ``read_spec``; the faults of all files together.
    """
    found: list[tuple[Path, Definition]] = []
    errors: list[KequnError] = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            found += [(path, spec) for spec in parse_spec(_text(path), file=str(path))]
        except SeveralErrors as several:
            errors += several.errors
        except InvalidSpec as error:
            errors.append(error)
    _raise(errors)
    return found


def parse_spec(text: str, *, file: str = "") -> list[Definition]:
    """Return the definitions of a YAML text, one for each document in it.

    Raises:
        InvalidSpec: as ``read_spec``.
    """
    found: list[Definition] = []
    errors: list[KequnError] = []
    for root in documents(text, file=file):
        try:
            found.append(_definition(root, file))
        except SeveralErrors as several:
            errors += several.errors
        except InvalidSpec as error:
            errors.append(error)
    _raise(errors)
    return found


def spec_of(document: Mapping[str, Any]) -> Definition:
    """Return the definition that plain values say, as `parse_spec` does of the same as text; faults name the field.

    Raises:
        InvalidSpec: as ``read_spec``.
    """
    kind = KINDS.get(str(document.get("kind")))
    if kind is not None:
        try:
            return kind.model_validate_json(json.dumps(document, allow_nan=False), strict=True)
        except ValueError:  # a fault, whose place is told below, or a number that is none
            pass
    return parse_spec(json.dumps(document, ensure_ascii=False))[0]


def dump_spec(spec: Definition) -> str:
    """Return a definition as YAML that reads back to an equal one; fields left at their default are not written."""
    fields = _plain(spec)
    head = {k: fields.pop(k) for k in ("kind", "name", "title") if k in fields}
    text = yaml.dump(
        {**head, **fields}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
    return str(text)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(raw) > MAX_BYTES:
            raise InvalidSpec("The file is larger than a definition can be (1 MB).", where=Where(str(path))) from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidSpec("The file is not UTF-8.", hint="Save it as UTF-8.", where=Where(str(path), line)) from None


def _raise(errors: list[KequnError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise SeveralErrors(errors)


def _definition(root: Node, file: str) -> Definition:
    at = Where(file, root.line, root.column)
    if root.kind != "map":
        raise InvalidSpec("A definition is a map of fields.", hint="Begin with `kind: …`.", where=at)
    kind = root.child("kind")
    known = ", ".join(KINDS)
    if kind is None:
        raise InvalidSpec("The field `kind` is missing.", hint=f"One of: {known}.", where=at)
    if kind.text not in KINDS:
        hint = _near(kind.text, KINDS) or f"One of: {known}."
        raise InvalidSpec(f"{kind.text!r} is not a kind.", hint=hint, where=Where(file, kind.line, kind.column, "kind"))
    try:
        return KINDS[kind.text].model_validate_json(root.json(), strict=True)
    except ValidationError as error:
        _raise(list(_faults(error, root, KINDS[kind.text], file)))
        raise


def _faults(error: ValidationError, root: Node, kind: type[Definition], file: str) -> Iterator[InvalidSpec]:
    """Return the faults in plain words, one a place, with the place in the file."""
    details = error.errors(include_url=False)
    seen: set[tuple[str, ...]] = set()
    for detail in details:
        node, path, rest = _place(root, detail["loc"])
        if detail["type"] == "too_short" and any(
            other is not detail and other["loc"][: len(detail["loc"])] == detail["loc"] for other in details
        ):
            continue  # its items were there, but faulty
        missing = rest if detail["type"] == "missing" else ()
        place = (*path, *map(str, missing))
        if place in seen:
            continue
        seen.add(place)
        message, hint, at = _wording(detail, node, root, path, kind)
        yield InvalidSpec(
            message, hint=hint, where=Where(file, at.line, at.column, ".".join(place)), type=detail["type"]
        )


def _place(root: Node, loc: tuple[str | int, ...]) -> tuple[Node, tuple[str, ...], tuple[str | int, ...]]:
    """Follow pydantic's location down the tree; steps that are not in the document (union members) are passed over."""
    node, path, rest = root, [], []
    for i, step in enumerate(loc):
        below = node.child(step)
        if below is None:
            rest.append(step)
            continue
        union_label = i + 1 < len(loc) and step in _UNION_LABELS and loc[i - 1 : i] and _is_label(node, loc, i)
        if union_label:
            continue
        node, rest = below, []
        path.append(str(step))
    return node, tuple(path), tuple(rest[-1:])


_UNION_LABELS = frozenset({*KEYS_OF_CONDITIONS, "csv", "parquet", "excel", "postgres"})


def _is_label(node: Node, loc: tuple[str | int, ...], i: int) -> bool:
    """Whether a step names the member of a union and not a field: the field of that name follows it."""
    return loc[i + 1] in node.keys


def _wording(
    detail: ErrorDetails, node: Node, root: Node, path: tuple[str, ...], kind: type[Definition]
) -> tuple[str, str, Node]:
    """Return (what is wrong, what to do, the node to point at)."""
    code, context = detail["type"], detail.get("ctx", {})
    if code == "extra_forbidden":
        key = path[-1]
        owner = _follow(root, path[:-1])
        model = _model_at(kind, root, path[:-1])
        fields = _field_names(model) if model else []
        return f"There is no field {key!r} here.", _near(key, fields) or _known(fields), owner.keys.get(key, node)
    if code == "missing":
        return f"The field {detail['loc'][-1]!r} is missing.", "", node
    if code == "literal_error":
        allowed = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
        return (
            f"{_shown(node)} is not allowed here.",
            _near(node.text, allowed) or f"One of: {', '.join(allowed)}.",
            node,
        )
    if code == "string_pattern_mismatch":
        if not node.text:
            return "A name is lower case letters, digits and underscores, and begins with a letter.", "", node
        return f"{_shown(node)} is not a name.", "Use lower-case letters, digits and _, beginning with a letter.", node
    if code == "string_type":
        return f"Text is expected here, not {_shown(node)}.", "Put it into quotes.", node
    if code.startswith(("model_", "dict_")):
        hint = "Put it into quotes if it is a name." if node.kind == "other" else ""
        return f"A map of fields is expected here, not {_shown(node)}.", hint, node
    if code in ("bool_type", "bool_parsing"):
        return f"Write true or false, not {_shown(node)}.", "", node
    if code.startswith(("date_", "time_")):
        pattern = "2026-06-30" if code.startswith("date_") else "21:00"
        return f"{_shown(node)} is not a {code.split('_')[0]}.", f"Write it like {pattern}.", node
    if code in ("value_error", "assertion_error"):
        words = str(context.get("error", detail["msg"]))
        return words[:1].upper() + words[1:] + ("" if words.endswith(".") else "."), "", node
    words = detail["msg"].replace("Input should be", "This should be").replace("Tuple should", "The list should")
    words = words.replace("after validation, ", "").replace("String should", "The text should")
    return f"{words[:1].upper()}{words[1:]}.", "", node


def _follow(root: Node, path: tuple[str, ...]) -> Node:
    node = root
    for step in path:
        node = node.child(int(step) if node.kind == "list" else step) or node
    return node


def _shown(node: Node) -> str:
    if node.kind in ("map", "list"):
        return f"a {node.kind}"
    text = node.text if len(node.text) <= 60 else node.text[:57] + "…"
    return repr(text) if node.kind == "text" else text


def _near(word: str, known: typing.Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {found[0]!r}?" if found else ""


def _known(fields: list[str]) -> str:
    return f"Fields here: {', '.join(fields)}." if fields else ""


def _field_names(model: type[BaseModel]) -> list[str]:
    return [f.alias or name for name, f in model.model_fields.items()]


def _model_at(kind: type[BaseModel], root: Node, path: tuple[str, ...]) -> type[BaseModel] | None:
    """Return the model that describes the map at ``path``: of a union, the member that shares most fields with it."""
    candidates: list[type[BaseModel]] = [kind]
    node = root
    for step in path:
        index = int(step) if node.kind == "list" else step
        if node.kind == "map":
            fields = [f for m in candidates for n, f in m.model_fields.items() if step in (n, f.alias)]
            if fields:
                candidates = list(dict.fromkeys(m for f in fields for m in _models(f.annotation)))
        node = node.child(index) or node
        candidates.sort(key=lambda m: -len(set(_field_names(m)) & set(node.keys)))
        if node.kind == "map":
            candidates = candidates[:1]
    return candidates[0] if candidates else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


class _Dumper(yaml.SafeDumper):
    """Writes text so that it reads back as text under both our rules and YAML's."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


class _Number(str):
    """A number in the very digits it is to be written with."""

    __slots__ = ()


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and not text.endswith((" ", "\n\n")) and " \n" not in text else None
    if style is None and scalar_kind(text) != "text":
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _write_number(dumper: yaml.SafeDumper, number: _Number) -> yaml.ScalarNode:
    tag = "int" if number.lstrip("-").isdigit() else "float"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{tag}", str(number))


_Dumper.add_representer(str, _write_text)
_Dumper.add_representer(_Number, _write_number)


def _plain(value: Any) -> Any:
    if isinstance(value, Text):
        return value.zh if not value.en else {"zh": value.zh, "en": value.en}
    if isinstance(value, BaseModel):
        written = {}
        for name, info in type(value).model_fields.items():
            item = getattr(value, name)
            if name in ("kind", "format") or info.is_required() or item != info.get_default(call_default_factory=True):
                written[info.alias or name] = (
                    _scalars(item) if isinstance(value, TagTest | ColumnTest) else _plain(item)
                )
        return written
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Decimal):
        return _Number(format(value, "f"))
    if isinstance(value, float):
        return _Number(repr(value))
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _scalars(value: Any) -> Any:
    """As ``_plain``, but a whole ``Decimal`` keeps its point, since 5 and 5.0 are two values of a test."""
    if isinstance(value, tuple):
        return [_scalars(v) for v in value]
    plain = _plain(value)
    return _Number(plain + ".0") if isinstance(plain, _Number) and plain.lstrip("-").isdigit() else plain
