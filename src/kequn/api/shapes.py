"""Turns what services answer into plain JSON."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; money and dates as text, so that nothing is rounded on the way."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, Decimal | date | datetime):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return value
