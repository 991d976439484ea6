"""An uploaded file of customer numbers, Excel or text; each line that cannot be right is marked as such."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, WorksheetNotFound

from kequn.core.errors import BadSource, Where

MOST_BYTES = 64 * 2**20
MOST_UNPACKED = 512 * 2**20
MOST_LINES = 2_000_000
EXACT_IN_EXCEL = 10**15
"""Excel keeps 15 figures of a number; what is longer has lost its last ones for good."""
SEPARATORS = ",\t;|，"
ENCODINGS = ("utf-8", "gb18030")
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
TITLES = ("customer_no", "customer no", "customer number", "cust_no", "客户号", "客户编号", "核心客户号", "客户号码")
MANGLED = re.compile(r"\d(\.\d+)?[eE]\+?\d+|\d+\.0+")
FORMULA_TEXT = re.compile(r'="(.*)"')

Fault = Literal["", "blank", "mangled"]
Cell = str | int | float | bool | date | datetime | time | timedelta


@dataclass(frozen=True, slots=True)
class ListLine:
    """One line of the file: its number as an editor or Excel shows it, the customer number, and what is wrong with it.

    ``mangled`` are numbers a spreadsheet has spoilt: 6.22E+18, or more than 15 figures kept as a number.
    """

    line: int
    value: str
    fault: Fault = ""


@dataclass(frozen=True, slots=True)
class UploadedList:
    """A file as read: the columns it has, the one that was taken for customer numbers, and its lines."""

    columns: tuple[str, ...]
    column: int
    lines: tuple[ListLine, ...]


def read_list(
    source: Path | bytes, filename: str, *, column: str | int | None = None, sheet: str | None = None
) -> UploadedList:
    """Read the customer numbers of an uploaded file.

    Text may be in UTF-8, UTF-16 with its mark or GB18030 (GBK), separated by comma, tab, semicolon or bar. The column
    is found by its title where it is not given (a title, or its position from 0); a file of one column needs neither.

    Raises:
        BadSource: the file is neither, is too large or broken, or it is not clear which column is meant
            (fact ``columns``: their titles).
    """
    content = source if isinstance(source, bytes) else _content(source, filename)
    if len(content) > MOST_BYTES:
        raise _bad(filename, f"The file is larger than {MOST_BYTES // 2**20} MiB.", "Split it, or load it as a source.")
    is_workbook = content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
    rows = list(_sheet_rows(content, filename, sheet) if is_workbook else _text_rows(content, filename))
    while rows and not any(rows[-1][1]):
        rows.pop()
    if not rows:
        raise _bad(filename, "The file has no lines.", "Upload a file with a column of customer numbers.")
    titles = tuple(_text(cell) for cell in rows[0][1])
    chosen, header = _chosen(titles, column, filename)
    columns = titles if header else tuple(str(i + 1) for i in range(len(titles)))
    return UploadedList(columns, chosen, tuple(_line(number, cells, chosen) for number, cells in rows[header:]))


def masked(value: str) -> str:
    """Return a customer number that can be shown: its ends only.

    >>> masked("6222021234567890"), masked("A17")
    ('62****90', 'A****')
    """
    if not value:
        return ""
    return f"{value[:2]}****{value[-2:]}" if len(value) >= 8 else f"{value[:1]}****"


def _content(path: Path, filename: str) -> bytes:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if not content:
        raise _bad(filename, "The file is empty.", "Upload a file with a column of customer numbers.")
    return content


def _chosen(titles: tuple[str, ...], column: str | int | None, filename: str) -> tuple[int, bool]:
    """The column of customer numbers, and whether the first line is its title."""
    if isinstance(column, str):
        if column.strip() in titles:
            return titles.index(column.strip()), True
    elif column is not None:
        if 0 <= column < len(titles):
            return column, _is_title(titles[column])
    else:
        known = [i for i, title in enumerate(titles) if title.lower() in TITLES]
        if known:
            return known[0], True
        if len(titles) == 1:
            return 0, _is_title(titles[0])
    message = (
        "It is not clear which column holds the customer numbers."
        if column is None
        else f"There is no column {column!r}."
    )
    raise _bad(filename, message, "Name the column, or title it 客户号 or customer_no.", columns=list(titles))


def _is_title(text: str) -> bool:
    return bool(text) and not re.search(r"\d", text)


def _line(number: int, cells: list[Cell], column: int) -> ListLine:
    cell = cells[column] if column < len(cells) else ""
    text = _text(cell)
    if not text:
        return ListLine(number, "", "blank")
    spoilt = isinstance(cell, int | float) and abs(cell) >= EXACT_IN_EXCEL
    return ListLine(number, text, "mangled" if spoilt or MANGLED.fullmatch(text) else "")


def _text(cell: Cell) -> str:
    """A cell as text, without the tricks that keep Excel from spoiling numbers: ="…", a leading ' or tab."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    formula = FORMULA_TEXT.fullmatch(text)
    return (formula[1] if formula else text).removeprefix("'").strip()


def _sheet_rows(content: bytes, filename: str, sheet: str | None) -> Iterator[tuple[int, list[Cell]]]:
    _small_unpacked(content, filename)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        page = workbook.get_sheet_by_name(sheet) if sheet else workbook.get_sheet_by_index(0)
        rows = page.to_python(skip_empty_area=False)
    except PasswordError:
        raise _bad(filename, "The workbook is locked by a password.", "Save it without one.") from None
    except WorksheetNotFound:
        raise _bad(filename, f"There is no sheet {sheet!r}.", "Name a sheet that is there.") from None
    except CalamineError as fault:
        raise _bad(filename, f"The workbook cannot be read: {fault}.", "Save it again as .xlsx or as CSV.") from None
    for number, row in enumerate(rows, start=1):
        _few_lines(number, filename)
        yield number, list(row)


def _small_unpacked(content: bytes, filename: str) -> None:
    """A small file may unpack to a huge one."""
    if not content.startswith(b"PK"):
        return
    try:
        size = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(content)).infolist())
    except zipfile.BadZipFile:
        raise _bad(filename, "The workbook is broken.", "Save it again as .xlsx or as CSV.") from None
    if size > MOST_UNPACKED:
        raise _bad(filename, "The workbook is too large when unpacked.", "Save the column alone as CSV.")


def _text_rows(content: bytes, filename: str) -> Iterator[tuple[int, list[Cell]]]:
    text = _decoded(content, filename)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            _few_lines(number, filename)
            yield number, list(cells) or [""]
    except csv.Error as fault:
        message, hint = f"The text cannot be split into columns: {fault}.", "Look for an unclosed quotation mark."
        raise _bad(filename, message, hint, line=before + 1) from None


def _decoded(content: bytes, filename: str) -> str:
    marked = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    for encoding in (marked,) if marked else ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise _bad(filename, "The file is neither a workbook nor text.", "Upload .xlsx, or CSV in UTF-8 or GBK.")


def _few_lines(number: int, filename: str) -> None:
    if number > MOST_LINES:
        raise _bad(filename, f"The file has more than {MOST_LINES:,} lines.", "Split it, or load it as a source.")


def _bad(filename: str, message: str, hint: str, *, line: int | None = None, **facts: object) -> BadSource:
    return BadSource(message, hint=hint, where=Where(file=Path(filename).name, line=line), **facts)
