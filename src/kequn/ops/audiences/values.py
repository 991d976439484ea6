"""The values of tags for some customers, and as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from kequn.core.engine.duck import quoted
from kequn.core.engine.index import Column
from kequn.core.engine.index.bits import has_bit
from kequn.core.engine.index.changes import at
from kequn.core.engine.index.layout import EPOCH
from kequn.core.engine.tagfiles import value_of
from kequn.core.spec.tag import TagSpec
from kequn.ops.audiences.dictionary import Ordinals
from kequn.ops.runtime import engine


def tag_values(who: Ordinals, as_of: date, tags: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the values of some tags for each ordinal, in the order given (for pages and exports of a scope already checked)."""
    if not len(who) or not tags:
        return [()] * len(who)
    bank = engine()
    asked = pa.table({"ordinal": pa.array(who, pa.uint32()), "position": pa.array(range(len(who)), pa.uint32())})
    bank.register("values_asked", asked)
    columns = ", ".join(f"t.{quoted(tag)}" for tag in tags)
    query = (
        f"WITH t AS ({bank.tags_query(as_of, tags)}) SELECT {columns} FROM values_asked a LEFT JOIN t USING (ordinal)"
    )
    return bank.rows(f"{query} ORDER BY a.position")


def shown_value(tag: TagSpec, value: Any, language: str) -> str:
    """Return a tag's value as a person reads it: codes in words, money in yuan, yes and no."""
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}["en" if language.startswith("en") else "zh"][value]
    if tag.type == "money":
        return f"{value / 100:,.0f} 元" if not language.startswith("en") else f"{value / 100:,.0f} CNY"
    if isinstance(value, str) and value in tag.values:
        return tag.values[value].to(language)
    if isinstance(value, list):
        return "、".join(shown_value(tag, v, language) for v in value)
    unit = f" {tag.unit.to(language)}" if tag.unit and isinstance(value, int | float) else ""
    return f"{value:,.2f}{unit}" if isinstance(value, float) else f"{value}{unit}"


def tags_of_one(ordinal: int, as_of: date) -> dict[str, Any]:
    """Return all tags of one customer on a date, from the index; only long texts are read from their files."""
    bank = engine()
    day = bank.manifest.dates.get(as_of.isoformat())
    if day is None:
        return {}
    columns = bank.index(as_of).columns
    return {
        name: _one(*at(columns[name], ordinal), lambda n=name, t=state: value_of(bank.store, n, t, ordinal))
        for name, state in day.tags.items()
    }


def _one(column: Column, ordinal: int, in_file: Callable[[], Any]) -> Any:
    if ordinal >= column.size or not has_bit(column.known, ordinal):
        return None
    match column.kind:
        case "flag":
            return has_bit(column.planes[1], ordinal)
        case "set":
            return [value for code, value in enumerate(column.values or (), 1) if has_bit(column.planes[code], ordinal)]
        case "code" if column.codes is not None and column.values is not None:
            return column.values[int(column.codes[ordinal]) - 1]
        case "day" if column.exact is not None:
            return EPOCH + timedelta(days=int(column.exact[ordinal]))
        case "number" if column.exact is not None:
            return column.exact[ordinal].item()
    return in_file()
