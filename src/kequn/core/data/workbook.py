"""One sheet of an Excel workbook: values only, never macros, links or formulas."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import python_calamine as calamine

from kequn.core.data.delimited import Block
from kequn.core.errors import BadSource, Where

ROWS = 50_000
MAX_PACKED = 200 << 20
MAX_UNPACKED = 2 << 30
MAX_RATIO = 100
MAX_MEMBERS = 1000
FOREIGN = (
    "vbaproject",
    "externallink",
    "ddelink",
    "activex",
    "embeddings/",
    "customui",
    "xl/macrosheets",
    "connections.xml",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was opened: its header (the first row with a value) and the rows below."""

    name: str
    header: list[str]
    header_row: int
    """Counted from 1, as Excel does."""
    sheet: calamine.CalamineSheet

    def blocks(self, wanted: Collection[str]) -> Iterator[Block]:
        """Yield the rows below the header; rows without any value are passed over."""
        positions = {i: c for i, c in enumerate(self.header) if c in wanted} or {0: self.header[0]}
        rows: list[list[str | None]] = []
        lines: list[int] = []
        for number, cells in enumerate(self.sheet.iter_rows(), 1):
            if number <= self.header_row or all(c == "" for c in cells):
                continue
            rows.append([_text(cells[p]) if p < len(cells) else None for p in positions])
            lines.append(number)
            if len(rows) == ROWS:
                yield self._block(rows, lines, positions)
                rows, lines = [], []
        if rows:
            yield self._block(rows, lines, positions)

    def _block(self, rows: list[list[str | None]], lines: list[int], positions: dict[int, str]) -> Block:
        columns = zip(*rows, strict=True)
        table = pa.table({c: pa.array(v, pa.string()) for c, v in zip(positions.values(), columns, strict=True)})
        return Block(self.name, table, np.array(lines, dtype=np.int64), records=len(rows))


def sheet_blocks(path: Path, name: str, sheet: str | None) -> Sheet:
    """Open one sheet of a workbook (the first where none is named).

    Raises:
        BadSource: it is no plain xlsx workbook, holds macros or links, or has no such sheet.
    """
    _check_archive(path, name)
    try:
        book = calamine.CalamineWorkbook.from_path(str(path))
        if sheet is not None and sheet not in book.sheet_names:
            hint = f"Its sheets: {', '.join(book.sheet_names)}."
            raise BadSource(f"There is no sheet {sheet!r}.", hint=hint, where=Where(name))
        opened = book.get_sheet_by_name(sheet) if sheet is not None else book.get_sheet_by_index(0)
        rows = enumerate(opened.iter_rows(), 1)
        number, first = next(((n, cells) for n, cells in rows if any(c != "" for c in cells)), (0, []))
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise BadSource(f"The workbook cannot be read: {str(error)[:200]}", where=Where(name)) from None
    if not first:
        raise BadSource("The sheet is empty.", where=Where(name, 1))
    return Sheet(name, [(_text(c) or "").strip() for c in first], number, opened)


def _check_archive(path: Path, name: str) -> None:
    where = Where(name)
    if path.suffix.lower() != ".xlsx":
        raise BadSource(
            f"{path.suffix or 'This'} is not read as Excel.", hint="Save it as .xlsx without macros.", where=where
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError):
        raise BadSource("This is no xlsx workbook.", where=where) from None
    unpacked = sum(m.file_size for m in members)
    packed = path.stat().st_size
    if packed > MAX_PACKED or unpacked > MAX_UNPACKED or len(members) > MAX_MEMBERS:
        raise BadSource("The workbook is too large.", hint="Bring large tables as CSV or Parquet.", where=where)
    if unpacked > max(packed * MAX_RATIO, 1 << 20):
        raise BadSource(f"The workbook inflates to more than {MAX_RATIO} times its size.", where=where)
    for member in members:
        if any(word in member.filename.lower() for word in FOREIGN):
            raise BadSource(
                f"The workbook holds {member.filename}: macros and links are not read.",
                hint="Save the values alone as .xlsx.",
                where=where,
            )


def _text(cell: object) -> str | None:
    """Return a cell as the text a person sees: whole numbers without a point, dates as ISO."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if not isinstance(cell, timedelta) else str(cell.total_seconds())
