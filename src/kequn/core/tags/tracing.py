"""Where tags come from: tables, columns and other tags; and which cannot be computed from what is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from kequn.core.data.tables import TABLES
from kequn.core.engine.store import Manifest
from kequn.core.errors import UnknownTag
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.language import GIVEN
from kequn.core.tags.ordering import closure, levels
from kequn.core.tags.pack import near_tag, read_tags
from kequn.core.tags.reading import ReadTag

COMPUTED_BY = 1
"""Changes when the same spec over the same rows would give other values than before."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where one tag comes from and what is made of it (血缘)."""

    tag: str
    columns: tuple[str, ...]
    """``table.column`` it reads, those of the tags it is made of included."""
    made_of: tuple[str, ...]
    """Tags its expression names."""
    all_made_of: tuple[str, ...]
    used_by: tuple[str, ...]
    """Tags whose expressions name it."""
    all_used_by: tuple[str, ...]


def lineage(spec: TagSpec, specs: Mapping[str, TagSpec]) -> Lineage:
    """Return where a tag comes from and what is made of it, among ``specs`` and itself."""
    read = read_tags({**specs, spec.name: spec})
    down = {name: tag.tags for name, tag in read.items()}
    up: dict[str, list[str]] = {name: [] for name in read}
    for name, tags in down.items():
        for tag in tags:
            up[tag].append(name)
    below, above = closure([spec.name], down), closure([spec.name], up)
    columns = {f"{table}.{column}" for name in below for table, column in read[name].columns}
    return Lineage(
        spec.name,
        tuple(sorted(columns)),
        tuple(sorted(down[spec.name])),
        tuple(sorted(below - {spec.name})),
        tuple(sorted(up[spec.name])),
        tuple(sorted(above - {spec.name})),
    )


def unavailable(specs: Mapping[str, TagSpec], manifest: Manifest) -> dict[str, str]:
    """Return tag -> why it cannot be computed from what is loaded: ``table holding``, ``column transaction.mcc`` or
    ``tag demo_age``.

    A column that no source maps counts as not there, so that a tag is never false or 0 for want of data. A given tag is
    ``given``: a refresh never computes it, whether or not values were handed in; it is ``tag …`` where the consent that it
    needs cannot be told.
    ``reason_in_words`` gives the words.
    """
    return missing_inputs(read_tags(specs), manifest)


def missing_inputs(read: Mapping[str, ReadTag], manifest: Manifest) -> dict[str, str]:
    """As ``unavailable``, for tags already read."""
    found: dict[str, str] = {}
    for level in levels({name: tag.tags for name, tag in read.items()}):
        for name in level:
            of_tag = next((f"tag {t}" for t in read[name].tags if t in found), None)
            reason = _missing(read[name], manifest)
            reason = of_tag or reason if reason == GIVEN else reason or of_tag
            if reason:
                found[name] = reason
    return found


def reason_in_words(reason: str, spec: TagSpec | None = None) -> Text:
    """Return a reason of ``unavailable`` in Chinese and English; of a given tag its own words."""
    if spec is not None and spec.given_by is not None:
        return spec.given_by
    kind, _, what = reason.partition(" ")
    if kind == GIVEN:
        return Text(zh="它的值由别处提供，尚未收到。", en="Its values are handed in, and none have been.")
    if kind == "table":
        table = TABLES[what]
        return Text(zh=f"尚未加载“{table.zh}”数据。", en=f"The table {table.en!r} was not loaded.")
    if kind == "column":
        table = TABLES[what.partition(".")[0]]
        column = what.partition(".")[2]
        return Text(
            zh=f"已加载的“{table.zh}”数据没有映射字段 {column}。",
            en=f"No source maps the column {column} of {table.en!r}.",
        )
    return Text(zh=f"它所依据的标签 {what} 无法计算。", en=f"It is made of the tag {what}, which cannot be computed.")


def fingerprints_of_inputs(read: Mapping[str, ReadTag], manifest: Manifest, as_of: date) -> dict[str, str]:
    """Return, by tag, a hash of all that its values on a date depend on: specs, files of rows, the customers there
    are."""
    found: dict[str, str] = {}
    for level in levels({name: tag.tags for name, tag in read.items()}):
        for name in level:
            tag = read[name]
            tables = sorted({"customer", *(table for table, _ in tag.columns)})
            files = [manifest.tables[t].files for t in tables if t in manifest.tables]
            made_of = [found[t] for t in tag.tags if t in found]
            found[name] = _hash(
                COMPUTED_BY, tag.spec.fingerprint(), as_of.isoformat(), manifest.ordinals, files, made_of
            )
    return found


def fingerprint_of_population(manifest: Manifest, as_of: date) -> str:
    """Return a hash of what says who was a customer on a date."""
    state = manifest.tables.get("customer")
    return _hash(COMPUTED_BY, as_of.isoformat(), manifest.ordinals, state.files if state else [])


def known_names(names: set[str], specs: Mapping[str, TagSpec]) -> None:
    """Check that tags are in the catalogue.

    Raises:
        UnknownTag: with the first that is not.
    """
    for name in sorted(names - set(specs)):
        raise UnknownTag(f"Tag {name!r} is not in the catalogue.", hint=near_tag(name, specs), tag=name)


def _missing(tag: ReadTag, manifest: Manifest) -> str | None:
    if tag.spec.over == GIVEN:
        return GIVEN
    tables = ["customer", *(table for table, _ in tag.columns)]
    if tag.table is not None:
        tables.append(tag.table.name)
    for table in dict.fromkeys(tables):
        if table not in manifest.tables or not manifest.tables[table].files:
            return f"table {table}"
    for table, column in tag.columns:
        mapped = manifest.tables[table].columns
        if mapped and column not in mapped:
            return f"column {table}.{column}"
    return None


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
