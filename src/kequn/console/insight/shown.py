"""A segment's note and the bank's KPIs as pages show them: charts, tables and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kequn.console import charts
from kequn.console.templatetags.kq import NONE, n0, n2, pct1, wan
from kequn.console.words import word_for
from kequn.core.insight import Driver, Drivers, Figure, Kpi, Profile
from kequn.core.insight.answers import Answers, Rate
from kequn.core.insight.money import CashFlow, Worth
from kequn.core.insight.products import Holding, Holdings
from kequn.core.insight.sentences import FAMILY_WORDS
from kequn.core.spec.base import Text
from kequn.ops.analysis.contracts import BankTable, NoteBlock, Row
from kequn.ops.analysis.queries import why

HEADLINES = ("aum_eod", "aum_net_new", "cust_total", "cust_effective", "mau", "product_per_cust")
SPLIT = ("net_new_inflow", "net_new_market", "net_new_tier", "net_new_customers")
MOST_BARS = 14


def said(text: Text | None) -> str:
    """Return a text in the reader's language."""
    return text.to(get_language() or "zh") if text else ""


def amount(value: float | None, unit: str) -> str:
    """Return a figure as people read it."""
    if value is None:
        return NONE
    words: dict[str, Callable[[Any], str]] = {"share": pct1, "count": n0, "number": n2, "per10k": n2}
    if unit in words:
        return words[unit](value)
    return _("%s 元") % wan(round(value, 2)) if abs(value) < 10_000 else wan(value)


# -- a segment's note ---------------------------------------------------------------------------------------------------


def of_block(block: NoteBlock) -> dict[str, Any]:
    """Return what the part of a page shows of one block: its sentence, charts (drawing, size) and tables."""
    shown: dict[str, Any] = {"block": block, "title": said(block.title), "sentence": said(block.sentence)}
    makers: dict[str, Callable[[NoteBlock], dict[str, Any]]] = {
        "who": _who, "different": _different, "products": _products, "rhythm": _rhythm, "channels": _channels,
        "worth": _worth, "answers": _answers,
    }  # fmt: skip
    made = makers[block.name](block) if block.data else {}
    note = shown["sentence"]
    made["charts"] = [
        (charts.told(chart, note=note, as_of=block.as_of), size) for chart, size in made.get("charts", ())
    ]
    return shown | made


def _who(block: NoteBlock) -> dict[str, Any]:
    profile: Profile = block.data["profile"]
    drawn = []
    sizes = block.data["sizes"]
    if len(sizes) > 1:
        drawn.append(
            (charts.columns(_("各日期的客户数"), [d for d, _n in sizes], (_("客户数"), [n for _d, n in sizes])), "s")
        )
    for tag in profile.tags:
        cells = [c for c in tag.cells if c.share is not None][:MOST_BARS]
        title = tag.en if _english() else tag.zh
        drawn.append(
            (
                charts.bars(
                    _("%s：客群与全行的占比") % title, [(c.en if _english() else c.zh) or c.value for c in cells],
                    (_("客群占比"), [_percent(c.share) for c in cells]), (_("全行占比"), [_percent(c.bank_share) for c in cells]),
                    unit="%",
                ),
                "m",
            )
        )  # fmt: skip
    return {"charts": drawn, "is_grid": True}


def _different(block: NoteBlock) -> dict[str, Any]:
    found = block.data["differences"]
    names = [
        f"{d.en if _english() and d.en else d.zh}: {(d.cell.en if _english() else d.cell.zh) or d.cell.value}"
        for d in found
    ]
    dots = [
        (name, d.cell.tgi, d.cell.low, d.cell.high, d.cell.reliable)
        for name, d in zip(names, found, strict=True)
        if d.cell.tgi is not None
    ]
    rows = [
        [
            name,
            pct1(d.cell.share),
            pct1(d.cell.bank_share),
            n0(d.cell.tgi),
            f"{n0(d.cell.low)}–{n0(d.cell.high)}",
            n0(d.cell.n),
        ]
        for name, d in zip(names, found, strict=True)
    ]
    drawn = [(charts.tgi(_("与全行差异最大的标签取值，TGI 100 为全行水平"), dots), "l")] if dots else []
    drivers: Drivers = block.data["drivers"]
    if drivers.drivers:
        points = [(_driver(d), d.difference.point, d.difference.low, d.difference.high) for d in drivers.drivers]
        drawn.append((charts.intervals(_("与同年龄、同层级的其他客户相比（百分点，95% 区间）"), points), "l"))
    return {
        "charts": drawn, "is_grid": True, "remark": _about(drivers),
        "heads": [_("标签与取值"), _("客群占比"), _("全行占比"), "TGI", _("95% 区间"), _("客户数")], "rows": rows,
    }  # fmt: skip


def _driver(d: Driver) -> str:
    name = f"{said(d.title)}: {said(d.value_title)}" if d.measure == "share" else said(d.title)
    return _("%s（名次）") % name if d.measure == "rank" else name


def _about(drivers: Drivers) -> str:
    """What the comparison of equals rests on."""
    if drivers.too_few:
        return _("人数太少，不与同年龄、同层级的客户比较。")
    found = {"n": n0(drivers.considered), "share": pct1(drivers.compared), "k": len(drivers.drivers)}
    return (
        _(
            "与同年龄、同层级的客户比较：看了 %(n)s 项，%(k)s 项可靠；%(share)s 的成员有可比客户。名次以 50 为无差异。是对照，不是原因。"
        )
        % found
    )


def _products(block: NoteBlock) -> dict[str, Any]:
    held: Holdings = block.data["holdings"]
    known = [h for h in held.holdings if h.rate is not None]
    chart = charts.bars(
        _("各类产品持有率：客群与同层级客户"), [said(FAMILY_WORDS[h.family]) for h in known],
        (_("客群"), [_percent(h.rate) for h in known]), (_("同层级"), [_percent(h.peer_rate) for h in known]), unit="%",
    )  # fmt: skip
    return {
        "charts": [(chart, "l")],
        "heads": [_("产品类"), _("持有率"), _("95% 区间"), _("全行"), _("同层级"), _("少持有（区间）"), _("约差户数"), _("机会金额")],
        "rows": [_holding(h) for h in held.holdings],
    }  # fmt: skip


def _holding(h: Holding) -> list[str]:
    name = said(FAMILY_WORDS[h.family])
    if h.rate is None:
        return [name, _("不足 5 户，不显示"), NONE, pct1(h.bank_rate), NONE, NONE, NONE, NONE]
    gap = (
        f"{_points_of(h.gap)} ({_points_of(h.gap_low or 0)}–{_points_of(h.gap_high or 0)})"
        if h.gap is not None
        else NONE
    )
    more = f"{n0(h.customers)} ({n0(h.customers_low)}–{n0(h.customers_high)})" if h.is_clear and h.customers else NONE
    money = amount(h.amount_fen / 100, "cny") if h.is_clear and h.customers and h.amount_fen else NONE
    return [name, pct1(h.rate), f"{pct1(h.low)}–{pct1(h.high)}", pct1(h.bank_rate), pct1(h.peer_rate), gap, more, money]


def _rhythm(block: NoteBlock) -> dict[str, Any]:
    flow: CashFlow = block.data["flow"]
    if not flow.receipts:
        return {}
    days = [str(d) for d in range(1, 32)]
    return {
        "charts": [
            (
                charts.columns(
                    _("外部流入在每月各日的占比（按笔数）"), days, (_("客群"), [_percent(s) for s in flow.by_day]),
                    (_("全行"), [_percent(s) for s in flow.bank_by_day]), unit="%",
                ),
                "m",
            ),
            (
                charts.columns(
                    _("客群各月外部流入与流出（元）"), list(flow.months), (_("流入"), [f / 100 for f in flow.inflow_fen]),
                    (_("流出"), [f / 100 for f in flow.outflow_fen]),
                ),
                "m",
            ),
        ],
        "is_grid": True,
    }  # fmt: skip


def _channels(block: NoteBlock) -> dict[str, Any]:
    answers: Answers = block.data["answers"]
    channels = _points(answers.channels, lambda key: word_for("channel", key))
    hours = _points(answers.hours, _hour)
    drawn = [
        (_("各渠道响应率（向全行平滑，95% 区间）"), channels),
        (_("响应发生在各时段的占比（向全行平滑，95% 区间）"), hours),
    ]
    kept = [(charts.intervals(label, points, unit="%"), "m") for label, points in drawn if points]
    return {
        "charts": kept, "is_grid": True,
        "heads": [_("渠道"), _("送达"), _("响应"), _("平滑后响应率"), _("95% 区间"), _("全行响应率")],
        "rows": [_rate(r, word_for("channel", r.key)) for r in answers.channels],
    }  # fmt: skip


def _worth(block: NoteBlock) -> dict[str, Any]:
    worth: Worth = block.data["worth"]
    chart = charts.line(
        _("户均 AUM（元），现在的成员回看"), list(worth.months), (_("客群"), [_yuan(v) for v in worth.per_head]),
        (_("全行"), [_yuan(v) for v in worth.bank_per_head]),
    )  # fmt: skip
    return {"charts": [(chart, "m")]}


def _answers(block: NoteBlock) -> dict[str, Any]:
    answers: Answers = block.data["answers"]
    items = [(r.key, r.smoothed, r.low, r.high) for r in answers.campaigns if r.smoothed is not None]
    points = [(k, 100 * p, 100 * (low or 0), 100 * (high or 0)) for k, p, low, high in items]
    return {
        "charts": [(charts.intervals(_("以往各活动的响应率（95% 区间）"), points, unit="%"), "m")] if points else [],
        "heads": [_("活动"), _("送达"), _("响应"), _("响应率"), _("95% 区间"), _("全行响应率")],
        "rows": [_rate(r, r.key) for r in answers.campaigns],
        "controls": [(c, said(c.title), said(c.sentence)) for c in block.data.get("controls", ())],
    }  # fmt: skip


def _rate(r: Rate, name: str) -> list[str]:
    if r.n is None:
        return [name, _("不足 5 次，不显示"), NONE, NONE, NONE, pct1(r.bank_rate)]
    mark = _("（少）") if r.is_few else ""
    return [name, n0(r.n) + mark, n0(r.k), pct1(r.smoothed), f"{pct1(r.low)}–{pct1(r.high)}", pct1(r.bank_rate)]


def _points(rates: Sequence[Rate], name: Callable[[str], str]) -> list[tuple[str, float, float, float]]:
    return [
        (name(r.key), 100 * r.smoothed, 100 * (r.low or 0), 100 * (r.high or 0))
        for r in rates
        if r.smoothed is not None
    ]


def _hour(key: str) -> str:
    first, last = key.split("-")
    return f"{int(first):02d}:00–{int(last):02d}:00"


# -- the bank -----------------------------------------------------------------------------------------------------------


def of_bank(table: BankTable, kpis: Sequence[Kpi], picked: Kpi) -> dict[str, Any]:
    """Return what the bank page shows: headlines, the split of net new assets, all KPIs, and the one picked in parts."""
    by_name = {k.name: k for k in kpis}
    before = table.months.index(table.period.label) - 1
    last = table.trend[before].figures if before >= 0 else {}
    here = table.whole.figures
    return {
        "table": table,
        "headlines": [(by_name[n], _told(by_name[n], here[n]), _change(by_name[n], here[n], last.get(n))) for n in HEADLINES if n in here],
        "split": _split(table, by_name),
        "kpis": [(k, _told(k, here[k.name]), _change(k, here[k.name], last.get(k.name))) for k in kpis],
        "picked": picked,
        "formula": said(picked.formula),
        "caveat": said(picked.caveat),
        "picked_told": _told(picked, here[picked.name]),
        "quotient": _quotient(picked, here[picked.name]),
        "parts": [_part(row, picked) for row in table.rows],
        "part_charts": _part_charts(table, picked),
    }  # fmt: skip


def _part(row: Row, picked: Kpi) -> tuple[Row, str, dict[str, Any], str]:
    found = row.figures[picked.name]
    return row, said(row.title), _told(picked, found), _quotient(picked, found)


def _told(kpi: Kpi, found: Figure) -> dict[str, Any]:
    """A figure in words, or why there is none, and whether it rests on few."""
    return {
        "text": amount(found.value, kpi.unit),
        "why": "" if found.value is not None else said(why(kpi, found)),
        "is_few": found.is_few,
    }


def _change(kpi: Kpi, now: Figure, before: Figure | None) -> str:
    if before is None or now.value is None or before.value is None:
        return ""
    change = now.value - before.value
    if kpi.unit == "share":
        return _("%s 个百分点") % _points_of(change)
    sign = "+" if change >= 0 else "−"
    return f"{sign}{amount(abs(change), kpi.unit)}"


def _quotient(kpi: Kpi, found: Figure) -> str:
    if found.bottom is None or found.top is None:
        return ""
    money = {"top": kpi.unit == "cny" or found.top != round(found.top), "bottom": False}
    return f"{amount(found.top, 'cny') if money['top'] else wan(found.top)} ÷ {wan(found.bottom)}"


def _split(table: BankTable, by_name: dict[str, Kpi]) -> dict[str, Any] | None:
    figures = table.whole.figures
    known = [(by_name[n], figures[n].value) for n in SPLIT if n in figures and figures[n].value is not None]
    if len(known) < len(SPLIT) or figures["aum_net_new"].value is None:
        return None
    chart = charts.columns(
        _("净新增 AUM 的构成（元）"),
        [_short(k) for k, _v in known],
        (_("元"), [round(v or 0, 2) for _k, v in known]),
    )
    rows = [(_short(k), amount(v, "cny")) for k, v in known]
    note = _("净新增 = 老客户净流入 + 市值及其他 + 层级迁移 + 新客与销户")
    return {
        "chart": charts.told(chart, note=note, as_of=table.data_date), "rows": rows, "whole": amount(figures["aum_net_new"].value, "cny"),
    }  # fmt: skip


def _short(kpi: Kpi) -> str:
    words = {
        "net_new_inflow": _("老客户净流入"), "net_new_market": _("市值及其他"), "net_new_tier": _("层级迁移"),
        "net_new_customers": _("新客与销户"),
    }  # fmt: skip
    return words[kpi.name]


def _part_charts(table: BankTable, kpi: Kpi) -> list[tuple[str, str]]:
    unit, scale = ("%", 100.0) if kpi.unit == "share" else ("", 1.0)
    name = _("%s（元）") % said(kpi.title) if kpi.unit == "cny" else said(kpi.title)
    note = f"{said(kpi.formula)} {said(kpi.caveat)}"

    def values(rows: Sequence[Any]) -> list[float | None]:
        found = [row.figures[kpi.name].value for row in rows]
        return [None if v is None else round(v * scale, 4) for v in found]

    drawn = []
    if sum(v is not None for v in values(table.trend)) > 1:
        chart = charts.line(
            _("%s：各月走势") % (f"{name} (%)" if unit else name), list(table.months), (name, values(table.trend))
        )
        drawn.append((charts.told(chart, note=note, as_of=table.data_date), "s"))
    if table.by != "month" and any(v is not None for v in values(table.rows)):
        rows = [r for r in table.rows if r.figures[kpi.name].value is not None][:30]
        draw = charts.columns if any((v or 0) < 0 for v in values(rows)) else charts.bars
        chart = draw(_("%s：各部分") % name, [said(r.title) for r in rows], (name, values(rows)), unit=unit)
        drawn.append((charts.told(chart, note=note, as_of=table.data_date), "m" if len(rows) < 9 else "l"))
    return drawn


def _points_of(share: float) -> str:
    """A difference of shares in points with its sign; what rounds to nothing has none."""
    rounded = round(100 * share, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _yuan(fen: float | None) -> float | None:
    return None if fen is None else round(fen / 100, 2)


def _english() -> bool:
    return (get_language() or "zh").startswith("en")
