"""What a chart shows, as data; how it looks is the browser's business."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def chart(kind: str, label: str, **data: Any) -> str:
    """Return the JSON of one ``<kq-chart>``; ``label`` says in words what it shows."""
    return json.dumps({"kind": kind, "label": str(label), **data}, ensure_ascii=False, default=str)


def bars(label: str, labels: Sequence[str], *series: tuple[str, Sequence[float | None]], unit: str = "") -> str:
    """Return horizontal bars, one group a label; of two series the second is the grey one to compare with."""
    return chart("bars", label, labels=list(labels), unit=unit, series=_series(series))


def columns(label: str, labels: Sequence[str], *series: tuple[str, Sequence[float | None]], unit: str = "") -> str:
    """Return upright columns: a distribution."""
    return chart("columns", label, labels=list(labels), unit=unit, series=_series(series))


def line(label: str, labels: Sequence[str], *series: tuple[str, Sequence[float | None]], unit: str = "") -> str:
    """Return lines over dates."""
    return chart(
        "line", label, labels=list(labels), unit=unit, series=[{"name": n, "data": list(d)} for n, d in series]
    )


def tgi(label: str, points: Iterable[tuple[str, float, float | None, float | None, bool]]) -> str:
    """Return dots about 100: (label, index, low, high, whether the sample suffices)."""
    rows = list(points)
    dots = [{"v": v, "low": low, "high": high, "hollow": not firm} for _name, v, low, high, firm in rows]
    return chart("tgi", label, labels=[r[0] for r in rows], points=dots)


def intervals(label: str, items: Iterable[tuple[str, float, float, float]], *, unit: str = "") -> str:
    """Return points with their 95% intervals against zero: (label, point, low, high)."""
    rows = [{"label": name, "point": point, "low": low, "high": high} for name, point, low, high in items]
    return chart("interval", label, items=rows, unit=unit)


def donut(label: str, labels: Sequence[str], data: Sequence[float], *, unit: str = "") -> str:
    """Return parts of a whole, five at most."""
    return chart("donut", label, labels=list(labels), data=list(data), unit=unit)


def told(chart: str, *, note: str = "", as_of: Any = "") -> str:
    """Return a chart with what its file says beneath it: the definition and the date of the data."""
    return json.dumps(json.loads(chart) | {"note": str(note), "as_of": str(as_of)}, ensure_ascii=False)


def _series(series: Sequence[tuple[str, Sequence[float | None]]]) -> list[dict[str, Any]]:
    return [{"name": str(name), "data": list(data), "grey": n == 1} for n, (name, data) in enumerate(series)]
