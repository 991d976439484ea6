"""Publishing a given tag: values that a model, another system or another part of kequn hands in for a date."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.core.engine.index import build_index
from kequn.core.engine.store import DateState, Draft, Store, TagState
from kequn.core.engine.tagfiles import column_of
from kequn.core.errors import InvalidSpec, NoData
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.columns import ARROW_OF_TYPE, ColumnFile, check_codes
from kequn.core.tags.language import GIVEN

NUMBERS = ("integer", "number", "money")
Column: TypeAlias = pa.Array | pa.ChunkedArray


def publish_values(store: Store, spec: TagSpec, by_date: Mapping[date, Column], *, now: datetime) -> None:
    """Publish the values of a given tag on some dates; the i-th value is that of ordinal i, null where there is none.

    What was handed in before for those dates is replaced; other tags stay. Money is integer fen. Of a tag of class S nobody
    has a value who did not give its separate consent.

    Raises:
        InvalidSpec: the tag is computed from data, or there is not one value an ordinal.
        NoData: no tags were computed for a date, so nobody knows who was a customer then, or who gave a consent.
        TagFailed: a value that the tag does not declare.
        StoreBusy: another load or refresh is writing.
    """
    publish_together(store, [(spec, by_date)], now=now)


def publish_together(store: Store, given: Sequence[tuple[TagSpec, Mapping[date, Column]]], *, now: datetime) -> None:
    """As `publish_values`, of several tags that belong together: all of them are published, or none is."""
    for spec, _by_date in given:
        if spec.over != GIVEN:
            raise InvalidSpec(f"Tag {spec.name!r} is computed from data.", hint="Refresh it: `kequn tag refresh`.")
    with store.writing(now=now) as draft:
        for spec, by_date in given:
            for as_of, values in by_date.items():
                _publish(draft, spec, values, as_of, now)


def _publish(draft: Draft, spec: TagSpec, values: Column, as_of: date, now: datetime) -> None:
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    check_codes(spec, column)
    day = draft.manifest.dates.get(as_of.isoformat())
    if day is None:
        raise NoData(f"No tags for {as_of}.", hint="Run `kequn tag refresh` for that date first.")
    population = pq.read_table(draft.store.path(day.population)).column("value")
    if len(column) != len(population):
        raise InvalidSpec(f"{len(column):,} values for {len(population):,} customers.", hint="Give one an ordinal.")
    if spec.consent is not None:
        column = _consented(draft, spec, column, day, as_of)
    path, name = draft.new_file("tags", spec.family, spec.name)
    file = ColumnFile(path, ARROW_OF_TYPE[spec.type])
    file.write(column, np.asarray(population.combine_chunks().to_numpy(zero_copy_only=False), dtype=bool))
    file.close()
    inputs = uuid.uuid4().hex[:16]
    state = TagState(
        file=name, fingerprint=spec.fingerprint(), known=file.known, computed_at=now, inputs=inputs, type=spec.type
    )
    day.tags = dict(sorted({**day.tags, spec.name: state}.items()))
    scale = 100 if spec.type == "money" else 1
    cuts = {spec.name: [float(cut) * scale for cut in spec.bins] if spec.type in NUMBERS else []}
    build_index(draft.store, day, cuts=cuts, only=[spec.name])


def _consented(draft: Draft, spec: TagSpec, column: pa.ChunkedArray, day: DateState, as_of: date) -> pa.ChunkedArray:
    name = f"mkt_consent_{spec.consent}"
    if name not in day.tags:
        raise NoData(
            f"Nobody knows who gave the consent {spec.consent!r} by {as_of}.",
            hint=f"Refresh the tag {name!r} for that date first.",
            tag=name,
        )
    given = column_of(draft.store, name, day.tags[name], size=len(column))
    kept = pc.if_else(given.combine_chunks(), column.combine_chunks(), pa.scalar(None, column.type))
    return pa.chunked_array([kept])
