"""SpecField: a row stores a spec whole; a read gives the spec, never a dict."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.db import models
from pydantic import TypeAdapter

MOST_KEPT = 2_000
"""Specs of one field kept as read: most pages read all of them."""


class SpecField(models.JSONField):
    """A pydantic spec (or a union of specs) kept as JSON. Migrations see a plain JSONField, so history never imports today's spec."""

    def __init__(self, spec: Any = None, **kwargs: Any) -> None:
        self.adapter: TypeAdapter[Any] | None = TypeAdapter(spec) if spec is not None else None
        self.read = lru_cache(maxsize=MOST_KEPT)(self.adapter.validate_json) if self.adapter else None
        """Specs never change, so that rows of the same text may share one."""
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Any, dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        if value is not None and self.adapter is not None:
            value = json.loads(
                self.adapter.dump_json(value, by_alias=True)
            )  # whole: unions are read back by fields at their defaults
        return super().get_prep_value(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if self.read is None or not isinstance(value, str):
            return super().from_db_value(value, expression, connection)
        return self.read(value)
