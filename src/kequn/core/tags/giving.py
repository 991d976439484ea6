"""Publishing a given tag: values that a model, another system or another part of kequn hands in for a date."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Store, TagState
from kequn.core.errors import InvalidSpec, NoData
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile, check_codes
from kequn.core.tags.language import GIVEN


def publish_values(
    store: Store, spec: TagSpec, values: pa.Array | pa.ChunkedArray, *, as_of: date, now: datetime
) -> TagState:
    """Publish the values of a given tag on a date; the i-th value is that of ordinal i, null where there is none.

    What was handed in before for that date is replaced; other tags stay. Money is integer fen.

    Raises:
        InvalidSpec: the tag is computed from data, or there is not one value an ordinal.
        NoData: no tags were computed for that date, so nobody knows who was a customer then.
        TagFailed: a value that the tag does not declare.
        StoreBusy: another load or refresh is writing.
    """
    if spec.over != GIVEN:
        raise InvalidSpec(f"Tag {spec.name!r} is computed from data.", hint="Refresh it: `kequn tag refresh`.")
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    check_codes(spec, column)
    with store.writing(now=now) as draft:
        day = draft.manifest.dates.get(as_of.isoformat())
        if day is None:
            raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh` for that date first.")
        population = pq.read_table(store.path(day.population)).column("value")
        if len(column) != len(population):
            raise InvalidSpec(f"{len(column):,} values for {len(population):,} customers.", hint="Give one an ordinal.")
        path, name = draft.new_file("tags", spec.family, spec.name)
        file = ColumnFile(path, ARROW_OF_TYPE[spec.type])
        file.write(column, np.asarray(population.combine_chunks().to_numpy(zero_copy_only=False), dtype=bool))
        file.close()
        state = TagState(
            file=name, fingerprint=spec.fingerprint(), known=file.known, computed_at=now, inputs=uuid.uuid4().hex[:16]
        )
        day.tags = dict(sorted({**day.tags, spec.name: state}.items()))
    return state
