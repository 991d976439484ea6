"""AUM in wide bands: enough to choose by, too little to know her by."""

from __future__ import annotations

from kequn.core.spec.base import Text

BANDS: dict[str, tuple[int, Text]] = {
    "b0": (0, Text(zh="5 万以下", en="below 50k")),
    "b1": (5_000_000, Text(zh="5–20 万", en="50k–200k")),
    "b2": (20_000_000, Text(zh="20–100 万", en="200k–1m")),
    "b3": (100_000_000, Text(zh="100–600 万", en="1m–6m")),
    "b4": (600_000_000, Text(zh="600 万以上", en="6m and above")),
}
"""Key -> (from, in fen; words)."""


def band_of(aum_fen: int | None) -> str:
    """Return the key of the band, empty where the AUM is not known."""
    if aum_fen is None:
        return ""
    return max((key for key, (low, _words) in BANDS.items() if max(aum_fen, 0) >= low), default="b0")
