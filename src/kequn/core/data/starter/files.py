"""Writers of the bank's raw files: a chunk at a time, and the same bytes for the same rows."""

from __future__ import annotations

import gzip
import io
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import xlsxwriter

from kequn.core.data.starter.draws import Bools, Ints, yyyymmdd

FILES = {
    "customers": "cust_info.csv.gz",
    "accounts": "acct_sign.txt.gz",
    "products": "prod_list.xlsx",
    "branches": "org.csv",
    "staff": "staff.csv",
    "holdings": "hold_bal.parquet",
    "transactions": "txn.parquet",
    "events": "evt_log.parquet",
    "contacts": "contact.csv.gz",
    "service": "service.csv",
    "consents": "consent.csv.gz",
}
"""Source name -> raw file."""


class CsvFile:
    """Delimited text, plain or (``.gz``) compressed without a time stamp, in any encoding."""

    def __init__(self, path: Path, *, separator: str = ",", encoding: str = "utf-8") -> None:
        self.rows = 0
        self._separator, self._encoding = separator, encoding
        self._raw: IO[bytes] = path.open("wb")
        self._file: IO[bytes] = (
            gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0, compresslevel=3)  # type: ignore[assignment]
            if path.suffix == ".gz"
            else self._raw
        )
        self._header = True

    def write(self, table: pa.Table) -> None:
        """Append rows; the first call writes the header line."""
        buffer = io.BytesIO()
        options = pacsv.WriteOptions(include_header=False, delimiter=self._separator, quoting_style="needed")
        pacsv.write_csv(table, buffer, options)
        text = buffer.getvalue()
        if self._header:
            text = (self._separator.join(table.column_names) + "\n").encode() + text
            self._header = False
        self._file.write(text if self._encoding == "utf-8" else text.decode().encode(self._encoding))
        self.rows += table.num_rows

    def write_line(self, line: str) -> None:
        """Append one line as it is: a row that a careless system wrote."""
        self._file.write((line + "\n").encode(self._encoding))
        self.rows += 1

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        self._raw.close()


class ParquetFile:
    """Parquet with a row group a chunk."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append rows; the first call fixes the columns."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", compression_level=1)
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self.rows += table.num_rows

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def opened(path: Path, name: str) -> CsvFile | ParquetFile:
    """Open the raw file of one source for writing, in the form that the bank gives it."""
    if path.suffix == ".parquet":
        return ParquetFile(path)
    encoding = "gbk" if name == "customers" else "utf-8"
    return CsvFile(path, separator="|" if name == "accounts" else ",", encoding=encoding)


def write_workbook(path: Path, sheet: str, rows: list[list[Any]]) -> None:
    """Write one sheet, the header first, with a fixed date of creation."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": sheet, "created": datetime(2026, 1, 1)})  # noqa: DTZ001 - a label in the file, not a time
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    book.close()


def compact_days(days: Ints) -> pa.Array:
    """Day numbers as text like 20260630; -1 becomes null."""
    known = days >= 0
    text = pa.array(yyyymmdd(np.where(known, days, 0))).cast(pa.string())
    return pc.if_else(pa.array(known), text, pa.scalar(None, pa.string()))


def birth_days(days: Ints, known: Bools) -> pa.Array:
    """Like ``compact_days`` for births, which may lie before 1970."""
    return pc.if_else(pa.array(known), pa.array(yyyymmdd(days)).cast(pa.string()), pa.scalar(None, pa.string()))


def words(codes: Ints, texts: tuple[str, ...]) -> pa.Array:
    """Texts by position; a negative position becomes null."""
    return pa.array(texts).take(pa.array(np.where(codes >= 0, codes, 0), mask=codes < 0))


def flags(yes: Bools) -> pa.Array:
    """Y and N."""
    return words(yes.astype(np.int64), ("N", "Y"))


def yuan(fen: Ints) -> pa.Array:
    """Integer fen as exact decimals with two places; a negative -1 stays a value, so mask what is missing before."""
    low = fen.astype(np.int64)
    pairs = np.stack((low, low >> 63), axis=1).astype(np.int64)
    return pa.Array.from_buffers(
        pa.decimal128(18, 2), len(low), [None, pa.py_buffer(np.ascontiguousarray(pairs).tobytes())]
    )


def yuan_or_null(fen: Ints) -> pa.Array:
    """Like ``yuan``; negative amounts become null."""
    return pc.if_else(pa.array(fen >= 0), yuan(fen), pa.scalar(None, pa.decimal128(18, 2)))


def moments(days: Ints, seconds: Ints) -> pa.Array:
    """Days and seconds of the day as timestamps without a zone."""
    return pa.array(days * 86_400 + seconds, pa.int64()).cast(pa.timestamp("s"))
