"""An uploaded file of customer numbers, Excel or text; each line that cannot be right is marked as such."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, WorksheetNotFound

from kequn.core.errors import BadSource, Where

MOST_BYTES = 256 * 2**20
MOST_UNPACKED = 512 * 2**20
MOST_LINES = 10_000_000
PIECE = 2**20
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
    """A file as read: the columns it has, the one that was taken for customer numbers, and its lines.

    The lines of a text file are read from it as they are asked for, each time anew.
    """

    columns: tuple[str, ...]
    column: int
    lines: Iterable[ListLine]


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a file from its first one after the title."""

    rows: Callable[[], Iterator[tuple[int, list[Cell]]]]
    column: int
    header: bool

    def __iter__(self) -> Iterator[ListLine]:
        found = enumerate(self.rows())
        empty = 0  # lines at the end of a file are none
        for n, (number, cells) in found:
            if n == 0 and self.header:
                continue
            if not any(cells):
                empty += 1
                continue
            yield from (ListLine(number - back, "", "blank") for back in range(empty, 0, -1))
            empty = 0
            yield _line(number, cells, self.column)


def read_list(
    source: Path | bytes, filename: str, *, column: str | int | None = None, sheet: str | None = None
) -> UploadedList:
    """Read the customer numbers of an uploaded file.

    Text may be in UTF-8, UTF-16 with its mark or GB18030 (GBK), separated by comma, tab, semicolon or bar. The column
    is found by its title where it is not given (a title, or its position from 0); a file of one column needs neither.
    Of a file of text only a piece is in memory at a time.

    Raises:
        BadSource: the file is neither, is too large or broken, or it is not clear which column is meant
            (fact ``columns``: their titles). What is wrong further down in a text is raised when its lines are read.
    """
    rows = _rows_of(source, filename, sheet)
    first = next(((number, cells) for number, cells in rows() if any(cells)), None)
    if first is None:
        raise _bad(filename, "The file has no lines.", "Upload a file with a column of customer numbers.")
    top = next(rows())[1]
    titles = tuple(_text(cell) for cell in top)
    chosen, header = _chosen(titles, column, filename)
    columns = titles if header else tuple(str(i + 1) for i in range(len(titles)))
    return UploadedList(columns, chosen, _Lines(rows, chosen, header))


def read_table(source: Path | bytes, filename: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, title -> text) of an uploaded file whose first line has titles; empty lines are passed over.

    Raises:
        BadSource: as ``read_list``.
    """
    rows = _rows_of(source, filename, None)()
    titles = [_text(cell) for cell in next((cells for _number, cells in rows if any(cells)), [])]
    if not any(titles):
        raise _bad(filename, "The file has no lines.", "Upload a file whose first line has the columns' titles.")
    for number, cells in rows:
        if any(cells):
            yield number, {title: _text(cell) for title, cell in zip(titles, cells, strict=False) if title}


def masked(value: str) -> str:
    """Return a customer number that can be shown: its ends only.

    >>> masked("6222021234567890"), masked("A17")
    ('62****90', 'A****')
    """
    if not value:
        return ""
    return f"{value[:2]}****{value[-2:]}" if len(value) >= 8 else f"{value[:1]}****"


def _rows_of(source: Path | bytes, filename: str, sheet: str | None) -> Callable[[], Iterator[tuple[int, list[Cell]]]]:
    """Return what gives the rows of a file from its first on, as often as it is asked: (line, cells)."""
    with _opened(source) as file:
        start = file.read(8)
        size = file.seek(0, io.SEEK_END)
    if size > MOST_BYTES:
        raise _bad(filename, f"The file is larger than {MOST_BYTES // 2**20} MiB.", "Split it, or load it as a source.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        content = source if isinstance(source, bytes) else source.read_bytes()
        of_sheet = list(_sheet_rows(content, filename, sheet))
        return lambda: iter(of_sheet)
    return partial(_text_rows, source, _encoding(source, start, filename), filename)


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


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


def _text_rows(source: Path | bytes, encoding: str, filename: str) -> Iterator[tuple[int, list[Cell]]]:
    with io.TextIOWrapper(_opened(source), encoding=encoding, newline="") as text:
        first = next((line for line in text if line.strip()), "")
        text.seek(0)
        separator = max(SEPARATORS, key=first.count)
        reader = csv.reader(text, delimiter=separator, strict=True)
        before = 0
        try:
            for cells in reader:
                number, before = before + 1, reader.line_num
                _few_lines(number, filename)
                yield number, list(cells) or [""]
        except csv.Error as fault:
            message, hint = f"The text cannot be split into columns: {fault}.", "Look for an unclosed quotation mark."
            raise _bad(filename, message, hint, line=before + 1) from None


def _encoding(source: Path | bytes, start: bytes, filename: str) -> str:
    """The first encoding in which the whole file is text; it is read through once, a piece at a time."""
    marked = next((encoding for mark, encoding in MARKS if start.startswith(mark)), None)
    for encoding in (marked,) if marked else ENCODINGS:
        try:
            with io.TextIOWrapper(_opened(source), encoding=encoding, newline="") as text:
                if not any("\x00" in piece for piece in iter(partial(text.read, PIECE), "")):
                    return encoding
        except UnicodeDecodeError:
            continue
    raise _bad(filename, "The file is neither a workbook nor text.", "Upload .xlsx, or CSV in UTF-8 or GBK.")


def _few_lines(number: int, filename: str) -> None:
    if number > MOST_LINES:
        raise _bad(filename, f"The file has more than {MOST_LINES:,} lines.", "Split it, or load it as a source.")


def _bad(filename: str, message: str, hint: str, *, line: int | None = None, **facts: object) -> BadSource:
    return BadSource(message, hint=hint, where=Where(file=Path(filename).name, line=line), **facts)
