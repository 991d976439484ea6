"""A segment's profile, members and history as a page shows them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from kequn.console import charts
from kequn.console.words import word_for
from kequn.core.errors import KequnError
from kequn.core.insight import Profile
from kequn.core.segments import in_words, tags_in, understand
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.value import say_value
from kequn.ops.audiences.contracts import MembersPage
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.runtime import engine
from kequn.ops.tags.queries import catalogue

USUAL = (
    "value_tier",
    "asset_aum",
    "asset_aum_cny",
    "asset_aum_now",
    "asset_aum_avg_30d",
    "demo_age",
    "demo_age_band",
    "risk_level",
)
MOST_CELLS = 14


def of_profile(profile: Profile, language: str, tag: str, family: str) -> dict[str, Any]:
    """Return what the profile page shows: the top differences, one tag in full, and the tags by family."""
    english = language.startswith("en")
    families = list(dict.fromkeys(t.family for t in profile.tags))
    differences = profile.top_differences
    asked = [tag, differences[0].tag if differences else "", *(t.tag for t in profile.tags if t.family == family)]
    by_name = {t.tag: t for t in profile.tags}
    picked = next((by_name[t] for t in asked if t in by_name), profile.tags[0] if profile.tags else None)
    family = family if family in families else (picked.family if picked else "")
    context: dict[str, Any] = {
        "profile": profile,
        "families": [(f, word_for("family", f)) for f in families],
        "family": family,
        "of_family": [t for t in profile.tags if t.family == family],
        "picked": picked,
        "differences": [(d, _named(d, english), _words(d.cell, english)) for d in differences],
        "english": english,
    }
    if differences:
        dots = [
            (f"{_named(d, english)}: {_words(d.cell, english)}", d.cell.tgi, d.cell.low, d.cell.high, d.cell.reliable)
            for d in differences if d.cell.tgi is not None
        ]  # fmt: skip
        context["difference_chart"] = charts.tgi(_("与全行差异最大的标签取值，TGI 100 为全行水平"), dots)
    if picked:
        cells = [c for c in picked.cells if c.share is not None][:MOST_CELLS]
        context["cells"] = [(c, _words(c, english)) for c in picked.cells]
        context["share_chart"] = charts.bars(
            _("%s：客群与全行的占比") % _named(picked, english),
            [_words(c, english) for c in cells],
            (_("客群占比"), [round(100 * (c.share or 0), 2) for c in cells]),
            (_("全行占比"), [round(100 * (c.bank_share or 0), 2) for c in cells]),
            unit="%",
        )
    return context


def usual_tags(spec: SegmentSpec) -> list[str]:
    """Return the tags that a list of members shows unless asked otherwise: those of the rule, then a few that all know."""
    tags = catalogue()
    try:
        of_rule = tags_in(understand(spec, tags=tags, segments=segment_specs() | {spec.name: spec}))
    except KequnError:
        of_rule = ()
    days = engine().manifest.dates
    computed = days[max(days)].tags if days else {}
    wanted = dict.fromkeys([*of_rule, *USUAL])
    return [t for t in wanted if t in computed and t in tags and tags[t].sensitivity != "X"][:6]


def of_members(page: MembersPage, language: str) -> list[tuple[Any, list[str]]]:
    """Return each member with her tags in words."""
    tags = catalogue()
    return [(m, [said(tags[t], v, language) for t, v in zip(page.tags, m.tags, strict=True)]) for m in page.members]


def said(spec: Any, value: Any, language: str) -> str:
    """Return a tag's value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return "、".join(said(spec, v, language) for v in value)
    if isinstance(value, float):
        value = Decimal(repr(round(value, 4)))
    try:
        return say_value(spec.type, value, language, words=spec.values)
    except KequnError:
        return str(value)


def of_versions(rows: Iterable[Any], language: str) -> list[dict[str, Any]]:
    """Return the versions, the newest first, each with its rule in words and whether the rule changed."""
    found, after = [], None
    for row in rows:
        try:
            words = in_words(
                row.spec, tags=catalogue(), segments=segment_specs() | {row.name: row.spec}, language=language
            )
        except KequnError as error:
            words = str(error)
        found.append({"row": row, "words": words})
        if after is not None:
            after["before"] = words
        after = found[-1]
    return found


def _named(thing: Any, english: bool) -> str:
    return thing.en if english and thing.en else thing.zh


def _words(cell: Any, english: bool) -> str:
    return (cell.en if english else cell.zh) or cell.value
