"""Delimited text as blocks of columns, each row with its physical line.

A stream of bytes is cut where a record ends and parsed by Arrow at full speed. A block that holds anything out of the ordinary
(a row with too few or too many fields, a NUL byte, bytes that are no text, a quotation mark inside a word) is read line by
line instead. Both ways give the same rows; only the second can name what is wrong.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

MAX_RECORD = 1 << 20
"""The longest record, in bytes; a quotation mark that is never closed would swallow the rest of a file."""
MARK = "\ufdd0"  # a code point that no text holds; stands for bytes that could not be decoded
TAB, NEWLINE, RETURN, BLANK = 0x09, 0x0A, 0x0D, 0x20


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that is no row: its first line, the reason code and what may be said about it."""

    line: int
    reason: str
    detail: str = ""


@dataclass(slots=True)
class Block:
    """Rows of one file: text columns (or typed ones, from Parquet), the line of each row, and what could not be a row."""

    file: str
    table: pa.Table
    lines: NDArray[np.int64]
    faults: list[Fault] = field(default_factory=list)
    records: int = 0
    """Rows and faults together."""
    padded: bool | None = None
    """Whether values have blanks around them; ``None`` where nobody has looked."""
    numbers: NDArray[np.int64] | None = None
    """The number of each row within its file, faulty records counted, from 1."""


class Bytes(Protocol):
    """A stream to read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How records are written, and which fields are wanted (position -> column), at least one."""

    separator: str
    quote: str
    fields: int
    wanted: dict[int, str]
    nulls: tuple[str, ...] = ()
    """Values that are read as none."""


def utf8_stream(raw: Bytes, encoding: str) -> Bytes:
    """Return the stream as UTF-8, with ``MARK`` for bytes that are no text of ``encoding``; UTF-8 itself is passed through."""
    if codecs.lookup(encoding).name in ("utf-8", "ascii"):
        return raw
    return _Transcoder(raw, encoding)


class _Transcoder:
    def __init__(self, raw: Bytes, encoding: str) -> None:
        self.raw = raw
        self.decoder = codecs.getincrementaldecoder(encoding)(errors="kequn_mark")

    def read(self, size: int) -> bytes:
        chunk = self.raw.read(size)
        text = self.decoder.decode(chunk, final=not chunk)
        while not text and chunk:
            chunk = self.raw.read(size)
            text = self.decoder.decode(chunk, final=not chunk)
        return text.encode("utf-8", errors="replace")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error("kequn_mark", _mark)


class Cutter:
    """Cuts a UTF-8 stream into pieces that begin and end with a record, and keeps count of lines."""

    def __init__(self, raw: Bytes, *, separator: str, quote: str, size: int) -> None:
        self.raw, self.size = raw, size
        self.separator, self.quote = separator.encode(), quote.encode()
        self.rest = b""
        self.ended = False
        self.line = 1

    def first(self) -> bytes:
        """Return the first record, as long as it is a single line, without its line end."""
        while b"\n" not in self.rest and not self.ended and len(self.rest) <= MAX_RECORD:
            self._more()
        self.rest = self.rest.removeprefix(codecs.BOM_UTF8)
        line, newline, rest = self.rest.partition(b"\n")
        return line.removesuffix(b"\r") if newline or not rest else line

    def skip_first(self) -> None:
        """Go past the first line."""
        self.rest = self.rest.partition(b"\n")[2]
        self.line += 1

    def pieces(self) -> Iterator[tuple[bytes, int, bool]]:
        """Yield (bytes, number of their first line, whether their quotation marks are plain enough for the fast way)."""
        while True:
            while len(self.rest) < self.size and not self.ended:
                self._more()
            if not self.rest:
                return
            piece, plain = self._cut()
            self.rest = self.rest[len(piece) :]
            yield piece, self.line, plain
            self.line += piece.count(b"\n")
            if not piece.endswith(b"\n"):
                self._drop_line()

    def _more(self) -> None:
        chunk = self.raw.read(self.size)
        self.ended = not chunk
        self.rest += chunk
        if self.ended and self.rest and not self.rest.endswith(b"\n"):
            self.rest += b"\n"

    def _drop_line(self) -> None:
        """Go past what is left of a line too long to be kept."""
        while b"\n" not in self.rest and not self.ended:
            self.rest = b""
            self._more()
        self.skip_first()

    def _cut(self) -> tuple[bytes, bool]:
        data = self.rest
        end = len(data) if self.ended else data.rfind(b"\n") + 1
        if not end:
            return self._careful_cut()
        piece = data[:end]
        if self.quote and self.quote in piece:
            end = self._plain_end(piece)
            piece = data[:end]
        return (piece, True) if end else self._careful_cut()

    def _plain_end(self, data: bytes) -> int:
        """Return where the last record of ``data`` ends, 0 unless each quotation mark opens, closes or doubles one."""
        octets = np.frombuffer(data, np.uint8)
        marks = np.flatnonzero(octets == self.quote[0])
        if len(self.quote) != 1 or len(self.separator) != 1:
            return 0
        separator, quote = self.separator[0], self.quote[0]
        opening, closing = marks[0::2], marks[1::2]
        before = octets[opening - 1]
        fine = (before == separator) | (before == NEWLINE) | (before == quote) | (opening == 0)
        after = octets[np.minimum(closing + 1, len(octets) - 1)]
        last = closing == len(octets) - 1
        fine_too = (after == separator) | (after == NEWLINE) | (after == RETURN) | (after == quote) | last
        if not (fine.all() and fine_too.all()):
            return 0
        end = len(data)
        odd = len(marks) % 2 == 1
        while odd and len(marks):  # the last mark opens a field that goes on beyond: end before it
            end = data.rfind(b"\n", 0, int(marks[-1])) + 1
            marks = marks[marks < end]
            odd = len(marks) % 2 == 1
        return end

    def _careful_cut(self) -> tuple[bytes, bool]:
        """Find the end of the last whole record line by line, reading on where one is longer than a block."""
        while True:
            end = 0
            for _, stop, closed in _spans(self.rest, self.separator, self.quote):
                if closed or self.ended or stop - end > MAX_RECORD:
                    end = stop
                else:
                    break
            if end or self.ended:
                return self.rest[: end or len(self.rest)], False
            self._more()
            if len(self.rest) > 4 * max(self.size, MAX_RECORD):
                return self.rest[: self.rest.rfind(b"\n") + 1 or len(self.rest)], False


def _spans(data: bytes, separator: bytes, quote: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it is closed) of each record of ``data``."""
    start = 0
    while start < len(data):
        end, closed = _record_end(data, start, separator, quote)
        yield start, end, closed
        start = end


def _record_end(data: bytes, start: int, separator: bytes, quote: bytes) -> tuple[int, bool]:
    """Return where the record that begins at ``start`` ends (behind its newline) and whether it is closed.

    A record whose quotation mark is not closed within ``MAX_RECORD`` ends with its first line: the mark is a fault, and what
    follows must not be lost with it.
    """
    newline = data.find(b"\n", start)
    first_end = newline + 1 or len(data)
    if not quote or data.find(quote, start, first_end) < 0:
        return first_end, newline >= 0
    limit = min(len(data), start + MAX_RECORD)
    at = start
    while at < limit:
        if data.startswith(quote, at):
            close = _closing(data, at + len(quote), quote, limit)
            if close < 0:
                return first_end, limit == start + MAX_RECORD
            at = close
        newline = data.find(b"\n", at, limit)
        next_field = data.find(separator, at, newline if newline >= 0 else limit)
        if next_field < 0:
            return (newline + 1, True) if newline >= 0 else (len(data), limit == start + MAX_RECORD)
        at = next_field + len(separator)
    return len(data), False


def _closing(data: bytes, at: int, quote: bytes, limit: int) -> int:
    """Return the position behind the closing quotation mark, -1 where there is none; doubled marks are text."""
    while True:
        found = data.find(quote, at, limit)
        if found < 0:
            return -1
        if not data.startswith(quote, found + len(quote)):
            return found + len(quote)
        at = found + 2 * len(quote)


def parse(piece: bytes, line: int, layout: Layout, *, file: str, plain: bool) -> Block:
    """Return the rows of a piece that begins with line ``line``."""
    block = _fast(piece, line, layout, file) if plain and piece.endswith(b"\n") else None
    return block or _careful(piece, line, layout, file)


def _fast(piece: bytes, line: int, layout: Layout, file: str) -> Block | None:
    """Return the rows by Arrow's parser; ``None`` where the block is out of the ordinary."""
    if b"\x00" in piece or not _is_text(piece):
        return None
    quoted = bool(layout.quote) and layout.quote.encode() in piece
    names = [f"f{i}" for i in range(layout.fields)]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(piece),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=len(piece) + 1, column_names=names),
            parse_options=pacsv.ParseOptions(
                delimiter=layout.separator,
                quote_char=layout.quote if quoted else False,
                double_quote=quoted,
                newlines_in_values=quoted,
            ),
            convert_options=pacsv.ConvertOptions(
                check_utf8=False,
                column_types={n: pa.string() for n in names},
                null_values=list(layout.nulls),
                strings_can_be_null=bool(layout.nulls),
                quoted_strings_can_be_null=bool(layout.nulls),
                include_columns=[f"f{i}" for i in layout.wanted],
            ),
        )
    except pa.ArrowInvalid:
        return None
    lines = np.arange(line, line + table.num_rows, dtype=np.int64)
    more = piece.count(b"\n") - table.num_rows
    if more and quoted:
        inside = _newlines_inside(table)
        lines[1:] += np.cumsum(inside)[:-1]
        more -= int(inside.sum())
    if more or _has_lone_return(piece):
        return None
    named = table.select([f"f{i}" for i in layout.wanted]).rename_columns(list(layout.wanted.values()))
    return Block(file, named, lines, records=table.num_rows, padded=_padded(piece, layout.separator, layout.quote))


def _is_text(piece: bytes) -> bool:
    if piece.isascii():
        return True
    try:
        return MARK not in piece.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _has_lone_return(piece: bytes) -> bool:
    return b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n")


def _newlines_inside(table: pa.Table) -> NDArray[np.int64]:
    inside = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        inside += pc.fill_null(pc.count_substring(column, "\n"), 0).to_numpy()
    return inside


def _padded(piece: bytes, separator: str, quote: str) -> bool:
    """Whether a blank stands at the edge of a field."""
    if b"\t" in piece and separator != "\t":
        return True
    octets = np.frombuffer(piece, np.uint8)
    blanks = np.flatnonzero(octets == BLANK)
    if not len(blanks):
        return False
    edge = np.zeros(256, dtype=bool)
    edge[[NEWLINE, RETURN, *separator.encode()[-1:], *quote.encode()[-1:]]] = True
    after = octets[np.minimum(blanks + 1, len(octets) - 1)]
    return blanks[0] == 0 or bool((edge[octets[blanks - 1]] | edge[after]).any())


def has_blanks_around(table: pa.Table) -> bool:
    """Whether a text value of a table begins or ends with a blank."""
    return any(_edge_blank(chunk) for column in table.columns for chunk in column.chunks)


def _edge_blank(values: pa.Array) -> bool:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary
    if not pa.types.is_string(values.type):
        return bool(pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type))
    _, offsets, data = values.buffers()
    if not len(values) or data is None:
        return False
    bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    octets = np.frombuffer(data, np.uint8)
    filled = bounds[1:] > bounds[:-1]
    edges = np.concatenate([octets[bounds[:-1][filled]], octets[bounds[1:][filled] - 1]])
    return bool(((edges == BLANK) | (edges == TAB)).any())


def _careful(piece: bytes, line: int, layout: Layout, file: str) -> Block:
    """Return the rows of a piece record by record, and the records that are none with what is wrong."""
    separator, quote = layout.separator.encode(), layout.quote.encode()
    columns: dict[str, list[str | None]] = {name: [] for name in layout.wanted.values()}
    block = Block(file, pa.table({}), np.zeros(0, np.int64))
    lines: list[int] = []
    numbers: list[int] = []
    for start, end, closed in _spans(piece, separator, quote):
        record = piece[start:end].removesuffix(b"\n").removesuffix(b"\r")
        if record:
            block.records += 1
            fields = _fields(record, layout, closed=closed or end == len(piece))
            if isinstance(fields, Fault):
                block.faults.append(Fault(line, fields.reason, fields.detail))
            else:
                lines.append(line)
                numbers.append(block.records)
                for position, name in layout.wanted.items():
                    value = fields[position]
                    columns[name].append(None if value in layout.nulls else value)
        line += piece.count(b"\n", start, end)
    block.table = pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()})
    block.lines = np.array(lines, dtype=np.int64)
    block.numbers = np.array(numbers, dtype=np.int64)
    return block


def _fields(record: bytes, layout: Layout, *, closed: bool) -> list[str] | Fault:
    if b"\x00" in record:
        return Fault(0, "NUL_BYTE")
    if len(record) > MAX_RECORD:
        return Fault(0, "TOO_LONG", f"{len(record)} bytes")
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        return Fault(0, "BAD_ENCODING", f"byte {error.start + 1}")
    if MARK in text:
        return Fault(0, "BAD_ENCODING", f"character {text.index(MARK) + 1}")
    fields = split(text, layout.separator, layout.quote)
    if fields is None or not closed:
        return Fault(0, "BAD_QUOTE")
    if len(fields) != layout.fields:
        return Fault(0, "RAGGED_ROW", f"{len(fields)} fields instead of {layout.fields}")
    return fields


def split(text: str, separator: str, quote: str) -> list[str] | None:
    """Return the fields of one record, ``None`` where a quotation mark is not closed.

    >>> split('a,"b ""c"", d",e', ",", '"')
    ['a', 'b "c", d', 'e']
    """
    if not quote or quote not in text:
        return text.split(separator)
    fields = []
    at = 0
    while True:
        value = ""
        if text.startswith(quote, at):
            close = at + 1
            while True:
                found = text.find(quote, close)
                if found < 0:
                    return None
                value += text[close:found]
                close = found + 1
                if not text.startswith(quote, close):
                    break
                value += quote
                close += 1
            at = close
        end = text.find(separator, at)
        fields.append(value + (text[at:] if end < 0 else text[at:end]))
        if end < 0:
            return fields
        at = end + len(separator)
