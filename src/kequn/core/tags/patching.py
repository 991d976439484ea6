"""New column files and index columns from earlier ones: the values of some customers put in, all others as they were."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.index import layout
from kequn.core.engine.index.opening import folder_of, population_of
from kequn.core.engine.index.patch import patch_column
from kequn.core.engine.store import DateState, Draft, Store, TagState
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile, without_nan
from kequn.core.tags.increment import Increment


class Patch:
    """The files of an increment in the making."""

    def __init__(self, draft: Draft, part: Increment, population: str) -> None:
        self.draft, self.part = draft, part
        present = pq.read_table(draft.store.path(population)).column("value")
        self.present = np.asarray(present.combine_chunks().to_numpy(zero_copy_only=False), dtype=bool)

    def files(
        self, specs: Mapping[str, TagSpec], values: pa.Table, inputs: Mapping[str, str], now: datetime
    ) -> dict[str, TagState]:
        """Write a file for each tag; ``values`` has a row for each ordinal of the increment."""
        return {
            name: TagState(
                file=relative,
                fingerprint=spec.fingerprint(),
                known=known,
                computed_at=now,
                inputs=inputs[name],
                type=spec.type,
            )
            for name, spec in specs.items()
            for relative, known in [self._file(spec, values.column(name))]
        }

    def _file(self, spec: TagSpec, changed: pa.ChunkedArray) -> tuple[str, int]:
        before = pq.read_table(self.draft.store.path(self.part.base.tags[spec.name].file)).column("value")
        type_ = ARROW_OF_TYPE[spec.type]
        path, relative = self.draft.new_file("tags", spec.family, spec.name)
        file = ColumnFile(path, type_)
        try:
            file.write(
                _patched(before.cast(type_), changed.cast(type_), self.part.ordinals, len(self.present)), self.present
            )
        except BaseException:
            file.discard()
            raise
        file.close()
        return relative, file.known


def _patched(
    before: pa.ChunkedArray, changed: pa.ChunkedArray, ordinals: np.ndarray[tuple[int], np.dtype[np.uint32]], size: int
) -> pa.ChunkedArray:
    """The earlier values with those of ``ordinals`` put in; new customers, all among them, follow at the end."""
    places = np.arange(size)
    places[ordinals] = len(before) + np.arange(len(ordinals))
    both = pa.chunked_array([*before.chunks, *changed.chunks], before.type)
    return pa.chunked_array([both.combine_chunks().take(pa.array(places))], before.type)


def patch_index(store: Store, part: Increment, values: Mapping[str, pa.Array], day: DateState) -> None:
    """Make the index columns of an increment's tags from those of the earlier date, where that is possible.

    What is not (no index then, another number of customers, a value that its column cannot hold) is left to be built.
    """
    population = population_of(store, day)
    for name, changed in values.items():
        if name not in day.tags:
            continue
        source, target = (folder_of(store, name, f) for f in (part.base.tags[name].file, day.tags[name].file))
        if target.exists() or not (source / "column.json").exists():
            continue
        try:
            column = layout.open_column(name, source)
        except (OSError, layout.BrokenColumn):  # of another format, perhaps: built from the file, then
            continue
        if column.size == population.size:
            known = without_nan(changed)
            patch_column(column, source, target, ordinals=part.ordinals, values=known, population=population)
