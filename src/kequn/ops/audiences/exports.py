"""Files that people take out: masked rows, neutralised formulas, and on every page who took them, when and what for."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from kequn.ops.audiences.contracts import Sheet
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine

MOST_ROWS = 200_000
ROWS_OF_XLSX = 1_048_000
LEADS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
WIDTH = 18

Builder = Callable[[Actor, dict[str, Any]], Sequence[Sheet]]
"""Gives the sheets of one export, within the actor's scope; called again by the worker, as the same actor."""
builders: dict[str, Builder] = {}
rights: dict[str, str] = {}
"""Kind of export -> the right to take one out."""


def harmless(value: Any) -> Any:
    """Return a cell's value such that no spreadsheet computes it: a number stays, a text never begins a formula."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    text = text.replace("\x00", "")
    return f"'{text}" if text.startswith(LEADS_A_FORMULA) or text.lstrip().startswith(LEADS_A_FORMULA[:4]) else text


def watermark(actor: Actor, *, at: datetime, purpose: str, export_id: int) -> str:
    """Return the line that tells whose file it is, by the bank's own clock."""
    there = at.astimezone(ZoneInfo(engine().manifest.zone))
    who = actor.staff_no or actor.username
    return f"{who} {actor.display_name} · {there:%Y-%m-%d %H:%M} · {purpose} · #{export_id}"


def write_xlsx(path: Path, sheets: Sequence[Sheet], *, mark: str) -> int:
    """Write a workbook with the mark above the header, in the header and in the footer of every sheet.

    Return its rows; a sheet without words in its header tells about the others, and its lines are none of them.
    """
    settings = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    written = 0
    with xlsxwriter.Workbook(str(path), settings) as book:
        bold = book.add_format({"bold": True, "bottom": 1})
        grey = book.add_format({"font_color": "#888888", "italic": True})
        for sheet in sheets:
            page = book.add_worksheet(_sheet_name(sheet.title))
            page.set_header(f"&L{_printed(mark)}")
            page.set_footer(f"&C{_printed(mark)}")
            page.set_column(0, max(len(sheet.header) - 1, 0), WIDTH)
            page.write_string(0, 0, harmless(mark), grey)
            page.write_row(1, 0, [harmless(h) for h in sheet.header], bold)
            page.freeze_panes(2, 0)
            for at, row in enumerate(sheet.rows[:ROWS_OF_XLSX], start=2):
                _write_cells(page, at, row)
                written += any(sheet.header)
    return written


def write_csv(path: Path, sheets: Sequence[Sheet], *, mark: str) -> int:
    """Write the first sheet as CSV in UTF-8 with a byte-order mark, so that Excel reads Chinese; return its rows."""
    sheet = sheets[0]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([harmless(f"# {mark}")])
        writer.writerow([harmless(h) for h in sheet.header])
        writer.writerows([_plain(harmless(cell)) for cell in row] for row in sheet.rows)
    return len(sheet.rows)


def _write_cells(page: Any, at: int, row: Iterable[Any]) -> None:
    for column, cell in enumerate(row):
        value = harmless(cell)
        if isinstance(value, bool):
            page.write_boolean(at, column, value)
        elif isinstance(value, int | float):
            page.write_number(at, column, value)
        elif value is not None:
            page.write_string(at, column, value)


def _plain(value: Any) -> Any:
    return "" if value is None else value


def _printed(text: str) -> str:
    return text.replace("&", "&&")[:200]


def _sheet_name(title: str) -> str:
    return "".join(c for c in title if c not in "[]:*?/\\'")[:31] or "1"
