"""Rows that could not be loaded: where they stand and why, kept beside the store whether the load succeeds or fails."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.duck import literal
from kequn.core.engine.store import Store

Reason = Literal[
    "MISSING_REQUIRED", "NOT_A_DATE", "NOT_A_TIME", "NOT_A_NUMBER", "NOT_MONEY", "NOT_A_BOOLEAN", "NOT_COMPUTABLE",
    "OUT_OF_RANGE", "UNKNOWN_CODE", "DUPLICATE_KEY", "DUPLICATE_CUSTOMER", "UNKNOWN_CUSTOMER", "RAGGED_ROW", "BAD_ENCODING",
    "NUL_BYTE", "BAD_QUOTE", "TOO_LONG",
]  # fmt: skip
KEPT = 1_000_000
"""Rejected rows written down; beyond that they are only counted."""
SHOWN = 40
_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("line", pa.int64()),
        ("column", pa.string()),
        ("source_column", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected row: its first line in the file (the sheet's row; the row's number in Parquet and queries) and the fault."""

    file: str
    line: int
    column: str
    source_column: str
    value: str
    reason: str


class RejectLog:
    """Collects the rejects of one load; nothing is written before there is one."""

    def __init__(self, store: Store, load_id: str) -> None:
        self.path = rejects_path(store, load_id)
        self.reasons: Counter[str] = Counter()
        self._rows: list[Reject] = []
        self._kept = 0
        self._writer: pq.ParquetWriter | None = None

    @property
    def count(self) -> int:
        """How many rows were rejected."""
        return sum(self.reasons.values())

    def add(self, reject: Reject) -> None:
        """Take one reject down."""
        self.reasons[reject.reason] += 1
        if self._kept < KEPT:
            self._kept += 1
            self._rows.append(reject)
            if len(self._rows) >= 50_000:
                self._write()

    @property
    def is_full(self) -> bool:
        """Whether further rejects are only counted."""
        return self._kept >= KEPT

    def count_only(self, reason: str, rows: int) -> None:
        """Count rejects without taking them down."""
        if rows:
            self.reasons[reason] += rows

    def close(self) -> Path | None:
        """Finish the file and return it; ``None`` where nothing was rejected."""
        if self._rows:
            self._write()
        if self._writer is None:
            return None
        self._writer.close()
        self._writer = None
        self.path.with_suffix(".part").replace(self.path)
        return self.path

    def _write(self) -> None:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.path.with_suffix(".part"), _SCHEMA, compression="zstd")
        names = _SCHEMA.names
        columns = {n: [getattr(r, n) for r in self._rows] for n in names}
        self._writer.write_table(pa.table(columns, schema=_SCHEMA))
        self._rows = []


def rejects_path(store: Store, load_id: str) -> Path:
    """Return where the rejects of a load are kept."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", load_id):
        raise ValueError(f"not a load id: {load_id!r}")
    return store.root / "rejects" / f"{load_id}.parquet"


def rejects(store: Store, load_id: str, *, limit: int = 100, offset: int = 0) -> list[Reject]:
    """Return the rejected rows of a load in the order of the file, ``limit`` of them after ``offset``."""
    path = rejects_path(store, load_id)
    if not path.exists():
        return []
    names = ", ".join(f'"{n}"' for n in _SCHEMA.names)
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            f"SELECT {names} FROM read_parquet({literal(str(path))}) ORDER BY file, line LIMIT ? OFFSET ?",
            [limit, offset],
        ).fetchall()
    return [Reject(*row) for row in rows]


def shown(value: str | None, *, hide: bool, about_people: bool) -> str:
    """Return a value as it may be kept: hidden, as a shape, or cut to a readable length.

    Values of personal columns and numbers are hidden. In the customer table a value may stand in the wrong column, so that
    only its shape is shown unless it is a short code or a date.
    """
    if not value:
        return ""
    if hide:
        return f"({len(value)} characters)"
    value = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
    if about_people and not re.fullmatch(r"[A-Za-z0-9]{1,3}|(19|20|99)\d{6}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}", value):
        return _shape(value)
    return re.sub(r"\d{11,}", lambda m: "9" * len(m.group()), value)


def _shape(value: str) -> str:
    value = re.sub(r"\d", "9", value)
    return re.sub(r"[^\W\d_]", lambda m: "a" if m.group().isascii() else "文", value)
