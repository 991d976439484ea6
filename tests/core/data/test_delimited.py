"""However text is cut into blocks and whichever way a block is read, the rows and their lines are the same."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kequn.core.data.delimited import Cutter, Layout, parse, split, utf8_stream

NAMES = ("a", "b", "c")


@dataclass
class Reading:
    rows: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    records: int = 0
    numbers: list[int] = field(default_factory=list)
    fast: int = 0


def read(
    data: bytes,
    *,
    size: int = 1 << 20,
    separator: str = ",",
    quote: str = '"',
    encoding: str = "utf-8",
    careful: bool = False,
):
    layout = Layout(separator, quote, len(NAMES), dict(enumerate(NAMES)))
    cutter = Cutter(utf8_stream(io.BytesIO(data), encoding), separator=separator, quote=quote, size=size)
    cutter.first()
    result = Reading()
    for piece, line, plain in cutter.pieces():
        block = parse(piece, line, layout, file="x", plain=plain and not careful)
        result.fast += block.numbers is None
        columns = [block.table.column(n).to_pylist() for n in NAMES]
        result.rows += zip(block.lines.tolist(), zip(*columns, strict=True), strict=True)
        result.faults += [(f.line, f.reason) for f in block.faults]
        numbers = block.numbers.tolist() if block.numbers is not None else list(range(1, block.records + 1))
        result.numbers += [n + result.records for n in numbers]
        result.records += block.records
    assert result.records == len(result.rows) + len(result.faults)
    return result


def same(one: Reading, other: Reading) -> None:
    assert one.rows == other.rows
    assert one.faults == other.faults
    assert one.numbers == other.numbers


text = st.text(st.sampled_from(list("ab ,;|\t\"\n\r'\\x0客户￥🙂")), max_size=8)
rows = st.lists(st.tuples(text, text, text), max_size=12)


@settings(deadline=None)
@given(
    rows,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-8-sig"]),
    st.integers(1, 60),
)
def test_what_a_writer_wrote_is_read(written, separator, ending, quoting, encoding, size):
    if quoting == csv.QUOTE_MINIMAL:
        # this writer leaves a carriage return unquoted, where it is part of a line end to any reader
        written = [tuple(v.replace("\r", "") for v in row) for row in written]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=ending, quoting=quoting).writerows(written)
    data = out.getvalue().encode(encoding)
    result = read(data, size=size, separator=separator, encoding=encoding)
    assert [r for _, r in result.rows] == written
    assert not result.faults
    lines, line = [], 1
    for row in written:
        lines.append(line)
        one = io.StringIO(newline="")
        csv.writer(one, delimiter=separator, lineterminator=ending, quoting=quoting).writerow(row)
        line += one.getvalue().count("\n")
    assert [n for n, _ in result.rows] == lines


soup = st.one_of(
    st.text(st.sampled_from(list('ab,"\n\r ')), max_size=80).map(str.encode),
    st.lists(st.sampled_from([b"a", b"b,c",
        b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a,b,c\n", b'"x\ny",', b"\x00", b"\xff", "客".encode(), b" "]),
    max_size=40).map(b"".join),
    st.binary(max_size=60),
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(soup, st.integers(1, 40))
@example(b'a,b,"c\n\nd,e,f\n', 3)
@example(b'"a\nb","c","d\n', 5)
@example(b'x"y,"a\nb",c\n1,2,3\n', 4)
@example(b'a,b,c"\n"d,e\n",f,g\n', 2)
@example(b'"a""\nb",c,d\n1,"2""",3\n', 6)
def test_cuts_and_ways_of_reading_do_not_matter(data: bytes, size: int):
    whole = read(data, careful=True)
    same(read(data), whole)
    same(read(data, size=size), whole)
    same(read(data, size=size, careful=True), whole)


@settings(max_examples=200, deadline=None)
@given(soup, st.integers(1, 40))
def test_without_quotation_marks_a_line_is_a_record(data: bytes, size: int):
    whole = read(data, careful=True, quote="")
    same(read(data, size=size, quote=""), whole)
    same(read(data, quote=""), whole)


@settings(deadline=None)
@given(st.text(st.sampled_from(list('ab,"')), max_size=30))
def test_a_record_is_split_as_the_standard_library_does(record: str):
    fields = split(record, ",", '"')
    reader = csv.reader([record, "sentinel"])
    expected = next(reader, [])
    if fields is None:
        assert any("sentinel" in f for f in expected)  # it ran on into the next line
    elif record:
        assert fields == expected


def test_ordinary_text_takes_the_fast_way():
    data = b"".join(b'%d,"some, text","two\nlines"\n' % i for i in range(1000))
    result = read(data, size=4096)
    assert result.fast > 3
    assert result.rows[999] == (1999, ("999", "some, text", "two\nlines"))


@pytest.mark.parametrize("odd", [b"x,y\n", b"a,b,\xff\n", b"a,\x00,c\n", b'a,b"c,d\n'])
def test_only_the_block_with_something_odd_takes_the_slow_way(odd: bytes):
    plain = b"".join(b"%d,b,c\n" % i for i in range(1000))
    result = read(plain + odd + plain, size=2048)
    assert result.records == 2001
    assert result.fast >= 5


def test_a_record_longer_than_a_block_is_read_whole():
    data = b'1,b,c\n2,"' + b"x\n" * 5000 + b'",c\n3,b,c\n'
    result = read(data, size=64)
    assert [(line, r[0]) for line, r in result.rows] == [(1, "1"), (2, "2"), (5003, "3")]
    assert result.rows[1][1][1] == "x\n" * 5000


def test_a_quotation_mark_without_end_does_not_swallow_the_file():
    rest = b"".join(b"%d,b,c\n" % i for i in range(400_000))
    result = read(b'1,"b,c\n' + rest, size=1 << 16)
    assert result.faults == [(1, "BAD_QUOTE")]
    assert len(result.rows) == 400_000
