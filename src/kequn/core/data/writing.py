"""From converted blocks to the table's file: who the customer is, which rows are good, and which came twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kequn.core.data.delimited import Block
from kequn.core.data.identity import CustomerIndex
from kequn.core.data.keys import KeyBook, Keys, Rows, known_rows, mixed, repeated_rows, without_rows
from kequn.core.data.mapping import PEOPLE, SKIPPED, Mapping, table_of
from kequn.core.data.rejects import Reject, RejectLog, shown
from kequn.core.engine.duck import literal, quoted
from kequn.core.engine.store import Draft
from kequn.core.spec.source import SourceSpec

People = Callable[[pa.RecordBatch], None]
GROUP_ROWS = 122_880
ARROW_TYPES = {
    "UINTEGER": pa.uint32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "INTEGER": pa.int32(), "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"),
}  # fmt: skip
HIDDEN = ("person", "ref", "customer")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the rows of one block came from: the table's row number of its first row, and their lines."""

    first: int
    file: str
    lines: NDArray[np.int64] | int
    """One a row, or the line of the first where they follow one another."""


class TableWriter:
    """Writes one table's new file and keeps what is needed to settle duplicates afterwards."""

    def __init__(
        self,
        draft: Draft,
        spec: SourceSpec,
        index: CustomerIndex,
        rejects: RejectLog,
        connection: duckdb.DuckDBPyConnection,
        people: People | None,
    ) -> None:
        self.draft, self.spec, self.index, self.rejects, self.connection = draft, spec, index, rejects, connection
        self.table = table_of(spec)
        self.people = people
        self.schema = pa.schema([(n, ARROW_TYPES[t]) for n, t in self.table.stored_columns().items()])
        self.path: Path | None = None
        self.relative: str | None = None
        self.rows = 0
        self.skipped = 0
        self.as_of: date | None = None
        self.totals: dict[str, Any] = {}
        self.customer_ids: list[pa.Array] = []
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._keys = KeyBook()
        self._places: list[_Place] = []
        self._seen = np.zeros(0, dtype=bool)

    def write(self, block: Block, rows: pa.Table, mapping: Mapping) -> None:
        """Take the good rows of a block, and reject the others."""
        for fault in block.faults:
            self.rejects.add(Reject(block.file, fault.line, "", "", fault.detail, fault.reason))
        if not rows.num_rows:
            return
        rows = rows.combine_chunks()
        problem = rows.column("problem").to_numpy()
        self._add_totals(rows, problem)
        good = problem == 0
        if not good.all():
            self.skipped += int((problem == SKIPPED).sum())
            for number in np.unique(problem[(problem > 0) & (problem != SKIPPED)]):
                what = mapping.problems[int(number) - 1]
                self._reject(block, np.flatnonzero(problem == number), what.column, what.source, what.reason)
        ordinals = self._ordinals(block, rows, good) if self.table.per_customer else None
        self._keep(block, rows, good, ordinals)

    def settle(self, *, append: bool) -> None:
        """Take out rows that came twice and, where rows are added to the table, those it has already."""
        self._close_file()
        if self.path is None or not self.rows:
            return
        is_customer = self.table.name == "customer"
        dropped = np.zeros(0, np.int64)
        state = self.draft.manifest.tables.get(self.table.name)
        if append and state is not None and state.files:
            before = [self.draft.store.path(f) for f in state.files]
            may_be_known = self._keys.rows_that_may_be_known(self._known_keys(before))
            if len(may_be_known):
                equal, other = known_rows(self.connection, self.table, self.path, may_be_known, before=before)
                self.skipped += len(equal)
                self._reject_rows(other)
                dropped = np.union1d(equal, other)
        if not is_customer:
            may_repeat = np.setdiff1d(self._keys.rows_that_may_repeat(), dropped)
            if len(may_repeat):
                repeated = repeated_rows(self.connection, self.table, self.path, may_repeat)
                self._reject_rows(repeated)
                dropped = np.union1d(dropped, repeated)
        if len(dropped):
            self._drop(dropped)

    def close(self) -> str | None:
        """Return the name of the file to publish; ``None`` where no row was loaded."""
        if self.path is None or not self.rows:
            return None
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        if self.table.on:
            query = f"SELECT max({quoted(self.table.on)}) FROM read_parquet({literal(str(self.path))})"
            (self.as_of,) = self.connection.execute(query).fetchone() or (None,)
        return self.relative

    def discard(self) -> None:
        """Remove what was written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    # the steps of ``write``

    def _add_totals(self, rows: pa.Table, problem: NDArray[np.uint8]) -> None:
        counted = pa.array(problem != SKIPPED) if (problem == SKIPPED).any() else None
        for name in self.spec.control_totals:
            values = rows.column(name) if counted is None else rows.column(name).filter(counted)
            total = pc.sum(values).as_py()
            self.totals[name] = self.totals.get(name, 0) + (total or 0)

    def _ordinals(self, block: Block, rows: pa.Table, good: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return each good row's ordinal; rows of unknown or repeated customers are rejected (``good`` is cleared)."""
        low = pc.fill_null(rows.column("key_low"), 0).to_numpy()
        high = pc.fill_null(rows.column("key_high"), 0).to_numpy()
        if self.table.name == "customer":
            return self._new_ordinals(block, rows, good, low, high)
        ordinals = self.index.find(low, high)
        unknown = np.flatnonzero(good & (ordinals < 0))
        self._reject(block, unknown, "customer_no", self._source_of("customer_no"), "UNKNOWN_CUSTOMER")
        good &= ordinals >= 0
        return ordinals

    def _new_ordinals(
        self,
        block: Block,
        rows: pa.Table,
        good: NDArray[np.bool_],
        low: NDArray[np.uint64],
        high: NDArray[np.uint64],
    ) -> NDArray[np.int64]:
        chosen = np.flatnonzero(good)
        found, is_new = self.index.add(low[chosen], high[chosen])
        ordinals = np.full(len(good), -1, dtype=np.int64)
        ordinals[chosen] = found
        if is_new.any():
            ids = rows.column("person_customer_id").take(pa.array(chosen[is_new]))
            self.customer_ids.append(ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids)
        if len(self._seen) < self.index.size:
            self._seen = np.concatenate([self._seen, np.zeros(self.index.size * 2 - len(self._seen), dtype=bool)])
        first = np.zeros(len(chosen), dtype=bool)
        first[np.unique(found, return_index=True)[1]] = True
        again = ~first | self._seen[found]
        self._seen[found] = True
        self._reject(block, chosen[again], "customer_no", self._source_of("customer_no"), "DUPLICATE_CUSTOMER")
        good[chosen[again]] = False
        return ordinals

    def _keep(self, block: Block, rows: pa.Table, good: NDArray[np.bool_], ordinals: NDArray[np.int64] | None) -> None:
        count = int(good.sum())
        if not count:
            return
        lines = block.lines
        if count < len(good):
            mask = pa.array(good)
            rows, lines = rows.filter(mask), lines[good]
            ordinals = ordinals[good] if ordinals is not None else None
        self._keys.add(self._row_keys(rows, ordinals))
        follow = int(lines[-1]) - int(lines[0]) == count - 1
        self._places.append(_Place(self.rows, block.file, int(lines[0]) if follow else lines))
        self._append(self._stored(rows, ordinals))
        self.rows += count
        if self.people is not None and self.table.name == "customer":
            self._hand_over(rows)

    def _row_keys(self, rows: pa.Table, ordinals: NDArray[np.int64] | None) -> Keys:
        in_key = self.table.by_name[self.table.key[0]]
        if len(self.table.key) == 1 and in_key.type == "ref":
            return np.asarray(rows.column(in_key.name).to_numpy(), dtype=np.int64).view(np.uint64)
        rest = rows.column("row_key").to_numpy() if "row_key" in rows.column_names else None
        has_customer = any(self.table.by_name[k].type == "customer" for k in self.table.key)
        return mixed(ordinals if has_customer else None, rest)

    def _stored(self, rows: pa.Table, ordinals: NDArray[np.int64] | None) -> pa.Table:
        arrays = []
        for column in self.schema:
            if column.name == "ordinal" and ordinals is not None:
                arrays.append(pa.chunked_array([pa.array(ordinals.astype(np.uint32))]))
            elif column.name in rows.column_names:
                arrays.append(rows.column(column.name).cast(column.type))
            else:
                arrays.append(pa.chunked_array([pa.nulls(rows.num_rows, column.type)]))
        return pa.table(arrays, schema=self.schema)

    def _append(self, rows: pa.Table) -> None:
        self._pending.append(rows)
        if sum(p.num_rows for p in self._pending) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            self.path, self.relative = self.draft.new_file("table", self.table.name, "rows")
            self._writer = pq.ParquetWriter(self.path, self.schema, **self.options())
        self._writer.write_table(pa.concat_tables(self._pending), row_group_size=2 * GROUP_ROWS)
        self._pending = []

    def options(self) -> dict[str, Any]:
        """Return how the file is written: hashes as they are, since they neither repeat nor compress."""
        hashes = [c.name for c in self.table.columns if c.type == "ref"]
        texts = [c.name for c in self.table.columns if c.type in ("text", "date", "boolean", "integer")]
        return {
            "compression": {n: "none" if n in hashes else "zstd" for n in self.schema.names},
            "compression_level": {n: 1 for n in self.schema.names if n not in hashes},
            "use_dictionary": texts,
        }

    def _hand_over(self, rows: pa.Table) -> None:
        assert self.people is not None
        batch = rows.select([f"person_{n}" for n in PEOPLE]).rename_columns(list(PEOPLE))
        for part in batch.to_batches(max_chunksize=50_000):
            self.people(part)

    # rejects and duplicates

    def _source_of(self, column: str) -> str:
        return self.spec.columns[column].from_ or ""

    def _reject(self, block: Block, rows: Rows, column: str, source: str, reason: str) -> None:
        """Reject rows of a block for one reason."""
        if self.rejects.is_full or not len(rows):
            self.rejects.count_only(reason, len(rows))
            return
        known = source in block.table.column_names
        values = block.table.column(source).take(pa.array(rows)).to_pylist() if known else [None] * len(rows)
        hide = column in self.table.by_name and self.table.by_name[column].type in HIDDEN
        about_people = self.table.name == "customer"
        for row, value in zip(rows, values, strict=True):
            kept = shown(None if value is None else str(value), hide=hide, about_people=about_people)
            self.rejects.add(Reject(block.file, int(block.lines[row]), column, source, kept, reason))

    def _reject_rows(self, rows: Rows) -> None:
        key = self.table.key[0]
        reason = "DUPLICATE_CUSTOMER" if self.table.name == "customer" else "DUPLICATE_KEY"
        firsts = np.array([p.first for p in self._places])
        for row in rows:
            place = self._places[int(np.searchsorted(firsts, row, side="right")) - 1]
            at = int(row) - place.first
            line = place.lines + at if isinstance(place.lines, int) else int(place.lines[at])
            self.rejects.add(Reject(place.file, line, key, self._source_of(key), "", reason))

    def _known_keys(self, files: list[Path]) -> Iterator[Keys]:
        """Yield the keys of the rows that the table has, as ``_row_keys`` makes them."""
        keys = [self.table.by_name[k] for k in self.table.key if k in self.spec.columns]
        for file in files:
            if len(self.table.key) == 1 and keys[0].type == "ref":
                (column,) = pq.read_table(file, columns=[keys[0].name]).columns
                yield column.to_numpy().view(np.uint64)
                continue
            others = [quoted(k.name) for k in keys if k.type != "customer"]
            chosen = [f"hash({', '.join(others)}) AS row_key"] if others else []
            chosen += ["ordinal"] if any(k.type == "customer" for k in keys) else []
            found = self.connection.sql(
                f"SELECT {', '.join(chosen)} FROM read_parquet({literal(str(file))})"
            ).to_arrow_table()
            rest = found.column("row_key").to_numpy() if others else None
            yield mixed(found.column("ordinal").to_numpy().astype(np.int64) if "ordinal" in chosen else None, rest)

    def _drop(self, rows: Rows) -> None:
        assert self.path is not None
        old = self.path
        self.path, self.relative = self.draft.new_file("table", self.table.name, "rows")
        self.rows = without_rows(old, self.path, rows, options=self.options())
        old.unlink()

    def _close_file(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
