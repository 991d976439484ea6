"""Uploaded lists: every line of the file is accounted for, whatever a spreadsheet did to it."""

from __future__ import annotations

import io
import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store
from kequn.core.errors import BadSource, InvalidSpec, StoreBusy, UnknownList
from kequn.core.segments import (
    ListMatch,
    UploadedList,
    drop_list,
    extend_list,
    masked,
    match_list,
    members,
    read_list,
    save_list,
)
from kequn.core.segments import lists as lists_module
from kequn.core.segments import upload as upload_module
from tests.core.segments.bank import AS_OF, NOW, TAGS, Bank, open_bank
from tests.core.segments.trees import segment

BANK = {f"C{i:07d}": i for i in range(50)}


def ordinals_for(numbers: Sequence[str]) -> np.ndarray:
    return np.array([BANK.get(number, -1) for number in numbers], dtype=np.int64)


def workbook(rows: list[list[object]]) -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("名单")
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if value is not None:
                sheet.write(i, j, value)
    book.close()
    return content.getvalue()


def values(read: UploadedList) -> list[tuple[int, str, str]]:
    return [(line.line, line.value, line.fault) for line in read.lines]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_text_is_read_in_any_of_the_usual_encodings_and_separators(encoding: str, separator: str):
    text = separator.join(["姓名", "客户号"]) + "\r\n" + separator.join(["张三", "C0000001"]) + "\r\n"
    read = read_list(text.encode(encoding), "名单.csv")
    assert read.columns == ("姓名", "客户号")
    assert values(read) == [(2, "C0000001", "")]


def test_a_workbook_is_read_with_numbers_as_excel_shows_them():
    content = workbook([["客户号", "备注"], ["C0000001", 1], [12345, None], [6222021234567890123, "x"], [None, "空"]])
    read = read_list(content, "名单.xlsx")
    assert [v[:1] + v[2:] for v in values(read)] == [(2, ""), (3, ""), (4, "mangled"), (5, "blank")]
    assert list(read.lines)[1].value == "12345"


@pytest.mark.parametrize("spoilt", ["6.22202E+18", "6E18", "6222.0", "1.5e+7"])
def test_a_number_that_a_spreadsheet_spoilt_is_marked(spoilt: str):
    assert values(read_list(f"客户号\n{spoilt}\n".encode(), "a.csv")) == [(2, spoilt, "mangled")]


@pytest.mark.parametrize("written", ['="C0000001"', "'C0000001", "\tC0000001", " C0000001 ", '"C0000001"'])
def test_the_tricks_that_keep_excel_from_spoiling_numbers_are_taken_off(written: str):
    assert values(read_list(f"客户号,x\n{written},1\n".encode(), "a.csv")) == [(2, "C0000001", "")]


def test_lines_are_counted_as_an_editor_does_across_quoted_line_breaks():
    read = read_list('备注,客户号\n"两\n行",C0000001\n好,C0000002\n'.encode(), "a.csv")
    assert [line.line for line in read.lines] == [2, 4]


def test_one_column_without_a_title_needs_nothing_more():
    assert [line.value for line in read_list(b"C0000001\nC0000002\n", "a.txt").lines] == ["C0000001", "C0000002"]


def test_a_column_can_be_chosen_by_title_or_position():
    content = "老号,新号\nA1,C0000001\n".encode()
    for column in ("新号", 1):
        assert [line.value for line in read_list(content, "a.csv", column=column).lines] == ["C0000001"]
    with pytest.raises(BadSource, match="not clear which column") as caught:
        read_list(content, "a.csv")
    assert caught.value.facts["columns"] == ["老号", "新号"]
    for missing in ("别的", 2):
        with pytest.raises(BadSource, match="no column"):
            read_list(content, "a.csv", column=missing)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no lines"),
        (b"\n\n", "no lines"),
        (b"C1\x00\nC2", "neither a workbook nor text"),
        (b"\x81\xff\xfe\x00", "neither a workbook nor text"),
        (b"PK\x03\x04broken", "broken"),
        ('客户号,b\n"open'.encode(), "cannot be split"),
    ],
)
def test_a_file_that_cannot_be_read_says_so_and_names_itself(content: bytes, words: str):
    with pytest.raises(BadSource, match=words) as caught:
        list(read_list(content, "/secret/folder/名单.csv").lines)
    assert caught.value.where.file == "名单.csv"


def test_a_workbook_that_is_none_or_lacks_the_sheet_says_so():
    with pytest.raises(BadSource, match="no sheet"):
        read_list(workbook([["客户号"], ["C1"]]), "a.xlsx", sheet="别的")
    with pytest.raises(BadSource, match="cannot be read"):
        read_list(b"\xd0\xcf\x11\xe0" + b"x" * 600, "a.xls")


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upload_module, "MOST_BYTES", 100)
    path = tmp_path / "a.csv"
    path.write_bytes(b"C0000001\n" * 100)
    with pytest.raises(BadSource, match="larger than"):
        read_list(path, "a.csv")
    monkeypatch.setattr(upload_module, "MOST_LINES", 3)
    with pytest.raises(BadSource, match="more than 3 lines"):
        list(read_list(b"C1\nC2\nC3\nC4\n", "a.csv").lines)
    monkeypatch.setattr(upload_module, "MOST_BYTES", 10**6)
    monkeypatch.setattr(upload_module, "MOST_UNPACKED", 100)
    with pytest.raises(BadSource, match="unpacked"):
        read_list(workbook([["客户号"], ["C1"]]), "a.xlsx")


def test_each_line_without_a_customer_is_told_with_its_number_masked():
    read = read_list("客户号,x\nC0000001,\nC0000001,\nC9999999,\n,\n6.2E+18,\nC0000002,\n".encode(), "a.csv")
    match = match_list(read, ordinals_for)
    assert match.ordinals.tolist() == [1, 2]
    assert (match.lines, match.matched, match.unmatched, match.duplicates, match.blanks, match.mangled) == (
        6,
        2,
        1,
        1,
        1,
        1,
    )
    assert [(f.line, f.value, f.reason) for f in match.faults] == [
        (3, "C0****01", "duplicate"),
        (4, "C9****99", "unknown"),
        (5, "", "blank"),
        (6, "6****", "mangled"),
    ]


@settings(max_examples=200, deadline=None)
@given(cells=st.lists(st.one_of(st.sampled_from([*BANK, "", "X1", "1E5"]), st.text(max_size=12)), max_size=40))
def test_lines_are_matched_unmatched_duplicate_blank_or_mangled_and_nothing_else(cells: list[str]):
    lines = [upload_module._line(i, [cell], 0) for i, cell in enumerate(cells)]
    match: ListMatch = match_list(UploadedList(("客户号",), 0, tuple(lines)), ordinals_for)
    assert match.lines == match.matched + match.unmatched + match.duplicates + match.blanks + match.mangled
    assert len(match.faults) == match.lines - match.matched
    assert all(fault.value == masked(lines[fault.line].value) for fault in match.faults)


def test_blank_lines_count_between_customers_and_not_at_the_end():
    read = read_list(b"C0000001\n\n\nC0000002\n\n\n", "a.txt")
    assert values(read) == [(1, "C0000001", ""), (2, "", "blank"), (3, "", "blank"), (4, "C0000002", "")]
    assert values(read) == values(read)


def test_duplicates_and_unknown_customers_are_found_across_batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(lists_module, "AT_A_TIME", 3)
    path = tmp_path / "list.csv"
    path.write_text(
        "\n".join(["C0000001", "C0000002", "X", "C0000001", "C0000003", "C0000003", "X", "C0000002"]), "utf-8"
    )
    match = match_list(read_list(path, "list.csv"), ordinals_for)
    assert match.ordinals.tolist() == [1, 2, 3]
    assert (match.lines, match.matched, match.unmatched, match.duplicates) == (8, 3, 2, 3)


@pytest.mark.slow
def test_five_million_lines_with_duplicates_and_strangers_are_matched_a_piece_at_a_time(tmp_path: Path):
    path, bank = tmp_path / "list.csv", 1_000_000
    with path.open("w", encoding="utf-8") as file:
        file.write("客户号\n")
        for start in range(0, 5_000_000, 500_000):
            file.writelines(f"C{n * 7 % 1_300_000:08d}\n" for n in range(start, start + 500_000))

    def known(numbers: Sequence[str]) -> np.ndarray:
        found = np.array([int(number[1:]) for number in numbers], dtype=np.int64)
        return np.where(found < bank, found, -1)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    match = match_list(read_list(path, "list.csv"), known)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    numbers = np.arange(5_000_000) * 7 % 1_300_000
    assert match.lines == 5_000_000
    assert match.matched == len(np.unique(numbers[numbers < bank]))
    assert match.unmatched == int((numbers >= bank).sum())
    assert match.duplicates == match.lines - match.matched - match.unmatched
    assert len(match.faults) == lists_module.MOST_FAULTS
    assert grown < 400, f"{grown:.0f} MiB more"


def test_a_saved_list_selects_its_customers_and_can_be_replaced_extended_and_dropped(tmp_path: Path):
    engine = open_bank(Bank([True] * 5, {"demo_age": [1] * 5}, {}), tmp_path)
    store = engine.store
    given = {"tags": TAGS, "segments": {}, "as_of": AS_OF}
    on_list = segment({"list": "partner"})

    state = save_list(store, "partner", np.array([3, 1, 3]), unmatched=2, now=NOW)
    assert (state.matched, state.unmatched) == (2, 2)
    assert members(Engine(store), on_list, **given).tolist() == [1, 3]

    assert extend_list(store, "partner", np.array([4]), unmatched=1, now=NOW).unmatched == 3
    assert members(Engine(store), on_list, **given).tolist() == [1, 3, 4]

    save_list(store, "partner", np.array([], dtype=np.int64), unmatched=0, now=NOW)
    assert members(Engine(store), segment({"not": {"list": "partner"}}), **given).tolist() == [0, 1, 2, 3, 4]

    drop_list(store, "partner", now=NOW)
    drop_list(store, "partner", now=NOW)
    assert store.manifest().lists == {}


def test_nothing_is_changed_by_a_list_that_cannot_be_saved(tmp_path: Path):
    store = Store(tmp_path)
    now = datetime(2026, 7, 1, tzinfo=UTC)
    with pytest.raises(InvalidSpec, match="not a name"):
        save_list(store, "../etc", np.array([1]), unmatched=0, now=now)
    with pytest.raises(UnknownList):
        extend_list(store, "nobody", np.array([1]), unmatched=0, now=now)
    with store.writing(now=now), pytest.raises(StoreBusy):
        save_list(store, "vip", np.array([1]), unmatched=0, now=now)
    assert store.manifest().lists == {}
