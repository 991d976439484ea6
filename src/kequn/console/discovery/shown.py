"""What the pages of discovery show: charts, rules in words, and what stands beside the found groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from pydantic import TypeAdapter

from kequn.console import charts
from kequn.core.errors import KequnError
from kequn.core.insight.features import LEFT_OUT
from kequn.core.segments import in_words
from kequn.core.spec.base import Text
from kequn.core.spec.segment import Condition
from kequn.ops.audiences.queries import latest_segments, segment_specs
from kequn.ops.insights.queries import Choice, answer_for, notes_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.queries import catalogue

USUAL_DAYS = 90
CALIBRATED = (0.8, 1.25)
_condition: TypeAdapter[Any] = TypeAdapter(Condition)


def said(text: Text | dict[str, str]) -> str:
    """Return words in the reader's language."""
    return (text if isinstance(text, Text) else Text(**text)).to(get_language() or "zh")


def families(choices: Iterable[Choice], picked: Sequence[str]) -> list[tuple[str, list[tuple[Choice, bool]], int]]:
    """Return the tags of the picker by family, each with whether it is picked, and how many of the family are."""
    found: dict[str, list[tuple[Choice, bool]]] = {}
    for choice in choices:
        found.setdefault(choice.spec.family, []).append((choice, choice.spec.name in picked))
    return [(family, rows, sum(is_picked for _choice, is_picked in rows)) for family, rows in found.items()]


def of_clusters(actor: Actor, row: Any) -> dict[str, Any]:
    """Return the context of a cluster search's page."""
    result = answer_for(actor, row) or {}
    clusters = result.get("clusters", [])
    whole = sum(c["size"] for c in clusters)
    context = {
        "result": result,
        "curve": result["curve"],
        "curve_chart": _curve(result["curve"]),
        "left_out": _left_out(result["left_out"]),
        "used": [(f["tag"], _title(f["tag"]), f["known"]) for f in result["features"]],
    }
    if row.state != "found":
        return context
    titles = {v.name: (said(v.spec.title), v.owner_name) for v in latest_segments(actor)}
    return context | {
        "point": next((p for p in result["curve"] if p["k"] == result["k"]), None),
        "customers": whole,
        "is_scoped": whole != row.result["customers"],
        "size_chart": charts.bars(
            _("各群客户数"),
            [said(c["title"]) for c in clusters],
            (_("客户数"), [c["size"] for c in clusters]),
        ),
        "cards": [_card(actor, row, c, whole, titles) for c in clusters],
        "experts": _experts(result, titles),
        "moved": _moved(result),
    }


def of_alike(actor: Actor, row: Any) -> dict[str, Any]:
    """Return the context of a look-alike search's page."""
    del actor
    result = row.result
    curve = result["curve"]
    sizes = [f"{p['n']:,}" for p in curve]
    reach = result["customers"] - result["seeds"] + result["held_out"]
    low, high = CALIBRATED
    return {
        "result": result,
        "curve": curve,
        "curve_chart": charts.line(
            _("扩展到 n 户时找回的留出种子（%）"),
            sizes,
            (_("找回的留出种子"), [round(100 * p["recall"], 1) for p in curve]),
            (_("95% 下限"), [round(100 * p["recall_low"], 1) for p in curve]),
            (_("随机抽取"), [round(100 * p["n"] / reach, 1) for p in curve]),
            unit="%",
        ),
        "telling": [(t["tag"], _title(t["tag"]), t["alone"], t["weight"]) for t in result["telling"]],
        "excluded": [_title(t) for t in result["excluded"]],
        "telltales": [_title(t) for t in result["telltales"]],
        "left_out": _left_out(result["left_out"]),
        "is_calibrated": low <= result["observed_to_predicted"] <= high,
    }


def usual_expansion(row: Any, today: date) -> dict[str, Any]:
    """Return what the form for an expansion begins with: as many as there are seeds."""
    n = row.result["seeds"]
    return {
        "n": n,
        "title": f"{row.title} · {n}",
        "name": f"{row.name}_{n}",
        "expires_on": today + timedelta(days=USUAL_DAYS),
    }


def notes(actor: Actor, subject_kind: str, subject: str) -> list[dict[str, Any]]:
    """Return the notes on one thing, each with whether it is the reader's own and what it said before."""
    return [
        {"note": n, "mine": n.author_id == actor.user_id, "before": list(n.versions.all())[1:]}
        for n in notes_for(actor, subject_kind, subject)
    ]


def _card(
    actor: Actor, row: Any, cluster: dict[str, Any], whole: int, titles: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    subject = f"{row.pk}:{cluster['code']}"
    return {
        **cluster,
        "said": said(cluster["title"]),
        "share": cluster["size"] / whole if whole else None,
        "words": _words(cluster) if cluster["has_rule"] else "",
        "tgi_chart": _tgi(cluster["telling"]) if cluster["telling"] else "",
        "common": [(c, *titles[c["segment"]]) for c in cluster["common"] if c["segment"] in titles],
        "subject": subject,
        "notes": notes(actor, "cluster", subject),
    }


def _words(cluster: dict[str, Any]) -> str:
    try:
        rule = _condition.validate_python(cluster["rule"])
        return in_words(rule, tags=catalogue(), segments=segment_specs(), language=get_language() or "zh")
    except KequnError as error:
        return str(error)


def _tgi(telling: Sequence[dict[str, Any]]) -> str:
    english = (get_language() or "").startswith("en")
    name, value = ("en", "en") if english else ("zh", "zh")
    points = [
        (f"{d[name]} {d['cell'][value]}", d["cell"]["tgi"], d["cell"]["low"], d["cell"]["high"], d["cell"]["reliable"])
        for d in telling
    ]
    return charts.tgi(_("最不一样的取值"), points)


def _curve(curve: Sequence[dict[str, Any]]) -> str:
    return charts.line(
        _("群数与稳定性、轮廓系数"),
        [str(p["k"]) for p in curve],
        (_("稳定性"), [round(p["stability"], 3) for p in curve]),
        (_("轮廓系数"), [round(p["silhouette"], 3) for p in curve]),
        (_("无结构时的轮廓系数"), [round(p["reference"], 3) for p in curve]),
    )


def _experts(result: dict[str, Any], titles: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """The segments people wrote, each with the found group most like it."""
    named = {c["code"]: said(c["title"]) for c in result["clusters"]}
    rows = [
        {**s, "title": titles[s["name"]][0], "author": titles[s["name"]][1], "cluster": named[s["code"]]}
        for s in result["segments"]
        if s["name"] in titles
    ]
    return sorted(rows, key=lambda s: -s["jaccard"])


def _moved(result: dict[str, Any]) -> dict[str, Any] | None:
    moved = result["continued"]
    if moved is None:
        return None
    rows = [(code, counts, sum(counts)) for code, counts in zip(moved["old_codes"], moved["migration"], strict=True)]
    return {**moved, "rows": rows}


def _left_out(left_out: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(tag, _title(tag), said(LEFT_OUT[why])) for tag, why in left_out.items()]


def _title(tag: str) -> str:
    specs = catalogue()
    return said(specs[tag].title) if tag in specs else tag
