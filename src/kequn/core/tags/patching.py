"""New column files from earlier ones: the values of some customers put in, all others as they were."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Draft, TagState
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile
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
