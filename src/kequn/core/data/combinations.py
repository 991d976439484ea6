"""One code for all columns of few values of a row: the combinations that occur are numbered as they come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kequn.core.data.tables import Table

MOST_VALUES = 4_095
"""A text column with more different values than this is not one of few values."""
MOST_CODES = 65_536
AMOUNT_KNOWN = "amount_known"


class TooManyValues(Exception):
    """A column has too many values to be part of a code; no failure, it is left out."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Combinations:
    """Numbers the combinations of some columns' values; a missing value is one of them.

    ``amount_known`` (whether the row has an amount) is a column of every combination.
    """

    def __init__(self, columns: list[str], table: Table, *, before: pa.Table | None) -> None:
        self.columns = columns
        self._types = {c: pa.bool_() if table.by_name[c].type == "boolean" else pa.string() for c in columns}
        self._values: dict[str, dict[object, int]] = {c: {None: 0} for c in columns}
        self._numbers: dict[tuple[int, ...], int] = {}
        for row in before.to_pylist() if before is not None else ():
            values = tuple(self._number(c, row[c]) for c in columns)
            self._numbers[(*values, int(row[AMOUNT_KNOWN]))] = len(self._numbers)

    def codes(self, batch: pa.RecordBatch) -> NDArray[np.uint16]:
        """Return the code of each row.

        Raises:
            TooManyValues: a column has more values, or all together more combinations, than codes can stand for.
        """
        parts = [self._column(batch, c) for c in self.columns] + [_amount_known(batch)]
        key = np.zeros(batch.num_rows, np.int64)
        room = 1
        for part in parts:
            most = int(part.max()) + 1
            if room * most >= 1 << 62:
                key = _encoded(key)[0].astype(np.int64)
                room = int(key.max()) + 1
            key, room = key * most + part, room * most
        indices, distinct = _encoded(key)
        example = np.empty(distinct, np.int64)
        example[indices] = np.arange(len(indices))
        found = np.stack([part[example] for part in parts], axis=1).tolist()
        numbers = [self._numbers.setdefault(tuple(row), len(self._numbers)) for row in found]
        if len(self._numbers) > MOST_CODES:
            raise TooManyValues(max(self.columns, key=lambda c: len(self._values[c])))
        return np.array(numbers, np.uint16)[indices]

    def table(self) -> pa.Table:
        """Return the combinations: row i is code i."""
        rows = list(self._numbers)
        columns: dict[str, pa.Array] = {}
        for at, name in enumerate(self.columns):
            known = list(self._values[name])
            columns[name] = pa.array([known[row[at]] for row in rows], self._types[name])
        columns[AMOUNT_KNOWN] = pa.array([bool(row[-1]) for row in rows], pa.bool_())
        return pa.table(columns)

    def _column(self, batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
        if name not in batch.schema.names:
            return np.zeros(batch.num_rows, np.int64)
        column = batch.column(name)
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        numbers = np.array([self._number(name, value) for value in column.dictionary.to_pylist()] or [0], np.int64)
        local = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return np.where(local < 0, 0, numbers[local])

    def _number(self, name: str, value: object) -> int:
        values = self._values[name]
        number = values.setdefault(value, len(values))
        if number > MOST_VALUES:
            raise TooManyValues(name)
        return number


def _amount_known(batch: pa.RecordBatch) -> NDArray[np.int64]:
    if "amount" not in batch.schema.names:
        return np.zeros(batch.num_rows, np.int64)
    known: NDArray[np.int64] = batch.column("amount").is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
    return known


def _encoded(key: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
    """Number the different values as they come."""
    encoded = pc.dictionary_encode(pa.array(key))
    return encoded.indices.to_numpy(), len(encoded.dictionary)
