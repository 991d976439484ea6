"""kequn in a notebook: open a store, put a condition to it, look at figures and at tables without personal data.

It reads the store's files directly, so whoever uses it needs the right to read those; there is no actor, no scope and no
record of who looked. Hence nothing here names a customer: no numbers, no ids, and only tags of class C1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from kequn.core import segments, tags
from kequn.core.engine.duck import Engine, quoted
from kequn.core.engine.store import Store
from kequn.core.errors import InvalidSpec, NoData, NotAllowed
from kequn.core.segments import Preview
from kequn.core.spec.reading import parse_spec
from kequn.core.spec.segment import SegmentSpec

__all__ = ["Bank", "open_bank"]


class Bank:
    """One store at its present version, with the catalogue of tags and the segments that conditions may refer to."""

    def __init__(
        self, engine: Engine, *, tag_folders: Iterable[Path] = (), refer_to: Mapping[str, SegmentSpec]
    ) -> None:
        self.engine = engine
        self.tags = tags.catalogue(*tag_folders)
        self.segments = dict(refer_to)

    @property
    def dates(self) -> list[date]:
        """The business dates that have tags, the latest first."""
        return [date.fromisoformat(day) for day in sorted(self.engine.manifest.dates, reverse=True)]

    def condition(self, text: str) -> SegmentSpec:
        """Return a condition written as YAML: that of a whole segment, or its ``where`` alone.

        Raises:
            InvalidSpec: with line, column and field.
        """
        lines = text.strip("\n").splitlines()
        if any(line.startswith(("kind:", "where:")) for line in lines):
            whole = text if any(line.startswith("kind:") for line in lines) else f"{HEAD}{text}"
        else:
            whole = f"{HEAD}where:\n" + "\n".join(f"  {line}" for line in lines)
        found = [spec for spec in parse_spec(whole) if isinstance(spec, SegmentSpec)]
        if len(found) != 1:
            raise InvalidSpec("The text must hold exactly one segment.", hint="Begin it with `kind: segment`.")
        return found[0]

    def count(self, condition: str | SegmentSpec, *, as_of: date | None = None) -> int:
        """Return how many customers meet a condition. Raises as `kequn.core.segments.count` does."""
        return segments.count(self.engine, **self._asked(condition, as_of))

    def funnel(self, condition: str | SegmentSpec, *, as_of: date | None = None) -> Preview:
        """Return size, share, and what each condition costs."""
        return segments.preview(self.engine, **self._asked(condition, as_of))

    def words(self, condition: str | SegmentSpec, language: str = "zh") -> str:
        """Return a condition as one sentence."""
        spec = self._spec(condition)
        return segments.in_words(spec, tags=self.tags, segments=self.segments, language=language)

    def sql(self, condition: str | SegmentSpec, *, dialect: str = "duckdb", as_of: date | None = None) -> str:
        """Return a condition as SQL over the logical views."""
        return segments.members_sql(**self._asked(condition, as_of), dialect=dialect, dates=self.dates)

    def table(
        self, condition: str | SegmentSpec, *, tags: Iterable[str], as_of: date | None = None, most: int = 100_000
    ) -> pa.Table:
        """Return tags of those who meet a condition, a row a customer in no order that tells who; ``.to_pandas()`` it.

        Args:
            most: at most so many rows, the first by the values themselves.

        Raises:
            NotAllowed: a tag that is not of class C1.
        """
        wanted = list(dict.fromkeys(tags))
        for name in wanted:
            if name in self.tags and self.tags[name].sensitivity != "C1":
                hint = "Select by it if you may; look at tags of class C1 only."
                raise NotAllowed(f"Tag {name!r} is class {self.tags[name].sensitivity}.", hint=hint, tag=name)
        asked = self._asked(condition, as_of)
        who = segments.members(self.engine, **asked)
        self.engine.register("notebook_members", pa.table({"ordinal": pa.array(who, pa.uint32())}))
        rows = self.engine.tags_query(asked["as_of"], wanted)
        columns = ", ".join(map(quoted, wanted))
        return self.engine.arrow(
            f"SELECT {columns} FROM ({rows}) SEMI JOIN notebook_members USING (ordinal) ORDER BY ALL LIMIT ?", [most]
        )

    def _spec(self, condition: str | SegmentSpec) -> SegmentSpec:
        return self.condition(condition) if isinstance(condition, str) else condition

    def _asked(self, condition: str | SegmentSpec, as_of: date | None) -> dict[str, Any]:
        if not self.dates:
            raise NoData("No tags were computed yet.", hint="Run `kequn tag refresh`.")
        spec = self._spec(condition)
        return {"spec": spec, "tags": self.tags, "segments": self.segments, "as_of": as_of or self.dates[0]}


HEAD = "kind: segment\nname: draft_segment\ntitle: '-'\n"


def open_bank(store: Path | str, *, tag_folders: Iterable[Path] = (), segment_files: Iterable[Path] = ()) -> Bank:
    """Open the store in a folder, with the bank's own tags and segments beside those of the catalogue.

    Raises:
        NoData: there is no store.
        InvalidSpec: a definition that is wrong, with file, line and field.
    """
    folder = Path(store)
    if not (folder / "manifest.json").exists():
        raise NoData(f"There is no store in {folder.name!r}.", hint="It is the folder with manifest.json in it.")
    found = [spec for path in segment_files for spec in parse_spec(path.read_text("utf-8"), file=path.name)]
    named = {spec.name: spec for spec in found if isinstance(spec, SegmentSpec)}
    return Bank(Engine(Store(folder)), tag_folders=tag_folders, refer_to=named)
