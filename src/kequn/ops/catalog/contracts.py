"""What other apps may hold of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from kequn.core.spec.base import Text


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing the content check found: a fault stops the approval, a caution is shown to the checker (红线提示)."""

    code: str
    grade: Literal["fault", "caution"]
    found: str
    """The words it is about, as they stand in the text."""
    reason: Text
    start: int = -1
    """Where the words begin in the checked text; -1 where it is about the whole."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the bank, as loaded (产品)."""

    code: str
    name: str
    name_en: str
    family: str
    risk_level: int | None
    minimum_cny: Decimal | None = None
    quota_cny: Decimal | None = None
    """What may still be sold of it, as last loaded; ``None`` where there is no limit, or none is known."""
