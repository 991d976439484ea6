"""The conditions of a list that somebody asks to take out, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kequn.console.books.shown import chips
from kequn.console.words import word_for
from kequn.core.errors import KequnError
from kequn.ops.books.services import filter_of
from kequn.ops.ownership.queries import REASONS
from kequn.ops.tags.queries import catalogue


def conditions_said(asked: Mapping[str, str]) -> list[str]:
    """Return the conditions one by one; none for a list that is asked for whole."""
    return [words for name, value in asked.items() for words in _said(name, value)]


def _said(name: str, value: str) -> list[str]:
    match name:
        case "query":
            try:
                wanted = filter_of(value)
            except KequnError:
                return [value]
            titles = {
                f"circle:{wanted.circle}": _("商圈 %s") % wanted.circle,
                f"segment:{wanted.segment}": _("客群 %s") % wanted.segment,
            }
            return [words for words, _address in chips(wanted, catalogue(), titles)]
        case "staff":
            return [_("客户经理 %s") % value]
        case "reason":
            return [_("原因：%s") % REASONS.get(value, value)]
        case "state":
            words = (word_for(kind, value) for kind in ("notice_state", "wecom_state", "state", "correction"))
            return [_("状态：%s") % next((w for w in words if w != value), value)]
        case "segment":
            return [_("客群 %s") % value]
        case "version":
            return [_("版本 %s") % value]
        case "on":
            return [_("日期 %s") % value]
        case "tags":
            specs, language = catalogue(), get_language() or "zh"
            return [_("标签：%s") % specs[t].title.to(language) for t in value.split(",") if t in specs]
        case "format" | "pin":
            return []
        case "channel":
            return [_("渠道：%s") % word_for("channel", value)]
    return [_("活动：%s") % value]
