"""A tag between two dates: who moved from which value to which, and the tiers month by month."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console import charts
from kequn.console.access import Request, page
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import Transitions
from kequn.ops.tags.history import TIER, months_for, tier_months_for, transitions_for
from kequn.ops.tags.queries import tag_for

SHADES = 4


@page("tag.view")
def transitions(request: Request, name: str) -> HttpResponse:
    """Show the matrix of one tag between two dates; as a file it is the matrix."""
    spec, language = tag_for(request.actor, name), get_language() or "zh"
    days = months_for(request.actor, name)
    context: dict[str, Any] = {"spec": spec, "days": days}
    columns: tuple[Column, ...] = (Column(lazy("原来"), "title"),)
    rows: list[dict[str, Any]] = []
    try:
        found = transitions_for(request.actor, name, earlier=_day(request, "from"), later=_day(request, "to"))
    except KequnError as error:
        context["error"] = error
    else:
        titles = _titles(spec, found, language)
        rows = [_row(title, found, i) for i, title in enumerate(titles)]
        columns += tuple(Column(t, lambda r, i=i: r["n"][i], number=True) for i, t in enumerate(titles))
        columns += (Column(lazy("合计"), lambda r: r["whole"], number=True),)
        context |= {"found": found, "titles": titles, "began": found.began, "is_tier": name == TIER}
        context |= {"risen": found.moved(up=True), "fallen": found.moved(up=False)}
    if name == TIER:
        context |= _months(request, spec, language)
    heading = _("%s：迁移矩阵") % spec.title.to(language)
    return listing(request, "tags/transitions.html", _table(request, rows, columns, name), heading, context)


def _table(request: Request, rows: list[dict[str, Any]], columns: tuple[Column, ...], name: str) -> Table:
    first = Column(columns[0].title, lambda r: r["title"])
    return Table(request, rows, (first, *columns[1:]), name=f"transitions-{name}", per_page=100)


def _row(title: str, found: Transitions, i: int) -> dict[str, Any]:
    n = found.n[i]
    whole = sum(n)
    cells = [(x, min(SHADES, -(-SHADES * x // whole)) if whole and j != i else 0, j == i) for j, x in enumerate(n)]
    return {"title": title, "n": n, "whole": whole, "cells": cells}


def _titles(spec: TagSpec, found: Transitions, language: str) -> list[str]:
    words = {code: text.to(language) for code, text in spec.values.items()}
    return [words.get(state, _("不在册或无值")) for state in found.states]


def _months(request: Request, spec: TagSpec, language: str) -> dict[str, Any]:
    months = tier_months_for(request.actor)
    if not months:
        return {}
    names = [m.month.strftime("%Y-%m") for m in months]
    moves = charts.line(
        _("每月升层与降层的客户数"),
        names,
        (_("升层"), [m.risen for m in months]),
        (_("降层"), [m.fallen for m in months]),
    )
    tiers = [text.to(language) for text in spec.values.values()]
    return {"months": months, "moves": moves, "tiers": tiers}


def _day(request: Request, field: str) -> date | None:
    try:
        return date.fromisoformat(request.GET.get(field, ""))
    except ValueError:
        return None
