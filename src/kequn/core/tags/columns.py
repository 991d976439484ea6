"""Column files in the making: one parquet file a tag, row i the value of ordinal i."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kequn.core.errors import TagFailed
from kequn.core.spec.tag import TagSpec

ARROW_OF_TYPE: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "money": pa.int64(),
    "date": pa.date32(),
    "text": pa.string(),
    "list": pa.list_(pa.string()),
}
ROW_GROUP = 1 << 17
SHOWN = 5


class ColumnFile:
    """Writes one column shard by shard and counts how many customers of the bank have a value."""

    def __init__(self, path: Path, type_: pa.DataType) -> None:
        self.known = 0
        self._type = type_
        self._path = path
        self._writer = pq.ParquetWriter(path, pa.schema([("value", type_)]), compression="zstd", compression_level=1)

    def write(self, values: pa.ChunkedArray, present: np.ndarray) -> None:
        """Add the next rows; ``present`` tells whose values count as known."""
        column = without_nan(values.cast(self._type))
        valid = pc.is_valid(column).combine_chunks().to_numpy(zero_copy_only=False)
        self.known += int(np.count_nonzero(valid & present))
        self._writer.write_table(pa.table({"value": column}), row_group_size=ROW_GROUP)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def discard(self) -> None:
        """Remove the file; it is not to be published."""
        self._writer.close()
        self._path.unlink(missing_ok=True)


def without_nan(column: Any) -> Any:
    """Return the values with null where one is not a number: it is missing, and a missing value fails every test.

    Kept, it would be above all numbers for the index and for a sort, and below a file's greatest value for whoever skips rows
    by that.
    """
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def check_codes(spec: TagSpec, values: pa.ChunkedArray) -> None:
    """Refuse values that the tag does not declare.

    Raises:
        TagFailed: the fact ``unexpected`` holds some of them.
    """
    if not spec.values:
        return
    flat = pc.list_flatten(values) if spec.type == "list" else values
    found = pc.unique(flat).drop_null().to_pylist()
    unexpected = sorted(set(found) - set(spec.values))
    if unexpected:
        shown = ", ".join(repr(v) for v in unexpected[:SHOWN])
        raise TagFailed(
            f"Tag {spec.name!r} came out with values it does not declare: {shown}.",
            hint="Add them to `values`, or translate them in the source or the expression.",
            tag=spec.name,
            unexpected=unexpected[:SHOWN],
        )
