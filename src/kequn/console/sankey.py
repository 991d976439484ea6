"""A migration as ribbons between two columns of bars, drawn on the server as SVG: it prints and needs no script."""

from __future__ import annotations

from dataclasses import dataclass

from kequn.core.segments.migration import Migration

WIDTH, BAR, GAP, LEAST = 960, 14, 6, 2.0
HEIGHT = 380
MARGIN, EDGE = 190, 8
"""Room for the words beside the bars, and above the first and below the last."""
LINE = 18.0
"""A bar takes at least the height of its words."""
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Node:
    """One bar: a group on one of the dates."""

    x: int
    y: float
    height: float
    colour: int
    """0 is grey: those in none of the groups, or not customers."""
    title: str
    size: int
    is_left: bool

    @property
    def middle(self) -> float:
        """Where its words stand."""
        return self.y + self.height / 2 + 4

    @property
    def text_x(self) -> int:
        """Where its words begin or end."""
        return self.x - 6 if self.is_left else self.x + BAR + 6


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Customers that went from one group to another, as a closed path."""

    path: str
    colour: int
    words: str


@dataclass(frozen=True, slots=True)
class Sankey:
    """What the template draws."""

    width: int
    height: int
    bar: int
    nodes: tuple[Node, ...]
    ribbons: tuple[Ribbon, ...]


def sankey(found: Migration, language: str) -> Sankey:
    """Return the drawing of a migration; flows of nobody are left out."""
    total = sum(map(sum, found.matrix))
    titles = [group.title.to(language) for group in found.groups]
    sides = (found.sizes_before, found.sizes_after)
    shown = [[i for i, size in enumerate(sizes) if size] for sizes in sides]
    most = max(map(len, shown), default=0)
    scale = max(HEIGHT - GAP * most, HEIGHT / 2) / total if total else 0.0
    nodes: list[Node] = []
    tops: list[dict[int, float]] = []
    for side, (sizes, rows) in enumerate(zip(sides, shown, strict=True)):
        y, top = float(EDGE), {}
        for i in rows:
            tall = max(sizes[i] * scale, LEAST)
            slack = max(LINE - tall, 0) / 2
            x = MARGIN if side == 0 else WIDTH - MARGIN - BAR
            nodes.append(Node(x, round(y + slack, 1), round(tall, 1), _colour(i), titles[i], sizes[i], side == 0))
            top[i] = y + slack
            y += tall + 2 * slack + GAP
        tops.append(top)
    bottom = max((n.y + n.height for n in nodes), default=0)
    return Sankey(WIDTH, int(bottom) + 2 * EDGE, BAR, tuple(nodes), _ribbons(found, titles, tops, scale))


def _ribbons(found: Migration, titles: list[str], tops: list[dict[int, float]], scale: float) -> tuple[Ribbon, ...]:
    left, right = dict(tops[0]), dict(tops[1])
    x0, x1 = MARGIN + BAR, WIDTH - MARGIN - BAR
    middle = (x0 + x1) / 2
    ribbons = []
    for i, row in enumerate(found.matrix):
        for j, n in enumerate(row):
            if not n:
                continue
            tall = max(n * scale, 0.6)
            a, b = left[i], right[j]
            left[i], right[j] = a + n * scale, b + n * scale
            path = (
                f"M{x0} {a:.1f}C{middle} {a:.1f} {middle} {b:.1f} {x1} {b:.1f}V{b + tall:.1f}"
                f"C{middle} {b + tall:.1f} {middle} {a + tall:.1f} {x0} {a + tall:.1f}Z"
            )
            ribbons.append(Ribbon(path, _colour(i), f"{titles[i]} → {titles[j]}: {n:,}"))
    return tuple(ribbons)


def _colour(group: int) -> int:
    return 0 if group < 2 else (group - 2) % COLOURS + 1
