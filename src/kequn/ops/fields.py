"""SpecField: a row stores a spec whole; a read gives the spec, never a dict."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from pydantic import TypeAdapter


class SpecField(models.JSONField):
    """A pydantic spec (or a union of specs) kept as JSON. Migrations see a plain JSONField, so history never imports today's spec."""

    def __init__(self, spec: Any = None, **kwargs: Any) -> None:
        self.adapter: TypeAdapter[Any] | None = TypeAdapter(spec) if spec is not None else None
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
        value = super().from_db_value(value, expression, connection)
        return value if value is None or self.adapter is None else self.adapter.validate_json(json.dumps(value))
