"""What a group is called until a person gives it a better name: by the values that tell it apart most."""

from __future__ import annotations

import math
from collections.abc import Collection

from kequn.core.insight.profile import Cell, Difference, Profile
from kequn.core.spec.base import Text

MOST = 2
OFTEN = 0.25
"""A value that fewer of the group than this have does not stand for the group."""
UNTOLD = Text(zh="接近平均的客户", en="Customers near the average")


def telling_values(profile: Profile, *, most: int = MOST) -> tuple[Difference, ...]:
    """Return the values that a group has more often than the bank, and that many of it have: at most one a family.

    They are ranked by share × ln(lower limit of the TGI ÷ 100), the part of the group's surprise that a value carries;
    TGI alone would name a group after a value that one in fifty has.
    """
    best: dict[str, tuple[float, Difference]] = {}
    for tag in profile.tags:
        said = tag.cells[:1] if tag.type == "boolean" else tag.cells
        for cell in said:
            weight = _weight(cell)
            if weight > best.get(tag.family, (0.0,))[0]:
                best[tag.family] = (weight, Difference(tag.tag, tag.zh, tag.en, tag.family, cell))
    ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].tag))
    return tuple(difference for _, difference in ranked[:most])


def name_of(profile: Profile, *, taken: Collection[str] = ()) -> Text:
    """Return a name made of a group's most telling values.

    Args:
        taken: Chinese names already given; a third value, or a number, tells the next one apart.
    """
    for most in (MOST, MOST + 1):
        found = _joined(telling_values(profile, most=most))
        if found.zh not in taken:
            return found
    n = next(i for i in range(2, len(taken) + 3) if f"{found.zh}（{i}）" not in taken)
    return Text(zh=f"{found.zh}（{n}）", en=f"{found.en} ({n})")


def _weight(cell: Cell) -> float:
    if not cell.stands_out or cell.low is None or cell.low <= 100 or (cell.share or 0) < OFTEN:
        return 0.0
    return (cell.share or 0) * math.log(cell.low / 100)


def _joined(telling: Collection[Difference]) -> Text:
    if not telling:
        return UNTOLD
    return Text(zh=" · ".join(_said(d, "zh") for d in telling), en=" · ".join(_said(d, "en") for d in telling))


def _said(difference: Difference, language: str) -> str:
    english = language == "en"
    title = difference.en if english else difference.zh
    if difference.cell.value == "true":
        return title
    return f"{title} {difference.cell.en if english else difference.cell.zh}"
