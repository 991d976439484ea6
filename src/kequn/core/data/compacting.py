"""Rows of a dated table once more, sorted by customer: what windows of all lengths are computed from.

A row keeps its day, its amount and one code that stands for the combination of all its columns of few values (direction,
category, channel, …): a condition on these columns is then answered once a combination instead of once a row. Buckets are
ranges of ordinals, so that one bucket is in memory at a time. A folder is immutable and named by what it was made from; rows
that were added to the table since are merged into the last one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import feather

from kequn.core.data.combinations import AMOUNT_KNOWN, MOST_VALUES, Combinations, TooManyValues
from kequn.core.data.tables import TABLES, Table
from kequn.core.engine.store import Manifest, Store

LAYOUT = 1
"""Changes when the same rows would be laid out in another way than before."""
FOLDER = "by_customer"
COMPACTED = ("transaction", "event")
AMOUNT = "amount"
ROWS_A_BUCKET = 10_000_000
WIDEST = 1 << 20
NARROWEST = 1 << 6
LAST_DAY = 65_535
"""Days are counted from 1970-01-01 in 16 bits; later ones stand for this one (in the year 2149)."""
BATCH = 1 << 20
ROW = np.dtype([("ordinal", "<u4"), ("day", "<u2"), ("code", "<u2"), ("amount", "<i8")])
Days = NDArray[np.uint16]
Codes = NDArray[np.uint16]
Amounts = NDArray[np.int64] | NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the customers ``first`` … ``first + len(starts) - 2``, sorted by customer and day.

    ``starts[i]`` is the place of the first row of the i-th of them; the last entry ends the last. Memory-mapped.
    """

    first: int
    starts: NDArray[np.uint32]
    day: Days
    code: Codes
    amount: Amounts


@dataclass(frozen=True, slots=True)
class ByCustomer:
    """One table sorted by customer."""

    table: str
    folder: Path
    files: tuple[str, ...]
    """The table's files it was made from."""
    width: int
    """Ordinals a bucket; a power of two."""
    buckets: int
    columns: tuple[str, ...]
    """The columns that a code stands for; ``amount_known`` among them."""
    left_out: tuple[str, ...]
    """Columns with too many values to be among them."""
    first_day: int
    last_day: int
    largest: int
    """The largest amount without its sign; 0 where there is none."""
    most_rows: int
    """The most rows that one customer has."""
    amounts_known: bool
    """Whether every row has an amount."""

    def combinations(self) -> pa.Table:
        """Return what each code stands for: row i is code i."""
        return feather.read_table(self.folder / "combinations.arrow", memory_map=False)

    def bucket(self, number: int) -> Rows:
        """Return one bucket; without rows where nobody in it has any."""
        folder = self.folder / f"bucket-{number:05d}"
        if number >= self.buckets or not folder.exists():
            empty = np.zeros(0, np.uint16)
            return Rows(number * self.width, np.zeros(self.width + 1, np.uint32), empty, empty, np.zeros(0, np.uint32))
        parts = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("starts", "day", "code", "amount")]
        return Rows(number * self.width, *parts)

    def ranges(self, first: int, last: int) -> Iterator[Rows]:
        """Yield the rows of the ordinals ``first`` … ``last - 1`` bucket by bucket; every ordinal is in exactly one."""
        at = first
        while at < last:
            rows = self.bucket(at // self.width)
            until = min(last, rows.first + self.width)
            yield Rows(at, rows.starts[at - rows.first : until - rows.first + 1], rows.day, rows.code, rows.amount)
            at = until

    def among(self, ordinals: NDArray[np.uint32]) -> Rows:
        """Return the rows of some customers (ascending) as if they were all: the i-th is the i-th of ``ordinals``."""
        parts: list[tuple[NDArray[np.int64], Rows, NDArray[np.int64]]] = []
        for number in np.unique(ordinals // self.width).tolist():
            rows = self.bucket(number)
            mine = ordinals[ordinals // self.width == number] - np.uint32(number * self.width)
            starts, ends = rows.starts[mine].astype(np.int64), rows.starts[mine + 1].astype(np.int64)
            counts = ends - starts
            places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
            parts.append((counts, rows, places))
        counts = np.concatenate([c for c, _, _ in parts]) if parts else np.zeros(0, np.int64)
        columns = [
            np.concatenate([getattr(rows, name)[places] for _, rows, places in parts] or [np.zeros(0, kind)])
            for name, kind in (("day", np.uint16), ("code", np.uint16), ("amount", np.int64))
        ]
        return Rows(0, np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32), *columns)


def opened(store: Store, manifest: Manifest, table: str) -> ByCustomer | None:
    """Return the rows of a table by customer as of a manifest; ``None`` where they were not sorted since the last load."""
    state = manifest.tables.get(table)
    if table not in COMPACTED or state is None or not state.files:
        return None
    return _read(_folder(store, table) / _key(table, state.files))


def newest(store: Store, manifest: Manifest, table: str) -> ByCustomer | None:
    """Return as ``opened``; where rows were loaded since, those that were sorted before: what the last refresh knew."""
    state = manifest.tables.get(table)
    if table not in COMPACTED or state is None:
        return None
    return opened(store, manifest, table) or _latest(store, table, state.files)


def compacted(store: Store, manifest: Manifest, table: str) -> ByCustomer | None:
    """Return the rows of a table by customer, sorting them first where they are not.

    Only the holder of the store's lock may call it. ``None`` where they cannot be laid out so: no such table, no rows, a day
    before 1970.
    """
    found = opened(store, manifest, table)
    state = manifest.tables.get(table)
    if found is not None or table not in COMPACTED or state is None or not state.files:
        return found
    for leftover in store.root.glob("tmp/compact-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    base = _latest(store, table, state.files)
    left_out = set(base.left_out) if base else set[str]()
    while True:
        work = store.root / "tmp" / f"compact-{uuid.uuid4().hex[:12]}"
        work.mkdir(parents=True)
        try:
            made = _Compaction(store, manifest, TABLES[table], work, base, left_out).run()
        except TooManyValues as refused:
            left_out.add(refused.column)
            base = None
            continue
        finally:
            if work.exists():
                shutil.rmtree(work, ignore_errors=True)
        if made is not None:
            _sweep(store, made)
        return made


class _Compaction:
    """One folder in the making: the base's rows and those of the table's other files."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        table: Table,
        work: Path,
        base: ByCustomer | None,
        left_out: set[str],
    ) -> None:
        self.store, self.table, self.work, self.base = store, table, work, base
        self.files = tuple(manifest.tables[table.name].files)
        self.left_out = left_out
        self.ordinals = manifest.ordinals
        rows = manifest.tables[table.name].rows
        self.width = base.width if base else _width(manifest.ordinals, rows)
        columns = [c.name for c in table.columns if c.type in ("text", "boolean") and c.name not in left_out]
        self.combinations = Combinations(columns, table, before=base.combinations() if base else None)
        self.touched: dict[int, int] = {}
        """Bucket -> new rows in it."""
        self.first_day, self.last_day = (base.first_day, base.last_day) if base else (LAST_DAY, 0)
        self.largest, self.most_rows = (base.largest, base.most_rows) if base else (0, 0)

    def run(self) -> ByCustomer | None:
        before = set(self.base.files) if self.base else set[str]()
        for file in self.files:
            if file not in before and not self._spread(self.store.path(file)):
                return None
        buckets = -(-self.ordinals // self.width) if self.ordinals else 0
        codes = self.combinations.table()
        target = self.work / "made"
        target.mkdir()
        for number in range(buckets):
            self._bucket(number, target)
        feather.write_feather(codes, target / "combinations.arrow", compression="uncompressed")
        made = ByCustomer(
            self.table.name,
            _folder(self.store, self.table.name) / _key(self.table.name, list(self.files)),
            self.files,
            self.width,
            buckets,
            tuple(codes.column_names),
            tuple(sorted(self.left_out)),
            self.first_day,
            self.last_day,
            self.largest,
            self.most_rows,
            bool(pc.all(codes.column(AMOUNT_KNOWN)).as_py()),
        )
        facts = asdict(made) | {"folder": "", "layout": LAYOUT}
        (target / "layout.json").write_text(json.dumps(facts))
        _publish(target, made.folder)
        return made

    def _spread(self, path: Path) -> bool:
        """Append the rows of one file to those of their buckets; say whether all could be laid out."""
        file = pq.ParquetFile(path)
        on = self.table.on or ""
        there = [c for c in (on, AMOUNT, *self.combinations.columns) if c in file.schema_arrow.names]
        texts = [c for c in there if pa.types.is_string(file.schema_arrow.field(c).type)]
        file = pq.ParquetFile(path, read_dictionary=texts)
        for read in file.iter_batches(BATCH, columns=["ordinal", *there]):
            batch = read.filter(pc.and_(read.column("ordinal").is_valid(), read.column(on).is_valid()))
            if not batch.num_rows:
                continue
            days = batch.column(on).cast(pa.int32()).to_numpy()
            if int(days.min()) < 0:
                return False
            self._write(batch, np.minimum(days, LAST_DAY).astype(np.uint16))
        return True

    def _write(self, batch: pa.RecordBatch, days: Days) -> None:
        rows = np.empty(batch.num_rows, ROW)
        rows["ordinal"] = batch.column("ordinal").to_numpy()
        rows["day"] = days
        rows["code"] = self.combinations.codes(batch)
        amounts = batch.column(AMOUNT) if AMOUNT in batch.schema.names else None
        rows["amount"] = 0 if amounts is None else amounts.fill_null(0).to_numpy()
        self.first_day, self.last_day = min(self.first_day, int(days.min())), max(self.last_day, int(days.max()))
        self.largest = max(self.largest, int(rows["amount"].max()), -int(rows["amount"].min()))
        number = (rows["ordinal"] // self.width).astype(np.uint16)
        order = np.argsort(number, kind="stable")
        present, starts = np.unique(number[order], return_index=True)
        for bucket, part in zip(present.tolist(), np.split(order, starts[1:]), strict=True):
            with (self.work / f"new-{bucket:05d}").open("ab") as out:
                rows[part].tofile(out)
            self.touched[bucket] = self.touched.get(bucket, 0) + len(part)

    def _bucket(self, number: int, target: Path) -> None:
        folder = target / f"bucket-{number:05d}"
        if number not in self.touched:
            if self.base and (self.base.folder / folder.name).exists():
                shutil.copytree(self.base.folder / folder.name, folder, copy_function=os.link)
            return
        spill = self.work / f"new-{number:05d}"
        rows = np.fromfile(spill, ROW)
        spill.unlink()
        if self.base is not None:
            rows = np.concatenate([_rows_of(self.base.bucket(number)), rows])
        rows = rows[_order(rows, number * self.width)]
        places = (rows["ordinal"] - np.uint32(number * self.width)).astype(np.int64)
        counts = np.bincount(places, minlength=self.width)
        self.most_rows = max(self.most_rows, int(counts.max()))
        folder.mkdir()
        starts = np.zeros(self.width + 1, np.uint32)
        np.cumsum(counts, out=starts[1:])
        amounts = rows["amount"]
        narrow = amounts.min() >= 0 and amounts.max() < 1 << 32
        parts = {"starts": starts, "day": rows["day"], "code": rows["code"]}
        parts["amount"] = amounts.astype(np.uint32) if narrow else amounts
        for name, values in parts.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(values))


def _rows_of(bucket: Rows) -> NDArray[np.void]:
    rows = np.empty(len(bucket.day), ROW)
    rows["ordinal"] = np.repeat(
        np.arange(bucket.first, bucket.first + len(bucket.starts) - 1, dtype=np.uint32), np.diff(bucket.starts)
    )
    rows["day"], rows["code"], rows["amount"] = bucket.day, bucket.code, bucket.amount
    return rows


def _order(rows: NDArray[np.void], first: int) -> NDArray[np.int64]:
    """By customer, then day, then as the rows came: one sort of 64-bit keys that hold all three."""
    bits = max(1, len(rows).bit_length())
    keys = (rows["ordinal"].astype(np.uint64) - np.uint64(first)) << np.uint64(16 + bits)
    keys |= rows["day"].astype(np.uint64) << np.uint64(bits)
    keys |= np.arange(len(rows), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64((1 << bits) - 1)).astype(np.int64)


def _width(ordinals: int, rows: int) -> int:
    width = NARROWEST
    while width < min(ordinals, WIDEST):
        width *= 2
    while width > NARROWEST and rows * width > ROWS_A_BUCKET * ordinals:
        width //= 2
    return width


def _publish(made: Path, folder: Path) -> None:
    """Put a finished folder in its place; written to the disk before anybody can see it."""
    for path in made.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.rename(folder)


def _sweep(store: Store, made: ByCustomer) -> None:
    """Keep the new folder and the last one before it, which readers of the manifest that counts now may open.

    The others are put aside first: what is left of one when the process is killed is not taken for a whole one.
    """
    others = [f for f in _folder(store, made.table).iterdir() if f != made.folder]
    for folder in sorted(others, key=lambda f: f.stat().st_mtime)[:-1]:
        aside = store.root / "tmp" / f"compact-{uuid.uuid4().hex[:12]}"
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _latest(store: Store, table: str, files: list[str]) -> ByCustomer | None:
    """The folder made from most of a table's files and from nothing else."""
    parent = _folder(store, table)
    found = [_read(f) for f in parent.iterdir()] if parent.exists() else []
    usable = [f for f in found if f is not None and set(f.files) < set(files)]
    return max(usable, key=lambda f: len(f.files), default=None)


def _read(folder: Path) -> ByCustomer | None:
    try:
        facts: dict[str, Any] = json.loads((folder / "layout.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    if facts.pop("layout") != LAYOUT:
        return None
    lists = {n: tuple(facts[n]) for n in ("files", "columns", "left_out")}
    return ByCustomer(**(facts | lists | {"folder": folder}))


def _folder(store: Store, table: str) -> Path:
    return store.root / FOLDER / table


def _key(table: str, files: list[str]) -> str:
    text = json.dumps([LAYOUT, MOST_VALUES, table, sorted(files)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
