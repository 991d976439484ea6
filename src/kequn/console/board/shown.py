"""What the board's pages show: periods to choose from, shaded cells, charts, what per head and per square metre comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console import charts
from kequn.console.tables import Column
from kequn.core.stats.intervals import Interval, proportion_interval
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.contracts import Board, Line
from kequn.ops.board.figures import AGES, FIGURES, PER, RATES, rate, title_in
from kequn.ops.board.periods import Period, period_around
from kequn.ops.board.quality import FLOOR
from kequn.ops.board.queries import latest_day

PERIODS = {
    "day": lazy("昨日"), "week": lazy("本周"), "month": lazy("本月至今"), "quarter": lazy("本季至今"), "live": lazy("今天到现在"),
}  # fmt: skip
WORK = ("assigned", "done", "contacts", "effective_rate", "appointments", "deals", "sales", "sales_fen")
BOOK = ("book", "coverage_30", "aum_fen", "aum_gain_fen", "kept_rate", "new_customers")
TILES = ("contacts", "effective_rate", "appointments", "sales_fen", "coverage_30", "aum_gain_fen", "overdue")
LIVE_TILES = ("assigned", "done", "contacts", "effective_rate", "appointments", "deals", "overdue")
SHADES = 5
DAYS_DRAWN = 30
DRAWN = ("contacts", "effective", "done")
"""Figures that the chart of days shows."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one line: its value, what kind of number it is, and how dark its ground."""

    code: str
    label: str
    value: Any
    kind: str
    """``n``, ``fen`` or ``share``."""
    shade: int = 0
    small: str = ""
    """The counts behind a share of too few: shown in its place, for the share would be taken for a habit."""
    sure: Interval | None = None
    """Within what a share of enough records lies (95%)."""
    why: Any = ""
    """Why there is no value."""

    @property
    def is_main(self) -> bool:
        """Whether it is among the few that a phone shows."""
        return self.code in {*TILES, *LIVE_TILES}


@dataclass(frozen=True, slots=True)
class Row:
    """One line; its cells are made when they are shown, which of many lines few are."""

    line: Line
    name: str
    titles: Mapping[str, str]
    """Column -> its words."""
    most: Mapping[str, float]
    """Column -> the largest value of all lines; none for lines without shading."""

    @property
    def cells(self) -> list[Cell]:
        """One cell a column."""
        return [_cell(self.line, code, title, self.most.get(code, 0)) for code, title in self.titles.items()]


def asked_period(wanted: str, on: date | None) -> tuple[str, Period]:
    """Return which period is shown, and its days: yesterday is the last day whose figures are kept."""
    span = wanted if wanted in PERIODS else "day"
    if span == "live":
        return span, period_around("day", bank_today())
    yesterday = bank_today() - timedelta(days=1)
    if on is not None:
        return span, period_around(span, min(on, yesterday))
    return span, period_around(span, (latest_day() or yesterday) if span == "day" else yesterday)


def codes_of(board: Board) -> tuple[str, ...]:
    """Return the columns of a board; the day so far has fewer."""
    if board.is_live:
        return ("assigned", "done", "contacts", "effective_rate", "appointments", "deals", "overdue", *AGES)
    return (*WORK, *BOOK, "overdue", "age_8", *(PER if board.by == "branch" else ()))


def title_of(code: str, board: Board | None = None) -> str:
    """Return what a figure is called in the reader's language, on a board by what it counts there."""
    return title_in(code, board.period.span if board else "").to(get_language() or "zh")


def means_of(code: str) -> str:
    """Return what a figure means in the reader's language."""
    if code in PER:
        figure, over = PER[code]
        return " ÷ ".join((title_of(figure), _("客户经理人数") if over == "heads" else _("网点面积")))
    text = FIGURES[code].means if code in FIGURES else RATES[code][3]
    return text.to(get_language() or "zh")


def value_of(line: Line, code: str) -> Any:
    """Return a figure or a rate of a line; ``None`` when it is unknown."""
    return rate(line.figures, code) if code in RATES else line.per(code) if code in PER else line.figures.get(code)


def columns_of(board: Board) -> tuple[Column, ...]:
    """Return the columns of the table and of its file."""

    def getter(code: str) -> Any:
        def value(row: Row) -> Any:
            found = value_of(row.line, code)
            return None if found is None else Decimal(found) / 100 if _kind(code) == "fen" else found

        return value

    named = lazy("网点") if board.by == "branch" else lazy("客户经理")
    return (
        Column(named, lambda row: row.name, "name"),
        *(
            Column(title_of(code, board), getter(code), code, number=True, hint=means_of(code))
            for code in codes_of(board)
        ),
    )


def rows_of(board: Board) -> list[Row]:
    """Return the lines with shaded cells: one hue a column, the darkest where most is; never for money that may be negative."""
    codes = codes_of(board)
    most = {c: max((v for line in board.lines if (v := value_of(line, c)) is not None), default=0) for c in codes}
    titles = {c: title_of(c, board) for c in codes}
    return [Row(line, named(line), titles, most) for line in board.lines]


def total_row(board: Board) -> Row:
    """Return the line that sums up."""
    return Row(board.total, _("合计"), {c: title_of(c, board) for c in codes_of(board)}, {})


def tiles_of(board: Board) -> list[Cell]:
    """Return the few figures of the whole that stand above the table."""
    return [_cell(board.total, c, title_of(c, board), 0) for c in (LIVE_TILES if board.is_live else TILES)]


def named(line: Line) -> str:
    """Return what a line is called."""
    return line.name or _("未分配")


def per_head(board: Board) -> list[tuple[str, Any, str]]:
    """Return (words, amount in fen, why it is unknown) of output per head and per square metre (人效、坪效)."""
    found = []
    for code, (figure, over) in PER.items():
        value, why = board.total.per(code), ""
        if value is None:
            lacking = _("没有客户经理") if over == "heads" else _("未填网点面积")
            why = _("数据未提供") if board.total.figures.get(figure) is None else lacking
        found.append((title_of(code, board), value, why))
    return found


def ages_chart(rows: Sequence[Row]) -> str:
    """Draw the open tasks by how long they have been open, for those who have most."""
    open_ = [(sum(r.line.figures.get(a) or 0 for a in AGES), r) for r in rows]
    shown = [r for n, r in sorted(open_, key=lambda p: -p[0])[:12] if n]
    if not shown:
        return ""
    series = [(title_of(a), [r.line.figures.get(a) or 0 for r in shown]) for a in AGES]
    return charts.columns(_("未完成任务的账龄"), [r.name for r in shown], *series)


def contacts_chart(rows: Sequence[Row]) -> str:
    """Draw contacts and those that reached the customer, a line each."""
    shown = [r for r in rows if r.line.figures.get("contacts")][:15]
    if not shown:
        return ""
    return charts.bars(
        _("联系与有效联系"), [r.name for r in shown], (title_of("effective"), [r.line.figures["effective"] for r in shown]),
        (title_of("contacts"), [r.line.figures["contacts"] for r in shown]),
    )  # fmt: skip


def days_chart(days: Iterable[dict[str, Any]]) -> str:
    """Draw contacts day by day."""
    found = list(days)
    if len(found) < 2:
        return ""
    series = [(title_of(c), [d[f"n_{c}"] for d in found]) for c in DRAWN]
    return charts.line(_("每天的联系与完成"), [f"{d['day']:%m-%d}" for d in found], *series)


def _kind(code: str) -> str:
    return "share" if code in RATES else "fen" if code in PER or FIGURES[code].money else "n"


def _why_none(line: Line, code: str) -> Any:
    """Say why there is no value: a rate of nothing is no gap in the data."""
    is_of_nothing = code in RATES and line.figures.get(RATES[code][1]) == 0
    return _("还没有发生") if is_of_nothing else _("数据未提供")


def _cell(line: Line, code: str, title: str, most: float) -> Cell:
    value = value_of(line, code)
    shade = 0 if not most or value is None or value <= 0 else max(1, round(SHADES * value / most))
    if value is None:
        return Cell(code, title, None, _kind(code), why=_why_none(line, code))
    if code != "effective_rate":
        return Cell(code, title, value, _kind(code), shade)
    above, below = line.figures["effective"] or 0, line.figures["contacts"] or 0
    if below < FLOOR:
        return Cell(code, title, value, "share", 0, f"{above}/{below}")
    return Cell(code, title, value, "share", shade, sure=proportion_interval(above, below))
