"""Filters for numbers, dates, codes and masked values, and the parts that every page is built of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kequn.console.errors import said
from kequn.console.insight.files import sealed
from kequn.console.tables import Table
from kequn.console.words import tone_of, word_for
from kequn.core.errors import KequnError
from kequn.core.spec.base import Text
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.orgs.queries import branch_names, staff_names, user_names

register = template.Library()
NONE = "–"
Number = int | float | Decimal


@register.filter
def n0(value: Number | None) -> str:
    """Return a whole number with thousands: 17,446."""
    return NONE if value is None or value == "" else f"{round(value):,}"


@register.filter
def n2(value: Number | None) -> str:
    """Return a number with two decimals."""
    return NONE if value is None else f"{value:,.2f}"


@register.filter
def wan(value: Number | None) -> str:
    """Return a large figure as people say it: 3.5 万, 1.26 亿; 35.2k, 1.26m in English.

    >>> wan(34000), wan(126_000_000), wan(980)
    ('3.4 万', '1.26 亿', '980')
    """
    if value is None:
        return NONE
    size = abs(value)
    if (get_language() or "").startswith("en"):
        steps = ((1_000_000_000, "bn", 2), (1_000_000, "m", 2), (10_000, "k", 1))
    else:
        steps = ((100_000_000, "亿", 2), (10_000, "万", 1))
    for unit, word, digits in steps:
        if size >= unit:
            scaled = float(value) / (1_000 if word == "k" else unit)
            return f"{scaled:,.{digits}f}{'' if word in ('k', 'm', 'bn') else ' '}{word}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


@register.filter
def yuan(value: Number | None) -> str:
    """Return an amount of yuan in words of 万 and 亿."""
    return NONE if value is None else wan(value)


@register.filter
def fen(value: Number | None) -> str:
    """Return integer fen as yuan."""
    return NONE if value is None else wan(Decimal(value) / 100)


@register.filter
def pct1(value: Number | None) -> str:
    """Return a share (0–1) in percent with one decimal."""
    return NONE if value is None else f"{100 * float(value):.1f}%"


@register.filter
def points(value: Number | None) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return NONE if value is None else f"{100 * float(value):+.2f}"


@register.filter
def signed(value: Number | None) -> str:
    """Return a number with its sign."""
    return NONE if value is None else f"{float(value):+,.2f}"


@register.filter
def percent_of(value: Number | None, whole: Number | None) -> str:
    """Return a count as a share of another."""
    return NONE if value is None or not whole else f"{100 * float(value) / float(whole):.1f}%"


@register.filter
def dt(value: datetime | date | str | None) -> str:
    """Return a moment as 2026-11-20 14:05 in the bank's zone, a date as 2026-11-20."""
    if not value:
        return NONE
    if isinstance(value, str):
        return value[:16].replace("T", " ")
    if isinstance(value, datetime):
        return (
            timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
            if timezone.is_aware(value)
            else f"{value:%Y-%m-%d %H:%M}"
        )
    return value.isoformat()


@register.filter
def seconds(value: Number | None) -> str:
    """Return a duration: 0.4 s, 2 min 05 s."""
    if value is None:
        return NONE
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60):02d} s"


@register.filter
def said_in(value: Text | str | dict[str, str] | None) -> str:
    """Return a text of a spec in the reader's language."""
    if isinstance(value, dict):
        value = Text(**value) if value.get("zh") else ""
    return value.to(get_language() or "zh") if isinstance(value, Text) else str(value or "")


@register.filter
def word(code: Any, vocabulary: str = "state") -> str:
    """Return the word for a code in the reader's language; the code itself where there is none."""
    return word_for(vocabulary, code)


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """Return one value of a mapping, nothing where it is not there."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.simple_tag
def options(choices: Iterable[Any], chosen: Any, vocabulary: str = "") -> SafeString:
    """Return the options of a select: (value, words) each, or values whose words a vocabulary has; the chosen one marked."""
    pairs = ((c, word_for(vocabulary, c)) if vocabulary else c for c in choices)
    return _options(tuple((str(value), str(words)) for value, words in pairs), str(chosen))


@lru_cache(maxsize=512)  # a page of many conditions holds the same list hundreds of times
def _options(choices: tuple[tuple[str, str], ...], chosen: str) -> SafeString:
    marked = ((value, " selected" if value == chosen else "", words) for value, words in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', marked)


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """Return an icon of the sprite, silent for screen readers."""
    return _icon(name, extra)


@lru_cache(maxsize=1024, typed=True)  # every page has some thirty, the same ones again and again
def _icon(name: str, extra: str) -> SafeString:
    return format_html(
        '<svg class="kq-i {}" aria-hidden="true"><use href="{}#{}"/></svg>', extra, static("vendor/icons.svg"), name
    )


@register.simple_tag
def badge(code: Any, vocabulary: str = "state") -> SafeString:
    """Return a state as a badge, coloured by what it means."""
    return format_html('<span class="kq-badge kq-badge-{}">{}</span>', tone_of(code), word_for(vocabulary, code))


@register.simple_tag(takes_context=True)
def draw(context: template.Context, data: str, size: str = "m") -> SafeString:
    """Return a chart of ``console.charts``; who may take files out gets it with the buttons for that."""
    chart = format_html('<kq-chart data-h="{}" data-chart="{}" hx-morph-skip-children></kq-chart>', size, data)
    request, actor = context.get("request"), context.get("actor")
    if request is None or not (actor and actor.may("export.run")):
        return chart
    tools = render_to_string("parts/chart_tools.html", {"token": get_token(request), "sealed": sealed(actor, data)})
    return format_html('<div class="kq-figure">{}{}</div>', chart, mark_safe(tools))  # noqa: S308 - our own template


@register.filter
def chart_label(data: str) -> str:
    """Return what a chart shows, in words."""
    return str(json.loads(data).get("label", ""))


@register.simple_tag(takes_context=True)
def bank_url(context: template.Context, **changes: str) -> str:
    """Return this page's address with some of its parameters changed; an empty one is left out."""
    query = context["request"].GET.copy()
    for key, value in changes.items():
        query.pop(key, None)
        if value:
            query[key] = value
    return f"?{query.urlencode()}"


@register.inclusion_tag("parts/table_head.html")
def table_head(table: Table) -> dict[str, Any]:
    """Render the head of a table with its sort links."""
    return {"table": table}


@register.inclusion_tag("parts/table_foot.html", takes_context=True)
def table_foot(context: template.Context, table: Table) -> dict[str, Any]:
    """Render the foot of a table: how many, which page, export."""
    return {"table": table, "actor": context.get("actor")}


@register.simple_tag(takes_context=True)
def staff(context: template.Context, staff_no: str, nobody: str = "–") -> str:
    """Return what a member of staff is called; the names are asked for once a page, the reader's own not at all."""
    actor = context.get("actor")
    if actor is not None and staff_no and staff_no == actor.staff_no:
        return str(actor.display_name)
    return _named_once(context, staff_no, "staff_names", staff_names) or nobody


@register.simple_tag(takes_context=True)
def called(context: template.Context, username: str) -> str:
    """Return what the person behind a login is called; as `staff`."""
    return _named_once(context, username, "user_names", user_names) or "–"


@register.simple_tag(takes_context=True)
def branch(context: template.Context, code: str) -> str:
    """Return what a branch is called; as `staff`."""
    actor = context.get("actor")
    if actor is not None and code and code == actor.branch_code and actor.branch_name:
        return str(actor.branch_name)
    return _named_once(context, code, "branch_names", branch_names) or "–"


@register.simple_tag(takes_context=True)
def segment(context: template.Context, name: str) -> str:
    """Return what a segment is called in the reader's language; as `staff`."""
    return _named_once(
        context, name, "segment_titles", lambda: {n: said_in(spec.title) for n, spec in segment_specs().items()}
    )


def _named_once(context: template.Context, code: str, kept: str, ask: Callable[[], dict[str, str]]) -> str:
    request = context.get("request")
    names = getattr(request, kept, None)
    if names is None and code:
        names = ask()
        if request is not None:
            setattr(request, kept, names)
    return (names or {}).get(code, code)


@register.inclusion_tag("parts/error_note.html")
def error_note(error: KequnError | None) -> dict[str, Any]:
    """Render what went wrong and what to do, in place."""
    return {"faults": said(error) if error else []}


@register.inclusion_tag("parts/empty.html")
def empty(icon_name: str, title: str, text: str = "", url: str = "", action: str = "") -> dict[str, Any]:
    """Render the empty state: what would be here, why it is not, one button."""
    return {"icon": icon_name, "title": title, "text": text, "url": url, "action": action}


@register.inclusion_tag("parts/field.html")
def field(bound: Any, extra: str = "") -> dict[str, Any]:
    """Render one field of a form with its label, help and faults."""
    return {"field": bound, "extra": extra}


@register.inclusion_tag("parts/funnel.html")
def funnel(steps: Any, extra: str = "") -> dict[str, Any]:
    """Render steps as bars: (label, count, whole)."""
    rows, before = [], None
    for label, count, whole in steps:
        rows.append(
            {
                "label": label,
                "count": count,
                "whole": whole or 1,
                "share": (count / whole) if whole else None,
                "before": before,
            }
        )
        before = count
    return {"rows": rows, "extra": extra}


@register.filter
def may(actor: Any, right: str) -> bool:
    """Whether the reader has a right: hides what would be refused."""
    return bool(actor and actor.may(right))


@register.filter
def pairs(mapping: Any) -> list[tuple[Any, Any]]:
    """Return a mapping's pairs, whatever its keys are called; nothing for other values, nor for words in two languages."""
    return list(mapping.items()) if isinstance(mapping, dict) and set(mapping) != {"zh", "en"} else []


@register.filter
def plain(value: Any) -> str:
    """Return any value of JSON as people read it."""
    if value is None or value in ("", []):
        return NONE
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return "; ".join(plain(v) for v in value)
    if isinstance(value, dict):
        if set(value) == {"zh", "en"} or set(value) == {"zh"}:
            return said_in(value)
        return "; ".join(f"{word_for('fact', k)}: {plain(v)}" for k, v in value.items())
    return str(value)


@register.filter
def approval_title(approval: Any) -> str:
    """Return what waits for a second person, in the reader's language where both were kept."""
    kept = approval.summary.get("title") or approval.summary.get("spec", {}).get("title")
    return said_in(kept if isinstance(kept, dict) and kept.get("zh") else approval.title)


@register.filter
def task_title(task: Any) -> str:
    """Return a task's title in the reader's language."""
    return task.title_en if (get_language() or "").startswith("en") and task.title_en else task.title_zh


@register.filter
def task_why(task: Any) -> str:
    """Return why a task is there, in the reader's language."""
    return task.why_en if (get_language() or "").startswith("en") and task.why_en else task.why_zh


@register.filter
def words(text: str) -> list[str]:
    """Return the words of a text, for short lists in a template."""
    return text.split()


@register.filter
def titled(name: str | None, titles: dict[str, Text]) -> str:
    """Return what a definition is called; its name where it has no title, nothing for none."""
    return said_in(titles[name]) if name in titles else name or ""
