"""Pinyin initials of Chinese words, so that "jz" finds 净值 in the tag picker."""

from __future__ import annotations

from bisect import bisect_right

STARTS = (
    (0xB0A1, "a"), (0xB0C5, "b"), (0xB2C1, "c"), (0xB4EE, "d"), (0xB6EA, "e"), (0xB7A2, "f"), (0xB8C1, "g"), (0xB9FE, "h"),
    (0xBBF7, "j"), (0xBFA6, "k"), (0xC0AC, "l"), (0xC2E8, "m"), (0xC4C3, "n"), (0xC5B6, "o"), (0xC5BE, "p"), (0xC6DA, "q"),
    (0xC8BB, "r"), (0xC8F6, "s"), (0xCBFA, "t"), (0xCDDA, "w"), (0xCEF4, "x"), (0xD1B9, "y"), (0xD4D1, "z"), (0xD7FA, ""),
)  # fmt: skip
"""Where each initial begins among the 3,755 common characters, which GB 2312 keeps in the order of their pinyin."""
_CODES = [code for code, _letter in STARTS]


def initials(text: str) -> str:
    """Return the first letter of each character's pinyin; letters and digits as they are, others left out.

    >>> initials("金融资产AUM")
    'jrzcaum'
    """
    return "".join(map(_initial, text)).lower()


def _initial(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else ""
    code = int.from_bytes(character.encode("gb2312", errors="ignore"), "big")
    at = bisect_right(_CODES, code) - 1
    return STARTS[at][1] if at >= 0 else ""
