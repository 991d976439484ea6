"""The words and amounts of the board's figures."""

from __future__ import annotations

from typing import Any

from django import template

from kequn.console.board.shown import title_of
from kequn.console.templatetags.kq import fen, n0
from kequn.ops.board.figures import FIGURES

register = template.Library()


@register.filter
def figure(code: str) -> str:
    """Return what a figure is called."""
    return title_of(code)


@register.simple_tag
def amount(code: str, value: Any) -> str:
    """Return a figure's amount as people read it: money in yuan, the rest as whole numbers."""
    return fen(value) if FIGURES[code].money else n0(value)
