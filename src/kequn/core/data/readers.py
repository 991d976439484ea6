"""The bank's files, sheets and queries as a stream of blocks, whatever their format."""

from __future__ import annotations

import codecs
import difflib
import gzip
import hashlib
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.data.delimited import Block, Bytes, Cutter, Layout, parse, split, utf8_stream
from kequn.core.data.postgres import query_stream
from kequn.core.data.workbook import sheet_blocks
from kequn.core.errors import BadSource, Where
from kequn.core.spec.source import CsvInput, ExcelInput, Input, ParquetInput, PostgresInput

BLOCK = 16 << 20
PARQUET_ROWS = 131_072
MOST_INFLATED = 100
"""A compressed file may be this many times smaller than its text once the text is large; beyond that it is an attack."""
FREELY_INFLATED = 200 << 20
SEPARATORS = (",", ";", "\t", "|", "^", "\x1b", "\x01", "~")

Part = Callable[[], Block]
"""Work that gives a block: reading is sequential, parsing may happen on another thread."""
Dsn = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Source:
    """An input that was found and looked into: its columns with their SQL types, its size, and what identifies its content."""

    columns: dict[str, str]
    files: tuple[str, ...]
    size: int | None
    content: Callable[[], str]
    """Hash of the content; empty where it is not known before the parts have been read (a query)."""
    parts: Callable[[Collection[str], tuple[str, ...]], Iterator[Part]]
    """Given the wanted columns and the texts that mean none: the blocks in order. Only delimited text heeds the latter."""
    paths: tuple[Path, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()
    """Size and time of change of each file when it was looked into."""

    def check_unchanged(self) -> None:
        """Raise where a file was written to since it was looked into.

        Raises:
            BadSource: what was read is not what was identified.
        """
        for path, name, stamp in zip(self.paths, self.files, self.stamps, strict=False):
            if not path.exists() or _stamp(path) != stamp:
                raise BadSource(
                    "The file changed while it was read.", hint="Load it again when it is complete.", where=Where(name)
                )


def open_source(spec: Input, *, folder: Path, dsn: Dsn | None = None) -> Source:
    """Return what a source spec's input points to.

    Raises:
        BadSource: it is not there, cannot be read, or is not what the spec says.
    """
    if isinstance(spec, PostgresInput):
        return _postgres(spec, dsn)
    paths = _paths(folder, spec.path)
    names = tuple(p.relative_to(folder.resolve()).as_posix() for p in paths)
    if isinstance(spec, ParquetInput):
        return _parquet(paths, names)
    if isinstance(spec, ExcelInput):
        return _excel(spec, paths, names)
    return _csv(spec, paths, names)


def check_columns(source: Source, wanted: Collection[str], *, separator: str = "") -> None:
    """Raise where a column the spec names is not in the source.

    Raises:
        BadSource: with the file, the missing column and the nearest one.
    """
    missing = [c for c in wanted if c not in source.columns]
    if not missing:
        return
    where = Where(source.files[0] if source.files else "", 1)
    if len(source.columns) == 1 and separator:
        header = next(iter(source.columns))
        likely = [s for s in SEPARATORS if s != separator and s in header]
        if likely:
            best = max(likely, key=header.count)
            raise BadSource(
                f"The file has one column only when it is separated by {separator!r}.",
                hint=f"Its first line looks separated by {best!r}: set `separator`.",
                where=where,
                column=missing[0],
            )
    near = difflib.get_close_matches(missing[0], list(source.columns), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Its columns: {', '.join(list(source.columns)[:30])}."
    plural = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    raise BadSource(
        f"There is no column {missing[0]!r}{plural}.", hint=hint, where=where, column=missing[0], missing=missing
    )


def _paths(folder: Path, pattern: str) -> list[Path]:
    root = folder.resolve()
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise BadSource(
            f"The path {pattern!r} leaves the data folder.", hint="Write a path relative to the data folder."
        )
    paths = sorted(p for p in root.glob(pattern) if p.is_file())
    if not paths:
        near = difflib.get_close_matches(Path(pattern).name, sorted({p.name for p in root.rglob("*")})[:5000], n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Looked in {root}."
        raise BadSource(f"There is no file {pattern!r}.", hint=hint, where=Where(pattern))
    outside = [p for p in paths if not p.resolve().is_relative_to(root)]
    if outside:
        raise BadSource(f"{outside[0].name} is a link that leaves the data folder.", where=Where(pattern))
    return paths


def _content(paths: list[Path]) -> Callable[[], str]:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _watched(paths: list[Path]) -> tuple[tuple[Path, ...], tuple[tuple[int, int], ...]]:
    return tuple(paths), tuple(_stamp(p) for p in paths)


def _size(paths: list[Path]) -> int:
    return sum(p.stat().st_size for p in paths)


# delimited text


def _csv(spec: CsvInput, paths: list[Path], names: tuple[str, ...]) -> Source:
    try:
        if codecs.lookup(spec.encoding)._is_text_encoding is False:
            raise LookupError
    except LookupError:
        raise BadSource(
            f"{spec.encoding!r} is not a text encoding.", hint="For example utf-8, gb18030, utf-16."
        ) from None
    headers = [_header(spec, path, name) for path, name in zip(paths, names, strict=True)]
    for name, header in zip(names[1:], headers[1:], strict=True):
        if header != headers[0]:
            raise BadSource(
                f"Its columns are not those of {names[0]}.", hint=_difference(headers[0], header), where=Where(name, 1)
            )

    def parts(wanted: Collection[str], nulls: tuple[str, ...]) -> Iterator[Part]:
        layout = replace(_layout(spec, headers[0], wanted, names[0]), nulls=nulls)
        for path, name in zip(paths, names, strict=True):
            with _opened(path, name) as raw:
                yield from _pieces(raw, spec, layout, name)

    return Source(dict.fromkeys(headers[0], "VARCHAR"), names, _size(paths), _content(paths), parts, *_watched(paths))


def _pieces(raw: Bytes, spec: CsvInput, layout: Layout, name: str) -> Iterator[Part]:
    stream = utf8_stream(raw, spec.encoding)
    cutter = Cutter(stream, separator=spec.separator, quote=spec.quote, size=BLOCK)
    cutter.first()
    if spec.header:
        cutter.skip_first()
    for piece, line, plain in cutter.pieces():
        yield lambda p=piece, n=line, f=plain: parse(p, n, layout, file=name, plain=f)  # type: ignore[misc]


def _header(spec: CsvInput, path: Path, name: str) -> list[str]:
    with _opened(path, name) as raw:
        head = raw.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and "16" not in spec.encoding:
        raise BadSource("The file begins like UTF-16.", hint="Set `encoding: utf-16`.", where=Where(name, 1))
    with _opened(path, name) as raw:
        cutter = Cutter(utf8_stream(raw, spec.encoding), separator=spec.separator, quote=spec.quote, size=1 << 16)
        first = cutter.first()
    if not first:
        raise BadSource("The file is empty, or its first line is.", where=Where(name, 1))
    if b"\x00" in first:
        raise BadSource("The first line holds NUL bytes; this is no text file in this encoding.", where=Where(name, 1))
    try:
        line = first.decode("utf-8")
        if "\ufdd0" in line:
            raise UnicodeError
    except UnicodeError:
        raise BadSource(
            f"The first line is not {spec.encoding} text.", hint=_likely_encoding(path, name), where=Where(name, 1)
        ) from None
    fields = split(line, spec.separator, spec.quote)
    if fields is None:
        raise BadSource("A quotation mark in the first line is not closed.", where=Where(name, 1))
    if not spec.header:
        if len(fields) != len(spec.names):
            raise BadSource(
                f"The first line has {len(fields)} fields, `names` has {len(spec.names)}.",
                hint="Check `names` and `separator`.",
                where=Where(name, 1),
            )
        return list(spec.names)
    return [f.strip() for f in fields]


def _likely_encoding(path: Path, name: str) -> str:
    with _opened(path, name) as raw:
        sample = raw.read(1 << 16)
    for encoding in ("utf-8", "gb18030", "big5"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            decoder.decode(sample)
        except UnicodeDecodeError:
            continue
        return f"It looks like {encoding}: set `encoding`."
    return "Set `encoding`."


def _layout(spec: CsvInput, header: list[str], wanted: Collection[str], name: str) -> Layout:
    for column in wanted:
        if header.count(column) > 1:
            raise BadSource(f"The column {column!r} stands {header.count(column)} times.", where=Where(name, 1))
    positions = {i: c for i, c in enumerate(header) if c in wanted} or {0: header[0]}
    return Layout(spec.separator, spec.quote, len(header), positions)


def _difference(first: list[str], other: list[str]) -> str:
    missing = [c for c in first if c not in other]
    return f"Missing: {', '.join(missing)}." if missing else "Their order or number differs."


def _opened(path: Path, name: str) -> _File:
    return _File(path, name)


class _File:
    """A file, unpacked where it is gzip; closes itself, and refuses what inflates without measure."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.size = path.stat().st_size
        self.given = 0
        self.raw: IO[bytes] = path.open("rb")
        self.file = self.raw
        magic = self.file.read(4)
        self.file.seek(0)
        if magic.startswith(b"PK\x03\x04"):
            self.file.close()
            raise BadSource(
                "This is a ZIP archive or a workbook, not text.", hint="Unpack it first.", where=Where(name)
            )
        self.packed = magic.startswith(b"\x1f\x8b")
        if self.packed:
            self.file = gzip.GzipFile(fileobj=self.raw)  # type: ignore[assignment]  # it does not close what it is given

    def read(self, size: int = -1) -> bytes:
        try:
            chunk = self.file.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadSource(f"The compressed file is damaged: {error}.", where=Where(self.name)) from None
        self.given += len(chunk)
        if self.packed and self.given > max(FREELY_INFLATED, self.size * MOST_INFLATED):
            raise BadSource(
                f"The file inflates to more than {MOST_INFLATED} times its size.",
                hint="Unpack it first.",
                where=Where(self.name),
            )
        return chunk

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.raw.close()


# Parquet, Excel, PostgreSQL


def _parquet(paths: list[Path], names: tuple[str, ...]) -> Source:
    schemas = []
    for path, name in zip(paths, names, strict=True):
        try:
            schemas.append(pq.read_schema(path))
        except (pa.ArrowInvalid, OSError) as error:
            raise BadSource(f"This is no readable Parquet file: {str(error)[:200]}", where=Where(name)) from None
    for name, schema in zip(names[1:], schemas[1:], strict=True):
        if not schema.equals(schemas[0]):
            raise BadSource(f"Its columns are not those of {names[0]}.", where=Where(name))

    def parts(wanted: Collection[str], _nulls: tuple[str, ...]) -> Iterator[Part]:
        chosen = [f.name for f in schemas[0] if f.name in wanted] or [schemas[0].names[0]]
        for path, name in zip(paths, names, strict=True):
            line = 1
            for batch in _batches(path, name, chosen):
                lines = np.arange(line, line + batch.num_rows, dtype=np.int64)
                block = Block(name, pa.Table.from_batches([batch]), lines, records=batch.num_rows)
                line += batch.num_rows
                yield lambda b=block: b  # type: ignore[misc]

    columns = {f.name: str(f.type) for f in schemas[0]}
    return Source(columns, names, _size(paths), _content(paths), parts, *_watched(paths))


def _batches(path: Path, name: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(PARQUET_ROWS, columns=columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise BadSource(f"The Parquet file is damaged: {str(error)[:200]}", where=Where(name)) from None


def _excel(spec: ExcelInput, paths: list[Path], names: tuple[str, ...]) -> Source:
    sheets = [sheet_blocks(path, name, spec.sheet) for path, name in zip(paths, names, strict=True)]
    header = sheets[0].header
    for name, sheet in zip(names[1:], sheets[1:], strict=True):
        if sheet.header != header:
            raise BadSource(
                f"Its columns are not those of {names[0]}.",
                hint=_difference(header, sheet.header),
                where=Where(name, 1),
            )

    def parts(wanted: Collection[str], _nulls: tuple[str, ...]) -> Iterator[Part]:
        for column in wanted:
            if header.count(column) > 1:
                raise BadSource(f"The column {column!r} stands {header.count(column)} times.", where=Where(names[0], 1))
        for sheet in sheets:
            for block in sheet.blocks(wanted):
                yield lambda b=block: b  # type: ignore[misc]

    return Source(dict.fromkeys(header, "VARCHAR"), names, _size(paths), _content(paths), parts, *_watched(paths))


def _postgres(spec: PostgresInput, dsn: Dsn | None) -> Source:
    if dsn is None:
        raise BadSource("Database sources are not available here.", hint=f"Set {spec.dsn_env}.")
    opened = query_stream(dsn(spec.dsn_env), spec.query)
    layout_of = CsvInput(path="query", separator=",", quote='"', header=False, names=opened.columns)

    read_to_end = False

    def parts(wanted: Collection[str], _nulls: tuple[str, ...]) -> Iterator[Part]:
        nonlocal read_to_end
        layout = _layout(layout_of, list(opened.columns), wanted, "query")
        with opened.rows() as raw:
            yield from _pieces(raw, layout_of, layout, "query")
        read_to_end = True

    def content() -> str:
        return opened.content.hexdigest() if read_to_end else ""

    return Source(dict.fromkeys(opened.columns, "VARCHAR"), ("query",), None, content, parts)
