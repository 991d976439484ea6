"""A chart's data as a picture (SVG) and as rows: what leaves the console as a file, made on the server."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import cos, floor, log10, pi, sin
from typing import Any

from kequn.core.errors import Conflict

WIDTH = 760
LEFT, RIGHT = 210, 70
COLOURS = ("#2f6bd8", "#c9822b", "#1f8f7a", "#b5493a", "#7459b8", "#5b6b80")
GREY, INK, SOFT, LINE = "#8795ad", "#1c2738", "#566178", "#e3e8ef"
FONT = "PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"
MOST_TICKS = 14

Data = dict[str, Any]
Rows = tuple[list[str], list[list[Any]]]


def rows_of(data: Data, words: dict[str, str]) -> Rows:
    """Return the header and the rows behind a chart; ``words`` names the columns "item", "low", "high", "firm", "value".

    Raises:
        Conflict: a kind of chart that is not known here.
    """
    match data.get("kind"):
        case "bars" | "columns" | "line":
            series = data["series"]
            header = [words["item"], *(_with_unit(s["name"], data) for s in series)]
            return header, [[label, *(s["data"][i] for s in series)] for i, label in enumerate(data["labels"])]
        case "donut":
            return [words["item"], _with_unit(words["value"], data)], [
                list(pair) for pair in zip(data["labels"], data["data"], strict=True)
            ]
        case "tgi":
            found = [
                [name, p["v"], p["low"], p["high"], not p["hollow"]]
                for name, p in zip(data["labels"], data["points"], strict=True)
            ]
            return [words["item"], "TGI", words["low"], words["high"], words["firm"]], found
        case "interval":
            found = [[i["label"], i["point"], i["low"], i["high"]] for i in data["items"]]
            return [words["item"], _with_unit(words["value"], data), words["low"], words["high"]], found
    raise Conflict("This chart has no picture of its own.", hint="Print the page instead.")


def picture(data: Data, *, title: str, notes: Sequence[str]) -> str:
    """Return a chart as an SVG document with its title above and notes (definition, data date, who took it) below.

    Raises:
        Conflict: a kind of chart that is not known here.
    """
    match data.get("kind"):
        case "bars":
            body, height = _bars(data)
        case "columns":
            body, height = _upright(data, lines=False)
        case "line":
            body, height = _upright(data, lines=True)
        case "tgi":
            points = [(p["v"], p["low"], p["high"], p["hollow"]) for p in data["points"]]
            body, height = _dots(data["labels"], points, marks=(80, 100, 120), unit="")
        case "interval":
            points = [(i["point"], i["low"], i["high"], False) for i in data["items"]]
            body, height = _dots([i["label"] for i in data["items"]], points, marks=(0,), unit=data.get("unit", ""))
        case "donut":
            body, height = _ring(data)
        case _:
            raise Conflict("This chart has no picture of its own.", hint="Print the page instead.")
    lines = [part for note in notes if note for part in _wrapped(note, 92)]
    whole = 44 + height + 18 * len(lines) + 14
    foot = "".join(_text(16, 44 + height + 18 * (n + 1), line, size=11, fill=SOFT) for n, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole}" viewBox="0 0 {WIDTH} {whole}"'
        f' font-family="{escape(FONT)}" role="img" aria-label="{escape(title)}"><rect width="100%" height="100%" fill="#fff"/>'
        f'{_text(16, 26, title, size=15, weight=600)}<g transform="translate(0 44)">{body}</g>{foot}</svg>\n'
    )


def _bars(data: Data) -> tuple[str, int]:
    series, labels = data["series"], data["labels"]
    top = max([v for s in series for v in s["data"] if v is not None and v > 0], default=0) or 1
    width, bar = WIDTH - LEFT - RIGHT, 13
    row = bar * len(series) + 10
    parts = [_legend(series)] if len(series) > 1 else []
    start = 24 if len(series) > 1 else 0
    for i, label in enumerate(labels):
        y = start + i * row
        parts.append(_text(LEFT - 8, y + row / 2, _cut(label), anchor="end"))
        for n, s in enumerate(series):
            value = s["data"][i]
            if value is not None:
                long = max(0.0, value) / top * width
                parts.append(
                    f'<rect x="{LEFT}" y="{y + n * bar:.1f}" width="{long:.1f}" height="{bar - 2}" fill="{_colour(s, n)}"/>'
                )
                parts.append(_text(LEFT + long + 4, y + n * bar + bar - 3, _said(value, data), size=10, fill=SOFT))
    return "".join(parts), start + row * len(labels) + 6


def _upright(data: Data, *, lines: bool) -> tuple[str, int]:
    series, labels = data["series"], data["labels"]
    values = [v for s in series for v in s["data"] if v is not None]
    low, high, step = _axis(min([0.0, *values]) if not lines or not values else min(values), max(values, default=1.0))
    left, height, start = 70, 230, 24
    width, base = WIDTH - left - 24, 24 + 230
    slot = width / max(len(labels), 1)

    def y(value: float) -> float:
        return base - (value - low) / (high - low) * height

    parts = [_legend(series)] if len(series) > 1 else []
    mark = low
    while mark <= high + step / 2:
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="{LINE}"/>')
        parts.append(_text(left - 6, y(mark) + 4, _said(mark, data), size=10, fill=SOFT, anchor="end"))
        mark += step
    every = max(1, -(-len(labels) // MOST_TICKS))
    for i, label in enumerate(labels):
        if i % every == 0:
            parts.append(
                _text(left + slot * (i + 0.5), base + 16, _cut(label, 10), size=10, fill=SOFT, anchor="middle")
            )
    for n, s in enumerate(series):
        spots = [(left + slot * (i + 0.5), v) for i, v in enumerate(s["data"])]
        parts += (
            _strokes(spots, y, _colour(s, n))
            if lines
            else _columns(spots, y, _colour(s, n), slot, n, len(series), max(low, 0))
        )
    return "".join(parts), start + height + 30


def _strokes(spots: Sequence[tuple[float, float | None]], y: Any, colour: str) -> list[str]:
    """Lines that stay open where a value is missing."""
    runs: list[list[str]] = [[]]
    for x, value in spots:
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{x:.1f},{y(value):.1f}")
    made = [
        f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for run in runs
        if len(run) > 1
    ]
    return made + [_circle(run[0], colour) for run in runs if len(run) == 1]


def _circle(spot: str, colour: str) -> str:
    x, y = spot.split(",")
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'


def _columns(
    spots: Sequence[tuple[float, float | None]], y: Any, colour: str, slot: float, n: int, of: int, zero: float
) -> list[str]:
    wide = min(42.0, slot * 0.8) / of
    made = []
    for x, value in spots:
        if value is not None:
            top, bottom = sorted((y(value), y(zero)))
            made.append(
                f'<rect x="{x + (n - of / 2) * wide:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{bottom - top:.1f}" fill="{colour}"/>'
            )
    return made


def _dots(
    labels: Sequence[str], points: Sequence[tuple[Any, Any, Any, bool]], *, marks: Sequence[float], unit: str
) -> tuple[str, int]:
    ends = [v for p in points for v in p[:3] if v is not None]
    low, high, step = _axis(min([*ends, *marks]), max([*ends, *marks]))
    width, row = WIDTH - LEFT - RIGHT, 24
    base = row * len(labels) + 6

    def x(value: float) -> float:
        return LEFT + (min(max(value, low), high) - low) / (high - low) * width

    parts = [
        f'<line x1="{x(m):.1f}" x2="{x(m):.1f}" y1="0" y2="{base}" stroke="{GREY}"{"" if m in (0, 100) else dashed}/>'
        for m in marks
        for dashed in [' stroke-dasharray="4 3"']
    ]
    mark = low
    while mark <= high + step / 2:
        parts.append(_text(x(mark), base + 14, f"{mark:g}{unit}", size=10, fill=SOFT, anchor="middle"))
        mark += step
    for i, (label, (value, first, last, hollow)) in enumerate(zip(labels, points, strict=True)):
        y = i * row + row / 2
        parts.append(_text(LEFT - 8, y + 4, _cut(label), anchor="end"))
        if value is None:
            continue
        one, other = x(first if first is not None else value), x(last if last is not None else value)
        parts.append(f'<line x1="{one:.1f}" x2="{other:.1f}" y1="{y}" y2="{y}" stroke="{GREY}" stroke-width="2"/>')
        fill = "#fff" if hollow else COLOURS[0] if value >= marks[len(marks) // 2] else COLOURS[1]
        parts.append(
            f'<circle cx="{x(value):.1f}" cy="{y}" r="4.5" fill="{fill}" stroke="{GREY if hollow else fill}"/>'
        )
        parts.append(_text(other + 8, y + 4, f"{value:,.4g}{unit}", size=10, fill=SOFT))
    return "".join(parts), base + 24


def _ring(data: Data) -> tuple[str, int]:
    total = sum(v or 0 for v in data["data"]) or 1
    parts, angle, radius, middle = [], -pi / 2, 80, (150, 95)
    for n, (label, value) in enumerate(zip(data["labels"], data["data"], strict=True)):
        turn = (value or 0) / total * 2 * pi
        first = (middle[0] + radius * cos(angle), middle[1] + radius * sin(angle))
        angle += min(turn, 2 * pi - 1e-4)
        last = (middle[0] + radius * cos(angle), middle[1] + radius * sin(angle))
        parts.append(
            f'<path d="M{first[0]:.2f} {first[1]:.2f} A{radius} {radius} 0 {int(turn > pi)} 1 {last[0]:.2f} {last[1]:.2f}" fill="none"'
            f' stroke="{COLOURS[n % len(COLOURS)]}" stroke-width="34"/>'
        )
        parts.append(f'<rect x="330" y="{20 + n * 24}" width="11" height="11" fill="{COLOURS[n % len(COLOURS)]}"/>')
        parts.append(_text(348, 30 + n * 24, f"{label}  {_said(value, data)}  {100 * (value or 0) / total:.1f}%"))
    return "".join(parts), max(200, 40 + 24 * len(data["labels"]))


def _legend(series: Sequence[Data]) -> str:
    parts, x = [], 16.0
    for n, s in enumerate(series):
        parts.append(
            f'<rect x="{x:.0f}" y="2" width="11" height="11" fill="{_colour(s, n)}"/>{_text(x + 16, 12, s["name"], size=11, fill=SOFT)}'
        )
        x += 40 + 12 * len(s["name"])
    return "".join(parts)


def _axis(low: float, high: float) -> tuple[float, float, float]:
    """Round ends and step of an axis, about five marks."""
    if high <= low:
        low, high = min(low, 0.0), max(high, low + 1.0)
    rough = (high - low) / 4
    power = 10 ** floor(log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    first, last = floor(low / step) * step, -floor(-high / step) * step
    return first, last, step


def _text(
    x: float, y: float, text: str, *, size: int = 12, fill: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(str(text))}</text>"
    )


def _wrapped(text: str, most: int) -> list[str]:
    """Lines of about ``most`` half-width characters; a Chinese character counts as two."""
    lines, line, width = [], "", 0
    for c in text:
        wide = 2 if ord(c) > 0x2E80 else 1
        if width + wide > most + 24:
            lines.append(line)
            line, width = "", 0
        line, width = line + c, width + wide
    return [*lines, line] if line else lines


def _colour(series: Data, n: int) -> str:
    return GREY if series.get("grey") else COLOURS[n % len(COLOURS)]


def _cut(text: str, most: int = 18) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _said(value: float | None, data: Data) -> str:
    if value is None:
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{shown}{data.get('unit', '')}"


def _with_unit(name: str, data: Data) -> str:
    return f"{name} ({data['unit']})" if data.get("unit") else str(name)
