"""Cells of files that people open in a spreadsheet."""

from __future__ import annotations

import unicodedata

TRIGGERS = frozenset("=+-@")
BLANK = frozenset(" \t\r\n\u3000\u00a0\ufeff\u200b\u200c\u200d\u2060")


def harmless(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe before =, +, -, @, also full-width ones.

    Also where they stand behind blanks, and before a leading tab or line end, which some programs skip. NUL is dropped.

    >>> harmless("=1+1"), harmless("\\u3000＝1"), harmless("王芳")
    ("'=1+1", "'\\u3000＝1", '王芳')
    """
    value = value.replace("\x00", "")
    first = next((c for c in value if c not in BLANK), "")
    plain = unicodedata.normalize("NFKC", first)[:1]
    return f"'{value}" if plain in TRIGGERS or value[:1] in ("\t", "\r", "\n") else value
