"""What a list of customers shows: heads, cells, chips of the filter, the choices of its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kequn.console.books.words import COLUMNS, CONTACTS, DUES, NUMBERS, PRODUCTS, QUICK, REACH
from kequn.console.templatetags.kq import dt, n0, yuan
from kequn.console.words import word_for
from kequn.core.spec.base import Text
from kequn.core.spec.tag import TagSpec
from kequn.ops.books.contracts import BookFilter, BookPage, BookRow
from kequn.ops.books.queries import USUAL, filter_pairs

Chip = tuple[str, str]
"""Words, and the address without the condition."""


def columns_of(wanted: BookFilter, *, others: bool) -> tuple[str, ...]:
    """Return the columns of a list; ``others``: the reader sees more books than her own."""
    shown = wanted.show or (*USUAL, *(("staff",) if others else ()))
    return tuple(c for c in COLUMNS if c in shown)


def heads(wanted: BookFilter, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the heads with the address that sorts by each."""
    found = []
    for code in columns:
        state = {code: "ascending", f"-{code}": "descending"}.get(wanted.sort, "")
        first = f"-{code}" if code in NUMBERS else code
        following = {"ascending": f"-{code}", "descending": code}.get(state, first)
        url = "?" + urlencode(filter_pairs(replace(wanted, sort=following)) or [("sort", following)])
        found.append({"title": COLUMNS[code], "url": url, "state": state, "number": code in NUMBERS})
    return found


def cells(row: BookRow, columns: Sequence[str], specs: Mapping[str, TagSpec]) -> list[dict[str, Any]]:
    """Return the cells of a row."""
    return [
        {"code": c, "title": COLUMNS[c], "text": text_of(row, c, specs), "number": c in NUMBERS, "tone": _tone(row, c)}
        for c in columns
    ]


def text_of(row: BookRow, code: str, specs: Mapping[str, TagSpec]) -> str:
    """Return one cell in words; empty where nothing is known."""
    if code in ("staff", "branch"):
        return row.person.rm_no if code == "staff" else row.person.branch_code
    value = getattr(row, code)
    tag = {"tier": "asset_tier", "stage": "life_stage"}.get(code)
    if tag and value in specs[tag].values:
        return specs[tag].values[value].to(get_language() or "zh")
    match value:
        case None | ():
            return ""
        case tuple():
            return _("、").join(value)
        case Decimal():
            return moved(value) if code == "change" else yuan(value)
        case int():
            return n0(value)
        case date() | datetime():
            return dt(value)
    return str(value)


def moved(yuan_moved: Decimal) -> str:
    """Return a change in whole yuan with its sign; nothing moved is 0."""
    whole = round(yuan_moved)
    return f"{whole:+,}" if whole else "0"


def sums(page: BookPage, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the cells of the row of totals, of all customers who meet the filter."""
    known = {"aum": (yuan(page.aum), page.aum_known), "change": (moved(page.change), page.change_known)}
    return [{"text": known[c][0], "known": known[c][1]} if c in known else {"text": "", "known": None} for c in columns]


def said(text: Text) -> str:
    """Return a text of a spec in the reader's language."""
    return text.to(get_language() or "zh")


def _tone(row: BookRow, code: str) -> str:
    if code != "change" or not row.change:
        return ""
    return "kq-up" if row.change > 0 else "kq-down"


def chips(wanted: BookFilter, specs: Mapping[str, TagSpec], titles: Mapping[str, str]) -> list[Chip]:
    """Return the conditions of a filter in words, each with the address that leaves it out."""
    pairs = filter_pairs(wanted)
    found = []
    for i, (name, value) in enumerate(pairs):
        if name not in ("sort", "show"):
            rest = [p for j, p in enumerate(pairs) if j != i]
            found.append((_in_words(name, value, specs, titles), "?" + urlencode(rest or [("all", "1")])))
    return found


def _in_words(name: str, value: str, specs: Mapping[str, TagSpec], titles: Mapping[str, str]) -> str:
    language = get_language() or "zh"
    match name:
        case "tier" | "stage":
            texts = specs["asset_tier" if name == "tier" else "life_stage"].values
            return texts[value].to(language) if value in texts else value
        case "aum_min":
            return _("AUM ≥ %s 元") % value
        case "aum_max":
            return _("AUM ≤ %s 元") % value
        case "change_min":
            return _("30 天变动 ≥ %s 元") % value
        case "change_max":
            return _("30 天变动 ≤ %s 元") % value
        case "contact":
            return str(CONTACTS.get(value, value))
        case "due":
            return str(DUES[value])
        case "held":
            return _("有%s") % PRODUCTS[value]
        case "missing":
            return _("缺%s") % PRODUCTS[value]
        case "maturing":
            return _("%s 天内有到期") % value
        case "month":
            return _("%s 月生日") % value
        case "reach":
            return str(REACH[value])
        case "test":
            tag, _colon, rest = value.partition(":")
            op, _colon, wanted = rest.partition(":")
            spec = specs.get(tag)
            shown = spec.values[wanted].to(language) if spec and wanted in spec.values else word_for("truth", wanted)
            return f"{spec.title.to(language) if spec else tag} {word_for('op', op)} {shown}".strip()
    return titles.get(f"{name}:{value}", value)


def quick(today: date) -> list[tuple[str, str]]:
    """Return the filters one tap away: words and address."""
    birthdays = (_("本月生日"), {"month": str(today.month)})
    return [(str(words), "?" + urlencode(query)) for words, query in (*QUICK, birthdays)]


def form_choices(specs: Mapping[str, TagSpec], *, others: bool) -> dict[str, Any]:
    """Return what the filter's form offers."""
    language = get_language() or "zh"

    def texts(tag: str) -> list[tuple[str, str]]:
        return [(code, text.to(language)) for code, text in specs[tag].values.items()]

    return {
        "tiers": texts("asset_tier"), "stages": texts("life_stage"), "products": list(PRODUCTS.items()),
        "contacts": list(CONTACTS.items()), "dues": list(DUES.items()), "reaches": list(REACH.items()),
        "months": range(1, 13), "columns": [(c, t) for c, t in COLUMNS.items() if others or c not in ("staff", "branch")],
    }  # fmt: skip
