"""Loading: one of the bank's tables, as it is, into the store; all of it or nothing.

Every record read is loaded, rejected with its place and reason, or skipped on purpose, and the three add up. The load writes
new files and publishes them by one swap of the manifest; whatever happens before that, the previous data go on serving.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from kequn.core.data.delimited import Block, has_blanks_around
from kequn.core.data.identity import CustomerIndex, hash_query, write_dictionary
from kequn.core.data.identity import salt as salt_of
from kequn.core.data.lookups import Lookups
from kequn.core.data.mapping import (
    ROW_NUMBER,
    ROWS,
    Mapping,
    build,
    check_source,
    hash_columns,
    nulls_at_reading,
    table_of,
    wanted_columns,
)
from kequn.core.data.quality import CheckResult, ChecksFailed, PastLoad, check_quality, run_checks
from kequn.core.data.readers import Part, Source, check_columns, open_source
from kequn.core.data.rejects import RejectLog
from kequn.core.data.tables import Table
from kequn.core.data.writing import People, TableWriter
from kequn.core.engine.duck import literal, quoted
from kequn.core.engine.store import Draft, Manifest, Store, TableState
from kequn.core.errors import LoadFailed, StoreFull
from kequn.core.spec.source import CsvInput, SourceSpec

Progress = Callable[[int, int | None, str], None]
Number = Decimal | int | float
WORKERS = 2
REPEATED = 0.4
"""Numbers are hashed once each where at most this share of a block's values differ."""
AHEAD = 3
"""Blocks being parsed or waiting while one is written; bounds the memory a load takes."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. ``read`` = ``loaded`` + ``rejected`` + ``skipped``.

    ``totals``: for each control total (sum of what could be read, sum of what is stored now of this load), money in yuan.
    """

    load_id: str
    source: str
    table: str
    read: int = 0
    loaded: int = 0
    rejected: int = 0
    skipped: int = 0
    unchanged: bool = False
    totals: dict[str, tuple[Number, Number]] = field(default_factory=dict)
    rejects_file: str | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    as_of: date | None = None
    seconds: float = 0.0
    checks: tuple[CheckResult, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    """The source's columns with their types."""


def never() -> bool:
    """Nobody cancels."""
    return False


def load_source(
    store: Store,
    spec: SourceSpec,
    *,
    folder: Path,
    key: bytes,
    now: datetime,
    load_id: str,
    people: People | None = None,
    progress: Progress | None = None,
    dsn: Callable[[str], str] | None = None,
    cancelled: Callable[[], bool] = never,
    previous: Sequence[PastLoad] = (),
) -> LoadReport:
    """Load one source into the store.

    Args:
        store: where to.
        spec: which table, from where, and how its columns are mapped.
        folder: the data folder that the spec's paths are relative to.
        key: the institution's secret; numbers are stored only as hashes keyed with it.
        now: the time of the load.
        load_id: names the load and its rejects.
        people: is handed each batch of customers (``PEOPLE``) before the load is published; what it raises fails the load.
        progress: is told (records read, None, what is being done).
        dsn: gives the connection string for the name of an environment variable.
        cancelled: is asked between blocks.
        previous: earlier good loads of the source, the newest first, for checks that compare.

    Raises:
        InvalidSpec: the spec asks for what its table or source does not have.
        BadSource: the input cannot be read as the spec says.
        LoadFailed: too many rejects, no rows, or cancelled; the previous data go on serving, the rejects are kept.
        ChecksFailed: a quality check with ``severity: fail`` did not hold; the previous data go on serving.
        StoreBusy: another load or refresh is writing.
        StoreFull: there is no room on the disk.
    """
    started = time.monotonic()
    check_source(spec)
    check_quality(spec)
    table = table_of(spec)
    source = open_source(spec.input, folder=folder, dsn=dsn)
    lookups = Lookups(spec.lookup, folder=folder, dsn=dsn)
    try:
        _stop_if_loaded(store.manifest(), table, _identity(spec, source, lookups, key))
        with store.writing(now=now) as draft:
            if table.per_customer and table.name != "customer" and not draft.manifest.ordinals:
                raise LoadFailed("No customers are known yet.", hint="Load the customer table first.", table=table.name)
            with _Load(draft, spec, source, lookups, key=key, now=now, load_id=load_id, people=people) as load:
                load.read(progress or _nobody, cancelled)
                source.check_unchanged()
                content = _identity(spec, source, lookups, key)
                _stop_if_loaded(draft.manifest, table, content)
                load.check(folder, previous)
                return load.publish(content, started)
    except _LoadedBeforeError as before:
        return LoadReport(load_id, spec.name, table.name, unchanged=True, as_of=before.state.as_of)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFull("The disk is full.", hint="Make room; the previous data go on serving.") from error


class _LoadedBeforeError(Exception):
    def __init__(self, state: TableState) -> None:
        super().__init__()
        self.state = state


def _nobody(_read: int, _total: int | None, _what: str) -> None:
    return


def _identity(spec: SourceSpec, source: Source, lookups: Lookups, key: bytes) -> str:
    """Return what names this content under this spec and key; empty where the content is not known yet."""
    if not source.content() or not lookups.content:
        return ""
    parts = (source.content(), lookups.content, spec.fingerprint(), hashlib.sha256(key).hexdigest())
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def _stop_if_loaded(manifest: Manifest, table: Table, content: str) -> None:
    """Raise where the table has this content already.

    Rows of unknown customers are worth another try once there are more customers: such a load is remembered together with
    the number of customers there were.
    """
    state = manifest.tables.get(table.name)
    if content and state and (content in state.inputs or f"{content}@{manifest.ordinals}" in state.inputs):
        raise _LoadedBeforeError(state)


class _Load:
    """One load on its way."""

    def __init__(
        self,
        draft: Draft,
        spec: SourceSpec,
        source: Source,
        lookups: Lookups,
        *,
        key: bytes,
        now: datetime,
        load_id: str,
        people: People | None,
    ) -> None:
        self.draft, self.spec, self.source, self.lookups = draft, spec, source, lookups
        self.now, self.load_id = now, load_id
        self.table = table_of(spec)
        self.store = draft.store
        self.rejects = RejectLog(draft.store, load_id)
        self.index = CustomerIndex.of(draft.store) if self.table.per_customer else CustomerIndex.empty()
        self.salts = {kind: salt_of(key, kind) for kind in ("customer", "customer_id", "ref")}
        self.work = draft.store.root / "tmp" / f"load-{load_id}"
        self.connection = _connection(draft.store.root, self.work)
        self.writer = TableWriter(draft, spec, self.index, self.rejects, self.connection, people)
        self.finished = False
        self.records = 0
        self.checked: tuple[CheckResult, ...] = ()
        self.varied: set[str] = set()
        """Source columns of numbers that hardly repeat."""

    def __enter__(self) -> _Load:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.rejects.close()
        self.connection.close()
        shutil.rmtree(self.work, ignore_errors=True)
        if kind is not None or not self.finished:
            self.writer.discard()

    def read(self, progress: Progress, cancelled: Callable[[], bool]) -> None:
        """Read, convert and write all blocks, and settle what came twice."""
        mapping, parts = self._plan()
        for block, rows in self._converted(mapping, parts):
            if cancelled():
                raise LoadFailed("The load was cancelled.", load_id=self.load_id)
            self.writer.write(block, rows, mapping)
            self.records += block.records
            progress(self.records, None, "reading")
        progress(self.records, None, "checking keys")
        self.writer.settle(append=self.spec.load == "append")
        self._check_counts()

    def _plan(self) -> tuple[Mapping, Iterator[Part]]:
        available = {**self.source.columns, ROW_NUMBER: "BIGINT"} | self.lookups.columns
        wanted = wanted_columns(self.spec, available) | self.lookups.reads
        separator = self.spec.input.separator if isinstance(self.spec.input, CsvInput) else ""
        own = wanted - set(self.lookups.columns)
        self.numbered = ROW_NUMBER in own and ROW_NUMBER not in self.source.columns
        own -= {ROW_NUMBER} if self.numbered else set()
        check_columns(self.source, sorted(own), separator=separator)
        self.lookups.read(self.connection)
        parts = self.source.parts(own, nulls_at_reading(self.spec))
        first = next(parts, None)
        sample = first() if first is not None else None
        empty = sample.table.slice(0, 0) if sample else pa.table({c: pa.array([], pa.string()) for c in sorted(own)})
        if self.numbered:
            empty = empty.append_column(ROW_NUMBER, pa.array([], pa.int64()))
        self.connection.register(ROWS, empty)
        mapping = build(
            self.spec, self.connection, rows=self.lookups.joined(ROWS), salts=self.salts, today=self.now.date()
        )
        self.connection.unregister(ROWS)
        return mapping, _chain(sample, parts)

    def _converted(self, mapping: Mapping, parts: Iterator[Part]) -> Iterator[tuple[Block, pa.Table]]:
        """Yield each block with its converted rows, in order; parsing and conversion run on other threads."""
        if self.numbered:  # the number of a record depends on how many there were before
            yield from self._one_by_one(mapping, parts)
            return
        waiting: deque[Future[tuple[Block, pa.Table]]] = deque()
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for part in parts:
                    waiting.append(pool.submit(self._convert, mapping, part))
                    while len(waiting) >= AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _one_by_one(self, mapping: Mapping, parts: Iterator[Part]) -> Iterator[tuple[Block, pa.Table]]:
        file, before = "", 0
        for part in parts:
            block = part()
            before = before if block.file == file else 0
            yield block, self._query(mapping, block, before)
            file, before = block.file, before + block.records

    def _convert(self, mapping: Mapping, part: Part) -> tuple[Block, pa.Table]:
        block = part()
        return block, self._query(mapping, block, 0)

    def _query(self, mapping: Mapping, block: Block, before: int) -> pa.Table:
        with self.connection.cursor() as cursor:
            table = block.table
            if self.numbered:
                numbers = block.numbers if block.numbers is not None else np.arange(1, table.num_rows + 1)
                table = table.append_column(ROW_NUMBER, pa.array(numbers + before, pa.int64()))
            padded = has_blanks_around(block.table) if block.padded is None else block.padded
            hashed: frozenset[str] = frozenset()
            if not padded:
                table, hashed = self._with_hashes(cursor, table, mapping)
            cursor.register(ROWS, table)
            self.lookups.register(cursor)
            return cursor.sql(mapping.query(padded=padded, hashed=hashed)).to_arrow_table()

    def _with_hashes(
        self, cursor: duckdb.DuckDBPyConnection, table: pa.Table, mapping: Mapping
    ) -> tuple[pa.Table, frozenset[str]]:
        """Hash each number once a block where the same numbers come again and again."""
        hashed = []
        for source, kind in mapping.numbers.items():
            if source in self.varied or source not in table.column_names or not table.num_rows:
                continue
            encoded = table.column(source).combine_chunks()
            encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
            if len(encoded.dictionary) > REPEATED * table.num_rows:
                self.varied.add(source)
                continue
            cursor.register("numbers", pa.table({"n": encoded.dictionary}))
            hashes = cursor.sql(hash_query(self.salts[kind], kind, "n", "numbers")).to_arrow_table()
            cursor.unregister("numbers")
            for name, column in zip(hash_columns(source, kind), hashes.columns, strict=True):
                table = table.append_column(name, column.combine_chunks().take(encoded.indices))
            hashed.append(source)
        return table, frozenset(hashed)

    def _check_counts(self) -> None:
        loaded, rejected, skipped = self.writer.rows, self.rejects.count, self.writer.skipped
        if self.records != loaded + rejected + skipped:
            raise AssertionError(f"{self.records} read, but {loaded} loaded, {rejected} rejected, {skipped} skipped")
        self.rejects.close()
        facts: dict[str, Any] = {"read": self.records, "rejected": rejected, "load_id": self.load_id}
        if rejected > self.spec.max_reject_rate * self.records:
            worst = ", ".join(f"{reason} {n}" for reason, n in self.rejects.reasons.most_common(3))
            raise LoadFailed(
                f"{rejected} of {self.records} rows were rejected ({worst}).",
                hint="The previous data go on serving; the rejects say which rows and why.",
                **facts,
            )
        state = self.draft.manifest.tables.get(self.table.name)
        if not self.records and self.spec.load == "replace" and state is not None and state.rows:
            raise LoadFailed("The source has no rows, but the table has.", hint="Check the delivery.", **facts)

    def check(self, folder: Path, previous: Sequence[PastLoad]) -> None:
        """Ask the declared checks; one that fails with ``severity: fail`` ends the load."""
        self.totals = self._totals()
        results = run_checks(
            self.connection, self.store, self.draft.manifest, self.spec, path=self.writer.path, rows=self.writer.rows,
            read=self.records, totals=self.totals, columns=self.source.columns, folder=folder, previous=previous,
        )  # fmt: skip
        self.checked = tuple(results)
        if any(result.passed is False and result.severity == "fail" for result in results):
            raise ChecksFailed(results, read=self.records, rejected=self.rejects.count, load_id=self.load_id)

    def publish(self, content: str, started: float) -> LoadReport:
        """Put the new files into the draft's manifest and return the report."""
        manifest = self.draft.manifest
        before = manifest.tables.get(self.table.name) if self.spec.load == "append" else None
        relative = self.writer.close()
        state = TableState(
            files=[*(before.files if before else []), *([relative] if relative else [])],
            rows=(before.rows if before else 0) + self.writer.rows,
            inputs=dict(before.inputs) if before else {},
            as_of=max((d for d in (before.as_of if before else None, self.writer.as_of) if d), default=None),
            loaded_at=self.now,
        )
        mapped = {self.table.by_name[c].stored for c in self.spec.columns} | set(before.columns if before else ())
        state.columns = [c for c in self.table.stored_columns() if c in mapped]
        unknown = self.rejects.reasons.get("UNKNOWN_CUSTOMER", 0)
        if content:
            state.inputs[f"{content}@{manifest.ordinals}" if unknown else content] = self.load_id
        manifest.tables[self.table.name] = state
        self._publish_customers(manifest)
        self.finished = True
        rejects = f"rejects/{self.load_id}.parquet" if self.rejects.count else None
        return LoadReport(
            self.load_id, self.spec.name, self.table.name, read=self.records, loaded=self.writer.rows,
            rejected=self.rejects.count, skipped=self.writer.skipped, totals=self.totals, rejects_file=rejects,
            reasons=dict(self.rejects.reasons), as_of=self.writer.as_of, seconds=time.monotonic() - started,
            checks=self.checked, columns=dict(self.source.columns),
        )  # fmt: skip

    def _publish_customers(self, manifest: Manifest) -> None:
        if not self.index.added:
            return
        path, relative = self.draft.new_file("dictionary")
        before = self.store.path(manifest.dictionary) if manifest.dictionary else None
        write_dictionary(path, before=before, ids=self.writer.customer_ids, index=self.index)
        _flush(path)
        manifest.dictionary, manifest.ordinals = relative, self.index.size

    def _totals(self) -> dict[str, tuple[Number, Number]]:
        totals: dict[str, tuple[Number, Number]] = {}
        for name in self.spec.control_totals:
            stored: Number = 0
            if self.writer.path is not None:
                query = f"SELECT coalesce(sum({quoted(name)}), 0) FROM read_parquet({literal(str(self.writer.path))})"
                (stored,) = self.connection.execute(query).fetchone() or (0,)
            money = self.table.by_name[name].type == "money"
            read = self.writer.totals.get(name, 0)
            totals[name] = (_yuan(read), _yuan(stored)) if money else (read, stored)
        return totals


def _yuan(fen: Number) -> Decimal:
    return Decimal(int(fen)).scaleb(-2)


def _chain(first: Block | None, rest: Iterator[Part]) -> Iterator[Part]:
    if first is not None:
        yield lambda: first
    yield from rest


def _connection(root: Path, work: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection that sees the store and nothing else of the machine."""
    work.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(":memory:")
    for setting in (
        "SET threads = 1",
        "SET memory_limit = '2GB'",
        f"SET temp_directory = {literal(str(work))}",
        f"SET allowed_directories = [{literal(str(root))}]",
        "SET enable_external_access = false",
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET python_enable_replacements = false",
        "SET lock_configuration = true",
    ):
        connection.execute(setting)
    return connection


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
